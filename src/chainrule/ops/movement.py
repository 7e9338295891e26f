"""Primitives that move elements and leave their values alone."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from ..batching import Value, bound, stretched
from ..ir.graph import Node, full, full_like
from ..ir.primitive import Primitive, Sample
from ..ir.types import Array, DType, Shape
from .elementwise import mul, select
from .examples import draw
from .reduce import reduce_sum
from .rules import describe, need_axes, quiet, shape_error

# --------------------------------------------------------------------------------- reshape


def reshape_type(x: Node, *, shape: Shape) -> tuple[Shape, DType]:
    """The same elements in row-major order."""
    if any(n < 0 for n in shape) or math.prod(shape) != x.size:
        raise shape_error(
            f"`reshape` cannot turn {describe(x)} into shape {shape}",
            x,
            help=f"the new shape must hold the same {x.size} elements",
        )
    return shape, x.dtype


def reshape_samples(rng: np.random.Generator) -> Iterator[Sample]:
    """Merging, splitting, and axes of length 1."""
    pairs: tuple[tuple[Shape, Shape], ...] = (
        ((), (1, 1)),
        ((1,), ()),
        ((6, 5), (30,)),
        ((30,), (2, 3, 5)),
        ((3, 8, 7), (12, 14)),
        ((4, 1, 7), (4, 7)),
    )
    for old, new in pairs:
        yield Sample((draw(rng, old, DType.f32),), {"shape": new})


reshape: Primitive = Primitive(
    "reshape",
    reshape_type,
    quiet(np.reshape),
    lambda g, y, x, *, shape: (reshape(g, shape=x.shape),),
    reshape_samples,
    movement=True,
    batch=lambda node, inputs, size: bound(node, inputs[0][0], shape=(size, *node.shape)),
)


# ------------------------------------------------------------------------------- transpose


def transpose_type(x: Node, *, perm: tuple[int, ...]) -> tuple[Shape, DType]:
    """Axis i of the result is axis perm[i] of x."""
    if len(perm) != x.ndim:
        raise shape_error(f"`transpose` of {describe(x)} got {len(perm)} axes: {perm}", x)
    need_axes("transpose", perm, x.ndim, x)
    return tuple(x.shape[p] for p in perm), x.dtype


def inverse(perm: tuple[int, ...]) -> tuple[int, ...]:
    """The permutation that undoes ``perm``."""
    return tuple(perm.index(i) for i in range(len(perm)))


def transpose_samples(rng: np.random.Generator) -> Iterator[Sample]:
    """Swaps, cycles and the identity."""
    for shape, perm in (
        ((5, 17), (1, 0)),
        ((2, 3, 7), (2, 0, 1)),
        ((2, 3, 7), (0, 2, 1)),
        ((3, 1, 2, 5), (2, 3, 0, 1)),
        ((4,), (0,)),
    ):
        yield Sample((draw(rng, shape, DType.f32),), {"perm": perm})


transpose: Primitive = Primitive(
    "transpose",
    transpose_type,
    quiet(lambda x, *, perm: np.transpose(x, perm)),
    lambda g, y, x, *, perm: (transpose(g, perm=inverse(perm)),),
    transpose_samples,
    movement=True,
    batch=lambda node, inputs, size: bound(
        node, inputs[0][0], perm=(0, *(p + 1 for p in node.params["perm"]))
    ),
)


def transposed(x: Node) -> Node:
    """The last two axes exchanged: of matrices, the transposes."""
    return transpose(x, perm=(*range(x.ndim - 2), x.ndim - 1, x.ndim - 2))


# ------------------------------------------------------------------------------- broadcast


def broadcast_type(x: Node, *, shape: Shape, axes: tuple[int, ...]) -> tuple[Shape, DType]:
    """Axis i of x becomes axis axes[i] of the result; x is repeated along all others."""
    need_axes("broadcast", axes, len(shape), x)
    if len(axes) != x.ndim or any(n != shape[a] for n, a in zip(x.shape, axes, strict=True)):
        raise shape_error(
            f"`broadcast` cannot place {describe(x)} at axes {axes} of shape {shape}",
            x,
            help="each axis of the operand must match the length of the axis it becomes",
        )
    return shape, x.dtype


def broadcast_reference(x: Array, *, shape: Shape, axes: tuple[int, ...]) -> Array:
    """A view with stride 0 along the new axes."""
    order = sorted(range(len(axes)), key=lambda i: axes[i])
    aligned = [shape[a] if a in axes else 1 for a in range(len(shape))]
    return np.broadcast_to(np.transpose(x, order).reshape(aligned), shape)


def broadcast_vjp(g: Node, y: Node, x: Node, *, shape: Shape, axes: tuple[int, ...]) -> tuple[Node]:
    """Every copy contributes: the sum over the new axes."""
    new = tuple(a for a in range(len(shape)) if a not in axes)
    total = reduce_sum(g, axes=new) if new else g
    rank = tuple(sorted(axes).index(a) for a in axes)
    return (transpose(total, perm=rank) if rank != tuple(range(x.ndim)) else total,)


def broadcast_samples(rng: np.random.Generator) -> Iterator[Sample]:
    """New axes in front, behind, between; axes in another order; none new."""
    cases: tuple[tuple[Shape, Shape, tuple[int, ...]], ...] = (
        ((), (3, 5), ()),
        ((), (), ()),
        ((17,), (3, 17), (1,)),
        ((17,), (17, 3), (0,)),
        ((3, 7), (3, 5, 7), (0, 2)),
        ((7, 3), (3, 5, 7), (2, 0)),
        ((7, 3), (3, 7), (1, 0)),
    )
    for old, new, axes in cases:
        yield Sample((draw(rng, old, DType.f32),), {"shape": new, "axes": axes})


broadcast = Primitive(
    "broadcast",
    broadcast_type,
    quiet(broadcast_reference),
    broadcast_vjp,
    broadcast_samples,
    movement=True,
    batch=lambda node, inputs, size: bound(
        node,
        inputs[0][0],
        shape=(size, *node.shape),
        axes=(0, *(a + 1 for a in node.params["axes"])),
    ),
)


# ----------------------------------------------------------------------------------- slice


def slice_type(x: Node, *, start: Shape, stop: Shape, step: Shape) -> tuple[Shape, DType]:
    """ceil((stop - start) / step) elements of each axis; bounds are checked, never clipped."""
    if not len(start) == len(stop) == len(step) == x.ndim:
        raise shape_error(f"`slice` of {describe(x)} needs {x.ndim} starts, stops and steps", x)
    for n, a, b, s in zip(x.shape, start, stop, step, strict=True):
        forward = s > 0 and 0 <= a <= b <= n
        backward = s < 0 and -1 <= b < a < n
        if not (forward or backward):
            raise shape_error(
                f"`slice` {a}:{b}:{s} is out of range for an axis of length {n} in {describe(x)}",
                x,
                help="0 <= start <= stop <= length, or stop < start with a negative step",
            )
    return tuple(len(range(*r)) for r in zip(start, stop, step, strict=True)), x.dtype


def slice_reference(x: Array, *, start: Shape, stop: Shape, step: Shape) -> Array:
    """A view. A stop of -1 with a negative step means "before element 0"."""
    bounds = zip(start, stop, step, strict=True)
    return x[tuple(slice(a, None if b < 0 else b, s) for a, b, s in bounds)]


def reverse(x: Node, axes: tuple[int, ...]) -> Node:
    """``x`` backwards along ``axes``, as a slice with step -1."""
    if not axes:
        return x
    start = tuple(n - 1 if a in axes else 0 for a, n in enumerate(x.shape))
    stop = tuple(-1 if a in axes else n for a, n in enumerate(x.shape))
    step = tuple(-1 if a in axes else 1 for a in range(x.ndim))
    return slice_(x, start=start, stop=stop, step=step)


def slice_vjp(g: Node, y: Node, x: Node, *, start: Shape, stop: Shape, step: Shape) -> tuple[Node]:
    """Each element returns to its place, zeros between."""
    ahead = reverse(g, tuple(a for a, s in enumerate(step) if s < 0))
    low, high, interior = [], [], []
    for n, length, a, s in zip(x.shape, y.shape, start, step, strict=True):
        first, last = sorted((a, a + (length - 1) * s)) if length else (n, n - 1)
        low.append(first)
        high.append(n - 1 - last)
        interior.append(abs(s) - 1)
    zero = full(0.0, (), g.dtype)
    return (pad(ahead, zero, low=tuple(low), high=tuple(high), interior=tuple(interior)),)


def slice_samples(rng: np.random.Generator) -> Iterator[Sample]:
    """Parts, strides, backwards, and a remainder at the end."""
    cases: tuple[tuple[Shape, Shape, Shape, Shape], ...] = (
        ((17,), (3,), (12,), (1,)),
        ((17,), (1,), (16,), (4,)),
        ((8,), (7,), (-1,), (-1,)),
        ((8,), (6,), (0,), (-3,)),
        ((5, 7), (1, 6), (5, -1), (2, -2)),
        ((2, 3, 5), (0, 1, 0), (2, 2, 5), (1, 1, 1)),
    )
    for shape, start, stop, step in cases:
        params = {"start": start, "stop": stop, "step": step}
        yield Sample((draw(rng, shape, DType.f32),), params)


def slice_batch(node: Node, inputs: list[Value], size: int) -> Node:
    """All members."""
    start, stop, step = (node.params[k] for k in ("start", "stop", "step"))
    return bound(node, inputs[0][0], start=(0, *start), stop=(size, *stop), step=(1, *step))


slice_ = Primitive(
    "slice",
    slice_type,
    quiet(slice_reference),
    slice_vjp,
    slice_samples,
    movement=True,
    batch=slice_batch,
)


# ------------------------------------------------------------------------------------- pad


def pad_type(
    x: Node, value: Node, *, low: Shape, high: Shape, interior: Shape
) -> tuple[Shape, DType]:
    """``low`` and ``high`` elements around, ``interior`` ones between neighbours."""
    if value.shape != () or value.dtype is not x.dtype:
        raise shape_error(
            f"`pad` needs a 0-d value of the operand's dtype, not {describe(x, value)}", x
        )
    if not len(low) == len(high) == len(interior) == x.ndim or min((*low, *high, *interior, 0)) < 0:
        raise shape_error(f"`pad` of {describe(x)} needs {x.ndim} widths >= 0 for each param", x)
    return pad_shape(x.shape, low, high, interior), x.dtype


def pad_shape(x_shape: Shape, low: Shape, high: Shape, interior: Shape) -> Shape:
    """low + n + (n - 1) interior + high elements along each axis of n."""
    widths = zip(x_shape, low, high, interior, strict=True)
    return tuple(a + n + max(n - 1, 0) * i + b for n, a, b, i in widths)


def pad_places(x_shape: Shape, low: Shape, interior: Shape) -> tuple[slice, ...]:
    """Where the elements of the operand lie in the result."""
    return tuple(
        slice(a, a + (n - 1) * (i + 1) + 1 if n else a, i + 1)
        for n, a, i in zip(x_shape, low, interior, strict=True)
    )


def pad_reference(x: Array, value: Array, *, low: Shape, high: Shape, interior: Shape) -> Array:
    """``value`` everywhere but at the places of x."""
    result = np.full(pad_shape(x.shape, low, high, interior), value, dtype=x.dtype)
    result[pad_places(x.shape, low, interior)] = x
    return result


def pad_vjp(g: Node, y: Node, x: Node, value: Node, **widths: Any) -> tuple[Node, Node]:
    """x gets its places back, ``value`` the sum over all others."""
    places = pad_places(x.shape, widths["low"], widths["interior"])
    start = tuple(p.start for p in places)
    to_x = slice_(
        g, start=start, stop=tuple(p.stop for p in places), step=tuple(p.step for p in places)
    )
    outside = pad(full_like(x, 0.0), full(1.0, (), x.dtype), **widths)
    return to_x, reduce_sum(mul(g, outside), axes=tuple(range(g.ndim)))


def pad_samples(rng: np.random.Generator) -> Iterator[Sample]:
    """Around, between, on one side, nothing."""
    cases: tuple[tuple[Shape, Shape, Shape, Shape], ...] = (
        ((5,), (2,), (3,), (0,)),
        ((5,), (0,), (0,), (2,)),
        ((3, 7), (0, 1), (2, 0), (1, 0)),
        ((2, 3, 5), (1, 0, 0), (1, 0, 2), (0, 3, 1)),
        ((3, 5), (0, 0), (0, 0), (0, 0)),
    )
    for shape, low, high, interior in cases:
        params = {"low": low, "high": high, "interior": interior}
        yield Sample((draw(rng, shape, DType.f32), draw(rng, (), DType.f32)), params)


def pad_batch(node: Node, inputs: list[Value], size: int) -> Node:
    """Values that differ are put around afterwards."""
    value, differs = inputs[1]
    x = stretched(inputs[0], size)
    widths = {k: (0, *node.params[k]) for k in ("low", "high", "interior")}
    if not differs:
        return bound(node, x, value, **widths)
    y = pad(x, full(0, (), x.dtype), **widths)
    outside = pad(full(0, x.shape, DType.bool), full(1, (), DType.bool), **widths)
    return select(outside, broadcast(value, shape=y.shape, axes=(0,)), y)


pad = Primitive(
    "pad",
    pad_type,
    quiet(pad_reference),
    pad_vjp,
    pad_samples,
    movement=True,
    batch=pad_batch,
)


# ---------------------------------------------------------------------------------- concat


def concat_type(*xs: Node, axis: int) -> tuple[Shape, DType]:
    """The lengths along ``axis`` add up; all other axes are equal."""
    if not xs:
        raise shape_error("`concat` needs at least one operand")
    first = xs[0]
    need_axes("concat", (axis,), first.ndim, first)
    rests = {x.shape[:axis] + x.shape[axis + 1 :] for x in xs}
    if len(rests) > 1 or any(x.ndim != first.ndim or x.dtype is not first.dtype for x in xs):
        raise shape_error(
            f"`concat` along axis {axis} got mismatched shapes: {describe(*xs)}",
            *xs,
            help="dtypes and all other axes must be equal",
        )
    total = sum(x.shape[axis] for x in xs)
    return (*first.shape[:axis], total, *first.shape[axis + 1 :]), first.dtype


def concat_vjp(g: Node, y: Node, *xs: Node, axis: int) -> tuple[Node, ...]:
    """Each operand gets its part back."""
    parts, begin = [], 0
    for x in xs:
        start = tuple(begin if a == axis else 0 for a in range(x.ndim))
        stop = tuple(s + n for s, n in zip(start, x.shape, strict=True))
        parts.append(slice_(g, start=start, stop=stop, step=(1,) * x.ndim))
        begin += x.shape[axis]
    return tuple(parts)


def concat_samples(rng: np.random.Generator) -> Iterator[Sample]:
    """One to three operands along each axis."""
    cases: tuple[tuple[tuple[Shape, ...], int], ...] = (
        (((3,), (5,)), 0),
        (((2, 7), (3, 7), (1, 7)), 0),
        (((3, 2), (3, 5)), 1),
        (((2, 1, 3), (2, 4, 3)), 1),
        (((5,),), 0),
    )
    for shapes, axis in cases:
        yield Sample(tuple(draw(rng, s, DType.f32) for s in shapes), {"axis": axis})


concat = Primitive(
    "concat",
    concat_type,
    quiet(lambda *xs, axis: np.concatenate(xs, axis)),
    concat_vjp,
    concat_samples,
    movement=True,
    batch=lambda node, inputs, size: bound(
        node, *(stretched(v, size) for v in inputs), axis=node.params["axis"] + 1
    ),
)
