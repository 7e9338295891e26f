"""Depthwise convolutions as sums of shifted arrays.

With one channel in each group there is nothing to multiply and sum over but the kernel's taps: a
product would have vectors of one element. Along the groups vectors are full:

    y = sum over the taps k of x[places * stride + k * dilation] * w[k]

is one element-wise expression, in the order of the taps, and each tap's weight gradient is the sum
of such a product over images and places.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from ..ir.graph import Graph, Node, bind
from ..ir.rewrite import Rule, rewrite
from ..ir.types import Shape


def expand_depthwise(graph: Graph) -> Graph:
    """Replace depthwise convolutions."""
    return rewrite(graph, RULES)


def sum_of_taps(node: Node) -> Node | None:
    """conv of groups with one channel -> sum of shifted arrays times weights"""
    if node.op != "conv" or node.inputs[1].shape[-2] != 1 or node.shape[-2] == 1:
        return None
    x, w = node.inputs
    count = node.ndim - 3
    total: Node | None = None
    for tap, shifted in _shifted(node, x, w.shape[:count], node.shape[1 : 1 + count]):
        start = (*tap, 0, 0, 0)
        stop = (*(t + 1 for t in tap), *w.shape[count:])
        weight = bind("slice", w, start=start, stop=stop, step=(1,) * w.ndim)
        row = bind("reshape", weight, shape=node.shape[-2:])
        spread = bind("broadcast", row, shape=node.shape, axes=(count + 1, count + 2))
        term = bind("mul", _widened(shifted, node.shape), spread, location=node.location)
        total = term if total is None else bind("add", total, term, location=node.location)
    return total


def gradients_of_taps(node: Node) -> Node | None:
    """conv_wgrad of groups with one channel -> a sum over images and places for each tap"""
    if node.op != "conv_wgrad" or node.shape[-1] != 1 or node.shape[0] == 1:
        return None
    x, dy = node.inputs
    kernel = node.params["kernel"]
    count = len(kernel)
    rows = []
    for _, shifted in _shifted(node, x, kernel, dy.shape[1 : 1 + count]):
        each = bind("mul", _widened(shifted, dy.shape), dy, location=node.location)
        summed = bind("reduce_sum", each, axes=tuple(range(1 + count)), location=node.location)
        rows.append(bind("reshape", summed, shape=(*summed.shape, 1)))
    joined = rows[0] if len(rows) == 1 else bind("concat", *rows, axis=2)
    return bind("reshape", joined, shape=node.shape)


def _shifted(
    node: Node, x: Node, kernel: Shape, places: Shape
) -> Iterator[tuple[tuple[int, ...], Node]]:
    """Each tap, and what of ``x`` it meets at all places."""
    strides, dilation = node.params["strides"], node.params["dilation"]
    for tap in itertools.product(*(range(k) for k in kernel)):
        first = [t * d for t, d in zip(tap, dilation, strict=True)]
        last = [f + (p - 1) * s + 1 for f, p, s in zip(first, places, strides, strict=True)]
        yield (
            tap,
            bind(
                "slice",
                x,
                start=(0, *first, 0, 0),
                stop=(x.shape[0], *last, *x.shape[-2:]),
                step=(1, *strides, 1, 1),
                location=node.location,
            ),
        )


def _widened(x: Node, shape: Shape) -> Node:
    """x [.., G, 1] for each of O outputs of a group."""
    if x.shape == shape:
        return x
    narrow = bind("reshape", x, shape=x.shape[:-1])
    return bind("broadcast", narrow, shape=shape, axes=tuple(range(len(shape) - 1)))


RULES: tuple[Rule, ...] = (sum_of_taps, gradients_of_taps)
