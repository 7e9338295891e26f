"""``x[...]``: integers, slices, None, Ellipsis, and arrays of whole numbers.

A bool mask would give a shape that depends on numbers; shapes here are known before anything runs.
"""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING, Any

import numpy as np

from ... import ops
from ...errors import DTypeError, ShapeError
from ...ir.graph import Node
from ...ir.types import DType
from ..apply import apply, from_array, scalar, tensor_of
from ..modes import thread, user_line
from ..storage import Storage
from . import shaping
from .arithmetic import broadcast_to, cast, is_number, less, where

if TYPE_CHECKING:
    from ..tensor import Tensor

Key = tuple[Any, ...]


def _is_index_array(item: Any) -> bool:
    return isinstance(item, Storage | np.ndarray | list)


def copies(key: Any) -> bool:
    """Whether ``x[key]`` is no piece of x: an array of indices may name an element twice."""
    items = key if isinstance(key, tuple) else (key,)
    return any(isinstance(i, list) or (_is_index_array(i) and i.ndim > 0) for i in items)


def place(x: Tensor, key: Any) -> tuple[int | range, ...] | None:
    """Where ``x[key]`` lies in x, axis by axis; None if numbers that are not known yet say it."""
    items = [i for i in _items(key, x.ndim) if i is not None]
    if any(map(_is_index_array, items)):
        return None
    return tuple(
        range(*_bounds(item, n)) if isinstance(item, slice) else _integer(item, n, axis)
        for axis, (item, n) in enumerate(zip(items, x.shape, strict=True))
    )


def _known(item: Any) -> Any:
    """One number that is known already is an integer, also in the shape of a Tensor."""
    if isinstance(item, list) or not _is_index_array(item) or item.ndim:
        return item
    value: Any = item
    if isinstance(item, Storage):
        value = item.array_or_node
        if isinstance(value, Node):
            value = value.params.get("value") if value.op == "const" else None
        elif thread.trace is not None:
            value = None  # of a state, which may be another one in the next step
    return int(value) if value is not None and value.dtype.kind in "iu" else item


def _items(key: Any, ndim: int) -> list[Any]:
    """One item for each axis of the operand, and None for each new one."""
    items = [_known(i) for i in (key if isinstance(key, tuple) else (key,))]
    used = sum(1 for i in items if i is not None and i is not Ellipsis)
    if used > ndim:
        raise ShapeError(
            f"too many indices: {used} for a Tensor with {ndim} axes", where=user_line()
        )
    rest: list[Any] = [slice(None)] * (ndim - used)
    dots = [n for n, i in enumerate(items) if i is Ellipsis]
    if len(dots) > 1:
        raise ShapeError("an index may contain `...` once", where=user_line())
    if not dots:
        return items + rest
    return items[: dots[0]] + rest + items[dots[0] + 1 :]


def _integer(item: Any, length: int, axis: int) -> int:
    try:
        index = None if isinstance(item, bool | np.bool_) else operator.index(item)
    except TypeError:
        index = None
    if index is None:
        raise DTypeError(
            f"invalid index {item!r}",
            where=user_line(),
            help="use whole numbers, slices, None, ... and arrays of whole numbers",
        )
    if not -length <= index < length:
        raise ShapeError(
            f"index {index} is out of range for axis {axis} of length {length}", where=user_line()
        )
    return index % length


def _bounds(item: slice, length: int) -> tuple[int, int, int]:
    try:
        return item.indices(length)
    except (TypeError, ValueError) as error:
        raise ShapeError(
            f"invalid slice {item!r}: {error}",
            where=user_line(),
            help="use integers, or leave them out; the step must not be 0",
        ) from None


def get(x: Tensor, key: Any) -> Tensor:
    """``x[key]``; `ShapeError` for an index out of range, or with more than one array."""
    items = _items(key, x.ndim)
    bounds: list[slice] = []
    shape: list[int] = []
    arrays: list[tuple[int, Any]] = []
    for item in items:
        axis = len(bounds)
        if item is None:
            shape.append(1)
        elif isinstance(item, slice):
            start, stop, step = _bounds(item, x.shape[axis])
            bounds.append(slice(start, stop, step))
            shape.append(len(range(start, stop, step)))
        elif _is_index_array(item):
            arrays.append((len(shape), item))
            bounds.append(slice(0, x.shape[axis], 1))
            shape.append(x.shape[axis])
        else:
            index = _integer(item, x.shape[axis], axis)
            bounds.append(slice(index, index + 1, 1))
    result = shaping.reshape(_sliced(x, bounds), shape)
    if len(arrays) > 1:
        raise ShapeError(
            "an index may contain one array", where=user_line(), help="index the axes one by one"
        )
    if not arrays:
        return result
    axis, index = arrays[0]
    taken = take(result, index, axis)
    if not _apart(items):
        return taken
    # As in NumPy: with a slice between it and an integer, what the array makes comes first.
    made = range(axis, axis + taken.ndim - result.ndim + 1)
    return shaping.permute(taken, [*made, *(a for a in range(taken.ndim) if a not in made)])


