"""Series as arrays that a compiled step reads windows from, by index.

Each series lies in one stretch of ``values``, behind ``window`` steps of padding and before
``horizon`` steps of a future that is not known yet. So every window and every target of every
series is a range of rows, and nothing is ever copied out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from chainrule.data.series.cutoffs import Origins
from chainrule.data.series.panel import Panel
from chainrule.data.series.references import naive, seasonal_naive
from chainrule.data.series.scaling import Scaling, filled

__all__ = ["Encoded", "encode"]

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Encoded:
    """``values`` float32 [rows, channels]: the scaled target, covariates of the past, those that
    are known of the future, and whether the target is known (1 or 0). ``levels`` float64 [rows] is
    the target in its own unit, with gaps filled from the past (NaN before it begins). ``begin`` is
    the row of each series' first step.
    """

    values: NDArray[np.float32]
    levels: Floats
    begin: NDArray[np.int64]
    first: NDArray[np.int64]
    window: int
    horizon: int

    def rows(self, origins: Origins) -> NDArray[np.int32]:
        """The row of the first step of each forecast."""
        return (self.begin[origins.series] + origins.step - self.first[origins.series]).astype(
            np.int32
        )

    def target(self, origins: Origins) -> Floats:
        """What is to be forecast [forecasts, horizon], in its own unit; NaN if unknown."""
        rows = self.rows(origins)[:, None] + np.arange(self.horizon)
        return np.where(self.values[rows, -1] > 0, self.levels[rows], np.nan)

    def references(self, origins: Origins, season: int) -> tuple[Floats, Floats]:
        """The naive and the seasonal naive forecast, [forecasts, horizon]."""
        back = max(season, 1)
        rows = self.rows(origins)[:, None] + np.arange(-back, 0)
        inside = rows >= self.begin[origins.series][:, None]
        past = np.where(inside, self.levels[np.maximum(rows, 0)], np.nan)
        return naive(past, self.horizon), seasonal_naive(past, self.horizon, season)


def encode(
    panel: Panel,
    scaling: Scaling,
    covariates: Sequence[NDArray[np.float32]],
    window: int,
    horizon: int,
) -> Encoded:
    """``covariates`` [steps + horizon, channels] of each series are scaled and filled already."""
    channels = covariates[0].shape[1]
    room = window + horizon
    begin = window + np.cumsum(panel.lengths + room) - (panel.lengths + room)
    total = int((panel.lengths + room).sum())
    values = np.zeros((total, channels + 2), np.float32)
    levels = np.full(total, np.nan)
    for s in range(len(panel.names)):
        raw = panel.of(s)[:, 0]
        start, stop = int(begin[s]), int(begin[s] + panel.lengths[s])
        level = filled(raw)
        levels[start:stop] = level
        scaled = scaling.apply(level, s)
        values[start:stop, 0] = scaled
        values[start - window : start, 0] = scaled[0]
        values[stop : stop + horizon, 0] = scaled[-1]
        values[start:stop, -1] = np.isfinite(raw)
        known = covariates[s]
        values[start : stop + horizon, 1:-1] = known
        values[start - window : start, 1:-1] = known[0]
    return Encoded(values, levels, begin, panel.first, window, horizon)
