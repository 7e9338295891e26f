"""Rows of all parts are one axis, as the rows of a whole batch are.

Where several parts are computed at once, arrays are [parts, rows, ...]. What treats all rows alike,
such as a convolution, takes them as one axis, [parts rows, ...], and its result is split again.
Such splits sink through what is done row by row, until they meet what merges rows, and vanish:

    op(split x, split y) -> split op(x, y)        merge(split x) -> x

So what follows a convolution can become its epilogue, and images stay near one after the other, as
if there were no parts. What differs from part to part keeps its two axes: sums over rows,
statistics, random numbers, and what is done with these.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from ..ir.graph import Node, bind, topological
from ..ir.rewrite import with_inputs
from ..ir.types import Shape
from ..ops.movement import inverse
from .transposes import through_reshape, turned


@dataclass
class _Known:
    """``merged``: what nodes are splits of. ``repeated``: what is the same in all rows."""

    merged: dict[Node, Node] = field(default_factory=dict)
    repeated: dict[tuple[Node, Shape, int], Node | None] = field(default_factory=dict)


def sink_splits(roots: Sequence[Node], parts: int) -> list[Node]:
    """``roots`` with the splits of rows into ``parts`` as late as possible."""
    new: dict[Node, Node] = {}
    known = _Known()
    for node in topological(roots):
        inputs = [new[i] for i in node.inputs]
        result = _rewritten(node, inputs, known)
        if node.ndim > 1 and node.shape[0] == parts and result not in known.merged:
            rows = (parts * node.shape[1], *node.shape[2:])
            whole = _whole(result, rows, known)
            if whole is not None:
                result = _reshaped(whole, node.shape, known)
                known.merged[result] = whole
        new[node] = result
    return [new[root] for root in roots]


def _rewritten(node: Node, inputs: list[Node], known: _Known) -> Node:
    if node.op == "reshape":
        return _reshaped(inputs[0], node.shape, known)
    if node.op == "transpose":
        return turned(inputs[0], node.params["perm"])
    return with_inputs(node, inputs)


def _reshaped(x: Node, shape: Shape, known: _Known) -> Node:
    """reshape(split x) -> reshape(x), reshape(T x) -> T' reshape(x) where neighbours merge"""
    x = known.merged.get(x, x)
    if x.shape == shape:
        return x
    node = bind("reshape", x, shape=shape, location=x.location)
    sunk = through_reshape(node) if x.op == "transpose" else node
    if sunk is node:
        return node
    if sunk.op == "reshape":
        return _reshaped(sunk.inputs[0], shape, known)
    below = sunk.inputs[0]
    return turned(_reshaped(below.inputs[0], below.shape, known), sunk.params["perm"])


def _whole(node: Node, rows: Shape, known: _Known) -> Node | None:
    """``node`` with parts and rows as one axis, if it does the same with all rows."""
    if node.primitive.elementwise:
        return _of_each(node, rows, known)
    rule = _RULES.get(node.op)
    return rule(node, rows, known) if rule else None


def _of_each(node: Node, rows: Shape, known: _Known) -> Node | None:
    if not any(i in known.merged for i in node.inputs):
        return None
    given = [known.merged.get(i) or _repeated(i, rows, 2, known) for i in node.inputs]
    inputs = [i for i in given if i is not None]
    return with_inputs(node, inputs) if len(inputs) == len(given) else None


def _repeated(node: Node, rows: Shape, leading: int, known: _Known) -> Node | None:
    """What is the same along ``leading`` axes, parts and rows or rows alone, in the shape
    ``rows``."""
    key = node, rows, leading
    if key not in known.repeated:
        known.repeated[key] = _same(node, rows, leading, known)
    return known.repeated[key]


def _same(node: Node, rows: Shape, leading: int, known: _Known) -> Node | None:
    if node.op == "broadcast":
        return _same_row(node, rows, leading, known)
    if node.op == "iota" and node.params["axis"] >= leading:
        return bind("iota", shape=rows, axis=node.params["axis"] - leading + 1)
    if node.op == "transpose" and node.params["perm"][:leading] == tuple(range(leading)):
        perm = (0, *(p - leading + 1 for p in node.params["perm"][leading:]))
        before = tuple(rows[p] for p in inverse(perm))
        inner = _repeated(node.inputs[0], before, leading, known)
        return None if inner is None else turned(inner, perm)
    if not node.primitive.elementwise:
        return None
    given = [_repeated(i, rows, leading, known) for i in node.inputs]
    inputs = [i for i in given if i is not None]
    return with_inputs(node, inputs) if len(inputs) == len(given) else None


