"""Sums, means, extremes and what is made of them."""

from __future__ import annotations

import builtins
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ... import ops
from ...errors import ShapeError
from ...ir.types import DType
from ..apply import apply, scalar
from ..modes import where as user_line
from .arithmetic import (
    absolute,
    bitwise_or,
    bitwise_xor,
    broadcast_to,
    cast,
    equal,
    exp,
    floating,
    less,
    log,
    logical_not,
    negative,
    sqrt,
    where,
)
from .shaping import axes_of, axis_of, cat, reshape

if TYPE_CHECKING:
    from ..tensor import Tensor

Dim = int | Sequence[int] | None


class Extreme(NamedTuple):
    """The largest (or smallest) values along an axis and where they first stand."""

    values: Tensor
    indices: Tensor


def _reduce(x: Tensor, dim: Dim, keepdim: bool, largest: bool) -> Tensor:
    axes = axes_of(dim, x.ndim)
    if largest and builtins.any(x.shape[a] == 0 for a in axes):
        raise ShapeError(f"shape {x.shape} has no largest element", where=user_line())
    result = apply(ops.reduce_max if largest else ops.reduce_sum, x, axes=axes) if axes else x
    return _restore(result, x, axes) if keepdim else result


def _restore(result: Tensor, x: Tensor, axes: Sequence[int]) -> Tensor:
    """``result`` with the reduced axes back at length 1."""
    return reshape(result, [1 if a in axes else n for a, n in enumerate(x.shape)])


def spread(result: Tensor, x: Tensor, axes: Sequence[int]) -> Tensor:
    """A reduction over ``axes`` of x, repeated to the shape of x."""
    return broadcast_to(_restore(result, x, axes), x.shape)


def sum(x: Tensor, dim: Dim = None, keepdim: bool = False) -> Tensor:
    """The sum over ``dim`` (default: everything). Bools and bytes are counted in i32."""
    if x.dtype in (DType.bool, DType.u8):
        x = cast(x, DType.i32)
    return _reduce(x, dim, keepdim, largest=False)


def mean(x: Tensor, dim: Dim = None, keepdim: bool = False) -> Tensor:
    """The mean over ``dim`` (default: everything)."""
    count = math.prod(x.shape[a] for a in axes_of(dim, x.ndim))
    return sum(floating(x), dim, keepdim) / (count if count else math.nan)


def var(x: Tensor, dim: Dim = None, correction: int = 1, keepdim: bool = False) -> Tensor:
    """sum (x - mean)² / (n - correction), in two passes: no cancellation."""
    x = floating(x)
    axes = axes_of(dim, x.ndim)
    count = math.prod(x.shape[a] for a in axes) - correction
    centred = x - mean(x, axes, keepdim=True)
    return sum(centred * centred, axes, keepdim) / (float(count) if count > 0 else math.nan)


def std(x: Tensor, dim: Dim = None, correction: int = 1, keepdim: bool = False) -> Tensor:
    """The square root of `var`."""
    return sqrt(var(x, dim, correction, keepdim))


def amax(x: Tensor, dim: Dim = None, keepdim: bool = False) -> Tensor:
    """The largest element over ``dim``; NaN if there is one. Ties share the gradient."""
    return _reduce(x, dim, keepdim, largest=True)


def amin(x: Tensor, dim: Dim = None, keepdim: bool = False) -> Tensor:
    """The smallest element over ``dim``; NaN if there is one."""
    if x.dtype.is_float:
        return negative(amax(negative(x), dim, keepdim))
    ones = np.iinfo(x.dtype.numpy).max if x.dtype is not DType.i32 else -1
    return bitwise_xor(amax(bitwise_xor(x, ones), dim, keepdim), ones)  # max of all bits flipped


def argmax(x: Tensor, dim: int | None = None, keepdim: bool = False) -> Tensor:
    """Where the largest element first stands; a NaN counts as largest."""
    if dim is None:
        return argmax(reshape(x, (-1,)), 0)
    axis = axis_of(dim, x.ndim)
    largest = equal(x, amax(x.detach(), axis, keepdim=True))
    if x.dtype.is_float:
        largest = bitwise_or(largest, logical_not(equal(x, x)))
    last = x.shape[axis] - 1
    backwards = last - apply(ops.iota, shape=x.shape, axis=axis)
    return last - _reduce(where(largest, backwards, -1), axis, keepdim, largest=True)


