"""Tensors from nothing: constants, counters, and copies of a shape."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ... import ops
from ...errors import ChainruleError, ConfigError, DataError, DTypeError, ShapeError
from ...ir.memory import aligned_empty, order_of
from ...ir.types import DType, Shape
from ..apply import apply, from_array, new_tensor, scalar, tensor_of
from ..modes import thread, user_line
from ..storage import Storage
from .arithmetic import broadcast_to, cast, is_number

if TYPE_CHECKING:
    from ..tensor import Tensor

DTypeLike = DType | npt.DTypeLike


def dtype_of(dtype: DTypeLike) -> DType:
    """The engine's dtype for ``dtype``: its own, or what NumPy calls so."""
    if dtype is None:  # NumPy would read it as float64
        raise DTypeError(
            "None is not a dtype", where=user_line(), help='use "float32", for example'
        )
    return dtype if isinstance(dtype, DType) else DType.of(dtype)


def shape_of(shape: tuple[Any, ...]) -> Shape:
    """``f(2, 3)`` and ``f((2, 3))`` alike."""
    if len(shape) == 1 and isinstance(shape[0], Sequence | np.ndarray) and np.ndim(shape[0]) == 1:
        return tuple(shape[0])
    return shape


def lengths_of(shape: Sequence[Any]) -> Shape:
    """The axes of a new Tensor. ShapeError unless each is a whole number of at least 0."""
    try:
        lengths = tuple(operator.index(n) for n in shape)
    except TypeError:
        lengths = (-1,)
    if min(lengths, default=0) < 0:
        raise ShapeError(
            f"invalid shape {tuple(shape)}",
            where=user_line(),
            help="every axis needs a whole number of elements, at least 0",
        )
    return lengths


def tensor(data: Any, dtype: DTypeLike | None = None, *, requires_grad: bool = False) -> Tensor:
    """A Tensor that holds a copy of ``data`` (numbers, nested lists, arrays, Tensors).

    Real numbers become float32, whole numbers int32 (`DataError` where one does not fit); int16,
    uint8 and bool stay. float64 exists for single numbers only: ``tensor(0.1, dtype="float64")``.
    """
    wanted = None if dtype is None else dtype_of(dtype)
    if wanted is DType.f64:
        array = np.asarray(data.concrete if isinstance(data, Storage) else data, np.float64)
        if array.ndim and thread.trace is None:
            raise DTypeError(
                f"a float64 Tensor must be a single number, not of shape {array.shape}",
                where=user_line(),
                help="use float32",
            )
        return scalar(array.item(), DType.f64)
    result = new_tensor(data)
    if wanted is not None and result.dtype is not wanted:
        result = cast(result, wanted)
    if requires_grad:
        result.requires_grad = True
    return result


def full(
    shape: Sequence[int],
    value: bool | float,
    dtype: DTypeLike | None = None,
    *,
    requires_grad: bool = False,
) -> Tensor:
    """``value`` everywhere; the dtype is that of the value unless given."""
    wanted = tensor_of(value).dtype if dtype is None else dtype_of(dtype)
    lengths = lengths_of(shape_of((shape,)))
    if thread.trace is not None:
        result = broadcast_to(scalar(value, wanted), lengths)
    else:
        array = aligned_empty(lengths, wanted.numpy)
        array[...] = scalar(value, wanted).concrete if is_number(value) else value
        result = from_array(array)
    if requires_grad:
        result.requires_grad = True
    return result


def zeros(*shape: Any, dtype: DTypeLike | None = None, requires_grad: bool = False) -> Tensor:
    """Zeros: ``zeros(2, 3)`` or ``zeros((2, 3))``; float32 unless given."""
    kind = DType.f32 if dtype is None else dtype
    return full(shape_of(shape), 0, kind, requires_grad=requires_grad)


def ones(*shape: Any, dtype: DTypeLike | None = None, requires_grad: bool = False) -> Tensor:
    """Ones: ``ones(2, 3)`` or ``ones((2, 3))``; float32 unless given."""
    kind = DType.f32 if dtype is None else dtype
    return full(shape_of(shape), 1, kind, requires_grad=requires_grad)


def full_like(x: Tensor, value: bool | float, dtype: DTypeLike | None = None) -> Tensor:
    """``value`` in the shape, dtype and memory layout of ``x``."""
    x = tensor_of(x)
    wanted = x.dtype if dtype is None else dtype_of(dtype)
    if thread.trace is not None or x.is_traced:
        return full(x.shape, value, wanted)
    array = aligned_empty(x.shape, wanted.numpy, order_of(x.concrete))
    array[...] = scalar(value, wanted).concrete
    return from_array(array)


