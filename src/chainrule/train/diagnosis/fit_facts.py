"""How a trained model does on its training and validation rows, in evaluation mode."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from ..batch_source import BatchSource, Rows, spread_rows
from ..criterion import Criterion
from ..run import Run
from .data_facts import MOST_ROWS

__all__ = ["FitFacts", "facts_of_fit"]

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class FitFacts:
    """Losses of some training rows and some validation rows (0 without any), and of the best
    constant guess for each; for classes the share of training rows that are right."""

    train_loss: float
    validation_loss: float
    constant_loss: float
    constant_validation_loss: float
    train_right: float


class Evaluated(Protocol):
    """What is evaluated."""

    @property
    def criterion(self) -> Criterion: ...

    def loss_of(self, outputs: Any, target: Any) -> float:
        """The loss of these outputs."""

    def outputs_of(self, source: BatchSource, rows: Rows) -> tuple[Array, Array]:
        """Outputs and targets of some rows."""


def facts_of_fit(trainer: Evaluated, run: Run) -> FitFacts:
    """Evaluates at most `MOST_ROWS` rows of each part."""
    outputs, target = trainer.outputs_of(run.train, spread_rows(run.train.rows, MOST_ROWS))
    held, held_target = outputs[:0], target[:0]
    if run.validation is not None:
        rows = spread_rows(run.validation.rows, MOST_ROWS)
        held, held_target = trainer.outputs_of(run.validation, rows)
    guess = _constant(trainer.criterion, outputs, target)

    def loss(values: Array | None, truth: Array) -> float:
        return trainer.loss_of(values, truth) if values is not None and len(truth) else 0.0

    return FitFacts(
        train_loss=loss(outputs, target),
        validation_loss=loss(held, held_target),
        constant_loss=loss(guess, target),
        constant_validation_loss=loss(
            None if guess is None else np.broadcast_to(guess[:1], held.shape).copy(), held_target
        ),
        train_right=_right(trainer.criterion, outputs, target),
    )


def _constant(criterion: Criterion, outputs: Array, target: Array) -> Array | None:
    """Outputs of the best guess that is the same for all rows; None where that is not known."""
    if criterion.targets == "classes" and target.ndim == 1 and criterion.link in ("softmax", "exp"):
        shares = np.bincount(target[target >= 0], minlength=outputs.shape[1]) / len(target)
        guess = np.log(np.maximum(shares, 1e-7))
    elif criterion.targets == "like_outputs" and target.shape == outputs.shape:
        mean = target.astype(np.float64).mean(0)
        if criterion.link == "sigmoid":
            mean = np.clip(mean, 1e-7, 1 - 1e-7)
            guess = np.log(mean / (1 - mean))
        else:
            absolute = "l1" in str(getattr(criterion.function, "__name__", "")).lower()
            absolute = absolute or type(criterion.function).__name__ == "L1Loss"
            guess = np.median(target, axis=0) if absolute else mean
    else:
        return None
    return np.broadcast_to(guess, outputs.shape).astype(np.float32)


def _right(criterion: Criterion, outputs: Array, target: Array) -> float:
    """The share of rows that are right; 0 for numbers."""
    if not len(target) or criterion.link == "identity":
        return 0.0
    if criterion.link in ("softmax", "exp"):
        if target.ndim != 1 or outputs.ndim != 2:
            return 0.0
        return float((outputs.argmax(1) == target).mean())
    guessed = outputs.ravel() > (0.0 if criterion.link == "sigmoid" else 0.5)
    return float((guessed == (target.ravel() > 0.5)).mean())
