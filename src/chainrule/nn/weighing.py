"""Losses in which rows count by sample weights."""

from __future__ import annotations

import copy
import functools
import inspect
from collections.abc import Callable
from typing import Any, Protocol, runtime_checkable

from .. import ops
from ..frontend.apply import apply
from ..frontend.functional import losses as F
from ..frontend.operations.arithmetic import where
from ..frontend.tensor import Tensor
from . import loss as losses
from .members import EnsembleLoss
from .module import Module

__all__ = ["WEIGHED", "Weighing", "mass_of", "weigher"]

Weigher = Callable[[Tensor, Tensor, Tensor], Tensor]

_CLASSES: tuple[type[Module], ...] = (
    losses.BCELoss, losses.BCEWithLogitsLoss, losses.CrossEntropyLoss, losses.HuberLoss,
    losses.L1Loss, losses.MSELoss, losses.NLLLoss, losses.PinballLoss, losses.PoissonNLLLoss,
    losses.SmoothL1Loss,
)  # fmt: skip
_FUNCTIONS: tuple[Callable[..., Tensor], ...] = (
    F.binary_cross_entropy, F.binary_cross_entropy_with_logits, F.cross_entropy, F.huber_loss,
    F.l1_loss, F.mse_loss, F.nll_loss, F.poisson_nll_loss, F.smooth_l1_loss,
)  # fmt: skip
#: the losses that can weigh rows, by name
WEIGHED = tuple(sorted(kind.__name__ for kind in _CLASSES))


@runtime_checkable
class Weighing(Protocol):
    """A loss that weighs rows itself."""

    def weighted(self, outputs: Tensor, target: Tensor, weights: Tensor) -> Tensor:
        """The loss of outputs whose rows count as much as ``weights`` [rows] says."""


def weigher(loss: Any) -> Weigher | None:
    """``loss`` as a function of (outputs, target, weights); None if it cannot weigh rows.

    sum w l / sum w over rows, l the mean of what a row has of losses; sum w l of a loss with the
    reduction "sum". Rows of which none counts have the loss 0. A function that takes ``weights``
    is called with them.
    """
    if isinstance(loss, Weighing):
        return loss.weighted
    if isinstance(loss, EnsembleLoss):
        inner = weigher(loss.loss)
        return None if inner is None else functools.partial(_of_members, inner)
    if type(loss) in _CLASSES:
        apart: Any = copy.copy(loss)
        vars(apart)["reduction"] = "none"
        return functools.partial(_weighted, loss, apart)
    if loss in _FUNCTIONS:
        return functools.partial(_weighted, loss, functools.partial(loss, reduction="none"))
    try:
        takes = "weights" in inspect.signature(loss).parameters
    except (TypeError, ValueError):  # some builtins have no signature
        return None
    return (lambda z, y, w: loss(z, y, weights=w)) if takes else None


def mass_of(loss: Any, target: Tensor, weights: Tensor | None) -> Tensor | None:
    """What the mean loss of some rows divides by, where that is not their number: the sum of what
    each counts. None: their number, or a sum that is not divided.
    """
    loss = loss.loss if isinstance(loss, EnsembleLoss) else loss
    if getattr(loss, "reduction", "mean") == "sum":
        return None
    counts = _counted(loss, target)
    if counts is None:
        return None if weights is None else weights.sum()
    if counts.ndim > 1:
        counts = counts.mean(tuple(range(1, counts.ndim)))
    return (counts if weights is None else counts * weights).sum()


def _of_members(inner: Weigher, outputs: Tensor, target: Tensor, weights: Tensor) -> Tensor:
    """`EnsembleLoss` whose rows count as much as ``weights`` says."""
    if outputs.ndim < 3:
        return inner(outputs, target, weights)
    members, rows = outputs.shape[:2]

    def repeated(x: Tensor) -> Tensor:
        return x.unsqueeze(0).expand(members, *x.shape).reshape(members * rows, *x.shape[1:])

    flat = outputs.reshape(members * rows, *outputs.shape[2:])
    mean = inner(flat, repeated(target), repeated(weights))
    return mean + (members - 1) * (mean - mean.detach())


def _weighted(
    loss: Any, apart: Callable[..., Tensor], outputs: Tensor, target: Tensor, weights: Tensor
) -> Tensor:
    """The weighted ``loss``; ``apart`` is the same without a reduction."""
    each, counts = apart(outputs, target), _counted(loss, target)
    if each.ndim > 1:
        axes = tuple(range(1, each.ndim))
        each, counts = each.mean(axes), counts if counts is None else counts.mean(axes)
    total = (each * weights).sum()
    if getattr(loss, "reduction", "mean") == "sum":
        return total
    whole = (weights if counts is None else weights * counts).sum()
    return total / where(whole > 0.0, whole, 1.0)


def _counted(loss: Any, target: Tensor) -> Tensor | None:
    """What the mean of losses of classes divides by: the weight of the class, and 0 where the
    target is to be ignored. None: 1 everywhere."""
    if not isinstance(loss, losses.CrossEntropyLoss | losses.NLLLoss) or target.dtype.is_float:
        return None
    kept = (target != loss.ignore_index).float()
    classes = loss.weight
    if classes is None:
        return kept
    known = where(kept > 0.0, target, 0)
    return kept * apply(ops.gather, classes, known.reshape(-1), axis=0).reshape(target.shape)
