"""Losses of regression and classification, with PyTorch's names, reductions and conventions.

Predictions, targets and weights are Tensors or arrays alike.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from ...errors import ConfigError, DataError, ShapeError
from ...ir.types import DType
from ..apply import tensor_of
from ..modes import thread, user_line
from ..operations import reductions
from ..operations.arithmetic import (
    Operand,
    absolute,
    cast,
    clamp,
    equal,
    exp,
    floating,
    less,
    log,
    log1p,
    not_equal,
    square,
    where,
)
from ..operations.creation import iota
from ..operations.shaping import expand
from .activations import log_softmax, setting

if TYPE_CHECKING:
    from ..tensor import Tensor


REDUCTIONS = ("mean", "sum", "none")


def check_reduction(reduction: str, allowed: tuple[str, ...] = REDUCTIONS) -> None:
    """`ConfigError` unless ``reduction`` is one of the words that are ``allowed``."""
    if reduction not in allowed:
        words = ", ".join(map(repr, allowed[:-1]))
        raise ConfigError(
            f"unknown reduction {reduction!r}",
            where=user_line(),
            help=f"use {words} or {allowed[-1]!r}",
        )


def reduced(loss: Tensor, reduction: str) -> Tensor:
    """``loss`` as it is ("none"), its sum, or its mean; `ConfigError` for any other word."""
    check_reduction(reduction)
    if reduction == "mean":
        return reductions.mean(loss)
    return reductions.sum(loss) if reduction == "sum" else loss


def same_shape(name: str, x: Tensor, target: Tensor) -> None:
    """`ShapeError` unless both must have the same shape: stretching a target hides mistakes."""
    if x.shape != target.shape:
        raise ShapeError(
            f"{name} needs equal shapes, got {x.shape} and {target.shape}",
            where=user_line(),
            help="both must have the same shape; for example, target.reshape(x.shape)",
        )


def within(name: str, x: Tensor, low: float, high: float, rule: str) -> None:
    """`DataError` for the first number of ``x`` outside of ``low`` and ``high``.

    Only where there are numbers: a compiled function pays nothing. What is NaN already passes: it
    is seen in the loss, and its cause lies elsewhere.
    """
    if thread.trace is not None:
        return
    numbers = x.concrete
    wrong = (numbers < low) | (numbers > high)
    if wrong.any():
        first = tuple(int(i) for i in np.argwhere(wrong)[0])
        element = f"{name}{list(first)}" if first else name
        raise DataError(
            f"{name} is {numbers[first]}", where=f"{element} at {user_line()}", help=rule
        )


# ------------------------------------------------------------------------------- regression


def mse_loss(x: Operand, target: Operand, *, reduction: str = "mean") -> Tensor:
    """(x - target)²."""
    x, target = tensor_of(x), tensor_of(target)
    same_shape("mse_loss", x, target)
    return reduced(square(x - target), reduction)


def l1_loss(x: Operand, target: Operand, *, reduction: str = "mean") -> Tensor:
    """|x - target|."""
    x, target = tensor_of(x), tensor_of(target)
    same_shape("l1_loss", x, target)
    return reduced(absolute(x - target), reduction)


def huber_loss(x: Operand, target: Operand, reduction: str = "mean", delta: float = 1.0) -> Tensor:
    """½ d² for |d| < delta, else delta (|d| - ½ delta), with d = x - target."""
    x, target = tensor_of(x), tensor_of(target)
    same_shape("huber_loss", x, target)
    setting("delta", delta, delta > 0, "a number above 0")
    d = x - target
    size = absolute(d)
    return reduced(
        where(less(size, delta), 0.5 * square(d), delta * (size - 0.5 * delta)), reduction
    )


def smooth_l1_loss(
    x: Operand, target: Operand, *, reduction: str = "mean", beta: float = 1.0
) -> Tensor:
    """½ d² / beta for |d| < beta, else |d| - ½ beta, with d = x - target."""
    x, target = tensor_of(x), tensor_of(target)
    setting("beta", beta, beta >= 0, "a number of at least 0")
    if beta == 0.0:
        return l1_loss(x, target, reduction=reduction)
    same_shape("smooth_l1_loss", x, target)
    d = x - target
    size = absolute(d)
    return reduced(where(less(size, beta), square(d) * (0.5 / beta), size - 0.5 * beta), reduction)


def poisson_nll_loss(
    x: Operand,
    target: Operand,
    log_input: bool = True,
    full: bool = False,
    *,
    eps: float = 1e-8,
    reduction: str = "mean",
) -> Tensor:
    """exp(x) - target · x, where x is the log of the expected count (``log_input``).

    ``full`` adds Stirling's approximation of log(target!) where target > 1.
    """
    x, target = tensor_of(x), tensor_of(target)
    loss = exp(x) - target * x if log_input else x - target * log(x + eps)
    if full:
        above = less(1.0, target)
        safe = where(above, target, 2.0)
        stirling = safe * log(safe) - safe + 0.5 * log(2.0 * math.pi * safe)
        loss = loss + where(above, stirling, 0.0)
    return reduced(loss, reduction)


def gaussian_nll_loss(
    x: Operand,
    target: Operand,
    var: Operand,
    full: bool = False,
    eps: float = 1e-6,
    reduction: str = "mean",
) -> Tensor:
    """½ (log v + (x - target)² / v), v = max(var, eps); ``full`` adds ½ log 2π.

    As in PyTorch, the bound ``eps`` does not change the derivative.
    """
    x, target, var = tensor_of(x), tensor_of(target), tensor_of(var)
    within("var", var, 0.0, math.inf, "a variance must not be negative: pass exp(x) or softplus(x)")
    if var.ndim == x.ndim - 1 and var.shape == x.shape[:-1]:
        var = var.unsqueeze(-1)
    v = var + (clamp(var, min=eps) - var).detach()
    loss = 0.5 * (log(v) + square(x - target) / v)
    return reduced(loss + 0.5 * math.log(2.0 * math.pi) if full else loss, reduction)


# ------------------------------------------------------------------- yes or no, probabilities


def binary_cross_entropy(
    x: Operand, target: Operand, weight: Operand | None = None, *, reduction: str = "mean"
) -> Tensor:
    """-(t log x + (1 - t) log(1 - x)) for probabilities x.

    As in PyTorch logarithms end at -100, and the derivative is (x - t) / max(x (1 - x), 1e-12).
    Probabilities and targets outside of 0 and 1 are a `DataError`; in a compiled function such a
    probability makes the loss NaN.
    """
    x, target = tensor_of(x), tensor_of(target)
    same_shape("binary_cross_entropy", x, target)
    logits = "apply sigmoid, or pass logits to binary_cross_entropy_with_logits"
    within("probability", x, 0.0, 1.0, f"probabilities must be between 0 and 1: {logits}")
    within(
        "target", target, 0.0, 1.0, "targets must be between 0 and 1: label the two classes 0 and 1"
    )
    target = floating(target)
    inside = less(1e-12, x * (1.0 - x))
    safe = where(inside, x, 0.5)
    loss = -(target * log(safe) + (1.0 - target) * log1p(-safe))
    fixed = x.detach()
    yes, no = clamp(log(fixed), min=-100.0), clamp(log1p(-fixed), min=-100.0)
    slope = (fixed - target.detach()) * 1e12
    edge = (x - fixed) * slope - (target * yes + (1.0 - target) * no)
    loss = where(inside, loss, edge)
    return reduced(loss if weight is None else loss * weight, reduction)


def binary_cross_entropy_with_logits(
    x: Operand,
    target: Operand,
    weight: Operand | None = None,
    *,
    reduction: str = "mean",
    pos_weight: Operand | None = None,
) -> Tensor:
    """p t softplus(-x) + (1 - t) softplus(x), p = ``pos_weight``: cross entropy of sigmoid(x).

    Written with log1p(exp(-|x|)), so that it neither overflows nor loses the small losses of
    confident right answers.
    """
    x, target = tensor_of(x), tensor_of(target)
    same_shape("binary_cross_entropy_with_logits", x, target)
    target = floating(target)
    below = less(x, 0.0)  # the two sides of 0 apart: see `smooth_rectifier`
    tail = log1p(exp(where(below, x, -x)))
    yes = target if pos_weight is None else target * pos_weight
    small, large = tail + where(below, -x, 0.0), tail + where(below, 0.0, x)
    loss = yes * small + (1.0 - target) * large
    return reduced(loss if weight is None else loss * weight, reduction)


def kl_div(
    x: Operand, target: Operand, *, reduction: str = "mean", log_target: bool = False
) -> Tensor:
    """target · (log target - x) for log probabilities x; "batchmean" divides by the batch.

    `DataError` outside of compiled functions, and NaN inside, for a probability below 0.
    """
    x, target = tensor_of(x), tensor_of(target)
    same_shape("kl_div", x, target)
    if log_target:
        loss = exp(target) * (target - x)
    else:
        rule = "probabilities must not be negative; for log-probabilities pass log_target=True"
        within("target", target, 0.0, math.inf, rule)
        present = less(0.0, target)
        absent = where(less(target, 0.0), math.nan, -(target * x))
        loss = where(present, target * (log(where(present, target, 1.0)) - x), absent)
    if reduction == "batchmean":
        return reductions.sum(loss) / (x.shape[0] if x.ndim else 1)
    return reduced(loss, reduction)


# ------------------------------------------------------------------------- one of many classes


def cross_entropy(
    x: Operand,
    target: Operand,
    weight: Operand | None = None,
    *,
    ignore_index: int = -100,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> Tensor:
    """-log softmax(x)[target] for logits x [N, C, ...] (or [C]).

    ``target`` holds classes [N, ...] or probabilities [N, C, ...]. The mean divides by the sum of
    the class weights of the targets, without those at ``ignore_index``.
    """
    x, target = tensor_of(x), tensor_of(target)
    setting("label_smoothing", label_smoothing, 0 <= label_smoothing <= 1, "a number from 0 to 1")
    if target.dtype.is_float:
        return _soft_cross_entropy(x, target, weight, reduction, label_smoothing)
    target, axis = cast(target, DType.i32), _class_axis(x)
    logp = log_softmax(x, axis)
    if label_smoothing == 0.0:
        return nll_loss(logp, target, weight, ignore_index=ignore_index, reduction=reduction)
    picked, counts = _picked(logp, target, weight, ignore_index, axis)
    every = logp if weight is None else logp * _along(weight, logp, axis)
    smooth = where(not_equal(target, ignore_index), -reductions.sum(every, axis), 0.0)
    even = label_smoothing / x.shape[axis]
    return mean_over((1.0 - label_smoothing) * picked + even * smooth, counts, reduction)


def nll_loss(
    x: Operand,
    target: Operand,
    weight: Operand | None = None,
    *,
    ignore_index: int = -100,
    reduction: str = "mean",
) -> Tensor:
    """-x[target] for log probabilities x [N, C, ...] (or [C]) and classes [N, ...]."""
    x, target = tensor_of(x), tensor_of(target)
    picked, counts = _picked(x, target, weight, ignore_index, _class_axis(x))
    return mean_over(picked, counts, reduction)


def _class_axis(x: Tensor) -> int:
    """The axis of the classes in scores [C] or [N, C, ...]."""
    if x.ndim == 0:
        raise ShapeError(
            "a single number cannot hold class scores",
            where=user_line(),
            help="pass scores [classes] or [batch, classes, ...]",
        )
    return 0 if x.ndim == 1 else 1


def _picked(
    logp: Tensor, target: Tensor, weight: Operand | None, ignore_index: int, axis: int
) -> tuple[Tensor, Tensor]:
    """-weight · logp at the target class, and that weight; both 0 at ``ignore_index``."""
    target = cast(target, DType.i32)
    if target.shape != logp.shape[:axis] + logp.shape[axis + 1 :]:
        raise ShapeError(
            f"classes of shape {target.shape} do not match scores of shape {logp.shape}",
            where=user_line(),
            help=f"scores have the classes along axis {axis}; targets do not have that axis",
        )
    classes = logp.shape[axis]
    check_classes(target, classes, ignore_index)
    chosen = equal(expand(target.unsqueeze(axis), logp.shape), iota(logp.shape, axis))
    kept = not_equal(target, ignore_index)
    score = -reductions.sum(where(chosen, logp, 0.0), axis)
    # Where nobody can be told, a class that does not exist makes the loss NaN instead of wrong.
    known = less(-1, target) & less(target, classes)
    score = where(known, score, where(kept, math.nan, 0.0))
    score = where(kept, score, 0.0)
    if weight is None:
        return score, cast(kept, DType.f32)
    at_class = reductions.sum(where(chosen, _along(weight, logp, axis), 0.0), axis)
    at_class = where(kept, at_class, 0.0)
    return score * at_class, at_class


def check_classes(target: Tensor, classes: int, ignored: int = 0) -> None:
    """`DataError` for the first class that does not exist, where there are numbers. ``ignored``
    need not exist."""
    if thread.trace is not None:
        return
    labels = target.concrete
    wrong = ((labels < 0) | (labels >= classes)) & (labels != ignored)
    if wrong.any():
        first = tuple(int(i) for i in np.argwhere(wrong)[0])
        raise DataError(
            f"class {labels[first]} does not exist: there are {classes}, from 0 to {classes - 1}",
            where=f"target{list(first)} at {user_line()}",
            help="number classes from 0, and give the last layer one output per class",
        )


def _along(weight: Operand, like: Tensor, axis: int) -> Tensor:
    """Class weights stretched to the shape of the scores."""
    weight = tensor_of(weight)
    if weight.shape != (like.shape[axis],):
        raise ShapeError(
            f"expected {like.shape[axis]} class weights, got shape {weight.shape}",
            where=user_line(),
        )
    lengths = [1] * like.ndim
    lengths[axis] = like.shape[axis]
    return expand(weight.reshape(*lengths), like.shape)


def mean_over(loss: Tensor, weights: Tensor, reduction: str) -> Tensor:
    """``loss`` reduced; the mean divides by the sum of ``weights``."""
    if reduction == "mean":
        return reductions.sum(loss) / reductions.sum(weights)
    return reduced(loss, reduction)


def _soft_cross_entropy(
    x: Tensor, target: Tensor, weight: Operand | None, reduction: str, label_smoothing: float
) -> Tensor:
    same_shape("cross_entropy", x, target)
    axis = _class_axis(x)
    if label_smoothing:
        target = target * (1.0 - label_smoothing) + label_smoothing / x.shape[axis]
    logp = log_softmax(x, axis)
    every = logp if weight is None else logp * _along(weight, logp, axis)
    loss = -reductions.sum(every * target, axis)
    if reduction == "mean":
        return reductions.sum(loss) / max(1, math.prod(loss.shape))
    return reduced(loss, reduction)
