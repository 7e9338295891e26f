"""Quantile regression: for each example, numbers that the target stays below this often."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from ..errors import ConfigError
from ..phrasing import percent
from ..runs.task import Array, Task
from ..train import Scores
from ..train.metrics import Metric
from ..unverified import number
from .averaging import mean_of
from .intervals import bands_chart
from .regression import Regression

__all__ = ["Quantiles"]

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Quantiles(Regression):
    """One output for each of ``levels``, which ascend; what is predicted is the median, or the
    quantile nearest to it. Outputs of an example are put in order, so that none cross
    (Chernozhukov, Fernández-Val and Galichon 2010), which lowers the loss if anything.
    """

    levels: tuple[float, ...] = (0.5,)

    name: ClassVar[str] = "quantiles"
    losses: ClassVar[tuple[str, ...]] = ("pinball",)
    metrics: ClassVar[tuple[str, ...]] = ("pinball", "coverage", "mae", "r2")
    monitored: ClassVar[str] = "mae"
    calibrates: ClassVar[bool] = False
    selectable: ClassVar[tuple[str, ...]] = ()
    selected_by: ClassVar[str] = "mae"
    answer: ClassVar[str] = "quantiles"
    guess: ClassVar[str] = "always the same quantiles"
    baseline_name: ClassVar[str] = "the quantiles of all"
    metric_words: ClassVar[Mapping[str, str]] = {
        "pinball": "mean over the quantiles q of q d or (q - 1) d, whichever is more, d = true - "
        "predicted",
    }

    @property
    def outputs(self) -> int:
        return len(self.levels)

    @property
    def middle(self) -> int:
        """Which of the quantiles is predicted."""
        return int(np.argmin([abs(level - 0.5) for level in self.levels]))

    @property
    def monitored_metric(self) -> Metric:
        """The mean error of the predicted quantile, in standard deviations."""

        def mae(target: Array, values: Array) -> float:
            return float(np.mean(np.abs(target - np.sort(values, axis=1)[:, self.middle])))

        return Metric(self.monitored, mae, higher_is_better=False)

    @property
    def column_names(self) -> list[str]:
        """What the quantiles are called in files of predictions."""
        return [f"quantile_{level:g}" for level in self.levels]

    def intervals(self, scores: Scores) -> Floats:
        """The quantiles of each example in the unit of the target, [examples, levels]."""
        return np.asarray(self.truth(np.sort(scores.values, axis=1)))

    def decode(self, scores: Scores) -> Array:
        return self.intervals(scores)[:, self.middle]

    def together(
        self, members: Sequence[tuple[Task, Scores]], weights: Sequence[float] | None = None
    ) -> Scores:
        each = []
        for task, scores in members:
            assert isinstance(task, Quantiles)
            each.append(task.intervals(scores))
        return Scores(self.learned(mean_of(each, weights)), "identity")

    def compute_metrics(self, truth: Array, scores: Scores) -> dict[str, float]:
        return self._judged(truth, self.intervals(scores))

    def baseline(self, trained: Array, truth: Array) -> dict[str, float]:
        """Metrics of the quantiles of the training target for every example."""
        guess = np.quantile(self.truth(trained), self.levels)
        return self._judged(truth, np.tile(guess, (len(truth), 1)))

    def _judged(self, truth: Array, found: Floats) -> dict[str, float]:
        distance = truth[:, None] - found
        levels = np.asarray(self.levels)
        inside = (truth >= found[:, 0]) & (truth <= found[:, -1])
        point = self._metrics(truth, found[:, self.middle], ("mae", "r2"))
        return {
            "pinball": float(np.mean(np.maximum(levels * distance, (levels - 1) * distance))),
            "coverage": float(np.mean(inside)),
            **point,
        }

    def evaluation(self, truth: Array, scores: Scores) -> dict[str, Any]:
        found = self.intervals(scores)
        below = [float(np.mean(truth <= found[:, i])) for i in range(len(self.levels))]
        evaluation = super().evaluation(truth, scores) | {
            "quantiles": {"levels": list(self.levels), "below": below}
        }
        if len(self.levels) > 1:
            title = f"From quantile {self.levels[0]:g} to {self.levels[-1]:g}"
            chart = bands_chart(truth, found[:, self.middle], found[:, [0, -1]], title)
            evaluation["charts"] = [chart]
        return evaluation

    def band(self, scores: Scores, level: float) -> Array:
        """Between the quantiles that hold a share ``level``. ConfigError if they are not there."""
        wanted = ((1 - level) / 2, (1 + level) / 2)
        places = [[i for i, q in enumerate(self.levels) if abs(q - w) < 1e-9] for w in wanted]
        if not all(places):
            names = ", ".join(f"{w:g}" for w in wanted)
            raise ConfigError(
                f"there are no intervals for {level:g}",
                help=f"they take the quantiles {names}: train with --quantiles {names}",
            )
        return self.intervals(scores)[:, [place[0] for place in places]]

    @classmethod
    def describe_result(
        cls, start: str, metrics: Mapping[str, Any], baseline: Mapping[str, Any], tested: int | None
    ) -> str:
        """That of a regression, and how often the truth was inside."""
        words = super().describe_result(start, metrics, baseline, tested)
        covered = number(metrics.get("coverage"))
        if not words or covered is None:
            return words
        return f"{words} {percent(covered)} of the true values lay between the outer quantiles."
