"""Convolutions of arrays with zeros between their elements, without the zeros.

The gradient of a convolution with stride s is a convolution of the cotangent with s - 1 zeros
between neighbours: most products have a factor 0. Places p with the same remainder p mod s meet the
cotangent itself with some taps of the kernel only, so each remainder is a small convolution of its
own, and the results interleave:

    y[s i + r] = sum over the taps k with (r + k d - low) divisible by s of
                 x[i + (r + k d - low) / s] w[k]
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from math import gcd

from ..ir.graph import Graph, Node, bind, full
from ..ir.rewrite import Rule, rewrite
from ..ir.types import Shape


def skip_zeros(graph: Graph) -> Graph:
    """Take convolutions of spread arrays apart."""
    return rewrite(graph, RULES)


@dataclass(frozen=True)
class _Share:
    """One remainder along one axis: its taps (first, last + 1, step) and the window of x."""

    taps: range
    dilation: int
    low: int
    high: int


def take_apart(node: Node) -> Node | None:
    """conv(pad(x, interior s - 1), w) -> interleaved convolutions of x"""
    if node.op != "conv" or node.inputs[0].op != "pad" or 0 in node.shape:
        return None
    padded, w = node.inputs
    x, zero = padded.inputs
    count = node.ndim - 3
    steps = [i + 1 for i in padded.params["interior"][1 : 1 + count]]
    places = node.shape[1 : 1 + count]
    plain = set(node.params["strides"]) == {1} and _is_zero(zero)
    if max(steps) == 1 or not plain:
        return None
    # The last places of some remainders may lie beyond the end: they are computed and cut off.
    small = [-(-p // s) for p, s in zip(places, steps, strict=True)]
    shares = [
        [_share(a, r, padded, node, steps[a], small[a]) for r in range(steps[a])]
        for a in range(count)
    ]
    parts = [_part(node, x, w, combination) for combination in itertools.product(*shares)]
    shape = (node.shape[0], *small, *node.shape[-2:])
    woven = _interleaved(parts, node, steps, shape)
    return _slice(woven, [(0, extent, 1) for extent in node.shape])


def _share(axis: int, remainder: int, padded: Node, node: Node, step: int, count: int) -> _Share:
    dilation, low = node.params["dilation"][axis], padded.params["low"][1 + axis]
    kernel = node.inputs[1].shape[axis]
    taps = [k for k in range(kernel) if (remainder + k * dilation - low) % step == 0]
    if not taps:
        return _Share(range(0), 1, 0, 0)
    stride = step // gcd(step, dilation)
    first = (remainder + taps[0] * dilation - low) // step
    spread = dilation // gcd(step, dilation)
    last = first + (len(taps) - 1) * spread + count - 1
    size = padded.inputs[0].shape[1 + axis]
    return _Share(range(taps[0], taps[-1] + 1, stride), spread, -first, last - (size - 1))


def _part(node: Node, x: Node, w: Node, shares: tuple[_Share, ...]) -> Node | None:
    """The convolution of one remainder along each axis; None where no tap meets anything."""
    if not all(share.taps for share in shares):
        return None
    edges = [(0, x.shape[0], 0, 0)]
    for share, size in zip(shares, x.shape[1:], strict=False):
        edges.append((max(0, -share.low), size - max(0, -share.high), share.low, share.high))
    edges += [(0, e, 0, 0) for e in x.shape[-2:]]
    inside = _slice(x, [(a, b, 1) for a, b, _, _ in edges])
    low, high = (tuple(max(0, e[i]) for e in edges) for i in (2, 3))
    if any((*low, *high)):
        none = (0,) * x.ndim
        zero = full(0.0, (), x.dtype)
        inside = bind("pad", inside, zero, low=low, high=high, interior=none)
    cuts = [(s.taps.start, s.taps.stop, s.taps.step) for s in shares]
    kernel = _slice(w, [*cuts, *((0, e, 1) for e in w.shape[-3:])])
    dilation = tuple(s.dilation for s in shares)
    ones = (1,) * len(shares)
    return bind("conv", inside, kernel, strides=ones, dilation=dilation, location=node.location)


def _slice(x: Node, cuts: list[tuple[int, int, int]]) -> Node:
    start, stop, step = zip(*cuts, strict=True)
    if stop == x.shape and not any(start) and set(step) == {1}:
        return x
    return bind("slice", x, start=start, stop=stop, step=step)


def _interleaved(parts: list[Node | None], node: Node, steps: list[int], shape: Shape) -> Node:
    """Parts in the order of their remainders (row-major), woven along every axis."""
    filled = [p if p is not None else full(0.0, shape, node.dtype) for p in parts]
    for axis in reversed(range(len(steps))):
        step = steps[axis]
        groups = [filled[i : i + step] for i in range(0, len(filled), step)]
        filled = [_woven(group, 1 + axis, node) for group in groups]
    return filled[0]


def _woven(parts: list[Node], axis: int, node: Node) -> Node:
    """Element i of part r becomes element i * len(parts) + r along ``axis``."""
    if len(parts) == 1:
        return parts[0]
    shape = parts[0].shape
    apart: Shape = (*shape[: axis + 1], 1, *shape[axis + 1 :])
    pieces = [bind("reshape", p, shape=apart) for p in parts]
    joined = bind("concat", *pieces, axis=axis + 1, location=node.location)
    woven = (*shape[:axis], shape[axis] * len(parts), *shape[axis + 1 :])
    return bind("reshape", joined, shape=woven)


def _is_zero(value: Node) -> bool:
    return value.op == "const" and not value.params["value"].any()


RULES: tuple[Rule, ...] = (take_apart,)
