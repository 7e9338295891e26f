"""Functions of neural networks, written with Tensor operations."""
