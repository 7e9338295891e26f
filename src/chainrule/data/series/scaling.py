"""Between the numbers of series and those of a network, fitted on the past of a cut-off alone.

    y ──► z = (f(y) - center) / scale ──► network ──► z' ──► y' = f⁻¹(z' scale + center)

f is the identity or, for a series whose changes grow with its level, asinh(y / soft): a logarithm
that also takes zero and negative numbers. ``scale`` is the mean change from one season to the next,
so an error of 1 is the error of repeating the last season, whatever the unit.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from chainrule.data.moments import tree_sum
from chainrule.data.series.panel import Panel
from chainrule.elementary import sinh

__all__ = ["Scaling", "Transform", "filled", "fit_scaling"]

Floats = NDArray[np.float64]
#: center, scale, soft and error of a series
Fitted = tuple[float, float, float, float]
Transform = Literal["auto", "none", "log"]
#: the level relative to which asinh is nearly a logarithm
SOFT = 0.01
#: a series is taken by its logarithm if its values stay positive, vary by this factor, never fall
#: below this fraction of their median, and their changes grow at least like the root of the level
SPREAD, LOWEST, GROWTH = 1.5, 0.1, 0.5
BLOCKS = 4


@dataclass(frozen=True)
class Scaling:
    """How each series is scaled: arrays with an entry for each.

    ``error`` is the mean error of repeating the last season, in the unit of the series: by it
    errors are measured (MASE); 0 for a series that repeats exactly.
    """

    center: Floats
    scale: Floats
    soft: Floats
    error: Floats

    def apply(self, values: Floats, series: int) -> Floats:
        """Values of one series as the network gets them; NaN stays."""
        soft = float(self.soft[series])
        scaled: Floats = (_softened(values, soft) - self.center[series]) / self.scale[series]
        return scaled

    def take(self, series: Sequence[int]) -> Scaling:
        """That of some series."""
        chosen = np.asarray(series, np.int64)
        return Scaling(*(getattr(self, n)[chosen] for n in ("center", "scale", "soft", "error")))

    def restore(self, outputs: Floats) -> Floats:
        """Outputs [rows, ...] in the unit of the series, of which there is one for each row."""
        shape = (-1,) + (1,) * (outputs.ndim - 1)
        center, scale, soft = (a.reshape(shape) for a in (self.center, self.scale, self.soft))
        level: Floats = outputs * scale + center
        grown = np.broadcast_to(soft > 0, level.shape)
        with np.errstate(over="ignore"):  # what overflows is far beyond any series
            raised = sinh(np.where(grown, level, 0.0)) * np.where(soft > 0, soft, 1.0)
        return np.where(grown, raised, level)


def _softened(values: Floats, soft: float) -> Floats:
    """asinh(values / soft); the values themselves for 0."""
    if not soft:
        return values
    return np.array([math.asinh(v) for v in (values / soft).tolist()])


def filled(values: Floats) -> Floats:
    """[steps, ...] with each NaN replaced by the last number before it: nothing from later. NaN
    before the first number stays."""
    known = np.where(
        np.isnan(values), 0, np.arange(len(values)).reshape(-1, *[1] * (values.ndim - 1))
    )
    last = np.maximum.accumulate(known, axis=0)
    return np.take_along_axis(values, last, axis=0)


def fit_scaling(panel: Panel, stop: int, season: int, transform: Transform) -> Scaling:
    """The scaling of each series by its steps before ``stop``."""
    fitted: dict[int, Fitted] = {}
    late = []
    for s in range(len(panel.names)):
        past = panel.of(s)[: max(0, stop - int(panel.first[s])), 0]
        if np.isfinite(past).any():
            fitted[s] = _fit(past, season, transform)
        else:
            late.append(s)
    for s in late:
        fitted[s] = _fit_like(list(fitted.values()), float(panel.of(s)[0, 0]))
    columns = zip(*(fitted[s] for s in range(len(panel.names))), strict=True)
    return Scaling(*(np.array(column) for column in columns))


def _fit_like(others: list[Fitted], first: float) -> Fitted:
    """For a series that begins later: by its first value, with the changes of the ``others``
    relative to their levels. What its errors are measured by is not known."""
    logs = [scale for _, scale, soft, _ in others if soft > 0]
    if 2 * len(logs) > len(others):
        soft = SOFT * abs(first) or SOFT
        return math.asinh(first / soft), float(np.median(logs)), soft, 0.0
    relative = [scale / abs(center) for center, scale, _, _ in others if center]
    scale = float(np.median(relative)) * abs(first) if relative else 0.0
    return first, scale or 1.0, 0.0, 0.0


def _fit(values: Floats, season: int, transform: Transform) -> Fitted:
    """center, scale, soft and error of one series."""
    known = values[np.isfinite(values)]
    soft = 0.0
    if transform == "log" or (transform == "auto" and _grows_with_level(values, season)):
        soft = SOFT * float(np.median(np.abs(known))) or SOFT
    level = _softened(known, soft)
    center = float(tree_sum(level)) / len(level)
    spread = float(np.sqrt(tree_sum((level - center) ** 2) / len(level)))
    change = _seasonal_change(_softened(values, soft), season)
    still = 1e-3 * abs(center) or 1.0  # for one that never changed, and so will change little
    scale = next((s for s in (change, spread) if s > 1e-12 * max(1.0, abs(center))), still)
    return center, scale, soft, _seasonal_change(values, season)


def _seasonal_change(values: Floats, season: int) -> float:
    """The mean distance of known values a season apart; of neighbours in a series that is shorter
    than a season."""
    lag = season if len(values) > season else 1
    changes = np.abs(values[lag:] - values[:-lag])
    changes = changes[np.isfinite(changes)]
    return float(tree_sum(changes)) / len(changes) if len(changes) else 0.0


def _grows_with_level(values: Floats, season: int) -> bool:
    """Whether changes of a series are proportional to its level rather than of one size: the slope
    of log(change) over log(level), block by block (Guerrero 1993)."""
    known = values[np.isfinite(values)]
    if len(known) < 3 * BLOCKS or known.min() <= 0:
        return False
    if known.max() < SPREAD * known.min() or known.min() < LOWEST * float(np.median(known)):
        return False
    lag = season if len(values) > 2 * season else 1
    changes = np.abs(values[lag:] - values[:-lag])
    blocks = min(BLOCKS * 4, max(BLOCKS, len(changes) // max(lag, 4)))
    points = []
    for part, level in zip(
        np.array_split(changes, blocks), np.array_split(values[lag:], blocks), strict=True
    ):
        ok = np.isfinite(part) & np.isfinite(level)
        if ok.any() and part[ok].mean() > 0:
            points.append((math.log(level[ok].mean()), math.log(part[ok].mean())))
    if len(points) < BLOCKS:
        return False
    x, y = np.array(points).T
    x = x - x.mean()
    varied = float((x * x).sum())
    return varied > 0 and float((x * (y - y.mean())).sum()) / varied > GROWTH
