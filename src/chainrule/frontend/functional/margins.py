"""Losses that ask for a margin, or compare directions and distances."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from ...errors import DataError, ShapeError
from ...ir.types import DType
from ..apply import tensor_of
from ..modes import thread, user_line
from ..operations import reductions
from ..operations.arithmetic import (
    Operand,
    absolute,
    broadcast_all,
    cast,
    equal,
    less,
    maximum,
    minimum,
    power,
    sqrt,
    square,
    where,
)
from ..operations.creation import iota
from ..operations.shaping import expand
from .activations import logsigmoid, relu, setting, smooth_rectifier
from .losses import check_classes, reduced, same_shape

if TYPE_CHECKING:
    from ..tensor import Tensor


def signs(target: Tensor) -> Tensor:
    """Whether targets are 1 or -1; `DataError` for the first that is not, where there are numbers.

    In a compiled function such a target makes the loss NaN.
    """
    if thread.trace is None:
        wrong = np.abs(target.concrete) != 1
        if wrong.any():
            first = tuple(int(i) for i in np.argwhere(wrong)[0])
            raise DataError(
                f"a target is {target.concrete[first]}",
                where=f"target{list(first) or ''} at {user_line()}",
                help="targets must be 1 and -1: convert 0 and 1 with 2 * target - 1",
            )
    return equal(absolute(target), 1)


def hinge_embedding_loss(
    x: Operand, target: Operand, margin: float = 1.0, *, reduction: str = "mean"
) -> Tensor:
    """x where the target is 1, max(0, margin - x) where it is -1; see `signs` for others."""
    x, target = tensor_of(x), tensor_of(target)
    loss = where(signs(target), where(equal(target, 1), x, relu(margin - x)), math.nan)
    return reduced(loss, reduction)


def soft_margin_loss(x: Operand, target: Operand, *, reduction: str = "mean") -> Tensor:
    """log(1 + exp(-target · x)) for targets 1 and -1; see `signs` for others."""
    x, target = tensor_of(x), tensor_of(target)
    same_shape("soft_margin_loss", x, target)
    loss = where(signs(target), smooth_rectifier(-(target * x)), math.nan)
    return reduced(loss, reduction)


def margin_ranking_loss(
    first: Operand,
    second: Operand,
    target: Operand,
    margin: float = 0.0,
    *,
    reduction: str = "mean",
) -> Tensor:
    """max(0, -target · (first - second) + margin): target 1 wants the first to be larger.

    Target -1 wants the second to be; see `signs` for others.
    """
    first, second, target = tensor_of(first), tensor_of(second), tensor_of(target)
    loss = where(signs(target), relu(-(target * (first - second)) + margin), math.nan)
    return reduced(loss, reduction)


def multi_margin_loss(
    x: Operand,
    target: Operand,
    p: int = 1,
    margin: float = 1.0,
    weight: Operand | None = None,
    *,
    reduction: str = "mean",
) -> Tensor:
    """sum over classes i other than the target y of max(0, margin - x_y + x_i)^p / C, p 1 or 2.

    For scores x [N, C] and classes [N], or [C] and one class. `DataError` outside of compiled
    functions, and NaN inside, for a class that does not exist.
    """
    x, target = tensor_of(x), cast(tensor_of(target), DType.i32)
    setting("p", p, p in (1, 2), "1 or 2")
    if x.ndim not in (1, 2) or target.shape != x.shape[:-1]:
        raise ShapeError(
            f"classes of shape {target.shape} do not match scores of shape {x.shape}",
            where=user_line(),
            help="pass scores [batch, classes] and classes [batch]",
        )
    if x.ndim == 1:
        row = multi_margin_loss(
            x.unsqueeze(0), target.unsqueeze(0), p, margin, weight, reduction="none"
        )
        return reduced(row[0], reduction)
    classes = x.shape[1]
    check_classes(target, classes)
    chosen = equal(expand(target.unsqueeze(1), x.shape), iota(x.shape, 1))
    known = (less(-1, target) & less(target, classes)).unsqueeze(1)
    score = where(known, reductions.sum(where(chosen, x, 0.0), 1, keepdim=True), math.nan)
    excess = power(relu(margin - score + x), p)
    if weight is not None:
        at_class = reductions.sum(where(chosen, weight, 0.0), 1, keepdim=True)
        excess = excess * at_class
    return reduced(reductions.sum(where(chosen, 0.0, excess), 1) / classes, reduction)


def multilabel_soft_margin_loss(
    x: Operand, target: Operand, weight: Operand | None = None, *, reduction: str = "mean"
) -> Tensor:
    """The mean over classes of -(t log sigmoid(x) + (1 - t) log sigmoid(-x))."""
    x, target = tensor_of(x), tensor_of(target)
    loss = -(target * logsigmoid(x) + (1.0 - target) * logsigmoid(-x))
    return reduced(reductions.mean(loss if weight is None else loss * weight, -1), reduction)


def cosine_similarity(a: Operand, b: Operand, dim: int = 1, eps: float = 1e-8) -> Tensor:
    """a·b / (max(‖a‖, eps) max(‖b‖, eps)) along ``dim`` of the shape that both stretch to."""
    x, y = broadcast_all(tensor_of(a), tensor_of(b))
    dot = reductions.sum(x * y, dim)
    length_a = sqrt(maximum(reductions.sum(square(x), dim), eps * eps))
    length_b = sqrt(maximum(reductions.sum(square(y), dim), eps * eps))
    return dot / (length_a * length_b)


def cosine_embedding_loss(
    first: Operand,
    second: Operand,
    target: Operand,
    margin: float = 0.0,
    *,
    reduction: str = "mean",
) -> Tensor:
    """1 - cos where the target is 1, max(0, cos - margin) where it is -1; others: see `signs`."""
    first, second, target = tensor_of(first), tensor_of(second), tensor_of(target)
    # As in PyTorch, a constant keeps the root away from 0 here.
    tiny = 1e-12
    squares = (reductions.sum(square(t), -1) + tiny for t in (first, second))
    length_a, length_b = squares
    cos = reductions.sum(first * second, -1) / sqrt(length_a * length_b)
    loss = where(signs(target), where(equal(target, 1), 1.0 - cos, relu(cos - margin)), math.nan)
    return reduced(loss, reduction)


def pairwise_distance(
    a: Operand, b: Operand, p: float = 2.0, eps: float = 1e-6, keepdim: bool = False
) -> Tensor:
    """‖a - b + eps‖ along the last axis."""
    a, b = tensor_of(a), tensor_of(b)
    return reductions.norm(a - b + eps, p, -1, keepdim)


def check_margin(margin: float) -> None:
    """`ConfigError` for a margin that asks for nothing."""
    setting("margin", margin, margin > 0.0, "a number above 0")


def triplet_margin_loss(
    anchor: Operand,
    positive: Operand,
    negative: Operand,
    margin: float = 1.0,
    p: float = 2.0,
    eps: float = 1e-6,
    swap: bool = False,
    *,
    reduction: str = "mean",
) -> Tensor:
    """max(0, d(anchor, positive) - d(anchor, negative) + margin).

    With ``swap``, d(positive, negative) counts instead where it is smaller. `ConfigError` for a
    margin that is not above 0.
    """
    check_margin(margin)
    anchor, positive, negative = tensor_of(anchor), tensor_of(positive), tensor_of(negative)
    near = pairwise_distance(anchor, positive, p, eps)
    far = pairwise_distance(anchor, negative, p, eps)
    if swap:
        far = minimum(far, pairwise_distance(positive, negative, p, eps))
    return reduced(relu(near - far + margin), reduction)
