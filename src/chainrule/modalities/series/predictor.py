"""A trained network and its preprocessing: forecasts onward, and is evaluated on later data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from ...data import Finding
from ...data.series import Encoded, Origins, Panel, origins
from ...data.series.frequency import Stamps
from ...data.series.stamps import stamp_texts
from ...errors import ConfigError, DataError
from ...ir.types import is_whole
from ...runs.example import Example, Form, Name, notes_of, numbers_of
from ...runs.predictor import Column, Predictor
from ...tasks.forecasting import Forecasting, forecasts_of
from ...train import Scores
from .network import Forecaster
from .onward import continued, ends_of, require_known
from .opening import open_source, read_series
from .prepare import truth_of
from .preprocessor import SeriesPreprocessor
from .settings import SeriesSettings
from .source import Windows

__all__ = ["Forecasts", "SeriesPredictor"]

Floats = npt.NDArray[np.float64]
#: at most so many steps are forecast from forecasts
FARTHEST = 10_000


@dataclass(frozen=True)
class Forecasts:
    """Forecasts of the series ``names``: ``values`` [series, steps, quantiles] in their own unit,
    for the ``stamps`` [series, steps]. Without ``quantiles`` there is one value for each step."""

    names: tuple[str, ...]
    stamps: Stamps
    values: Floats
    quantiles: tuple[float, ...]
    middle: int

    @property
    def point(self) -> Floats:
        """The forecast of each step: the median, or the quantile nearest to it."""
        return self.values[..., self.middle]


class SeriesPredictor(Predictor[Forecaster, SeriesPreprocessor, SeriesSettings]):
    """What ``fit_series`` and ``load_run`` return::

        model.forecast()                      # onward from the end of the data it was trained on
        model.forecast("newer.csv", horizon=6).point
        model.predict("newer.csv")            # the same as an array, [series, steps]
        model.evaluate("newer.csv")           # {"mase": 0.87, ...}

    A source is anything that ``read_table`` accepts, or the name of bundled series, with the
    columns of the training. A series that was not there in training is scaled by its own past.
    Forecasts reach as far as the network was trained to; farther ones are made from their own
    medians, which makes intervals too narrow: ``last_findings`` says so.
    """

    goes_on = True
    goal: Forecasting

    def forecast(
        self, source: object = None, horizon: int | None = None, *, query: str | None = None
    ) -> Forecasts:
        """The next ``horizon`` steps of each series (by default as many as trained for), from the
        end of ``source``, by default of the data of the training.

        Raises DataError if a column that has to be known for the future is not.
        """
        preprocessor = self.preprocessor
        steps = _checked_horizon(horizon, preprocessor.horizon)
        panel, static = self._read(source, query)
        preprocessor = preprocessor.for_panel(panel, len(panel.axis))
        ends, parts = ends_of(panel), []
        for done in range(0, steps, preprocessor.horizon):
            require_known(panel, preprocessor, ends + done)
            encoded, numbers = preprocessor.encode(panel, static)
            chosen = Origins(np.arange(len(panel.names)), ends + done)
            values = self._outputs(preprocessor, encoded, chosen, numbers)
            parts.append(values)
            panel = continued(panel, ends + done, values[..., self.goal.middle])
        if steps > preprocessor.horizon:
            self.last_findings = (*self.last_findings, _far(steps, preprocessor.horizon))
        values = np.concatenate(parts, axis=1)[:, :steps]
        places = ends[:, None] + np.arange(steps)
        return Forecasts(
            panel.names, panel.axis[places], values, preprocessor.quantiles, self.goal.middle
        )

    def _read(
        self, source: object, query: str | None
    ) -> tuple[Panel, Mapping[str, tuple[str | None, ...]]]:
        origin = self.settings.data.path if source is None else source
        if source is None and not origin:
            raise ConfigError(
                "the data of this run came from Python", help="pass it again: forecast(data)"
            )
        data = replace(self.settings.data, query=query or self.settings.data.query)
        table, data, _ = open_source(origin, data)
        opened = read_series(table, data, self.preprocessor.frequency)
        # That columns are left out, the training has said.
        self.last_findings = tuple(f for f in opened.findings if f.code not in ("D401", "D402"))
        return opened.panel, opened.static

    def _outputs(
        self,
        preprocessor: SeriesPreprocessor,
        encoded: Encoded,
        chosen: Origins,
        numbers: npt.NDArray[np.float32],
    ) -> Floats:
        windows = Windows(encoded, chosen, numbers, preprocessor.layout)
        scaling = preprocessor.scaling.take(chosen.series.tolist())
        return forecasts_of(self.scores_of(windows).values, scaling)

    def inputs(self, source: Any) -> Windows:
        """The last window of each series."""
        return self._windows(source)[0]

    def _windows(self, source: Any) -> tuple[Windows, SeriesPreprocessor]:
        panel, static = self._read(source, None)
        preprocessor = self.preprocessor.for_panel(panel, len(panel.axis))
        require_known(panel, preprocessor, ends_of(panel))
        encoded, numbers = preprocessor.encode(panel, static)
        chosen = Origins(np.arange(len(panel.names)), ends_of(panel))
        return Windows(encoded, chosen, numbers, preprocessor.layout), preprocessor

    def example(self, given: Any, target: str | None = None) -> Example:
        """The last window of one series, and the steps that might follow it."""
        windows, preprocessor = self._windows(given)
        notes = notes_of(self.last_findings)
        if target is None:
            return Example(windows, None, notes)
        following = np.array(numbers_of(target, preprocessor.horizon))
        scaled = preprocessor.scaling.apply(following, 0)
        return Example(windows, np.stack([scaled, np.ones_like(scaled)], axis=-1), notes)

    def form(self) -> Form:
        steps = self.preprocessor.horizon
        aim = "the next value" if steps == 1 else f"the next {steps} values, with commas"
        return Form(whole="the path of a table with one series", aim=aim)

    def input_names(self) -> tuple[Name, ...]:
        pre = self.preprocessor
        ahead = (*pre.known, *pre.calendar)
        channels = (pre.target, *pre.past, *ahead)
        static = ["the season repeats"]
        for column in pre.static:
            static += [f"{column.column} {i}" for i in range(column.width)]

        def past(index: tuple[int, ...], value: float) -> str:
            return f"{channels[index[2]]}, {pre.window - index[1]} back"

        def series(index: tuple[int, ...], value: float) -> str:
            return static[index[1]]

        def known(index: tuple[int, ...], value: float) -> str:
            return f"{ahead[index[2]]}, {index[1] + 1} ahead"

        return (past, series, *([known] if ahead else []))

    def predict(self, source: Any = None, horizon: int | None = None) -> npt.NDArray[Any]:
        """`forecast` as an array [series, steps]: medians in the unit of the target."""
        return self.forecast(source, horizon).point

    def evaluate(self, source: object, *, query: str | None = None) -> dict[str, float]:
        """The metrics of the forecasts from every step of ``source`` that was not seen in training,
        neither to learn from nor to decide when to stop.

        Raises DataError if there is no such step.
        """
        panel, static = self._read(source, query)
        preprocessor = self.preprocessor
        first = _first_unseen(panel, preprocessor.seen)
        preprocessor = preprocessor.for_panel(panel, first)
        chosen = origins(
            panel, (first, len(panel.axis)), preprocessor.horizon, preprocessor.window, 0
        )
        if not len(chosen):
            raise DataError(
                f"no series has {preprocessor.horizon} steps from {preprocessor.seen} on, up to "
                "where the training knew the data",
                help="evaluate on newer data, with the older steps in front of it",
            )
        encoded, numbers = preprocessor.encode(panel, static)
        truth = truth_of(panel, preprocessor, encoded, chosen)
        scores = self.scores_of(Windows(encoded, chosen, numbers, preprocessor.layout))
        metrics = self.goal.compute_metrics(truth, scores)
        rivals = {self.goal.guess: self.goal.baseline(truth, truth)}
        caution = self.goal.caution(metrics, rivals | self.goal.baselines(truth, truth))
        if caution:
            self.last_findings = (*self.last_findings, Finding("D409", "warning", caution))
        return metrics

    def columns(
        self,
        source: object = None,
        proba: bool = False,
        *,
        horizon: int | None = None,
        query: str | None = None,
    ) -> list[Column]:
        """A line for each series and step: the stamp, the forecast, and its quantiles."""
        if proba:
            self.goal.probabilities(Scores(np.zeros(0), "identity"))  # raises: there are no classes
        made = self.forecast(source, horizon, query=query)
        steps = made.stamps.shape[1]
        columns: list[Column] = []
        if self.preprocessor.group:
            names = np.repeat(np.array(made.names, dtype=object), steps)
            columns.append((" / ".join(self.preprocessor.group), names))
        stamps = stamp_texts(made.stamps.reshape(-1), self.preprocessor.frequency)
        columns.append((self.preprocessor.time, stamps))
        columns.append(("prediction", made.point.reshape(-1)))
        for i, level in enumerate(made.quantiles):
            columns.append((f"quantile_{level:g}", made.values[..., i].reshape(-1)))
        return columns


def _checked_horizon(horizon: int | None, trained: int) -> int:
    if horizon is None:
        return trained
    if not is_whole(horizon) or not 1 <= horizon <= FARTHEST:
        raise ConfigError(
            f"horizon is {horizon!r}", help=f"pass a number of steps from 1 to {FARTHEST}"
        )
    return int(horizon)


def _first_unseen(panel: Panel, seen: str) -> int:
    """The first step that the training did not know."""
    texts = stamp_texts(panel.axis, panel.frequency)
    if panel.frequency.unit == "number":
        return int(np.searchsorted(panel.axis.astype(np.int64), int(seen)))
    return int(np.searchsorted(texts.astype(str), seen))


def _far(steps: int, trained: int) -> Finding:
    return Finding(
        "D408", "warning", "forecasts beyond the horizon of the training",
        f"{steps} steps were asked for, and the network forecasts {trained}; the others follow "
        "from its own medians, so their intervals are too narrow",
        f"train with --horizon {steps}",
    )  # fmt: skip
