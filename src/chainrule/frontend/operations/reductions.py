"""Sums, means, extremes and what is made of them."""

from __future__ import annotations

import builtins
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ... import ops
from ...errors import ConfigError, ShapeError
from ...ir.types import DType
from ..apply import apply, scalar, tensor_of
from ..modes import user_line
from ..storage import Storage
from .arithmetic import (
    absolute,
    bitwise_or,
    broadcast_to,
    cast,
    equal,
    exp,
    floating,
    invert,
    is_number,
    less,
    log,
    logical_not,
    maximum,
    minimum,
    negative,
    sqrt,
    where,
)
from .shaping import axes_of, axis_of, cat, pad, reshape, slice_axis

if TYPE_CHECKING:
    from ..tensor import Tensor

Dim = int | Sequence[int] | None


class Extreme(NamedTuple):
    """The largest (or smallest) values along an axis and where they first stand."""

    values: Tensor
    indices: Tensor


def _axes(dim: Dim, x: Tensor) -> tuple[int, ...]:
    """The axes to reduce over: as in PyTorch, none named are all."""
    axes = axes_of(dim, x.ndim)
    return axes if axes else tuple(range(x.ndim))


def _reduce(x: Tensor, dim: Dim, keepdim: bool, largest: bool) -> Tensor:
    axes = _axes(dim, x)
    if largest and builtins.any(x.shape[a] == 0 for a in axes):
        raise ShapeError(f"a Tensor of shape {x.shape} has no largest element", where=user_line())
    result = apply(ops.reduce_max if largest else ops.reduce_sum, x, axes=axes) if axes else x
    return _restore(result, x, axes) if keepdim else result


def _restore(result: Tensor, x: Tensor, axes: Sequence[int]) -> Tensor:
    """``result`` with the reduced axes back at length 1."""
    return reshape(result, [1 if a in axes else n for a, n in enumerate(x.shape)])


def spread(result: Tensor, x: Tensor, axes: Sequence[int]) -> Tensor:
    """A reduction over ``axes`` of x, repeated to the shape of x."""
    return broadcast_to(_restore(result, x, axes), x.shape)


def sum(x: Tensor, dim: Dim = None, keepdim: bool = False) -> Tensor:
    """The sum over ``dim`` (default: everything). Bools, bytes and int16 are counted in i32."""
    return _reduce(_counted(x), dim, keepdim, largest=False)


def _counted(x: Tensor) -> Tensor:
    """x, as i32 where its own dtype has hardly room for a sum."""
    return cast(x, DType.i32) if x.dtype in (DType.bool, DType.u8, DType.i16) else x


def mean(x: Tensor, dim: Dim = None, keepdim: bool = False) -> Tensor:
    """The mean over ``dim`` (default: everything)."""
    count = math.prod(x.shape[a] for a in _axes(dim, x))
    return sum(floating(x), dim, keepdim) / (count if count else math.nan)


def var(
    x: Tensor, dim: Dim = None, *, correction: float | None = 1, keepdim: bool = False
) -> Tensor:
    """sum (x - mean)² / (n - correction), in two passes: no cancellation.

    A ``correction`` of None is 1. `ConfigError` for one that is no number, and for True or False as
    ``dim``.
    """
    if isinstance(dim, bool):
        raise ConfigError(
            f"dim is {dim}",
            where=user_line(),
            help="pass correction=1 to divide by n - 1, or correction=0 to divide by n",
        )
    correction = 1 if correction is None else correction
    if not is_number(correction):
        raise ConfigError(
            f"correction is {correction!r}", where=user_line(), help="pass a number, usually 1 or 0"
        )
    x = floating(x)
    axes = _axes(dim, x)
    count = math.prod(x.shape[a] for a in axes) - correction
    centred = x - mean(x, axes, keepdim=True)
    return sum(centred * centred, axes, keepdim) / (float(count) if count > 0 else math.nan)


def std(
    x: Tensor, dim: Dim = None, *, correction: float | None = 1, keepdim: bool = False
) -> Tensor:
    """The square root of `var`. Its derivative is 0 where all elements are equal."""
    return _root(var(x, dim, correction=correction, keepdim=keepdim))


def _root(x: Tensor) -> Tensor:
    """sqrt(x) with derivative 0 at 0, where that of sqrt, inf, would make 0 · inf of a square's."""
    zero = equal(x, 0.0)
    return where(zero, 0.0, sqrt(where(zero, 1.0, x)))


def amax(x: Tensor, dim: Dim = None, keepdim: bool = False) -> Tensor:
    """The largest element over ``dim``; NaN if there is one. Ties share the gradient."""
    if x.dtype is DType.bool:
        return any(x, dim, keepdim) if x.numel() else _reduce(x, dim, keepdim, largest=True)
    return _reduce(x, dim, keepdim, largest=True)


def amin(x: Tensor, dim: Dim = None, keepdim: bool = False) -> Tensor:
    """The smallest element over ``dim``; NaN if there is one."""
    if x.dtype.is_float:
        return negative(amax(negative(x), dim, keepdim))
    return invert(amax(invert(x), dim, keepdim))  # with all bits flipped the order is reversed


def argmax(x: Tensor, dim: int | None = None, keepdim: bool = False) -> Tensor:
    """Where the largest element first stands; a NaN counts as largest."""
    if dim is None:
        return _one(argmax(reshape(x, (-1,)), 0), x, keepdim)
    axis = axis_of(dim, x.ndim)
    x = cast(x, DType.i32) if x.dtype is DType.bool else x
    largest = equal(x, amax(x.detach(), axis, keepdim=True))
    if x.dtype.is_float:
        largest = bitwise_or(largest, logical_not(equal(x, x)))
    last = x.shape[axis] - 1
    backwards = last - apply(ops.iota, shape=x.shape, axis=axis)
    return last - _reduce(where(largest, backwards, -1), axis, keepdim, largest=True)


