"""What is cut off is not computed: slices move up through convolutions and paddings.

    slice(conv(x, w)) -> conv(slice(x), w)        slice(pad(x)) -> pad(x) by less

The gradient of a padded convolution computes the padding's gradient too, which is thrown away: on
8 x 8 images with a border of 1 that is a third of the work.
"""

from __future__ import annotations

from ..ir.graph import Graph, Node, bind
from ..ir.rewrite import Rule, rewrite
from ..ops.convolution import span


def crop(graph: Graph) -> Graph:
    """Move slices up."""
    return rewrite(graph, RULES)


def crop_convolution(node: Node) -> Node | None:
    """slice(conv(x, w)) along places -> conv(slice(x), w)"""
    if node.op != "slice" or node.inputs[0].op != "conv" or set(node.params["step"]) != {1}:
        return None
    y = node.inputs[0]
    x, w = y.inputs
    count = y.ndim - 3
    cuts = [(a, b) for a, b in zip(node.params["start"], node.params["stop"], strict=True)]
    inner = cuts[1 : 1 + count]
    whole = [(0, e) for e in y.shape]
    if [cuts[0], *cuts[1 + count :]] != [whole[0], *whole[1 + count :]] or 0 in node.shape:
        return None
    strides, dilation = y.params["strides"], y.params["dilation"]
    spans = [span(k, d) for k, d in zip(w.shape, dilation, strict=False)]
    start = [a * s for (a, _), s in zip(inner, strides, strict=True)]
    stop = [(b - 1) * s + e for (_, b), s, e in zip(inner, strides, spans, strict=True)]
    cut = bind(
        "slice",
        x,
        start=(0, *start, 0, 0),
        stop=(x.shape[0], *stop, *x.shape[-2:]),
        step=(1,) * x.ndim,
        location=node.location,
    )
    return bind("conv", cut, w, strides=strides, dilation=dilation, location=y.location)


def crop_padding(node: Node) -> Node | None:
    """slice(pad(x)) that leaves x whole -> pad(x) by less"""
    if node.op != "slice" or node.inputs[0].op != "pad" or set(node.params["step"]) != {1}:
        return None
    padded = node.inputs[0]
    x, value = padded.inputs
    low = [p - a for p, a in zip(padded.params["low"], node.params["start"], strict=True)]
    ends = zip(padded.params["high"], padded.shape, node.params["stop"], strict=True)
    high = [p - (n - b) for p, n, b in ends]
    if min(*low, *high, 0) < 0:
        return None
    params = {"low": tuple(low), "high": tuple(high), "interior": padded.params["interior"]}
    return bind("pad", x, value, location=padded.location, **params)


def crop_below_unit_axes(node: Node) -> Node | None:
    """slice(reshape(x)) -> reshape(slice(x)), where only axes of extent 1 come or go"""
    if node.op != "slice" or node.inputs[0].op != "reshape" or 0 in node.shape:
        return None
    flat = node.inputs[0]
    x = flat.inputs[0]
    wide = [a for a, e in enumerate(flat.shape) if e != 1]
    below = [a for a, e in enumerate(x.shape) if e != 1]
    if [flat.shape[a] for a in wide] != [x.shape[a] for a in below]:
        return None
    cut: dict[str, tuple[int, ...]] = {}
    for name, whole in (("start", 0), ("stop", 1), ("step", 1)):
        values = [whole] * x.ndim
        for mine, theirs in zip(below, wide, strict=True):
            values[mine] = node.params[name][theirs]
        cut[name] = tuple(values)
    part = bind("slice", x, location=node.location, **cut)
    return bind("reshape", part, shape=node.shape, location=node.location)


RULES: tuple[Rule, ...] = (crop_convolution, crop_padding, crop_below_unit_axes)
