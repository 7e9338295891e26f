"""Types of the graph: what one element is, how NumPy spells it, and how arrays lie in memory."""

from __future__ import annotations

import builtins
from enum import Enum
from numbers import Integral, Real
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import DTypeError

Array = npt.NDArray[Any]
Shape = tuple[int, ...]


def is_real(value: object) -> bool:
    """Whether ``value`` is a number, Python's or NumPy's, and not a switch."""
    return isinstance(value, Real) and not isinstance(value, bool)


def is_whole(value: object) -> bool:
    """Whether ``value`` is a whole number, Python's or NumPy's, and not a switch."""
    return isinstance(value, Integral) and not isinstance(value, bool)


def row_major(shape: Shape) -> Shape:
    """Strides, in elements, of a C-contiguous array of ``shape``; 0 counts as 1, as in NumPy."""
    strides, step = [], 1
    for extent in reversed(shape):
        strides.append(step)
        step *= max(extent, 1)
    return tuple(reversed(strides))


class DType(Enum):
    """Element types. ``f64`` is native for 0-d values only (scalars of a step)."""

    f32 = "f32"
    f64 = "f64"
    i32 = "i32"
    i16 = "i16"
    u32 = "u32"
    u8 = "u8"
    bool = "bool"

    #: by identity: Enum's own asks Python for the hash of the name, and nodes hash their dtype
    __hash__ = object.__hash__

    @property
    def numpy(self) -> np.dtype[Any]:
        """The NumPy dtype of this element type."""
        return _NUMPY[self]

    @property
    def itemsize(self) -> int:
        """Bytes of one element."""
        return _ITEMSIZE[self]

    @property
    def is_float(self) -> builtins.bool:
        """Whether values are real numbers, so that derivatives exist."""
        return self in (DType.f32, DType.f64)

    @classmethod
    def of(cls, dtype: npt.DTypeLike) -> DType:
        """The element type that NumPy calls ``dtype``; `DTypeError` if there is none."""
        try:
            known: object = np.dtype(dtype)
        except (TypeError, ValueError):
            known = repr(dtype)
        ours = _FROM_NUMPY.get(known)
        if ours is None:
            raise DTypeError(
                f"dtype {known} is not supported",
                help="use float32, int32, int16, uint32, uint8 or bool; convert with "
                "array.astype(...)",
            )
        return ours

    def __repr__(self) -> str:
        return self.value


_NUMPY: dict[DType, np.dtype[Any]] = {
    DType.f32: np.dtype(np.float32),
    DType.f64: np.dtype(np.float64),
    DType.i32: np.dtype(np.int32),
    DType.i16: np.dtype(np.int16),
    DType.u32: np.dtype(np.uint32),
    DType.u8: np.dtype(np.uint8),
    DType.bool: np.dtype(np.bool_),
}
_ITEMSIZE = {dtype: known.itemsize for dtype, known in _NUMPY.items()}
_FROM_NUMPY: dict[object, DType] = {v: k for k, v in _NUMPY.items()}

f32, f64 = DType.f32, DType.f64
i32, i16, u32, u8 = DType.i32, DType.i16, DType.u32, DType.u8
boolean = DType.bool
