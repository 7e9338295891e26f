"""Sums that algebra makes simpler.

    sum(c x) -> c sum(x)        sum(-x) -> -sum(x)        sum(x - mean(x)) -> 0

for c that is the same along the summed axes. Batch normalisation needs all three: the chain rule
sums its cotangent three times over all images, the first two rules show that two of these sums are
one, and the third that the last one, the way of the mean through the variance, is nothing at all.
"""

from __future__ import annotations

import math

from ..ir.graph import Graph, Node, bind, full
from ..ir.rewrite import Rule, rewrite

Axes = tuple[int, ...]


def simplify_sums(graph: Graph) -> Graph:
    """Apply the rules to every sum."""
    return rewrite(graph, RULES)


def leave_out_centred(node: Node) -> Node | None:
    """sum(a + c (x - mean(x))) -> sum(a)"""
    if not _is_sum(node):
        return None
    x, axes = node.inputs[0], node.params["axes"]
    if _vanishes(x, axes):
        return full(0.0, node.shape, node.dtype)
    if x.op not in ("add", "sub"):
        return None
    a, b = x.inputs
    if _vanishes(b, axes):
        return _sum(a, node)
    if _vanishes(a, axes):
        return _sum(b, node) if x.op == "add" else bind("neg", _sum(b, node))
    return None


def factor_out(node: Node) -> Node | None:
    """sum(c x) -> c sum(x), sum(x / c) -> sum(x) / c"""
    if not _is_sum(node):
        return None
    x, axes = node.inputs[0], node.params["axes"]
    if x.op not in ("mul", "div"):
        return None
    a, b = x.inputs
    if _is_steady(b, axes):
        return bind(x.op, _sum(a, node), _along_rest(b, node), location=node.location)
    if x.op == "mul" and _is_steady(a, axes):
        return bind("mul", _sum(b, node), _along_rest(a, node), location=node.location)
    return None


def negate_after(node: Node) -> Node | None:
    """sum(-x) -> -sum(x)"""
    if not _is_sum(node) or node.inputs[0].op != "neg":
        return None
    return bind("neg", _sum(node.inputs[0].inputs[0], node), location=node.location)


def _is_sum(node: Node) -> bool:
    return node.op == "reduce_sum" and node.dtype.is_float and node.inputs[0].ndim > 1


def _sum(x: Node, like: Node) -> Node:
    return bind("reduce_sum", x, axes=like.params["axes"], location=like.location)


def _is_steady(node: Node, axes: Axes) -> bool:
    """Whether a broadcast repeats one value along ``axes``."""
    return node.op == "broadcast" and not set(node.params["axes"]) & set(axes)


def _along_rest(node: Node, summed: Node) -> Node:
    """A broadcast that is steady along the summed axes, without these."""
    gone = summed.params["axes"]
    kept = [a for a in range(node.ndim) if a not in gone]
    axes = tuple(kept.index(a) for a in node.params["axes"])
    if summed.ndim == 0:
        return node.inputs[0]
    return bind("broadcast", node.inputs[0], shape=summed.shape, axes=axes)


def _vanishes(x: Node, axes: Axes) -> bool:
    """Whether the sum of ``x`` over ``axes`` is 0 whatever its leaves are."""
    if x.op == "neg":
        return _vanishes(x.inputs[0], axes)
    if x.op == "mul":
        a, b = x.inputs
        return (_is_steady(a, axes) and _vanishes(b, axes)) or (
            _is_steady(b, axes) and _vanishes(a, axes)
        )
    if x.op == "add":
        return all(_vanishes(i, axes) for i in x.inputs)
    return x.op == "sub" and _is_mean(x.inputs[1], x.inputs[0], axes)


def _is_mean(m: Node, x: Node, axes: Axes) -> bool:
    """Whether ``m`` repeats the mean of ``x`` over ``axes``."""
    kept = tuple(a for a in range(x.ndim) if a not in axes)
    if m.op != "broadcast" or m.params["axes"] != kept or m.inputs[0].op not in ("mul", "div"):
        return False
    total, factor = m.inputs[0].inputs
    if total.op != "reduce_sum" or total.inputs[0] is not x or total.params["axes"] != axes:
        return False
    while factor.op == "broadcast":
        factor = factor.inputs[0]
    if factor.op != "const" or factor.size != 1:
        return False
    count = math.prod(x.shape[a] for a in axes)
    value = float(factor.params["value"].reshape(()))
    return math.isclose(value if m.inputs[0].op == "div" else 1 / (value or 1), count, rel_tol=1e-6)


RULES: tuple[Rule, ...] = (leave_out_centred, factor_out, negate_after)
