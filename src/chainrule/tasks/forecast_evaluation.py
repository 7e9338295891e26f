"""Forecasts for reports: charts and tables, of bounded size.

charts   curves over steps, with a band: forecast and truth of the worst series, of the middle
         one and the best; the error by step
tables   the error of each series, the worst first; the worst forecasts
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from .forecast_metrics import NAIVE, SEASONAL, others_of, scaled_errors

__all__ = ["evaluate"]

Floats = npt.NDArray[np.float64]
Array = npt.NDArray[Any]
SERIES = 40
#: of the worst forecasts, and of the steps of each
WORST, STEPS = 12, 8


def evaluate(
    truth: Array,
    forecasts: Floats,
    quantiles: Sequence[float],
    middle: int,
    names: Sequence[str],
) -> dict[str, Any]:
    """What ``evaluation.json`` holds of the test part."""
    point = forecasts[..., middle]
    rivals = {"this model": point, NAIVE: truth[NAIVE], SEASONAL: truth[SEASONAL]}
    if np.array_equal(truth[NAIVE], truth[SEASONAL]):
        del rivals[SEASONAL]
    rivals |= others_of(truth)
    errors = {name: scaled_errors(truth, values) for name, values in rivals.items()}
    by_series = {s: _means(errors, truth["series"] == s) for s in np.unique(truth["series"])}
    ranked = sorted(by_series, key=lambda s: -_or_zero(by_series[s]["this model"]))
    shown = list(dict.fromkeys([ranked[0], ranked[len(ranked) // 2], ranked[-1]]))
    places = {1: ("",), 2: ("worst", "best"), 3: ("worst", "middle", "best")}[len(shown)]
    return {
        "rows": len(truth),
        "charts": [
            *(
                _forecast(truth, forecasts, quantiles, middle, s, names, place)
                for s, place in zip(shown, places, strict=True)
            ),
            _by_step(errors),
        ],
        "tables": [
            *([_by_series(by_series, ranked, names)] if len(ranked) > 1 else []),
            _worst(truth, point, errors["this model"], names),
        ],
    }


def _worst(truth: Array, point: Floats, errors: Floats, names: Sequence[str]) -> dict[str, Any]:
    """The forecasts of the test part with the largest errors, beside what came."""
    each = np.array([_or_zero(_mean(row)) for row in errors])
    worst = np.argsort(-each, kind="stable")[:WORST].tolist()
    several = len(names) > 1

    def listed(values: Floats) -> str:
        shown = ", ".join(f"{v:.4g}" if math.isfinite(v) else "unknown" for v in values[:STEPS])
        return shown + ", ..." * (len(values) > STEPS)

    return {
        "title": "Worst forecasts",
        "words": "Of the test part, by their error (MASE), worst first.",
        "heads": [*["series"] * several, "from", "error", "forecast", "actual"],
        "rows": [
            [*[names[truth["series"][i]]] * several, str(truth["origin"][i]), float(each[i]),
             listed(point[i]), listed(truth["value"][i])]
            for i in worst
        ],
        "examples": worst,
    }  # fmt: skip


def _or_zero(value: float) -> float:
    return 0.0 if math.isnan(value) else value


def _means(errors: dict[str, Floats], rows: npt.NDArray[np.bool_]) -> dict[str, float]:
    return {name: _mean(values[rows]) for name, values in errors.items()}


def _mean(values: Floats) -> float:
    known = values[np.isfinite(values)]
    return float(known.mean()) if len(known) else math.nan


def _plain(values: Floats) -> list[float | None]:
    """As JSON: None for what is not known."""
    return [float(v) if math.isfinite(v) else None for v in values]


def _forecast(
    truth: Array,
    forecasts: Floats,
    quantiles: Sequence[float],
    middle: int,
    series: int,
    names: Sequence[str],
    place: str,
) -> dict[str, Any]:
    """The last forecast of a series, beside what came and what was before."""
    row = int(np.flatnonzero(truth["series"] == series)[-1])
    record, values = truth[row], forecasts[row]
    past, horizon = len(record["past"]), len(record["value"])
    unknown: list[float | None] = [None] * past
    name = names[series] if series < len(names) else ""
    of = f" of {name}" if name else ""
    chart: dict[str, Any] = {
        "title": f"Forecast{of}" + (f", the {place} series by its error" if place else ""),
        "words": f"The last forecast of the test part, from {record['origin']} on.",
        "below": f"steps from {record['origin']}",
        "x": list(range(-past, horizon)),
        "lines": [
            {"name": "forecast", "values": [*unknown, *_plain(values[:, middle])]},
            {"name": "actual", "values": _plain(np.concatenate([record["past"], record["value"]]))},
        ],
    }  # fmt: skip
    if len(quantiles) > 1:
        share = f"{100 * (quantiles[-1] - quantiles[0]):.0f} % interval"
        low, high = ([*unknown, *_plain(values[:, i])] for i in (0, -1))
        chart["band"] = {"name": share, "low": low, "high": high}
    return chart


def _by_step(errors: dict[str, Floats]) -> dict[str, Any]:
    steps = next(iter(errors.values())).shape[1]
    return {
        "title": "Error by step",
        "words": "The mean error of each step ahead, in mean seasonal changes (as in MASE).",
        "below": "steps ahead",
        "x": list(range(1, steps + 1)),
        "lines": [
            {"name": name, "values": _plain(np.array([_mean(v[:, k]) for k in range(steps)]))}
            for name, v in errors.items()
        ],
    }


def _by_series(
    errors: dict[int, dict[str, float]], ranked: Sequence[int], names: Sequence[str]
) -> dict[str, Any]:
    more = len(ranked) - SERIES
    rest = f" The {more} with the smallest errors are left out." if more > 0 else ""
    rivals = list(next(iter(errors.values())))
    return {
        "title": "Error by series",
        "words": f"MASE on the test part, the worst series first.{rest}",
        "heads": ["series", *rivals],
        "rows": [
            [names[s] if s < len(names) else str(s), *_plain(np.array(list(errors[s].values())))]
            for s in ranked[:SERIES]
        ],
    }