def argmin(x: Tensor, dim: int | None = None, keepdim: bool = False) -> Tensor:
    """Where the smallest element first stands; a NaN counts as smallest."""
    return argmax(negative(x) if x.dtype.is_float else invert(x), dim, keepdim)


def _one(result: Tensor, x: Tensor, keepdim: bool) -> Tensor:
    """A single number, with as many axes as x if they are to be kept."""
    return reshape(result, [1] * x.ndim) if keepdim else result


def max(x: Tensor, dim: Any = None, keepdim: bool = False) -> Tensor | Extreme:
    """The largest element; with ``dim`` also where it stands.

    With a Tensor or array in place of ``dim``, the larger of both, element by element.
    """
    if isinstance(dim, Storage | np.ndarray):
        return maximum(x, tensor_of(dim))
    if dim is None:
        return amax(x)
    return Extreme(amax(x, dim, keepdim), argmax(x, dim, keepdim))


def min(x: Tensor, dim: Any = None, keepdim: bool = False) -> Tensor | Extreme:
    """The smallest element; with ``dim`` also where it stands.

    With a Tensor or array in place of ``dim``, the smaller of both, element by element.
    """
    if isinstance(dim, Storage | np.ndarray):
        return minimum(x, tensor_of(dim))
    if dim is None:
        return amin(x)
    return Extreme(amin(x, dim, keepdim), argmin(x, dim, keepdim))


def any(x: Tensor, dim: Dim = None, keepdim: bool = False) -> Tensor:
    """Whether some element is not zero."""
    flags = cast(x, DType.bool)
    if dim is not None and not axes_of(dim, x.ndim):  # as in PyTorch: of each element
        return flags
    return less(0, sum(cast(flags, DType.i32), dim, keepdim))


def all(x: Tensor, dim: Dim = None, keepdim: bool = False) -> Tensor:
    """Whether every element is not zero."""
    return logical_not(any(logical_not(x), dim, keepdim))


def logsumexp(x: Tensor, dim: Dim = None, keepdim: bool = False) -> Tensor:
    """log sum exp x, with the largest element taken out so that nothing overflows."""
    x = floating(x)
    axes = _axes(dim, x)
    largest = amax(x.detach(), axes, keepdim=True)
    largest = where(less(absolute(largest), math.inf), largest, 0.0)  # -inf - -inf is NaN
    result = log(sum(exp(x - largest), axes, keepdim=True)) + largest
    return result if keepdim else reshape(result, _without(x, axes))


def _without(x: Tensor, axes: Sequence[int]) -> list[int]:
    return [n for a, n in enumerate(x.shape) if a not in axes]


def norm(x: Tensor, p: float = 2.0, dim: Dim = None, keepdim: bool = False) -> Tensor:
    """(sum |x|^p)^(1/p); the largest |x| for p = inf, the smallest for -inf.

    p = 0 counts the elements that are not 0. As in PyTorch, elements that are 0 get derivative 0
    where there is none. `ConfigError` if p is no number.
    """
    x = floating(x)
    if not is_number(p) or p != p:
        raise ConfigError(f"the norm of p = {p!r}", where=user_line(), help="pass a number, or inf")
    if p == 2.0:
        return _root(sum(x * x, dim, keepdim))
    if abs(p) == math.inf:
        return (amax if p > 0.0 else amin)(absolute(x), dim, keepdim)
    if p == 1.0:
        return sum(absolute(x), dim, keepdim)
    if p == 0.0:
        return sum(cast(cast(x, DType.bool), DType.f32), dim, keepdim)
    zero = equal(x, 0.0)
    powers = absolute(where(zero, 1.0, x)) ** p
    total = sum(where(zero, 0.0 if p > 0.0 else math.inf, powers), dim, keepdim)
    flat = equal(total, 0.0 if p > 0.0 else math.inf)
    return where(flat, 0.0, where(flat, 1.0, total) ** (1.0 / p))


def cumsum(x: Tensor, dim: int) -> Tensor:
    """Running sums along ``dim``: of 2 elements, of 4, of 8, … Counted as `sum` does."""
    x = _counted(x)
    axis = axis_of(dim, x.ndim)
    length, reach = x.shape[axis], 1
    while reach < length:
        low, high = [0] * x.ndim, [0] * x.ndim
        low[axis] = reach
        before = slice_axis(x, axis, 0, length - reach)
        x = x + pad(before, tuple(low), tuple(high), 0)
        reach *= 2
    return x


def prod(x: Tensor, dim: int | None = None, keepdim: bool = False) -> Tensor:
    """The product over ``dim``, halving the axis until one element is left.

    Bools, bytes and int16 count in i32.
    """
    x = _counted(x)
    if dim is None:
        return _one(prod(reshape(x, (-1,)), 0), x, keepdim)
    axis = axis_of(dim, x.ndim)
    x = x.movedim(axis, 0)
    if x.shape[0] == 0:
        x = broadcast_to(scalar(1, x.dtype), (1, *x.shape[1:]))
    while x.shape[0] > 1:
        half = x.shape[0] // 2
        product = x[:half] * x[half : 2 * half]
        x = product if x.shape[0] % 2 == 0 else cat([product, x[2 * half :]])
    return x.movedim(0, axis) if keepdim else x[0]
