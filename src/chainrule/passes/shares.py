"""Weight gradients as sums of shares, each from some of the images.

Threads that share out the result of a weight gradient all read the whole of both operands, most of
which lies in the caches of others. Here the images are cut into shares, by shape alone, and each
is a product of its own, for the thread that worked on these images before:

    dw = sum over the shares s of conv_wgrad(x of s, dy of s)
"""

from __future__ import annotations

from ..ir.graph import Graph, Node, bind
from ..ir.rewrite import Rule, rewrite

#: shares of one gradient: enough for threads to share them out evenly, and not more than that
FEWEST, MOST = 8, 16


def share_gradients(graph: Graph) -> Graph:
    """Cut every weight gradient that is small beside its operands."""
    return rewrite(graph, RULES)


def cut(node: Node) -> Node | None:
    """conv_wgrad(x, dy) -> sum over the shares of conv_wgrad with a group for each share"""
    if node.op != "conv_wgrad" or node.shape[0] != 1:
        return None
    x, dy = node.inputs
    count = next((n for n in range(FEWEST, MOST + 1) if x.shape[0] % n == 0), 1)
    if count == 1 or count * node.size > x.size + dy.size:
        return None
    parts = [_in_groups(array, count) for array in (x, dy)]
    each = bind("conv_wgrad", *parts, location=node.location, **node.params)
    total = bind("reduce_sum", each, axes=(0,), location=node.location)
    return bind("reshape", total, shape=node.shape)


def _in_groups(x: Node, count: int) -> Node:
    """x [N, *S, 1, C] as [N / count, *S, count, C]."""
    n, *places, _, c = x.shape
    apart = bind("reshape", x, shape=(count, n // count, *places, c))
    perm = (*range(1, apart.ndim - 1), 0, apart.ndim - 1)
    return bind("transpose", apart, perm=perm)


RULES: tuple[Rule, ...] = (cut,)
