"""Series as a kind of data: all that runs, reports and commands know about them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

from ...runs.modality import Draft, Modality, Words
from ...runs.settings.arguments import COMMON_ARGUMENTS
from ...runs.settings.sources import Key
from ...runs.space import Space
from ...runs.task import Task
from ...tasks import Forecasting
from .checks import CHECKS
from .loss import ForecastLoss
from .network import Forecaster, build
from .opening import open_source, read_series
from .options import OPTIONS, SOURCES
from .predictor import SeriesPredictor
from .prepare import OpenedSeries, PreparedSeries, known_steps, usual_horizon
from .preprocessor import SeriesPreprocessor
from .recognising import recognises
from .settings import SeriesSettings
from .space import space_for
from .words import words_for

__all__ = ["KIND", "SERIES", "SeriesKind"]


class SeriesKind(Modality[SeriesSettings, SeriesPredictor]):
    """Tables in long form, with a row for each time stamp and series."""

    name = "series"
    settings = SeriesSettings
    sources, options = SOURCES, OPTIONS
    prepared_by: ClassVar[tuple[str, ...]] = ("data", "train.loss")
    arguments: Mapping[str, Key] = {
        **COMMON_ARGUMENTS,
        **{name: ("data", name) for name in (
            "target", "time", "group", "query", "task", "horizon", "window", "frequency", "season",
            "quantiles", "known", "past", "static",
        )},
        "network": ("model", "name"),
    }  # fmt: skip
    tasks: Mapping[str, type[Task]] = {Forecasting.name: Forecasting}
    facts: ClassVar[Mapping[str, Any]] = {
        "data": {"series": int, "steps": int, "frequency": str},
        "model": {"name": str, "horizon": int, "window": int},
    }
    predictor = SeriesPredictor
    checks: Sequence[Any] = CHECKS

    def recognises(self, source: object) -> float:
        return recognises(source)

    def open(self, settings: SeriesSettings, source: object, folder: Path | None) -> OpenedSeries:
        origin = settings.data.path if source is None else source
        table, data, bundle = open_source(origin, settings.data)
        read = read_series(table, data)
        season, steps = data.season, known_steps(read.panel)
        if season == "auto":
            usual = read.panel.frequency.season
            season = usual if steps >= 3 * usual else 1
        horizon = usual_horizon(steps, season) if data.horizon == "auto" else data.horizon
        data = replace(
            data, season=season, horizon=horizon, time=read.roles.time, group=read.roles.group,
            target=read.roles.target,
        )  # fmt: skip
        name = bundle.name if bundle else Path(table.name).name.split(".")[0] or "series"
        named = replace(settings.named(name), data=data)
        return OpenedSeries(read, bundle.path if bundle else origin, named)

    def build(self, preprocessor: SeriesPreprocessor, settings: SeriesSettings) -> Forecaster:
        network = settings.model
        return build(
            network.name, network.settings, preprocessor.layout, preprocessor.season,
            preprocessor.spread,
        )  # fmt: skip

    def read_preprocessor(self, text: str, where: str) -> SeriesPreprocessor:
        return SeriesPreprocessor.from_json(text, where)

    def space(self, settings: SeriesSettings) -> Space:
        return space_for(settings)

    def goal(self, preprocessor: SeriesPreprocessor) -> Task:
        return Forecasting(
            preprocessor.horizon, preprocessor.quantiles, preprocessor.names, preprocessor.season
        )

    def describe(self, facts: Mapping[str, Any]) -> Words:
        return words_for(facts)

    def loss(self, prepared: PreparedSeries) -> ForecastLoss:
        return ForecastLoss(prepared.settings.train.objective, prepared.preprocessor.quantiles)

    def draft(self, settings: SeriesSettings, output: Path) -> Draft[SeriesSettings]:
        """With the columns, the horizon and the season that were inferred."""
        opened = self.open(settings, None, None)
        drafted = opened.settings.relative_to(output)
        return Draft(drafted, settings.descriptions(), opened.source.findings)


KIND = SERIES = SeriesKind()
