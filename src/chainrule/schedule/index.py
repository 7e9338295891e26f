"""Access maps: which element of an input a loop index touches."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache, lru_cache

from ..ir.graph import Node
from ..ir.types import Shape, row_major
from ..passes.layout import matching_groups
from .nest import Affine

Idx = tuple[Affine, ...]
#: shapes for which is remembered what follows from them; equal layers ask again and again
SHAPES = 4096


def loops(count: int, axes: Sequence[int] | None = None) -> Idx:
    """The index that is loop ``axes[i]`` at position i, of ``count`` loops in all."""
    chosen = range(count) if axes is None else axes
    return tuple([_loop(count, a) for a in chosen])


@cache
def _loop(count: int, axis: int) -> Affine:
    return Affine(0, tuple(int(d == axis) for d in range(count)))


@lru_cache(SHAPES)
def axes_of(shape: Shape) -> Idx:
    """The index that is one loop for each axis of ``shape``; 0 for axes of extent 1.

    So equal elements have equal indices, whichever way unit axes came and went.
    """
    axes = loops(len(shape))
    none = zero(len(shape))
    return tuple(none if e == 1 else part for e, part in zip(shape, axes, strict=True))


@cache
def zero(count: int) -> Affine:
    """The constant 0."""
    return Affine(0, (0,) * count)


def dot_strides(idx: Idx, strides: Sequence[int], count: int) -> Affine:
    """``sum(idx[i] * strides[i])``: the offset of an element in memory."""
    const, coeffs = 0, [0] * count
    for part, stride in zip(idx, strides, strict=True):
        if stride:
            const += part.const * stride
            for loop, step in zip(range(count), part.coeffs, strict=True):
                if step:
                    coeffs[loop] += step * stride
    return Affine(const, tuple(coeffs))


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
    parts = _reshaping(source, target)
    if parts is None:
        return None
    result: list[Affine] = [zero(count)] * len(source)
    for axis, targets, steps in parts:
        result[axis] = dot_strides(tuple([idx[t] for t in targets]), steps, count)
    return tuple(result)


#: an axis of the source, and the target's axes that it is made of, with their steps
Part = tuple[int, tuple[int, ...], tuple[int, ...]]


@lru_cache(SHAPES)
def _reshaping(source: Shape, target: Shape) -> tuple[Part, ...] | None:
    """How each axis of ``source`` that is not 1 follows from those of ``target``."""
    parts: list[Part] = []
    for sources, targets in matching_groups(source, target):
        wide = [i for i in sources if source[i] != 1]
        wide_targets = tuple(t for t in targets if target[t] != 1)
        extents = tuple(target[t] for t in wide_targets)
        if len(wide) == 1:
            parts.append((wide[0], wide_targets, row_major(extents)))
        elif tuple(source[i] for i in wide) == extents:
            parts += [(i, (t,), (1,)) for i, t in zip(wide, wide_targets, strict=True)]
        else:
            return None
    return tuple(parts)


def loop_of(affine: Affine) -> int | None:
    """Which loop this is the plain index of; None if it is anything else."""
    if affine.const or sum(c != 0 for c in affine.coeffs) != 1:
        return None
    axis = next(d for d, c in enumerate(affine.coeffs) if c)
    return axis if affine.coeffs[axis] == 1 else None