def _apart(items: list[Any]) -> bool:
    """Whether integers and the array of an index stand apart from one another."""
    places = [n for n, i in enumerate(items) if i is not None and not isinstance(i, slice)]
    return places[-1] - places[0] >= len(places)


def _sliced(x: Tensor, bounds: list[slice]) -> Tensor:
    if any(n == 0 for n in (len(range(b.start, b.stop, b.step)) for b in bounds)):
        bounds = [b if range(b.start, b.stop, b.step) else slice(0, 0, 1) for b in bounds]
    start = tuple(b.start for b in bounds)
    stop = tuple(b.stop for b in bounds)
    step = tuple(b.step for b in bounds)
    if start == (0,) * x.ndim and stop == x.shape and step == (1,) * x.ndim:
        return x
    return apply(ops.slice, x, start=start, stop=stop, step=step)


def beyond(indices: str, axis: int, length: int, line: str) -> ShapeError:
    """The error for ``indices`` that leave an axis."""
    many = " to " in indices
    return ShapeError(
        f"{f'indices from {indices} leave' if many else f'index {indices} leaves'} axis {axis} of "
        f"length {length}",
        where=line,
        help=f"indices run from 0 to {length - 1}; an embedding needs a row for each",
    )


def take(x: Tensor, indices: Any, dim: int) -> Tensor:
    """Slices of x along ``dim`` at ``indices``; negative ones count from the end.

    An index beyond the end is a `ShapeError` outside of compiled functions, in the first call of
    one for each kind of arguments, and in all data that a `Trainer` gets. In later calls, where
    nobody can be told, it reads the border.
    """
    axis = shaping.axis_of(dim, x.ndim)
    nothing = isinstance(indices, list) and not indices  # NumPy makes real numbers of it
    index, length = tensor_of(np.zeros(0, np.int32) if nothing else indices), x.shape[axis]
    if index.dtype is DType.bool:
        raise DTypeError(
            "a bool mask cannot be an index: the shape of the result would depend on values",
            where=user_line(),
            help="use cr.where(mask, x, 0), or NumPy outside the model",
        )
    if index.dtype.is_float:
        raise DTypeError("an index must be whole numbers", where=user_line())
    if thread.trace is None:
        numbers = index.concrete
        if numbers.size and not (-length <= numbers.min() and numbers.max() < length):
            raise beyond(f"{numbers.min()} to {numbers.max()}", axis, length, user_line())
        index = from_array(np.where(numbers < 0, numbers + length, numbers).astype(np.int32))
    else:
        index = cast(index, DType.i32)
        index = where(less(index, 0), index + length, index)
    return apply(ops.gather, x, index, axis=axis)


def masked_fill(x: Tensor, mask: Any, value: Any) -> Tensor:
    """``value`` where ``mask`` holds, else x, in the dtype of x.

    `DTypeError` if that dtype cannot hold the value.
    """
    given = scalar(value, DType.f32) if isinstance(value, float) else tensor_of(value)
    if given.dtype.is_float and not x.dtype.is_float:
        raise DTypeError(
            f"a real number cannot be stored as {x.dtype!r}",
            where=user_line(),
            help="convert the Tensor first, with x.float()",
        )
    return where(mask, scalar(value, x.dtype) if is_number(value) else cast(given, x.dtype), x)


def put(x: Tensor, key: Any, value: Any) -> Tensor:
    """``x`` with ``x[key]`` replaced by ``value``; key of integers, slices, None and ``...``.

    `ShapeError` for any other key, and where ``value`` does not stretch to ``x[key]``.
    """
    given = _items(key, x.ndim)
    items = [i for i in given if i is not None]
    if any(map(_is_index_array, items)):
        raise ShapeError(
            "assignment takes integers and slices as index",
            where=user_line(),
            help="use cr.where(condition, a, b) for anything else",
        )
    ranges = [_range(item, x.shape[axis], axis) for axis, item in enumerate(items)]
    shape = tuple(len(r) for r in ranges)
    if 0 in shape:
        return x
    lengths = iter(shape)
    sizes = [(i, 1 if i is None else next(lengths)) for i in given]
    kept = tuple(n for i, n in sizes if i is None or isinstance(i, slice))
    new = scalar(value, x.dtype) if is_number(value) else cast(tensor_of(value), x.dtype)
    new = shaping.reshape(broadcast_to(new, kept), shape)
    new = shaping.flip(new, [a for a, r in enumerate(ranges) if r.step < 0])
    ranges = [r if r.step > 0 else r[::-1] for r in ranges]
    widths: dict[str, Any] = {
        "low": tuple(r[0] for r in ranges),
        "high": tuple(n - 1 - r[-1] for r, n in zip(ranges, x.shape, strict=True)),
        "interior": tuple(r.step - 1 if len(r) > 1 else 0 for r in ranges),
    }
    inside = shaping.pad(broadcast_to(scalar(True, DType.bool), shape), **widths)
    return where(inside, shaping.pad(new, **widths), x)


def _range(item: Any, length: int, axis: int) -> range:
    if isinstance(item, slice):
        return range(*_bounds(item, length))
    index = _integer(item, length, axis)
    return range(index, index + 1)
