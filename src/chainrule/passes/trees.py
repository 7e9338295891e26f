"""Sums along a tree: inside of a product, or as sums of two.

Where parts of a batch are computed together, each has a gradient of every weight, which only their
sum needs. The gradient of a matrix is a product over the rows of a part, and the sum one over all
rows, whose chains end where a part ends:

    tree_sum(dot(xᵀ [parts, M, rows], g [parts, rows, N])) -> dot_tree(xᵀ [M, parts rows], g)

So nothing of it goes to memory and comes back, and the optimizer can be its epilogue, as it is
without parts. All other sums are written out, as sums of two.
"""

from __future__ import annotations

from operator import add

from ..ir.graph import Graph, Node, bind, topological, users
from ..ir.rewrite import with_inputs
from ..ops.reduce import tree
from .transposes import turned

#: rows of a part, for longer sums what is saved does not count
LONGEST = 256


def place_trees(graph: Graph) -> Graph:
    """Put every ``tree_sum`` into the product that it sums, or write it out."""
    order = list(topological(graph.inputs + graph.roots))
    readers = users(order)
    for root in graph.roots:
        readers[root].append(root)
    new: dict[Node, Node] = {}
    for node in order:
        if node.op == "tree_sum":
            inside = _inside(node.inputs[0], readers, new)
            new[node] = _written_out(new[node.inputs[0]]) if inside is None else inside
        else:
            new[node] = with_inputs(node, [new[i] for i in node.inputs])
    return graph.with_roots(new[r] for r in graph.roots)


def _inside(terms: Node, readers: dict[Node, list[Node]], new: dict[Node, Node]) -> Node | None:
    """The sum of products, as one; ``terms`` may be turned, but not read by others."""
    if len(readers[terms]) > 1:
        return None
    if terms.op == "transpose":
        perm = terms.params["perm"]
        below = _inside(terms.inputs[0], readers, new) if perm[0] == 0 else None
        return None if below is None else turned(below, tuple(p - 1 for p in perm[1:]))
    if terms.op != "dot" or terms.ndim != 3:
        return None
    a, b = (new[i] for i in terms.inputs)
    parts, rows = b.shape[:2]
    if a.op != "transpose" or a.params["perm"] != (0, 2, 1) or rows > LONGEST or parts == 1:
        return None
    left, right = (_all_rows(x) for x in (a.inputs[0], b))
    return bind("dot_tree", turned(left, (1, 0)), right, runs=parts, location=terms.location)


def _all_rows(x: Node) -> Node:
    """The rows of all parts, one after the other."""
    shape = (x.shape[0] * x.shape[1], x.shape[2])
    while x.op == "reshape":
        x = x.inputs[0]
    return x if x.shape == shape else bind("reshape", x, shape=shape, location=x.location)


def _written_out(terms: Node) -> Node:
    rest = terms.shape[1:]
    each = []
    for at in range(terms.shape[0]):
        start, stop = (at, *(0,) * len(rest)), (at + 1, *rest)
        one = bind("slice", terms, start=start, stop=stop, step=(1,) * terms.ndim)
        each.append(bind("reshape", one, shape=rest))
    return tree(each, add)
