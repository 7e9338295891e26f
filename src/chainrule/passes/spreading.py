"""Products of merged rows take the axes of those who read them.

A layer on rows of several axes merges them for its product and splits the result again:

    reshape(dot(reshape(x, [B T, K]), w) + b, [B, T, N]) -> dot(x, broadcast(w, [B, K, N])) + b

What follows is done element by element over [B, T, N], so it can join the product as its epilogue;
behind a reshape it would go over memory once more. The schedule merges the rows again, in all loops
of the nest, and each element is the same chain of operations.
"""

from __future__ import annotations

from collections.abc import Sequence

from ..ir.graph import Graph, Node, bind, users
from ..ir.rewrite import with_inputs
from ..ir.types import Shape


def spread_rows(graph: Graph) -> Graph:
    """Give products, and what is done to them, the axes into which all readers split the rows."""
    order = graph.nodes()
    wanted = _wanted(order, set(graph.roots))
    if not any(node.op == "dot" for node in wanted):
        return graph
    new: dict[Node, Node] = {}
    for node in order:
        if node in wanted:
            inputs = (_spread(i, new[i], wanted, wanted[node]) for i in node.inputs)
            new[node] = (
                _product(node, new, wanted[node])
                if node.op == "dot"
                else bind(node.op, *inputs, location=node.location, **node.params)
            )
        elif node.op == "reshape" and node.inputs[0] in wanted:
            new[node] = new[node.inputs[0]]
        else:
            new[node] = with_inputs(node, [new[i] for i in node.inputs])
    return graph.with_roots(new[r] for r in graph.roots)


def _wanted(order: Sequence[Node], roots: set[Node]) -> dict[Node, Shape]:
    """The shapes in which products, and what is done to them, are read, where all readers agree."""
    readers = users(order)
    wanted: dict[Node, Shape] = {}
    for node in reversed(order):
        if node.ndim != 2 or node in roots or not (node.op == "dot" or node.primitive.elementwise):
            continue
        shapes = {_asked(node, reader, wanted) for reader in readers[node]}
        shape = shapes.pop() if len(shapes) == 1 else None
        if shape is not None:
            wanted[node] = shape
    return wanted


def _asked(node: Node, reader: Node, wanted: dict[Node, Shape]) -> Shape | None:
    """The shape in which ``reader`` would have ``node``: its own, if it splits the rows and nothing
    else, or goes element by element. Operands of a product have shapes of their own."""
    if reader in wanted:
        return None if reader.op == "dot" else wanted[reader]
    splits = reader.op == "reshape" and reader.ndim > 2 and reader.shape[-1] == node.shape[-1]
    return reader.shape if splits else None


def _product(dot: Node, new: dict[Node, Node], shape: Shape) -> Node:
    """The product ``dot`` over rows of several axes."""
    rows, matrix = (new[i] for i in dot.inputs)
    batch = shape[:-2]
    rows = _reshaped(rows, (*shape[:-1], rows.shape[-1]))
    axes = (len(batch), len(batch) + 1)
    matrix = bind("broadcast", matrix, shape=(*batch, *matrix.shape), axes=axes)
    return bind("dot", rows, matrix, location=dot.location)


def _spread(node: Node, rewritten: Node, wanted: dict[Node, Shape], shape: Shape) -> Node:
    """An operand of what is done to a product, in the new shape."""
    if node in wanted:
        return rewritten
    if rewritten.op == "broadcast" and rewritten.params["axes"] in ((), (1,)):
        axes = (len(shape) - 1,) * len(rewritten.params["axes"])
        return bind("broadcast", rewritten.inputs[0], shape=shape, axes=axes)
    return _reshaped(rewritten, shape)


def _reshaped(x: Node, shape: Shape) -> Node:
    while x.op == "reshape":
        x = x.inputs[0]
    return x if x.shape == shape else bind("reshape", x, shape=shape, location=x.location)