def _same_row(node: Node, rows: Shape, leading: int, known: _Known) -> Node | None:
    """A broadcast; of rows that are the same for all parts, if each of them is, too."""
    x, axes = node.inputs[0], node.params["axes"]
    inner: Node | None = x
    within = tuple(a - leading + 1 for a in axes)
    if within[:1] == (0,):
        inner, within = _repeated(x, (rows[0], *x.shape[1:]), 1, known), within[1:]
    if inner is None or min(within, default=1) < 1:
        return None
    first = () if inner is x else (0,)
    return bind("broadcast", inner, shape=rows, axes=(*first, *within))


def _of_reshape(node: Node, rows: Shape, known: _Known) -> Node | None:
    """What is split in order. Of parts alone there is nothing to merge."""
    x, parts = node.inputs[0], node.shape[0]
    splits = x.ndim > 0 and x.shape[0] != parts and x.shape[0] % parts == 0
    return _reshaped(x, rows, known) if splits else None


def _of_transpose(node: Node, rows: Shape, known: _Known) -> Node | None:
    x, perm = known.merged.get(node.inputs[0]), node.params["perm"]
    if x is None or perm[:2] != (0, 1):
        return None
    return turned(x, (0, *(p - 1 for p in perm[2:])))


def _of_broadcast(node: Node, rows: Shape, known: _Known) -> Node | None:
    x, axes = known.merged.get(node.inputs[0]), node.params["axes"]
    if x is None or axes[:2] != (0, 1):
        return None
    within = (0, *(a - 1 for a in axes[2:]))
    return bind("broadcast", x, shape=rows, axes=within, location=node.location)


def _of_slice(node: Node, rows: Shape, known: _Known) -> Node | None:
    x = known.merged.get(node.inputs[0])
    start, stop, step = (node.params[k] for k in ("start", "stop", "step"))
    if x is None or node.shape[:2] != node.inputs[0].shape[:2] or step[:2] != (1, 1):
        return None
    start, stop = (0, *start[2:]), (rows[0], *stop[2:])
    return bind("slice", x, start=start, stop=stop, step=step[1:], location=node.location)


def _of_pad(node: Node, rows: Shape, known: _Known) -> Node | None:
    x = known.merged.get(node.inputs[0])
    if x is None or node.shape[:2] != node.inputs[0].shape[:2]:
        return None
    widths = {name: (0, *around[2:]) for name, around in node.params.items()}
    return bind("pad", x, node.inputs[1], location=node.location, **widths)


def _of_concat(node: Node, rows: Shape, known: _Known) -> Node | None:
    pieces = [known.merged[i] for i in node.inputs if i in known.merged]
    axis = node.params["axis"] - 1
    if axis < 1 or len(pieces) < len(node.inputs):
        return None
    return bind("concat", *pieces, axis=axis, location=node.location)


def _of_reduction(node: Node, rows: Shape, known: _Known) -> Node | None:
    x, axes = known.merged.get(node.inputs[0]), node.params["axes"]
    if x is None or min(axes, default=0) < 2:
        return None
    return bind(node.op, x, axes=tuple(a - 1 for a in axes), location=node.location)


def _of_gather(node: Node, rows: Shape, known: _Known) -> Node | None:
    """Rows of what is the same for all parts."""
    places = known.merged.get(node.inputs[1])
    if places is None or node.params["axis"]:
        return None
    return bind("gather", node.inputs[0], places, axis=0, location=node.location)


_RULES: dict[str, Callable[[Node, Shape, _Known], Node | None]] = {
    "reshape": _of_reshape,
    "transpose": _of_transpose,
    "broadcast": _of_broadcast,
    "slice": _of_slice,
    "pad": _of_pad,
    "concat": _of_concat,
    "reduce_sum": _of_reduction,
    "reduce_max": _of_reduction,
    "gather": _of_gather,
}