def argmin(x: Tensor, dim: int | None = None, keepdim: bool = False) -> Tensor:
    """Where the smallest element first stands; a NaN counts as smallest."""
    flipped = negative(x) if x.dtype.is_float else bitwise_xor(cast(x, DType.i32), -1)
    return argmax(flipped, dim, keepdim)


def max(x: Tensor, dim: int | None = None, keepdim: bool = False) -> Tensor | Extreme:
    """The largest element; with ``dim`` also where it stands."""
    if dim is None:
        return amax(x)
    return Extreme(amax(x, dim, keepdim), argmax(x, dim, keepdim))


def min(x: Tensor, dim: int | None = None, keepdim: bool = False) -> Tensor | Extreme:
    """The smallest element; with ``dim`` also where it stands."""
    if dim is None:
        return amin(x)
    return Extreme(amin(x, dim, keepdim), argmin(x, dim, keepdim))


def any(x: Tensor, dim: Dim = None, keepdim: bool = False) -> Tensor:
    """Whether some element is not zero."""
    flags = cast(cast(x, DType.bool), DType.i32)
    return less(0, sum(flags, dim, keepdim))


def all(x: Tensor, dim: Dim = None, keepdim: bool = False) -> Tensor:
    """Whether every element is not zero."""
    return logical_not(any(logical_not(x), dim, keepdim))


def logsumexp(x: Tensor, dim: Dim = None, keepdim: bool = False) -> Tensor:
    """log sum exp x, with the largest element taken out so that nothing overflows."""
    x = floating(x)
    axes = axes_of(dim, x.ndim)
    largest = amax(x.detach(), axes, keepdim=True)
    largest = where(less(absolute(largest), math.inf), largest, 0.0)  # -inf - -inf is NaN
    result = log(sum(exp(x - largest), axes, keepdim=True)) + largest
    return result if keepdim else reshape(result, _without(x, axes))


def _without(x: Tensor, axes: Sequence[int]) -> list[int]:
    return [n for a, n in enumerate(x.shape) if a not in axes]


def norm(x: Tensor, p: float = 2.0, dim: Dim = None, keepdim: bool = False) -> Tensor:
    """(sum |x|^p)^(1/p); the largest |x| for p = inf."""
    x = floating(x)
    if p == 2.0:
        return sqrt(sum(x * x, dim, keepdim))
    if p == math.inf:
        return amax(absolute(x), dim, keepdim)
    if p == 1.0:
        return sum(absolute(x), dim, keepdim)
    return sum(absolute(x) ** p, dim, keepdim) ** (1.0 / p)


def cumsum(x: Tensor, dim: int) -> Tensor:
    """Running sums along ``dim``: a product with a triangle of ones."""
    axis = axis_of(dim, x.ndim)
    n = x.shape[axis]
    rows, columns = (apply(ops.iota, shape=(n, n), axis=a) for a in (0, 1))
    triangle = cast(rows <= columns, DType.f32)
    return (x.movedim(axis, -1) @ triangle).movedim(-1, axis)


def prod(x: Tensor, dim: int | None = None, keepdim: bool = False) -> Tensor:
    """The product over ``dim``, halving the axis until one element is left."""
    if dim is None:
        return prod(reshape(x, (-1,)), 0)
    axis = axis_of(dim, x.ndim)
    x = x.movedim(axis, 0)
    if x.shape[0] == 0:
        x = broadcast_to(scalar(1, x.dtype), (1, *x.shape[1:]))
    while x.shape[0] > 1:
        half = x.shape[0] // 2
        product = x[:half] * x[half : 2 * half]
        x = product if x.shape[0] % 2 == 0 else cat([product, x[2 * half :]])
    return x.movedim(0, axis) if keepdim else x[0]
