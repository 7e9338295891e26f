"""Training by epochs: batches in scikit-learn's order, many steps in one native call."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.exceptions import ConvergenceWarning

from ..optim.schedule import ReduceOnPlateau
from .examples import Rows
from .programs import Updates
from .progress import Held, Progress

__all__ = ["Epochs"]

Array = npt.NDArray[Any]

#: steps of one call, so that Ctrl-C is heard soon and memory for their rows is small
STEPS = 512


@dataclass
class Epochs:
    """Trains ``updates`` on ``rows`` for at most ``most`` epochs.

    ``judge`` gives score and loss of weights on ``held``, the rows for validation; ``look``, if
    somebody wants to hear of every epoch, gets the numbers of one and says whether to stop.
    """

    updates: Updates
    rows: Rows
    random: np.random.RandomState
    progress: Progress
    schedule: Any
    shuffle: bool
    held: Held | None
    judge: Callable[[list[Array], Held], tuple[float, float]]
    look: Callable[[Updates, Progress, int, float], bool] | None
    say: Callable[[str], None]
    t: int
    #: rows that an epoch counts, equal ones each for itself
    counted: int
    rate_of_epoch: Callable[[int], float] | None
    adaptive: bool
    done: int = 0
    order: Array | None = None

    def run(self, most: int, once: bool) -> None:
        """Epochs until one of `progress`, `look` and ``most`` ends them. ``once`` is one of many
        calls that make a training: that it is short is not worth a warning."""
        try:
            while self.done < most:
                rate = self._rate()
                self._some(1 if once else min(self._together(), most - self.done))
                if self.look and self.look(self.updates, self.progress, self.done, rate):
                    break
                if (self.progress.ended and self._stops()) or once:
                    break
                if self.done == most:
                    warnings.warn(
                        f"Stochastic Optimizer: Maximum iterations ({most}) reached and the "
                        "optimization hasn't converged yet.",
                        ConvergenceWarning,
                        stacklevel=5,
                    )
        except KeyboardInterrupt:
            warnings.warn("Training interrupted by user.", stacklevel=5)

    def _rate(self) -> float:
        """The learning rate of the coming step."""
        if self.schedule is None:
            return self.progress.lr
        return float(self.schedule.lr_at(self.done * self.rows.steps))

    def _together(self) -> int:
        """How many epochs may run before anybody looks: none of them can be the last but one."""
        observes = isinstance(self.schedule, ReduceOnPlateau)
        if self.held or self.look or self.rate_of_epoch or observes:
            return 1
        ahead = self.progress.epochs_ahead()
        fitting = max(1, STEPS // self.rows.steps)
        return fitting if ahead is None else min(fitting, ahead)

    def _some(self, epochs: int) -> None:
        blocks = [self.rows.batches(self._order()) for _ in range(epochs)]
        losses = np.concatenate(
            [
                self.updates.run(self.rows, batches[start : start + STEPS])
                for batches in [np.concatenate(blocks)]
                for start in range(0, len(batches), STEPS)
            ]
        )
        sums = losses.astype(np.float64).reshape(epochs, -1) * self.rows.sizes()
        for total in sums.sum(axis=1):
            self._ended(float(total) / self.rows.count)

    def _order(self) -> Array:
        """Of an epoch: that of the one before, shuffled."""
        if self.order is None:
            self.order = np.arange(self.rows.count)
        if self.shuffle and self.rows.steps > 1:
            numbers = np.arange(self.rows.count)
            self.random.shuffle(numbers)
            self.order = self.order[numbers]
        return self.order

    def _ended(self, loss: float) -> None:
        """An epoch is over."""
        progress = self.progress
        self.done += 1
        self.t += self.counted
        self.say(f"Iteration {self.done}, loss = {loss:.8f}")
        observed = loss
        if self.held is None:
            progress.trained(loss)
        else:
            weights = self.updates.weights()
            score, observed = self.judge(weights, self.held)
            progress.validated(loss, score, observed, weights)
            self.say(f"Validation score: {score:f}")
        if self.rate_of_epoch is not None:
            progress.lr = self.rate_of_epoch(self.t)
            self.updates.set_rate(progress.lr)
        elif self.schedule is not None:
            self.schedule.observe(observed)

    def _stops(self) -> bool:
        progress = self.progress
        what = "Training loss" if self.held is None else f"Validation {progress.monitor}"
        text = (
            f"{what} did not improve more than tol={progress.tol:f} for {progress.patience:g} "
            "consecutive epochs."
        )
        if progress.lower_rate(self.adaptive):
            self.updates.set_rate(progress.lr)
            self.say(f"{text} Setting learning rate to {progress.lr:f}")
            return False
        end = " Learning rate too small. Stopping." if self.adaptive else " Stopping."
        self.say(text + end)
        return True
