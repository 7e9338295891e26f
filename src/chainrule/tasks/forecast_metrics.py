"""How good forecasts are: errors in several units, quantiles, intervals."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["METRICS", "NAIVE", "OTHER", "SEASONAL", "judge", "others_of", "scaled_errors"]

Floats = npt.NDArray[np.float64]
Array = npt.NDArray[Any]

#: what the forecasts without a model are called
NAIVE, SEASONAL = "naive", "seasonal naive"

#: in front of the name of another method, whose forecasts are in the truth
OTHER = "forecast of "

#: each metric in words
METRICS: Mapping[str, str] = {
    "mase": "mean absolute error divided by the mean change from season to season in the training "
    "part of the series, averaged over the series; below 1 beats repeating the last season there",
    "mae": "mean absolute error, in the unit of the target",
    "rmse": "root mean squared error, in the unit of the target",
    "smape": "mean of 200 |error| / (|true| + |forecast|), in per cent",
    "wql": "mean over the quantiles of twice the pinball loss, divided by the sum of |true|",
    "coverage": "share of values inside the widest interval",
}


def judge(
    truth: Array,
    point: Floats,
    forecasts: Floats | None = None,
    quantiles: Sequence[float] = (),
) -> dict[str, float]:
    """All `METRICS` of the forecasts ``point`` [rows, horizon] and their ``quantiles``, over the
    known values; NaN where one means nothing. Without quantiles, wql is that of the median."""
    known = np.isfinite(truth["value"]) & np.isfinite(point)
    true, guess = truth["value"][known], point[known]
    if not len(true):
        return dict.fromkeys(METRICS, math.nan)
    errors = np.abs(true - guess)
    sizes = np.abs(true) + np.abs(guess)
    relative = np.divide(errors, sizes, out=np.zeros_like(errors), where=sizes > 0)
    levels = quantiles or (0.5,)
    values = forecasts[known] if quantiles and forecasts is not None else guess[:, None]
    total = float(np.abs(true).sum())
    low, high = (values[:, 0], values[:, -1]) if len(levels) > 1 else (None, None)
    inside = math.nan if low is None else float(np.mean((true >= low) & (true <= high)))
    return {
        "mase": _mean_over_series(truth, point),
        "mae": float(errors.mean()),
        "rmse": float(np.sqrt(np.mean(errors**2))),
        "smape": float(200 * relative.mean()),
        "wql": _quantile_loss(true, values, levels) / total if total > 0 else math.nan,
        "coverage": inside,
    }


def others_of(truth: Array) -> dict[str, Floats]:
    """The forecasts of other methods in the truth, by their names."""
    names = [name for name in truth.dtype.names or () if name.startswith(OTHER)]
    return {name.removeprefix(OTHER): truth[name] for name in names}


def _quantile_loss(true: Floats, values: Floats, levels: Sequence[float]) -> float:
    """Twice the pinball loss, summed over the values, averaged over the levels."""
    q, distance = np.asarray(levels), true[:, None] - values
    return float(2 * np.maximum(q * distance, (q - 1) * distance).sum()) / len(levels)


def scaled_errors(truth: Array, point: Floats) -> Floats:
    """|error| in mean seasonal changes, [rows, horizon]; NaN where a value is not known, or the
    series has no changes."""
    scale = np.where(truth["error"] > 0, truth["error"], np.nan)
    return np.abs(truth["value"] - point) / scale[:, None]


def _mean_over_series(truth: Array, point: Floats) -> float:
    """The mean scaled error, every series counting the same."""
    errors = scaled_errors(truth, point)
    means = []
    for series in np.unique(truth["series"]):
        own = errors[truth["series"] == series]
        own = own[np.isfinite(own)]
        if len(own):
            means.append(float(own.mean()))
    return float(np.mean(means)) if means else math.nan
