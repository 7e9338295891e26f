"""Forecasting: the next steps of series, as quantiles or as one number each.

The truth of a forecast is a record (`truth_type`) that holds all it takes to judge it: what came,
what was before, what the naive forecasts say, and how its series is scaled. So metrics, baselines
and the evaluation need nothing but truth and outputs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from ..data.series.scaling import Scaling
from ..phrasing import format_number, percent, quoted
from ..runs.task import Array, Task
from ..train import Scores
from ..train.metrics import Metric
from ..unverified import number, table
from .forecast_evaluation import evaluate
from .forecast_metrics import METRICS, NAIVE, OTHER, SEASONAL, judge, others_of

__all__ = ["Forecasting", "forecasts_of", "truth_type"]

Floats = npt.NDArray[np.float64]


def truth_type(horizon: int, past: int, others: Sequence[str] = ()) -> np.dtype[Any]:
    """A record for each forecast: its ``series`` (a code), the stamp of its first step as text
    (``origin``), the ``value`` of each step (NaN: not known) and those of ``past`` steps before;
    the naive forecasts, and those by ``others``; and its scaling, see `Scaling`."""
    number, steps = np.float64, (horizon,)
    return np.dtype(
        [
            ("series", np.int32), ("step", np.int64), ("origin", "U26"), ("value", number, steps),
            ("past", number, (past,)), (NAIVE, number, steps), (SEASONAL, number, steps),
            ("center", number), ("scale", number), ("soft", number), ("error", number),
            *((f"{OTHER}{name}", number, steps) for name in others),
        ]
    )  # fmt: skip


def forecasts_of(outputs: Floats, scaling: Scaling) -> Floats:
    """Outputs [rows, horizon, quantiles] in the unit of their series, quantiles in order
    (Chernozhukov, Fernández-Val and Galichon, 2010)."""
    return np.sort(scaling.restore(outputs), axis=-1)


@dataclass(frozen=True)
class Forecasting(Task):
    """``horizon`` steps of the series ``names``, which repeat every ``season`` steps: their
    ``quantiles``, or one number for each step if there are none."""

    horizon: int
    quantiles: tuple[float, ...]
    names: tuple[str, ...]
    season: int

    name: ClassVar[str] = "forecasting"
    losses: ClassVar[tuple[str, ...]] = ("pinball", "l1", "mse", "huber", "smooth_l1")
    metrics: ClassVar[tuple[str, ...]] = tuple(METRICS)
    guess: ClassVar[str] = SEASONAL
    baseline_name: ClassVar[str] = SEASONAL
    monitored: ClassVar[str] = "scaled_mae"
    informed: ClassVar[bool] = True
    metric_words: ClassVar[Mapping[str, str]] = METRICS

    @property
    def outputs(self) -> int:
        return self.horizon * max(1, len(self.quantiles))

    @property
    def middle(self) -> int:
        """Which of the outputs for a step is its forecast: the median, or the nearest to it."""
        return int(np.argmin([abs(q - 0.5) for q in self.quantiles or (0.5,)]))

    @property
    def monitored_metric(self) -> Metric:
        """The mean error in seasonal changes, see `Scaling`."""

        def scaled_mae(target: Array, values: Array) -> float:
            known = target[..., 1] > 0
            errors = np.abs(target[..., 0] - values[..., self.middle])[known]
            return float(np.mean(errors)) if len(errors) else float("nan")

        return Metric(self.monitored, scaled_mae, higher_is_better=False)

    def truth(self, target: Array) -> Array:
        return target

    def numbers(self, target: Array) -> Array:
        values = target["value"]
        return np.asarray(values[np.isfinite(values)])

    def decode(self, scores: Scores) -> Array:
        """The forecasts as the network scales them, [rows, horizon]; `forecasts` has their unit."""
        return scores.values[..., self.middle]

    def forecasts(self, truth: Array, scores: Scores) -> Floats:
        """[rows, horizon, quantiles] in the unit of the series."""
        names = ("center", "scale", "soft", "error")
        return forecasts_of(scores.values, Scaling(*(truth[name] for name in names)))

    def compute_metrics(self, truth: Array, scores: Scores) -> dict[str, float]:
        forecasts = self.forecasts(truth, scores)
        return judge(truth, forecasts[..., self.middle], forecasts, self.quantiles)

    def baseline(self, trained: Array, truth: Array) -> dict[str, float]:
        return judge(truth, truth[SEASONAL])

    def baselines(self, trained: Array, truth: Array) -> dict[str, dict[str, float]]:
        plain = {NAIVE: judge(truth, truth[NAIVE])} if self.season > 1 else {}
        return plain | {name: judge(truth, values) for name, values in others_of(truth).items()}

    def evaluation(self, truth: Array, scores: Scores) -> dict[str, Any]:
        forecasts = self.forecasts(truth, scores)
        return evaluate(truth, forecasts, self.quantiles, self.middle, self.names)

    def describe_untrained(self, loss: str) -> str:
        return "with the mean of each series as its forecast"

    @classmethod
    def describe_aim(cls, target: str, labels: Sequence[str]) -> str:
        return f"forecast {quoted(target)}"

    @classmethod
    def caution(cls, metrics: Mapping[str, Any], baselines: Mapping[str, Mapping[str, Any]]) -> str:
        error = number(metrics.get("mase"))
        errors = {name: number(table(m).get("mase")) for name, m in baselines.items()}
        known = {name: e for name, e in errors.items() if e is not None}
        better = [name for name, e in known.items() if error is not None and e <= error]
        if not better or error is None:
            return ""
        best = min(better, key=lambda name: known[name])
        return (
            f"Worse than the {best} forecast: the error (MASE) is {format_number(error)}, and that "
            f"of the {best} forecast {format_number(known[best])}. Use the latter."
        )

    @classmethod
    def describe_result(
        cls, start: str, metrics: Mapping[str, Any], baseline: Mapping[str, Any], tested: int | None
    ) -> str:
        """The error beside that of the seasonal naive forecast, and the coverage of intervals."""
        error, guess = number(metrics.get("mase")), number(baseline.get("mase"))
        if error is None:
            return ""
        words = f"{start}, its forecasts have an error of {format_number(error)} seasonal changes"
        if guess is not None:
            words += f" (MASE); the {SEASONAL} forecast has {format_number(guess)}"
        words += "."
        covered = number(metrics.get("coverage"))
        if covered is not None:
            words += f" {percent(covered)} of the values lay inside the widest intervals."
        return words
