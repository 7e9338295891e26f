"""Regression: one output, trained on a standardised target."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from ..data.tables.transforms import TRANSFORMS
from ..phrasing import format_number, percent, quoted
from ..runs.task import Array, Task
from ..train import Scores, metrics
from ..unverified import number
from .evaluation import residuals
from .wording import NOTHING_LEARNED

__all__ = ["Regression"]

#: standard deviations from the mean that a transformed prediction may be away
FARTHEST = 8.0


@dataclass(frozen=True)
class Regression(Task):
    """``mean`` and ``std`` are those of the training target: an output z means z * std + mean; if
    the target is learned through a ``transform``, that is what this is undone to."""

    mean: float
    std: float
    transform: str = ""

    name: ClassVar[str] = "regression"
    losses: ClassVar[tuple[str, ...]] = ("mse", "l1", "huber", "smooth_l1")
    metrics: ClassVar[tuple[str, ...]] = ("r2", "mae", "rmse")
    monitored: ClassVar[str] = "r2"
    averages: ClassVar[bool] = True
    selected_by: ClassVar[str] = "rmse"
    selectable: ClassVar[tuple[str, ...]] = ("r2", "mae", "mse", "rmse")
    guess: ClassVar[str] = "always the mean"
    baseline_name: ClassVar[str] = "predicting the mean"

    @property
    def outputs(self) -> int:
        return 1

    def truth(self, target: Array) -> Array:
        target = target.astype(np.float64)
        if not self.transform:
            return np.asarray(target * self.std + self.mean)
        # No number was seen so far out, and its inverse might be no number at all.
        learned = np.clip(target, -FARTHEST, FARTHEST) * self.std + self.mean
        return np.asarray(TRANSFORMS[self.transform].back(learned))

    def learned(self, truth: Array) -> Array:
        """The inverse of `truth`."""
        known = TRANSFORMS[self.transform].apply(truth) if self.transform else truth
        return np.asarray((known - self.mean) / self.std)

    def decode(self, scores: Scores) -> Array:
        return self.truth(scores.values[:, 0])

    def together(
        self, members: Sequence[tuple[Task, Scores]], weights: Sequence[float] | None = None
    ) -> Scores:
        """The mean of the predictions."""
        outputs = []
        for task, scores in members:
            assert isinstance(task, Regression)
            outputs.append(task.truth(scores.values))
        mean = np.average(outputs, axis=0, weights=weights)
        return Scores(self.learned(mean), "identity")

    def compute_metrics(self, truth: Array, scores: Scores) -> dict[str, float]:
        return self._metrics(truth, self.decode(scores))

    def baseline(self, trained: Array, truth: Array) -> dict[str, float]:
        """Metrics of always predicting the mean of the training target."""
        mean = float(np.mean(self.truth(trained))) if self.transform else self.mean
        return self._metrics(truth, np.full(len(truth), mean))

    def _metrics(
        self, truth: Array, predicted: Array, names: Sequence[str] = ()
    ) -> dict[str, float]:
        return {name: float(metrics.METRICS[name].function(np.asarray(truth), predicted))
                for name in names or self.metrics}  # fmt: skip

    def evaluation(self, truth: Array, scores: Scores) -> dict[str, Any]:
        return residuals(truth, self.decode(scores))

    def describe_untrained(self, loss: str) -> str:
        spread = " (the variance of the target, which is standardised)" if loss == "mse" else ""
        return f"with the mean as its guess{spread}"

    @classmethod
    def describe_aim(cls, target: str, labels: Sequence[str]) -> str:
        return f"predict {quoted(target)}"

    @classmethod
    def describe_result(
        cls, start: str, metrics: Mapping[str, Any], baseline: Mapping[str, Any], tested: int | None
    ) -> str:
        """The mean absolute error of the model and of the mean, and the variance explained."""
        error, guess = number(metrics.get("mae")), number(baseline.get("mae"))
        if error is None:
            return ""
        words = f"{start}, its predictions are off by {format_number(error)} on average"
        if guess is not None:
            words += f"; always predicting the mean would be off by {format_number(guess)}"
        words += "."
        explained = number(metrics.get("r2"))
        if guess is not None and error >= guess:
            return f"{words} {NOTHING_LEARNED}"
        if explained is not None and explained > 0:
            words += f" It explains {percent(explained)} of the variance."
        return words
