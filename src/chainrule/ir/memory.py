"""Arrays as kernels want them: aligned to cache lines, dense, in a dtype of the engine."""

from __future__ import annotations

import ctypes
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import DataError, DTypeError
from .types import Array, DType, Shape

#: bytes; one cache line, and the widest vector
ALIGNMENT = 64
# PyArrayObject begins with the object header, then `char *data`; NumPy's stable ABI since 1.0.
_DATA = object.__basicsize__


def _interface_address(array: Array) -> int:
    start: int = array.__array_interface__["data"][0]
    return start


def _header_address(array: Array) -> int:
    return ctypes.c_size_t.from_address(id(array) + _DATA).value


def _choose_address() -> Any:
    probe = np.empty(3, np.float32)[1:]
    return _header_address if _header_address(probe) == probe.ctypes.data else _interface_address


# The address of an array's first element: read from the object where its layout is as expected,
# which takes a quarter of the time of asking NumPy.
address = _choose_address()


def aligned_empty(
    shape: Sequence[int],
    dtype: npt.DTypeLike,
    order: str | Sequence[int] = "C",
    *,
    alignment: int = ALIGNMENT,
) -> Array:
    """An uninitialised array whose memory starts at a multiple of 64 bytes, or of ``alignment``.

    ``order`` "C" stores the last axis densely, "F" the first: a weight of shape (out, in) stored
    "F" is an (in, out) matrix in memory, which is how the forward product reads it. Otherwise it
    lists the axes from the one with the longest way between neighbours to the dense one.
    """
    kind = np.dtype(dtype)
    raw = np.empty(math.prod(shape) * kind.itemsize + alignment, np.uint8)
    start = -address(raw) % alignment
    if isinstance(order, str):
        return np.ndarray(shape, kind, raw, start, order="F" if order == "F" else "C")
    axes = [int(a) for a in order]
    stored = np.ndarray([shape[a] for a in axes], kind, raw, start)
    array = stored.transpose(np.argsort(axes))
    # Where axes of length 1 are all that moved, strides are the usual ones.
    return stored.reshape(tuple(shape)) if array.flags.c_contiguous else array


def order_of(array: Array) -> Shape:
    """The axes of ``array`` as its memory has them, from the longest stride to the shortest."""
    axes = range(array.ndim)
    if array.flags.c_contiguous:
        return tuple(axes)
    return tuple(sorted(axes, key=lambda a: -abs(array.strides[a])))


def aligned_copy(array: Array) -> Array:
    """A dense aligned copy; axes lie in memory in the order of ``array`` where that is dense."""
    order = order_of(array) if _has_no_gaps(array) else "C"
    copy = aligned_empty(array.shape, array.dtype, order)
    copy[...] = array
    return copy


def is_dense(array: Array) -> bool:
    """Whether kernels can keep ``array`` as a state: own order of axes, no gaps, aligned."""
    aligned = address(array) % ALIGNMENT == 0
    return aligned and array.flags.writeable and _has_no_gaps(array)


def _has_no_gaps(array: Array) -> bool:
    if array.flags.forc:
        return True
    return bool(array.transpose(order_of(array)).flags.c_contiguous)


def element_strides(array: Array) -> Shape:
    """Distances between neighbours along each axis, in elements."""
    return tuple(s // array.itemsize for s in array.strides)


_NARROWER: dict[str, DType] = {
    "float16": DType.f32,
    "float64": DType.f32,
    "int8": DType.i32,
    "uint16": DType.i32,
    "int64": DType.i32,
    "uint64": DType.u32,
}


def target_dtype(dtype: np.dtype[Any]) -> DType:
    """The engine's dtype for NumPy's ``dtype``; `DTypeError` for strings, objects and the like."""
    narrower = _NARROWER.get(dtype.name)
    return narrower if narrower is not None else DType.of(dtype.newbyteorder("="))


def narrowed(array: Array) -> Array:
    """``array`` in a dtype of the engine: real numbers become f32, whole numbers
    32 bits; int16, uint8 and bool stay.

    Raises `DataError` where an integer does not fit. Real 0-d double precision is narrowed too.
    """
    target = target_dtype(array.dtype).numpy
    if array.dtype == target:
        return array.astype(target, copy=False)
    with np.errstate(over="ignore", invalid="ignore"):
        result: Array = array.astype(target)
    if array.dtype.kind in "iu" and array.dtype.itemsize == 8 and not (result == array).all():
        wrong = np.argwhere(result != array)[0]
        raise DataError(
            f"the integer {array[tuple(wrong)]} does not fit into {target}",
            where=f"index {tuple(map(int, wrong))}",
            help="use values of at most 32 bits, or real numbers",
        )
    return result


def as_array(value: Any) -> Array:
    """Anything array-like as an array in a dtype of the engine.

    `DataError` for lists of different lengths, `DTypeError` for anything but numbers.
    """
    try:
        array = np.asarray(value)
    except ValueError as error:
        raise DataError(
            f"this is not a rectangular array: {error}",
            help="all rows must have the same length; pad the shorter ones",
        ) from None
    if array.dtype.kind == "O":
        raise DTypeError(
            "an array of Python objects cannot be converted to a Tensor",
            help="convert it to numbers first, for example with array.astype(np.float32)",
        )
    return narrowed(array)
