"""How far a stochastic training has come, and when it is to end: scikit-learn's rules."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["Held", "Progress"]

Array = npt.NDArray[Any]

#: a rate that was divided by five until here has done all it can
SMALLEST_RATE = 1e-6


@dataclass
class Held:
    """Rows that are kept for validation, with all that is measured on them."""

    X: Any
    y: Array
    weights: Array


@dataclass
class Progress:
    """The numbers of a training that estimators show, under their own names."""

    tol: float
    patience: float
    lr: float
    loss_curve: list[float]
    best_loss: float | None
    monitor: str
    #: epochs since the last one that was better by more than ``tol``
    stale: int
    validation_scores: list[float] | None = None
    validation_losses: list[float] | None = None
    best_score: float | None = None
    best_weights: list[Array] = field(default_factory=list)
    #: the best of what is monitored, more being better
    best_value: float = -np.inf

    def epochs_ahead(self) -> int | None:
        """How many epochs there are before the end can come; None: it never does."""
        return None if self.patience == np.inf else int(self.patience) + 1 - self.stale

    def trained(self, loss: float) -> None:
        """An epoch's loss, where there are no validation rows."""
        assert self.best_loss is not None
        self.loss_curve.append(loss)
        # A loss that is no number is no better, and does not prolong a training.
        self.stale = 0 if loss <= self.best_loss - self.tol else self.stale + 1
        if loss < self.best_loss:
            self.best_loss = loss

    def validated(self, train_loss: float, score: float, loss: float, weights: list[Array]) -> None:
        """An epoch's numbers, and the weights after it."""
        assert self.validation_scores is not None
        assert self.validation_losses is not None
        assert self.best_score is not None
        self.loss_curve.append(train_loss)
        self.validation_scores.append(score)
        self.validation_losses.append(loss)
        value = -loss if self.monitor == "loss" else score
        self.stale = 0 if value >= self.best_value + self.tol else self.stale + 1
        if value > self.best_value:
            self.best_value, self.best_weights = value, weights
        if score > self.best_score:
            self.best_score = score

    def best_so_far(self) -> float:
        """The best of what is monitored before this training, less a number for a loss."""
        values = self.validation_scores or []
        if self.monitor == "loss":
            values = [-loss for loss in self.validation_losses or []]
        return max((v for v in values if v == v), default=-np.inf)

    @property
    def ended(self) -> bool:
        """Whether it has not become better for too long."""
        return self.stale > self.patience

    def lower_rate(self, adaptive: bool) -> bool:
        """Whether training goes on, with a fifth of the rate, after it `ended`."""
        if not adaptive or self.lr <= SMALLEST_RATE:
            return False
        self.lr, self.stale = self.lr / 5, 0
        return True
