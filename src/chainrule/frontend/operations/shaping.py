"""Operations that rearrange elements: shapes, axes, joining and splitting."""

from __future__ import annotations

import math
import operator
from collections.abc import Iterable, Sequence
from functools import reduce
from typing import TYPE_CHECKING, Any

from ... import ops
from ...errors import ShapeError
from ...ir.types import DType, Shape
from ..apply import apply, scalar, separate, tensor_of
from ..modes import user_line
from .arithmetic import broadcast_to, cast, common_dtype

if TYPE_CHECKING:
    from ..tensor import Tensor


def axis_of(axis: int, ndim: int) -> int:
    """``axis`` counted from the front; `ShapeError` if there is no such axis."""
    (axis,) = whole_lengths((axis,), "an axis")
    if not -ndim <= axis < ndim:
        raise ShapeError(f"a Tensor with {ndim} axes has no axis {axis}", where=user_line())
    return axis % ndim


def whole_lengths(values: Iterable[Any], what: str) -> Shape:
    """``values`` as Python's whole numbers; `ShapeError` for anything else."""
    given = tuple(values)
    try:
        if any(isinstance(v, bool) for v in given):  # True would pass for 1
            raise TypeError
        return tuple(operator.index(v) for v in given)
    except TypeError:
        shown = given[0] if len(given) == 1 else given
        raise ShapeError(
            f"{what} is {shown!r}", where=user_line(), help="pass whole numbers"
        ) from None


def axes_of(axes: int | Sequence[int] | None, ndim: int) -> tuple[int, ...]:
    """Sorted axes counted from the front; None means all. `ShapeError` if one is named twice."""
    if axes is None:
        return tuple(range(ndim))
    given = tuple(axes) if isinstance(axes, Iterable) else (axes,)
    chosen = tuple(sorted(axis_of(a, ndim) for a in given))
    if len(set(chosen)) != len(chosen):
        raise ShapeError(
            f"axes {given} name an axis twice",
            where=user_line(),
            help="axes count from the front, or from the end as -1, -2, ...; name each only once",
        )
    return chosen


