"""What is between series and the network, fitted on the past of the first cut-off alone."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...data.moments import tree_sum
from ...data.series import (
    Encoded,
    Frequency,
    Panel,
    Scaling,
    calendar_features,
    encode,
    fit_scaling,
)
from ...data.series.references import naive_errors, season_repeats
from ...data.series.scaling import Transform, filled
from ...errors import StateError
from ...records import check_shape, parsed
from .settings import SeriesDataSettings
from .source import Layout

__all__ = ["SeriesPreprocessor", "fit_preprocessor"]

FORMAT = "chainrule.series"
UNITS = ("month", "trading day", "time", "number", "row")
STATIC = {"column": str, "numeric": bool, "mean": float, "std": float, "categories": [str]}
SHAPE = {
    "format": str, "version": int, "frequency": [(str, int)], "season": int, "horizon": int,
    "window": int, "quantiles": [float], "names": [str], "center": [float], "scale": [float],
    "soft": [float], "error": [float], "repeats": [bool], "past": [str], "known": [str],
    "means": [float], "stds": [float], "calendar": [str], "static": [STATIC], "seen": str,
    "time": str, "group": [str], "target": str, "transform": str, "spread": [[float]],
}  # fmt: skip
#: categories of a static column beyond so many are treated alike
CATEGORIES = 20
DIGITS = 6
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class StaticColumn:
    """How a column with one value for each series becomes numbers: standardised, or one of its
    ``categories`` marked."""

    column: str
    numeric: bool
    mean: float
    std: float
    categories: tuple[str, ...]

    @property
    def width(self) -> int:
        return 1 if self.numeric else len(self.categories)

    def encode(self, texts: Sequence[str | None]) -> Floats:
        """[series, width]; what is missing or new is the mean, or no category."""
        if self.numeric:
            numbers = [self.mean if t is None else _number(t, self.mean) for t in texts]
            return ((np.array(numbers) - self.mean) / self.std).reshape(-1, 1)
        return np.array([[float(t == c) for c in self.categories] for t in texts])


@dataclass(frozen=True)
class SeriesPreprocessor:
    """All that is needed to use the network on series.

    ``scaling`` and ``repeats`` (whether the last season is a better forecast than the last value)
    have an entry for each of ``names``. ``means`` and ``stds`` scale the columns ``past`` and
    ``known``; ``calendar`` names features that follow them. ``seen`` is the stamp from which on
    nothing was used to train. ``spread`` holds for each step the quantiles of what the naive
    forecasts left in training: where the network begins.
    """

    frequency: Frequency
    season: int
    horizon: int
    window: int
    quantiles: tuple[float, ...]
    names: tuple[str, ...]
    scaling: Scaling
    repeats: tuple[bool, ...]
    past: tuple[str, ...]
    known: tuple[str, ...]
    means: tuple[float, ...]
    stds: tuple[float, ...]
    calendar: tuple[str, ...]
    static: tuple[StaticColumn, ...]
    seen: str
    time: str
    group: tuple[str, ...]
    target: str
    transform: Transform
    spread: tuple[tuple[float, ...], ...]

    @property
    def layout(self) -> Layout:
        """The shape of a window."""
        known = len(self.known) + len(self.calendar)
        static = sum(column.width for column in self.static)
        return Layout(self.window, self.horizon, len(self.past), known, static)

    def for_panel(self, panel: Panel, stop: int) -> SeriesPreprocessor:
        """The same for the series of ``panel``: those that were not there in training are scaled by
        their steps before ``stop``."""
        old = {name: i for i, name in enumerate(self.names)}
        if all(name in old for name in panel.names):
            chosen = [old[name] for name in panel.names]
            repeats = tuple(self.repeats[i] for i in chosen)
            return replace(
                self, names=panel.names, scaling=self.scaling.take(chosen), repeats=repeats
            )
        fitted = fit_scaling(panel, stop, self.season, self.transform)
        repeats = _repeats(panel, fitted, stop, self.horizon, self.season, self.window)
        both = [(self, old[n]) if n in old else (None, i) for i, n in enumerate(panel.names)]
        columns = []
        for field in ("center", "scale", "soft", "error"):
            columns.append(np.array([
                getattr(self.scaling if known else fitted, field)[i] for known, i in both
            ]))  # fmt: skip
        chosen_repeats = tuple((self.repeats if known else repeats)[i] for known, i in both)
        return replace(self, names=panel.names, scaling=Scaling(*columns), repeats=chosen_repeats)

    def encode(
        self, panel: Panel, static: Mapping[str, Sequence[str | None]]
    ) -> tuple[Encoded, NDArray[np.float32]]:
        """The arrays that windows are read from: series, and the numbers of each series. The panel
        must have the series of this preprocessor."""
        covariates = [self._covariates(panel, s) for s in range(len(panel.names))]
        encoded = encode(panel, self.scaling, covariates, self.window, self.horizon)
        flags = np.array(self.repeats, np.float64).reshape(-1, 1)
        parts = [flags, *(column.encode(static[column.column]) for column in self.static)]
        return encoded, np.concatenate(parts, axis=1).astype(np.float32)

    def _covariates(self, panel: Panel, series: int) -> NDArray[np.float32]:
        """Covariates of the steps of one series and of a horizon after them. Gaps are filled from
        the past, with the mean where there is none."""
        values = panel.of(series)[:, 1:]
        last = panel.axis[panel.last[series]]
        stamps = panel.axis[panel.first[series] : panel.last[series] + 1]
        stamps = np.concatenate([stamps, panel.frequency.after(last, self.horizon)])
        scaled = (filled(values) - np.array(self.means)) / np.array(self.stds)
        scaled = np.where(np.isnan(scaled), 0.0, scaled)
        scaled = np.concatenate([scaled, np.repeat(scaled[-1:], self.horizon, axis=0)])
        columns = [scaled.astype(np.float32)]
        if self.calendar:
            columns.append(calendar_features(stamps, panel.frequency)[1])
        return np.concatenate(columns, axis=1)

    def to_json(self) -> str:
        """The text of ``pipeline.json``."""
        document = asdict(self)
        scaling = document.pop("scaling")
        frequency = self.frequency
        document |= {name: scaling[name].tolist() for name in ("center", "scale", "soft", "error")}
        document["frequency"] = [frequency.unit, frequency.size, frequency.offset]
        return json.dumps({"format": FORMAT, "version": 1, **document}, indent=1) + "\n"

    @classmethod
    def from_json(cls, text: str, where: str) -> SeriesPreprocessor:
        """From the text of `to_json`. StateError, naming ``where``, for anything else."""
        document = parsed(text, "pipeline.json", where)
        check_shape(document, SHAPE, where)
        if not _is_whole(document):
            raise StateError(
                "pipeline.json does not belong to a run on series",
                where=where,
                help="it was changed or cut off; copy it again",
            )
        scales = [np.array(document.pop(n), float) for n in ("center", "scale", "soft", "error")]
        static = tuple(
            StaticColumn(**{**column, "categories": tuple(column["categories"])})
            for column in document.pop("static")
        )
        frequency = Frequency(*document.pop("frequency"))
        plain = {n: document[n] for n in SHAPE if n in document and n not in ("format", "version")}
        plain["spread"] = [tuple(step) for step in plain["spread"]]
        lists: dict[str, Any] = {
            n: tuple(v) if isinstance(v, list) else v for n, v in plain.items()
        }
        return cls(**lists, scaling=Scaling(*scales), static=static, frequency=frequency)


def _is_whole(document: Mapping[str, Any]) -> bool:
    """Whether a document of the right shape also makes sense."""
    unit, *sizes = document["frequency"]
    each = ("center", "scale", "soft", "error", "repeats")
    columns = len(document["past"]) + len(document["known"])
    counts = {len(document[name]) for name in each} == {len(document["names"])}
    positive = (*document["scale"], *document["stds"], *(c["std"] for c in document["static"]))
    return (
        (document["format"], document["version"]) == (FORMAT, 1)
        and unit in UNITS
        and len(sizes) == 2
        and all(isinstance(n, int) for n in sizes)
        and sizes[0] >= 1
        and counts
        and len(document["spread"]) == document["horizon"]
        and {len(step) for step in document["spread"]} == {len(document["quantiles"]) or 1}
        and len(document["means"]) == len(document["stds"]) == columns
        and all(s > 0 for s in positive)
        and min(document[n] for n in ("season", "horizon", "window")) >= 1
        and max(document[n] for n in ("season", "horizon", "window")) <= 100_000
        and all(0 < q < 1 for q in document["quantiles"])
    )


def fit_preprocessor(
    panel: Panel,
    static: Mapping[str, Sequence[str | None]],
    data: SeriesDataSettings,
    stop: int,
    quantiles: Sequence[float],
    seen: str,
) -> SeriesPreprocessor:
    """Fitted on the steps of all series before ``stop``; ``data`` has no ``auto`` left."""
    assert not isinstance(data.season, str)
    assert not isinstance(data.horizon, str)
    assert not isinstance(data.window, str)
    scaling = fit_scaling(panel, stop, data.season, data.transform)
    past = np.concatenate([
        panel.of(s)[: max(0, stop - int(panel.first[s])), 1:] for s in range(len(panel.names))
    ])  # fmt: skip
    moments = [_moments(past[:, i]) for i in range(past.shape[1])]
    names = calendar_features(panel.axis[:1], panel.frequency)[0] if data.calendar else []
    repeats = _repeats(panel, scaling, stop, data.horizon, data.season, data.window)
    return SeriesPreprocessor(
        panel.frequency, data.season, data.horizon, data.window, tuple(quantiles), panel.names,
        scaling, repeats,
        data.past, data.known, tuple(m for m, _ in moments), tuple(s for _, s in moments),
        tuple(names), tuple(_fit_static(c, static[c]) for c in data.static), seen,
        data.time, data.group, data.target, data.transform,
        _spread(panel, scaling, repeats, stop, data.horizon, data.season, quantiles or (0.5,)),
    )  # fmt: skip


def _repeats(
    panel: Panel, scaling: Scaling, stop: int, horizon: int, season: int, window: int
) -> tuple[bool, ...]:
    """For each series, whether its last season forecasts its past better than its last value."""
    flags = []
    for s in range(len(panel.names)):
        values = scaling.apply(panel.of(s)[: max(0, stop - int(panel.first[s])), 0], s)
        flags.append(season <= window and season_repeats(values, horizon, season))
    return tuple(flags)


def _spread(
    panel: Panel,
    scaling: Scaling,
    repeats: Sequence[bool],
    stop: int,
    horizon: int,
    season: int,
    levels: Sequence[float],
) -> tuple[tuple[float, ...], ...]:
    """The quantiles of the errors of the naive forecasts, scaled, for each step ahead."""
    parts = []
    for s in range(len(panel.names)):
        values = scaling.apply(panel.of(s)[: max(0, stop - int(panel.first[s])), 0], s)
        parts.append(naive_errors(values, horizon, season if repeats[s] else 1))
    errors = np.concatenate(parts)
    steps = []
    for column in errors.T:
        known = column[np.isfinite(column)]
        quantiles = np.quantile(known, levels) if len(known) else np.zeros(len(levels))
        steps.append(tuple(round(float(q), DIGITS) for q in quantiles))
    return tuple(steps)


def _moments(values: Floats) -> tuple[float, float]:
    """Mean and standard deviation of the known values; 1 for a deviation of 0."""
    known = values[np.isfinite(values)]
    if not len(known):
        return 0.0, 1.0
    mean = float(tree_sum(known)) / len(known)
    std = float(np.sqrt(tree_sum((known - mean) ** 2) / len(known)))
    return mean, std or 1.0


def _number(text: str, otherwise: float) -> float:
    try:
        number = float(text)
    except ValueError:
        return otherwise
    return number if np.isfinite(number) else otherwise


def _fit_static(column: str, texts: Sequence[str | None]) -> StaticColumn:
    known = [t for t in texts if t is not None]
    numbers = np.array([_number(t, np.nan) for t in known])
    if len(known) and np.isfinite(numbers).all():
        mean, std = _moments(numbers)
        return StaticColumn(column, True, mean, std, ())
    frequent = sorted(Counter(known).items(), key=lambda pair: (-pair[1], pair[0]))[:CATEGORIES]
    return StaticColumn(column, False, 0.0, 1.0, tuple(text for text, _ in frequent))
