"""Masks as PyTorch's modules take them: True, or a number to add, for what is not to be seen."""

from __future__ import annotations

import math
from typing import Any

from ..errors import DTypeError, ShapeError
from ..frontend.modes import user_line
from ..frontend.operations.arithmetic import bitwise_or, logical_not, where
from ..frontend.tensor import Tensor
from ..ir.types import DType, Shape
from .module import as_tensor


def hiding(name: str, value: Any, shapes: tuple[Shape, ...]) -> Tensor:
    """A mask of one of the ``shapes``; `DTypeError` or `ShapeError` for anything else."""
    mask: Tensor = as_tensor(value)
    if mask.dtype not in (DType.bool, DType.f32):
        raise DTypeError(
            f"{name} has dtype {mask.dtype!r}",
            where=user_line(),
            help="pass bools, True for what must not be attended to (mask != 0), or real numbers "
            "to add to the scores",
        )
    if mask.shape not in shapes:
        raise ShapeError(
            f"{name} has shape {mask.shape}",
            where=user_line(),
            help="these inputs need " + " or ".join(map(str, dict.fromkeys(shapes))),
        )
    return mask


def both(first: Tensor | None, second: Tensor | None) -> Tensor | None:
    """A mask that hides what either of two hides; numbers add up."""
    if first is None or second is None:
        return second if first is None else first
    if first.dtype is DType.bool and second.dtype is DType.bool:
        return bitwise_or(first, second)
    return _numbers(first) + _numbers(second)


def _numbers(mask: Tensor) -> Tensor:
    return mask if mask.dtype.is_float else where(mask, -math.inf, 0.0)


def allowing(hidden: Tensor | None) -> Tensor | None:
    """The same mask as `scaled_dot_product_attention` has it: True for what may be attended to."""
    return hidden if hidden is None or hidden.dtype.is_float else logical_not(hidden)
