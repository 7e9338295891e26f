"""Regression: one output, trained on a standardised target."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np

from ..data.tables.transforms import TRANSFORMS
from ..errors import ConfigError
from ..phrasing import format_number, percent, quoted
from ..runs.task import Array, Task
from ..train import Scores, metrics
from ..unverified import number
from .averaging import mean_of
from .evaluation import residuals
from .intervals import LEVELS, bands_chart, coverage_table, margins_of
from .wording import NOTHING_LEARNED

__all__ = ["Regression"]

#: standard deviations from the mean that a transformed prediction may be away
FARTHEST = 8.0


@dataclass(frozen=True)
class Regression(Task):
    """``mean`` and ``std`` are those of the training target: an output z means z * std + mean; if
    the target is learned through a ``transform``, that is what this is undone to. ``margins`` are
    those of intervals, by the share that they hold, in the unit of the outputs."""

    mean: float
    std: float
    transform: str = ""
    margins: tuple[tuple[float, float], ...] = ()

    name: ClassVar[str] = "regression"
    losses: ClassVar[tuple[str, ...]] = ("mse", "l1", "huber", "smooth_l1")
    metrics: ClassVar[tuple[str, ...]] = ("r2", "mae", "rmse")
    monitored: ClassVar[str] = "r2"
    averages: ClassVar[bool] = True
    calibrates: ClassVar[bool] = True
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

    def calibrated(self, truth: Array, scores: Scores) -> Regression:
        """With the margins of intervals, from the errors of predictions of new rows."""
        errors = self.learned(np.asarray(truth, np.float64)) - scores.values[:, 0]
        return replace(self, margins=tuple(margins_of(errors[np.isfinite(errors)]).items()))

    def shared(self, members: Sequence[Task]) -> Regression:
        """With the mean of their margins: a common answer errs less, if anything."""
        own = [task for task in members if isinstance(task, Regression)]
        levels = [level for level in LEVELS if all(level in dict(task.margins) for task in own)]
        margins = (
            (level, math.fsum(dict(t.margins)[level] * t.std / self.std for t in own) / len(own))
            for level in levels
        )
        return replace(self, margins=tuple(margins) if own else self.margins)

    @property
    def decisions(self) -> dict[str, float]:
        return {f"interval_{level:g}": margin for level, margin in self.margins}

    def with_decisions(self, decisions: Mapping[str, float]) -> Regression:
        known = {level: decisions.get(f"interval_{level:g}") for level in LEVELS}
        margins = tuple((level, m) for level, m in known.items() if m is not None)
        return replace(self, margins=margins)

    def band(self, scores: Scores, level: float) -> Array:
        """From where to where a share ``level`` of true values is expected to be, [examples, 2].

        ConfigError for one that was not calibrated."""
        margin = dict(self.margins).get(level)
        if margin is None:
            known = ", ".join(f"{known:g}" for known, _ in self.margins)
            raise ConfigError(
                f"there are no intervals for {level:g}",
                help=f"ask for one of {known}"
                if known
                else "train again with more validation rows, or with --quantiles 0.05,0.5,0.95",
            )
        sides = scores.values[:, :1] + np.array([-margin, margin])
        return self.truth(sides)

    def together(
        self, members: Sequence[tuple[Task, Scores]], weights: Sequence[float] | None = None
    ) -> Scores:
        """The mean of the predictions."""
        outputs = []
        for task, scores in members:
            assert isinstance(task, Regression)
            outputs.append(task.truth(scores.values))
        return Scores(self.learned(mean_of(outputs, weights)), "identity")

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
        predicted = self.decode(scores)
        found = residuals(truth, predicted)
        if not self.margins or not len(truth):
            return found
        bands = {level: self.band(scores, level) for level, _ in self.margins}
        level, band = list(bands.items())[-1]
        title = f"Intervals that are to hold {percent(level)}"
        words = "As wide as the errors on the validation rows, which also chose the epoch."
        return found | {
            "charts": [bands_chart(np.asarray(truth), predicted, band, title)],
            "tables": [coverage_table(np.asarray(truth), bands, words)],
        }

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
