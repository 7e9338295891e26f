"""Forecasts that need no model, to be measured against."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["naive", "naive_errors", "season_repeats", "seasonal_naive"]

Floats = NDArray[np.float64]


def naive(past: Floats, horizon: int) -> Floats:
    """The last value again and again. ``past`` [rows, steps] ends where the forecast begins."""
    return np.repeat(past[:, -1:], horizon, axis=1)


def seasonal_naive(past: Floats, horizon: int, season: int) -> Floats:
    """The last season again and again: `naive` for a season of one step, and where a row does not
    reach back that far (NaN)."""
    if season < 2 or past.shape[1] < season:
        return naive(past, horizon)
    repeated = past[:, -season:][:, np.arange(horizon) % season]
    return np.where(np.isnan(repeated), past[:, -1:], repeated)


def naive_errors(values: Floats, horizon: int, season: int) -> Floats:
    """What came less what repeating said, [origins, horizon], for every step of one series.

    The last value is repeated for a ``season`` of 1, else the last season.
    """
    count = len(values) - season - horizon + 1
    if count < 1:
        return np.zeros((0, horizon))
    steps, origins = np.arange(horizon), season + np.arange(count)
    came = values[origins[:, None] + steps]
    errors: Floats = came - values[origins[:, None] - season + steps % season]
    return errors


def season_repeats(values: Floats, horizon: int, season: int) -> bool:
    """Whether repeating the last season of one series forecasts its own past better, on average
    over a ``horizon`` from each step, than repeating its last value."""
    count = len(values) - season - horizon + 1
    if season < 2 or count < season:
        return False
    origins = season + np.arange(count)
    steps = np.arange(horizon)
    ahead = values[origins[:, None] + steps]
    last = values[origins - 1][:, None]
    same_season = values[origins[:, None] - season + steps % season]
    errors = [np.abs(ahead - guess) for guess in (last, same_season)]
    known = np.isfinite(errors[0]) & np.isfinite(errors[1])
    return bool(known.any() and errors[1][known].sum() < errors[0][known].sum())
