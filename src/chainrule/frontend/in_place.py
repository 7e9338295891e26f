"""The methods and operators that change a Tensor: ``x += 1``, ``x[0] = 1``, ``x.zero_()``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..errors import DTypeError
from ..ir.types import DType
from .apply import tensor_of
from .assign import assign
from .modes import user_line
from .operations import arithmetic, indexing
from .pieces import is_piece

if TYPE_CHECKING:
    from .tensor import Tensor


def _update(target: Tensor, result: Tensor) -> Tensor:
    """``result``, which was computed from ``target``, is its content from now on."""
    _need_room(target, result.dtype)
    return assign(target, result)


def _need_room(target: Tensor, dtype: DType) -> None:
    """`DTypeError` unless ``target`` can hold what values of ``dtype`` say: no fraction gets lost,
    and no number becomes a bool.
    """
    if _kind(dtype) > _kind(target.dtype):
        raise DTypeError(
            f"a Tensor of dtype {target.dtype!r} cannot hold {dtype!r} in place",
            where=user_line(),
            help="compute a new Tensor, as x = x + y does, or start from one that can: "
            + ("x.int()" if _kind(dtype) == 1 else "x.float()"),
        )


def _kind(dtype: DType) -> int:
    """Bools, whole numbers, real numbers: each can say what those before it can."""
    return 2 if dtype.is_float else int(dtype is not DType.bool)


def add_(self: Tensor, other: Any, *, alpha: float = 1) -> Tensor:
    """self + alpha · other, in place."""
    return _update(self, self + (other if alpha == 1 else other * alpha))


def sub_(self: Tensor, other: Any, *, alpha: float = 1) -> Tensor:
    """self - alpha · other, in place."""
    return _update(self, self - (other if alpha == 1 else other * alpha))


def mul_(self: Tensor, other: Any) -> Tensor:
    """self · other, in place."""
    return _update(self, self * other)


def div_(self: Tensor, other: Any) -> Tensor:
    """self / other, in place."""
    return _update(self, self / other)


def pow_(self: Tensor, exponent: Any) -> Tensor:
    """self to the power of ``exponent``, in place."""
    return _update(self, arithmetic.power(self, exponent))


def and_(self: Tensor, other: Any) -> Tensor:
    """self & other, in place."""
    return _update(self, arithmetic.bitwise_and(self, other))


def or_(self: Tensor, other: Any) -> Tensor:
    """self | other, in place."""
    return _update(self, arithmetic.bitwise_or(self, other))


def xor_(self: Tensor, other: Any) -> Tensor:
    """self ^ other, in place."""
    return _update(self, arithmetic.bitwise_xor(self, other))


def clamp_(self: Tensor, min: Any = None, max: Any = None) -> Tensor:
    """`clamp`, in place."""
    return _update(self, arithmetic.clamp(self, min, max))


def put(self: Tensor, key: Any, value: Any) -> None:
    """``self[key] = value``. `DTypeError` for real numbers in a Tensor of whole ones."""
    span = indexing.place(self, key)
    if is_piece(value, self, span):
        return
    if not arithmetic.is_number(value):
        value = tensor_of(value)
        _need_room(self, value.dtype)
    assign(self, indexing.put(self, key, value), span)
