"""Access maps: which element of an input a loop index touches."""

from __future__ import annotations

from collections.abc import Sequence

from ..ir.graph import Node
from ..ir.types import Shape, row_major
from ..passes.layout import matching_groups
from .nest import Affine

Idx = tuple[Affine, ...]


def loops(count: int, axes: Sequence[int] | None = None) -> Idx:
    """The index that is loop ``axes[i]`` at position i, of ``count`` loops in all."""
    chosen = range(count) if axes is None else axes
    return tuple(Affine(0, tuple(int(d == a) for d in range(count))) for a in chosen)


def axes_of(shape: Shape) -> Idx:
    """The index that is one loop for each axis of ``shape``; 0 for axes of extent 1.

    So equal elements have equal indices, whichever way unit axes came and went.
    """
    axes = loops(len(shape))
    none = zero(len(shape))
    return tuple(none if e == 1 else part for e, part in zip(shape, axes, strict=True))


def zero(count: int) -> Affine:
    """The constant 0."""
    return Affine(0, (0,) * count)


def dot_strides(idx: Idx, strides: Sequence[int], count: int) -> Affine:
    """``sum(idx[i] * strides[i])``: the offset of an element in memory."""
    total = zero(count)
    for part, stride in zip(idx, strides, strict=True):
        if stride:
            total = total + part * stride
    return total


def input_index(node: Node, idx: Idx, count: int) -> Idx | None:
    """Where movement ``node`` at ``idx`` reads ``node.inputs[0]``; None if that is not affine."""
    if node.op == "transpose":
        perm = node.params["perm"]
        source: list[Affine] = [zero(count)] * len(perm)
        for position, axis in enumerate(perm):
            source[axis] = idx[position]
        return tuple(source)
    if node.op == "broadcast":
        return tuple(idx[axis] for axis in node.params["axes"])
    if node.op == "slice":
        start, step = node.params["start"], node.params["step"]
        return tuple((i * k).shift(s) for i, s, k in zip(idx, start, step, strict=True))
    return reshape_index(node.inputs[0].shape, node.shape, idx, count)


def reshape_index(source: Shape, target: Shape, idx: Idx, count: int) -> Idx | None:
    """Index into ``source`` for one into ``target``; None where an axis would have to be cut."""
    result: list[Affine] = [zero(count)] * len(source)
    for sources, targets in matching_groups(source, target):
        wide = [i for i in sources if source[i] != 1]
        wide_targets = [t for t in targets if target[t] != 1]
        if not wide:
            continue
        if len(wide) == 1:
            steps = row_major(tuple(target[t] for t in wide_targets))
            result[wide[0]] = dot_strides(tuple(idx[t] for t in wide_targets), steps, count)
        elif [source[i] for i in wide] == [target[t] for t in wide_targets]:
            for i, t in zip(wide, wide_targets, strict=True):
                result[i] = idx[t]
        else:
            return None
    return tuple(result)


def loop_of(affine: Affine) -> int | None:
    """Which loop this is the plain index of; None if it is anything else."""
    if affine.const or sum(c != 0 for c in affine.coeffs) != 1:
        return None
    axis = next(d for d, c in enumerate(affine.coeffs) if c)
    return axis if affine.coeffs[axis] == 1 else None
