"""Primitives that read and write where another array points."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ..batching import Value, bound, divided, merged, moved, stretched
from ..ir.graph import Node, full, full_like
from ..ir.primitive import Primitive, Sample
from ..ir.types import Array, DType, Shape
from .elementwise import add, and_, eq, le, lt, max_, mul, select
from .examples import draw
from .movement import broadcast, reshape
from .rules import NUMBERS, describe, need_axes, need_dtype, quiet, shape_error
from .sources import iota


def indexed(shape: Shape, indices: Shape, axis: int) -> Shape:
    """``shape`` with ``axis`` replaced by the axes of ``indices``."""
    return shape[:axis] + indices + shape[axis + 1 :]


def gather_type(x: Node, indices: Node, *, axis: int) -> tuple[Shape, DType]:
    """``axis`` of x is replaced by the axes of ``indices``."""
    need_axes("gather", (axis,), x.ndim, x)
    need_dtype("gather", (DType.i32,), indices)
    if x.shape[axis] == 0 and indices.size:
        raise shape_error(f"`gather` has nothing to read along axis {axis} of {describe(x)}", x)
    return indexed(x.shape, indices.shape, axis), x.dtype


def clamped(indices: Node, length: int) -> Node:
    """``indices`` moved into 0 ... length - 1."""
    last = full_like(indices, length - 1)
    return select(lt(last, indices), last, max_(indices, full_like(indices, 0)))


def gather_vjp(g: Node, y: Node, x: Node, indices: Node, *, axis: int) -> tuple[Node, None]:
    """What was read several times collects several cotangents, clamped reads at the border."""
    places = clamped(indices, x.shape[axis])
    return scatter_add(full_like(x, 0.0), places, g, axis=axis), None


def gather_samples(rng: np.random.Generator) -> Iterator[Sample]:
    """Repeated and out-of-range indices, each axis, 0-d to 2-d indices."""
    cases: tuple[tuple[Shape, Shape, int], ...] = (
        ((7,), (5,), 0),
        ((5, 3), (17,), 0),
        ((3, 5), (2, 3), 1),
        ((2, 5, 3), (), 1),
        ((2, 3, 5), (7,), 2),
    )
    for shape, index_shape, axis in cases:
        indices = draw(rng, index_shape, DType.i32, -2, shape[axis] + 1)
        yield Sample((draw(rng, shape, DType.f32), indices), {"axis": axis})


def gather_batch(node: Node, inputs: list[Value], size: int) -> Node:
    """Where both differ, members lie one after the other along the axis that is read."""
    (x, differs), (indices, move) = inputs
    axis = node.params["axis"]
    if not move:
        return bound(node, x, indices, axis=axis + 1)
    if not differs:
        return moved(bound(node, x, indices), axis, 0)
    length = x.shape[axis + 1]
    places = add(clamped(indices, length), _firsts(indices, length))
    return moved(bound(node, merged(inputs[0], size, axis), places), axis, 0)


def _firsts(indices: Node, length: int) -> Node:
    """Where each member begins if ``length`` places of each lie one after the other."""
    return mul(iota(shape=indices.shape, axis=0), full_like(indices, length))


gather = Primitive(
    "gather",
    gather_type,
    quiet(lambda x, indices, *, axis: np.take(x, indices, axis, mode="clip")),
    gather_vjp,
    gather_samples,
    batch=gather_batch,
)


def scatter_add_type(x: Node, indices: Node, updates: Node, *, axis: int) -> tuple[Shape, DType]:
    """The type of x. ``updates`` has the shape that ``gather(x, indices)`` would have."""
    need_axes("scatter_add", (axis,), x.ndim, x)
    need_dtype("scatter_add", NUMBERS, x)
    need_dtype("scatter_add", (DType.i32,), indices)
    return _scattered_type("scatter_add", x, indices, updates, axis)


def _scattered_type(
    op: str, x: Node, indices: Node, updates: Node, axis: int
) -> tuple[Shape, DType]:
    expected = indexed(x.shape, indices.shape, axis)
    if updates.shape != expected or updates.dtype is not x.dtype:
        raise shape_error(
            f"`{op}` into {describe(x)} at indices of shape {indices.shape} needs updates "
            f"{x.dtype!r}{list(expected)}, not {describe(updates)}",
            x,
            indices,
            updates,
        )
    return x.shape, x.dtype


def scatter_add_reference(x: Array, indices: Array, updates: Array, *, axis: int) -> Array:
    """One addition after the other, in the order of the indices."""
    result = np.array(x, order="C")
    rows, places, parts = _scattered(result, indices, updates, axis)
    np.add.at(rows, places, parts)
    return result


def _scattered(
    result: Array, indices: Array, updates: Array, axis: int
) -> tuple[Array, Array, Array]:
    """``result`` along ``axis``, the indices that are in range, and the updates there."""
    rows, flat = np.moveaxis(result, axis, 0), indices.ravel()
    parts = np.moveaxis(updates.reshape(indexed(result.shape, flat.shape, axis)), axis, 0)
    valid = (flat >= 0) & (flat < result.shape[axis])
    return rows, flat[valid], parts[valid]


def scatter_add_vjp(
    g: Node, y: Node, x: Node, indices: Node, updates: Node, *, axis: int
) -> tuple[Node, None, Node]:
    """Each update gets the cotangent of its place; dropped ones get zero."""
    if x.shape[axis] == 0:
        return g, None, full_like(updates, 0.0)
    return g, None, _read_where(_inside(x, indices, axis), g, indices, axis)


def _inside(x: Node, indices: Node, axis: int) -> Node:
    """Which of ``indices`` are in range."""
    low, high = full_like(indices, 0), full_like(indices, x.shape[axis])
    return and_(le(low, indices), lt(indices, high))


def _read_where(chosen: Node, g: Node, indices: Node, axis: int) -> Node:
    """``g`` at those ``indices`` that are ``chosen``, 0 for the others."""
    read = gather(g, indices, axis=axis)
    mask = broadcast(chosen, shape=read.shape, axes=tuple(range(axis, axis + indices.ndim)))
    return select(mask, read, full_like(read, 0.0))


def scatter_samples(rng: np.random.Generator) -> Iterator[Sample]:
    """Colliding and out-of-range indices, each axis, 0-d to 2-d indices, integers too."""
    cases: tuple[tuple[Shape, Shape, int, DType], ...] = (
        ((7,), (17,), 0, DType.f32),
        ((5, 3), (8,), 0, DType.f32),
        ((3, 5), (2, 3), 1, DType.f32),
        ((2, 5, 3), (), 1, DType.f32),
        ((2, 3, 5), (7,), 2, DType.f32),
        ((5,), (33,), 0, DType.i32),
    )
    for shape, index_shape, axis, dtype in cases:
        indices = draw(rng, index_shape, DType.i32, -2, shape[axis] + 1)
        updates = draw(rng, indexed(shape, index_shape, axis), dtype)
        yield Sample((draw(rng, shape, dtype), indices, updates), {"axis": axis})


def scatter_batch(node: Node, inputs: list[Value], size: int) -> Node:
    """Members lie one after the other; indices that are out of range stay so."""
    axis, length = node.params["axis"], node.shape[node.params["axis"]]
    x, (indices, move), updates = inputs
    if not move:
        both = (stretched(x, size), indices, stretched(updates, size))
        return bound(node, *both, axis=axis + 1)
    nowhere = full_like(indices, size * length)
    inside = and_(le(full_like(indices, 0), indices), lt(indices, full_like(indices, length)))
    places = select(inside, add(indices, _firsts(indices, length)), nowhere)
    rows = moved(stretched(updates, size), 0, axis)
    return divided(bound(node, merged(x, size, axis), places, rows), size, axis)


scatter_add = Primitive(
    "scatter_add",
    scatter_add_type,
    quiet(scatter_add_reference),
    scatter_add_vjp,
    scatter_samples,
    batch=scatter_batch,
)


def scatter_type(x: Node, indices: Node, updates: Node, *, axis: int) -> tuple[Shape, DType]:
    """The type of x. ``updates`` has the shape that ``gather(x, indices)`` would have."""
    need_axes("scatter", (axis,), x.ndim, x)
    need_dtype("scatter", (DType.i32,), indices)
    return _scattered_type("scatter", x, indices, updates, axis)


def scatter_reference(x: Array, indices: Array, updates: Array, *, axis: int) -> Array:
    """One update after the other, in the order of the indices: the last one stays."""
    result = np.array(x, order="C")
    rows, places, parts = _scattered(result, indices, updates, axis)
    for place, part in zip(places, parts, strict=True):
        rows[place] = part
    return result


def scatter_vjp(
    g: Node, y: Node, x: Node, indices: Node, updates: Node, *, axis: int
) -> tuple[Node, None, Node]:
    """x gets what was left of it; of updates to one place the last gets it all."""
    if x.shape[axis] == 0 or not indices.size:
        return g, None, full_like(updates, 0.0)
    own = iota(shape=(indices.size,), axis=0)
    order = reshape(own, shape=indices.shape)
    none = full(-1, (x.shape[axis],), DType.i32)
    last = gather(scatter(none, indices, order, axis=0), indices, axis=0)
    stays = and_(_inside(x, indices, axis), eq(last, order))
    left = scatter(g, indices, full_like(updates, 0.0), axis=axis)
    return left, None, _read_where(stays, g, indices, axis)


scatter = Primitive(
    "scatter",
    scatter_type,
    quiet(scatter_reference),
    scatter_vjp,
    scatter_samples,
    batch=scatter_batch,
)