def zeros_like(x: Tensor, dtype: DTypeLike | None = None) -> Tensor:
    """Zeros in the shape, dtype and memory layout of ``x``: what optimizers keep per parameter."""
    return full_like(x, 0, dtype)


def ones_like(x: Tensor, dtype: DTypeLike | None = None) -> Tensor:
    """Ones in the shape, dtype and memory layout of ``x``."""
    return full_like(x, 1, dtype)


def arange(start: float, stop: float | None = None, step: float = 1) -> Tensor:
    """start, start + step, … below ``stop``; ``arange(n)`` counts from 0.

    `ConfigError` for steps that do not lead there.
    """
    first, last = (0, start) if stop is None else (start, stop)
    if all(map(is_number, (first, last, step))) and (last - first) * step < 0:
        raise ConfigError(
            f"arange({first!r}, {last!r}, {step!r}) steps away from {last!r}",
            where=user_line(),
            help=f"the step must be {'below' if last < first else 'above'} 0",
        )
    try:
        return tensor(np.arange(first, last, step))
    except (ArithmeticError, ValueError, TypeError) as error:
        raise _no_row(f"arange({first!r}, {last!r}, {step!r})", error) from None


def linspace(start: float, stop: float, steps: int) -> Tensor:
    """``steps`` numbers from ``start`` to ``stop``, both included; `ConfigError` below 0 steps."""
    try:
        return tensor(np.linspace(start, stop, steps))
    except (ArithmeticError, ValueError, TypeError) as error:
        raise _no_row(f"linspace({start!r}, {stop!r}, {steps!r})", error) from None


def _no_row(call: str, error: Exception) -> ChainruleError:
    if isinstance(error, ChainruleError):
        return error
    return ConfigError(f"{call} is not a valid range", where=user_line(), help=str(error))


def eye(n: int, m: int | None = None) -> Tensor:
    """Ones on the diagonal."""
    shape = lengths_of((n, n if m is None else m))
    return cast(iota(shape, 0) == iota(shape, 1), DType.f32)


def iota(shape: Shape, axis: int) -> Tensor:
    """The index along ``axis`` at every place, i32."""
    return apply(ops.iota, shape=shape, axis=axis)


def one_hot(labels: Tensor, num_classes: int) -> Tensor:
    """i32: 1 where the new last axis equals the label, else 0.

    `DTypeError` for labels that are not whole; outside of compiled functions, `DataError` for those
    that are no class.
    """
    labels = tensor_of(labels)
    if labels.dtype.is_float:
        raise DTypeError(
            f"classes must be integers, not {labels.dtype!r}",
            where=user_line(),
            help="convert them with x.astype(np.int32), or x.int() for a Tensor",
        )
    shape = (*labels.shape, *lengths_of((num_classes,)))
    numbers = labels.concrete if thread.trace is None else np.zeros(0)
    if numbers.size and not 0 <= numbers.min() <= numbers.max() < num_classes:
        raise DataError(
            f"classes from {numbers.min()} to {numbers.max()} do not fit {num_classes} classes",
            where=user_line(),
            help=f"number classes from 0 to {num_classes - 1}",
        )
    wanted = broadcast_to(cast(labels, DType.i32).unsqueeze(-1), shape)
    return cast(wanted == iota(shape, labels.ndim), DType.i32)


def tril(x: Tensor, diagonal: int = 0) -> Tensor:
    """Zero above the diagonal of the last two axes."""
    return _triangle(x, diagonal, lower=True)


def triu(x: Tensor, diagonal: int = 0) -> Tensor:
    """Zero below the diagonal of the last two axes."""
    return _triangle(x, diagonal, lower=False)


def _triangle(x: Tensor, diagonal: int, lower: bool) -> Tensor:
    x = tensor_of(x)
    if x.ndim < 2:
        raise ShapeError(
            f"a Tensor of shape {x.shape} has no triangle",
            where=user_line(),
            help="pass a matrix, or many of them",
        )
    rows = iota(x.shape, x.ndim - 2) + diagonal
    columns = iota(x.shape, x.ndim - 1)
    kept = columns <= rows if lower else rows <= columns
    return apply(ops.select, kept, x, broadcast_to(scalar(0, x.dtype), x.shape))