def reshape(x: Tensor, shape: Sequence[int]) -> Tensor:
    """The same elements in row-major order; one length may be -1, for what is left.

    `ShapeError` if the elements do not fill ``shape``.
    """
    new = whole_lengths(shape, "the new shape")
    if new.count(-1) == 1:
        rest = math.prod(n for n in new if n != -1)
        size = math.prod(x.shape)
        if rest == 0 or size % rest:
            raise ShapeError(
                f"{size} elements do not fit shape {new}",
                where=user_line(),
                help=f"the product of the lengths beside -1 must divide {size}",
            )
        new = tuple(size // rest if n == -1 else n for n in new)
    return x if new == x.shape else apply(ops.reshape, x, shape=new)


def flatten(x: Tensor, start_dim: int = 0, end_dim: int = -1) -> Tensor:
    """Axes ``start_dim`` to ``end_dim`` merged into one; `ShapeError` if these are in no order."""
    if x.ndim == 0:
        return reshape(x, (1,))
    first, last = axis_of(start_dim, x.ndim), axis_of(end_dim, x.ndim)
    if first > last:
        raise ShapeError(
            f"cannot merge axes {start_dim} to {end_dim}",
            where=user_line(),
            help=f"with {x.ndim} axes these are {first} to {last}: pass the earlier one first",
        )
    merged = math.prod(x.shape[first : last + 1])
    return reshape(x, (*x.shape[:first], merged, *x.shape[last + 1 :]))


def permute(x: Tensor, axes: Sequence[int]) -> Tensor:
    """Axis i of the result is axis ``axes[i]`` of x."""
    perm = tuple(axis_of(a, x.ndim) for a in axes)
    return x if perm == tuple(range(x.ndim)) else apply(ops.transpose, x, perm=perm)


def transpose(x: Tensor, first: int, second: int) -> Tensor:
    """Two axes exchanged."""
    perm = list(range(x.ndim))
    a, b = axis_of(first, x.ndim), axis_of(second, x.ndim)
    perm[a], perm[b] = b, a
    return permute(x, perm)


def movedim(x: Tensor, source: int, destination: int) -> Tensor:
    """Axis ``source`` moved to ``destination``."""
    a, b = axis_of(source, x.ndim), axis_of(destination, x.ndim)
    perm = [i for i in range(x.ndim) if i != a]
    perm.insert(b, a)
    return permute(x, perm)


def unsqueeze(x: Tensor, dim: int) -> Tensor:
    """A new axis of length 1 at ``dim``."""
    at = axis_of(dim, x.ndim + 1)
    return reshape(x, (*x.shape[:at], 1, *x.shape[at:]))


def squeeze(x: Tensor, dim: int | Sequence[int] | None = None) -> Tensor:
    """Without axes of length 1: all of them, or those of ``dim`` that have it."""
    among = axes_of(dim, x.ndim)
    return reshape(x, [n for a, n in enumerate(x.shape) if n != 1 or a not in among])


def expand(x: Tensor, shape: Sequence[int]) -> Tensor:
    """Axes of length 1 repeated; -1 keeps a length."""
    shape = whole_lengths(shape, "the new shape")
    first = len(shape) - x.ndim
    wanted = tuple(x.shape[i - first] if n == -1 and i >= first else n for i, n in enumerate(shape))
    if min(wanted, default=0) < 0:
        raise ShapeError(
            f"shape {x.shape} cannot be broadcast to {shape}",
            where=user_line(),
            help="-1 keeps the length of an existing axis; new axes in front need a length",
        )
    return broadcast_to(x, wanted)


def cat(tensors: Sequence[Tensor], dim: int = 0) -> Tensor:
    """Tensors joined along an axis; `ShapeError` if there are none, or other axes differ."""
    xs = [tensor_of(t) for t in (tensors if isinstance(tensors, Iterable) else ())]
    if not xs:
        raise ShapeError(
            "cat needs at least one Tensor", where=user_line(), help=f"it was given {tensors!r}"
        )
    dtype = reduce(common_dtype, (x.dtype for x in xs))
    return apply(ops.concat, *(cast(x, dtype) for x in xs), axis=axis_of(dim, xs[0].ndim))


def stack(tensors: Sequence[Tensor], dim: int = 0) -> Tensor:
    """Tensors of one shape along a new axis."""
    return cat([unsqueeze(tensor_of(t), dim) for t in tensors], dim)


def slice_axis(x: Tensor, axis: int, start: int, stop: int, step: int = 1) -> Tensor:
    """Elements start, start + step, … before ``stop`` of one axis; bounds as `slice.indices`."""
    starts, stops, steps = [0] * x.ndim, list(x.shape), [1] * x.ndim
    starts[axis], stops[axis], steps[axis] = start, stop, step
    return apply(ops.slice, x, start=tuple(starts), stop=tuple(stops), step=tuple(steps))


def split(x: Tensor, size: int | Sequence[int], dim: int = 0) -> tuple[Tensor, ...]:
    """Pieces of ``size`` (the last may be shorter), or of the sizes listed.

    `ShapeError` for a size below 1, and for sizes that do not add up to the length.
    """
    axis = axis_of(dim, x.ndim)
    length = x.shape[axis]
    if not isinstance(size, Iterable):
        (size,) = whole_lengths((size,), "the size of a piece")
        if size < 1:
            raise ShapeError(
                f"invalid piece size {size}", where=user_line(), help="use a size of at least 1"
            )
        sizes = [min(size, length - at) for at in range(0, length, size)]
    else:
        sizes = list(whole_lengths(size, "the sizes of pieces"))
    if sum(sizes) != length or min(sizes, default=0) < 0:
        raise ShapeError(
            f"pieces {sizes} do not add up to {length}",
            where=user_line(),
            help=f"sizes must add up to the length of axis {axis}; or pass one number for all",
        )
    starts = [sum(sizes[:i]) for i in range(len(sizes))]
    return tuple(slice_axis(x, axis, at, at + n) for at, n in zip(starts, sizes, strict=True))


def chunk(x: Tensor, chunks: int, dim: int = 0) -> tuple[Tensor, ...]:
    """At most ``chunks`` pieces of equal size (the last may be shorter).

    `ShapeError` for fewer than one.
    """
    (chunks,) = whole_lengths((chunks,), "the number of chunks")
    if chunks < 1:
        raise ShapeError(
            f"cannot split into {chunks} chunks", where=user_line(), help="use at least 1"
        )
    length = x.shape[axis_of(dim, x.ndim)]
    return split(x, max(1, -(-length // chunks)), dim)


def unbind(x: Tensor, dim: int = 0) -> tuple[Tensor, ...]:
    """The pieces along an axis, without that axis."""
    return tuple(squeeze(piece, dim) for piece in split(x, 1, dim))


@separate
def flip(x: Tensor, dims: int | Sequence[int]) -> Tensor:
    """Elements in reverse order along ``dims``."""
    for axis in axes_of(dims, x.ndim):
        if x.shape[axis]:
            x = slice_axis(x, axis, x.shape[axis] - 1, -1, -1)
    return x


def pad(
    x: Tensor, low: Shape, high: Shape, value: float = 0.0, interior: Shape | None = None
) -> Tensor:
    """``low`` and ``high`` elements of ``value`` around each axis, ``interior`` ones between."""
    x = tensor_of(x)
    filler = scalar(bool(value) if x.dtype is DType.bool else value, x.dtype)
    between = interior if interior is not None else (0,) * x.ndim
    return apply(ops.pad, x, filler, low=low, high=high, interior=between)
