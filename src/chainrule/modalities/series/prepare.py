"""Opened series, and what their settings make of them: cut-offs, scaling, windows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ...data import Finding
from ...data.series import Cutoffs, Encoded, Origins, Panel, cut, origins, usual_window
from ...data.series.stamps import stamp_texts
from ...data.tables.fingerprint import fingerprint_of
from ...errors import ConfigError, DataError
from ...runs.modality import PARTS, PartName
from ...runs.parts import PreparedParts
from ...tasks.forecast_metrics import OTHER
from ...tasks.forecasting import truth_type
from .findings import data_findings
from .opening import Source
from .preprocessor import SeriesPreprocessor, fit_preprocessor
from .settings import SeriesDataSettings, SeriesSettings
from .source import Windows
from .statistical import statistical_forecasts

__all__ = ["OpenedSeries", "PreparedSeries", "known_steps", "truth_of", "usual_horizon"]

#: steps to forecast where nothing repeats
HORIZON = 4
#: seasons from so many steps on are forecast once, shorter ones twice
LONG_SEASON = 12
#: horizons of the past beside a forecast in reports
SHOWN = 3


def known_steps(panel: Panel) -> int:
    """The number of steps of the axis up to the last known target."""
    ends = [
        int(panel.first[s]) + int(np.flatnonzero(np.isfinite(panel.of(s)[:, 0]))[-1]) + 1
        for s in range(len(panel.names))
    ]
    return max(ends)


def usual_horizon(steps: int, season: int) -> int:
    """A season, or two short ones, but at most a tenth of the steps that there are."""
    wanted = season if season >= LONG_SEASON else 2 * season if season > 1 else HORIZON
    return max(1, min(wanted, steps // 10))


@dataclass(frozen=True)
class OpenedSeries:
    """Series and where they came from; ``settings`` name the columns, horizon and season."""

    source: Source
    origin: object
    settings: SeriesSettings

    @cached_property
    def fingerprint(self) -> str:
        return fingerprint_of(self.origin, self.source.table)

    @property
    def panel(self) -> Panel:
        return self.source.panel

    def training_rows(self) -> int:
        cutoffs = self._cutoffs(self.settings.data)
        inside = np.minimum(self.panel.last + 1, cutoffs.validation) - self.panel.first
        return max(1, int(np.maximum(inside - _horizon(self.settings.data), 0).sum()))

    def divide(self, settings: SeriesSettings) -> None:
        self._parts(settings.data)

    def _cutoffs(self, data: SeriesDataSettings) -> Cutoffs:
        return cut(known_steps(self.panel), _horizon(data), data.split, data.fold)

    def _parts(self, data: SeriesDataSettings) -> tuple[Cutoffs, int, tuple[Origins, ...]]:
        """Cut-offs, window, and the forecasts of each part. DataError for a part without any."""
        panel, horizon, cutoffs = self.panel, _horizon(data), self._cutoffs(data)
        assert not isinstance(data.season, str)
        window = data.window
        if isinstance(window, str):
            window = usual_window(panel, cutoffs, horizon, data.season)
        parts = tuple(
            origins(panel, cutoffs.part(name), horizon, window, cutoffs.validation)
            for name in PARTS
        )
        for name, part in zip(PARTS, parts, strict=True):
            if not len(part):
                start, stop = cutoffs.part(name)
                raise DataError(
                    f"no series has {horizon} steps to forecast in the {name} part, from "
                    f"{panel.stamp(start)} to {panel.stamp(stop - 1)}",
                    where=self.source.table.name,
                    help="series are divided by time: give more of the past, a shorter --horizon, "
                    "or other shares (data.split)",
                )
        return cutoffs, window, parts

    def prepare(self, settings: SeriesSettings, folder: Path | None) -> PreparedSeries:
        """Divides by time, fits on the training part, and lays out the windows."""
        cutoffs, window, parts = self._parts(settings.data)
        settings = replace(
            settings.resolved(len(parts[0])), data=replace(settings.data, window=window)
        )
        data, panel = settings.data, self.panel
        levels: Sequence[float] = data.quantiles if settings.train.loss == "pinball" else ()
        preprocessor = fit_preprocessor(
            panel, self.source.static, data, cutoffs.validation, levels, panel.stamp(cutoffs.test)
        )
        encoded, static = preprocessor.encode(panel, self.source.static)
        findings = (*self.source.findings, *data_findings(panel, preprocessor, cutoffs))
        return PreparedSeries(self, settings, preprocessor, encoded, static, parts, findings)


def _horizon(data: SeriesDataSettings) -> int:
    if isinstance(data.horizon, str):
        raise ConfigError("`data.horizon` is auto", help="open the series first")
    return data.horizon


def truth_of(
    panel: Panel,
    preprocessor: SeriesPreprocessor,
    encoded: Encoded,
    chosen: Origins,
    others: Mapping[str, npt.NDArray[np.float64]] | None = None,
) -> npt.NDArray[Any]:
    """The records of some forecasts, with those by ``others``; see `truth_type`."""
    past, others = min(preprocessor.window, SHOWN * preprocessor.horizon), others or {}
    records = np.zeros(len(chosen), truth_type(preprocessor.horizon, past, tuple(others)))
    for name, values in others.items():
        records[f"{OTHER}{name}"] = values
    records["series"], records["step"] = chosen.series, chosen.step
    if len(chosen):
        records["origin"] = stamp_texts(panel.axis[chosen.step], panel.frequency).astype(str)
    records["value"] = encoded.target(chosen)
    rows = encoded.rows(chosen)[:, None] + np.arange(-past, 0)
    inside = rows >= encoded.begin[chosen.series][:, None]
    records["past"] = np.where(inside, encoded.levels[np.maximum(rows, 0)], np.nan)
    references = encoded.references(chosen, preprocessor.season)
    for name, values in zip(("naive", "seasonal naive"), references, strict=True):
        records[name] = values
    for name in ("center", "scale", "soft", "error"):
        records[name] = getattr(preprocessor.scaling, name)[chosen.series]
    return records


@dataclass(frozen=True)
class PreparedSeries(PreparedParts[SeriesSettings]):
    """``parts`` of all forecasts: training, validation, test; series scaled by what was fitted on
    the training part."""

    opened: OpenedSeries
    settings: SeriesSettings
    preprocessor: SeriesPreprocessor
    encoded: Encoded
    static: npt.NDArray[np.float32]
    parts: tuple[Origins, ...]
    findings: tuple[Finding, ...]

    @property
    def name(self) -> str:
        """The name of the data without folders and extensions."""
        return Path(self.opened.source.table.name).name.split(".")[0] or "series"

    @property
    def fingerprint(self) -> str:
        return self.opened.fingerprint

    def source(self, part: PartName) -> Windows:
        return Windows(self.encoded, self.part(part), self.static, self.preprocessor.layout)

    def target(self, part: PartName) -> npt.NDArray[Any]:
        return truth_of(self.opened.panel, self.preprocessor, self.encoded, self.part(part))

    @property
    def truth(self) -> npt.NDArray[Any]:
        chosen, preprocessor = self.parts[2], self.preprocessor
        stop = int(chosen.step.min())
        others = statistical_forecasts(self.encoded, chosen, preprocessor.season, stop)
        return truth_of(self.opened.panel, preprocessor, self.encoded, chosen, others)

    def data_facts(self) -> dict[str, Any]:
        panel = self.opened.panel
        return {
            **super().data_facts(),
            "series": len(panel.names),
            "steps": int(panel.lengths.sum()),
            "frequency": panel.frequency.name,
        }

    def model_facts(self) -> dict[str, Any]:
        layout = self.preprocessor.layout
        return {
            "name": self.model_name,
            "horizon": layout.horizon,
            "window": layout.window,
            "inputs": 1 + layout.past + layout.known + layout.static,
        }
