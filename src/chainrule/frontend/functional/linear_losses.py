"""Losses of what a linear layer gives, which need not all be in memory."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from ...errors import ShapeError
from ...ir.types import DType
from ...ops import cross_entropy as cross_entropy_primitive
from ..apply import apply, tensor_of
from ..modes import user_line
from ..operations.arithmetic import Operand, cast, less, not_equal, where
from ..operations.creation import zeros
from ..operations.indexing import take
from ..operations.products import linear
from ..operations.shaping import reshape
from .activations import setting
from .losses import check_classes, check_reduction, cross_entropy, mean_over

if TYPE_CHECKING:
    from ..tensor import Tensor

#: scores, from which on they are computed piece by piece
MANY = 1 << 24


def linear_cross_entropy(
    input: Operand,
    linear_weight: Operand,
    target: Operand,
    *,
    linear_bias: Operand | None = None,
    weight: Operand | None = None,
    reduction: str = "mean",
    ignore_index: int | None = None,
    label_smoothing: float = 0.0,
) -> Tensor:
    """`cross_entropy` of the scores ``input @ linear_weight.T + linear_bias``.

    ``input`` is [..., D], ``linear_weight`` [C, D], ``linear_bias`` [C], ``target`` holds classes
    [...]; ``reduction="none"`` gives as many losses. From sixteen million scores on they are
    computed piece by piece, and again for the gradient, so that a large vocabulary needs memory for
    its weight and the gradient of it, not for rows x classes. Only with both class weights and
    smoothing are all scores in memory.

    ``ignore_index`` None is -100. `ShapeError` for shapes that do not fit; otherwise as
    `cross_entropy`.
    """
    input, linear_weight, target = (tensor_of(x) for x in (input, linear_weight, target))
    bias = None if linear_bias is None else tensor_of(linear_bias)
    check_reduction(reduction)
    ignored = -100 if ignore_index is None else ignore_index
    setting("label_smoothing", label_smoothing, 0 <= label_smoothing <= 1, "a number from 0 to 1")
    _check(input, linear_weight, bias, target)
    classes, width = linear_weight.shape
    rows = math.prod(target.shape)
    x, flat = reshape(input, (rows, width)), cast(reshape(target, (rows,)), DType.i32)
    if rows * classes < MANY or (weight is not None and label_smoothing):
        losses = cross_entropy(
            linear(x, linear_weight, bias), flat, weight, ignore_index=ignored,
            reduction=reduction, label_smoothing=label_smoothing,
        )  # fmt: skip
        return reshape(losses, target.shape) if reduction == "none" else losses
    check_classes(flat, classes, ignored)
    losses = apply(
        cross_entropy_primitive,
        x,
        linear_weight,
        zeros(classes) if bias is None else bias,
        flat,
        smoothing=float(label_smoothing),
    )
    # Where nobody can be told, a class that does not exist makes the loss NaN instead of wrong.
    known, kept = less(-1, flat) & less(flat, classes), not_equal(flat, ignored)
    losses = where(kept, where(known, losses, math.nan), 0.0)
    counts = cast(kept, DType.f32)
    if weight is not None:
        counts = counts * take(tensor_of(weight), where(kept & known, flat, 0), 0)
        losses = losses * counts
    if reduction == "none":
        return reshape(losses, target.shape)
    return mean_over(losses, counts, reduction)


def _check(x: Tensor, w: Tensor, b: Tensor | None, target: Tensor) -> None:
    """`ShapeError` unless they fit one another."""
    if x.ndim == 0 or w.ndim != 2 or x.shape[-1] != w.shape[1]:
        raise ShapeError(
            f"inputs of shape {x.shape} and a weight of shape {w.shape} do not fit",
            where=user_line(),
            help="pass inputs [..., D] and a weight [C, D]",
        )
    if b is not None and b.shape != w.shape[:1]:
        raise ShapeError(
            f"the bias has shape {b.shape}, for {w.shape[0]} classes",
            where=user_line(),
            help=f"pass a bias of shape ({w.shape[0]},)",
        )
    if target.dtype.is_float or target.shape != x.shape[:-1]:
        raise ShapeError(
            f"targets {target.dtype!r}{list(target.shape)} do not match inputs of shape {x.shape}",
            where=user_line(),
            help="pass one class for each row of the inputs; for probabilities of classes, call "
            "cross_entropy(linear(input, weight), target)",
        )
