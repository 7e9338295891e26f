"""What Tensors can do, written in the primitives: arithmetic, shapes, indices, reductions."""
