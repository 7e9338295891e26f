"""Which steps are for training, validation and test: divided by time alone.

    ├────── training ──────┼── validation ──┼──── test ────┤ end
                       validation          test

A forecast belongs to a part if all steps that it forecasts do. Its window reaches back as far as it
likes: at that time the past was known.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from chainrule.data.series.panel import Panel
from chainrule.errors import DataError

__all__ = ["Cutoffs", "Origins", "cut", "origins", "usual_window"]

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Cutoffs:
    """Steps of the axis: the first of ``validation``, the first of ``test``, and the ``end``."""

    validation: int
    test: int
    end: int

    def part(self, name: str) -> tuple[int, int]:
        """The first step of a part, and the one after its last."""
        return {
            "train": (0, self.validation),
            "validation": (self.validation, self.test),
            "test": (self.test, self.end),
        }[name]


def cut(
    steps: int, horizon: int, shares: tuple[float, float, float], fold: Sequence[int] = ()
) -> Cutoffs:
    """The cut-offs of an axis of ``steps`` for forecasts of ``horizon`` steps.

    Validation and test get their ``shares``, and at least one horizon. ``fold`` (k, K) is the k-th
    of K rolling origins: the last half of the axis is tested in K pieces, one after the other, and
    each is trained on what lies before it.

    Raises DataError if nothing is left to train on.
    """
    if fold:
        number, folds = fold
        tested = max(horizon, steps // 2 // folds)
        end = steps - (folds - number) * tested
    else:
        tested, end = max(horizon, round(steps * shares[2])), steps
    test = end - tested
    held = shares[1] / (shares[0] + shares[1])
    validation = test - max(horizon, round(test * held) if fold else round(steps * shares[1]))
    if validation < horizon + 1:
        needed = 3 * horizon + 1 if not fold else (fold[1] + 2) * horizon + 1
        pieces = f" and {fold[1]} folds" if fold else ""
        raise DataError(
            f"{steps} steps are too few for forecasts of {horizon} steps{pieces}",
            help=f"training, validation and test need {needed} steps together; give more of the "
            f"past, or a shorter --horizon{' or fewer --folds' if fold else ''}",
        )
    return Cutoffs(validation, test, end)


def usual_window(panel: Panel, cutoffs: Cutoffs, horizon: int, season: int) -> int:
    """How far forecasts look back: two seasons or three horizons, but at most half of what an
    ordinary series has for training."""
    lengths = np.minimum(panel.last + 1, cutoffs.validation) - panel.first
    usual = int(np.median(lengths[lengths > 0])) if (lengths > 0).any() else 1
    return max(1, min(max(2 * season, 3 * horizon), (usual - horizon + 1) // 2))


@dataclass(frozen=True)
class Origins:
    """Forecasts: the ``series`` of each, and the ``step`` of the axis that is forecast first."""

    series: Ints
    step: Ints

    def __len__(self) -> int:
        return len(self.series)


def origins(
    panel: Panel, part: tuple[int, int], horizon: int, window: int, trained: int
) -> Origins:
    """All forecasts of a part, series by series, of which at least one step is known.

    In training, a window lies wholly inside its series, unless the series has no more than
    ``window + horizon`` of the ``trained`` steps: the last window then reaches beyond its start.
    """
    start, stop = part
    series, steps = [], []
    for s in range(len(panel.names)):
        first, last = int(panel.first[s]), min(int(panel.last[s]) + 1, stop)
        trainable = min(int(panel.last[s]) + 1, trained) - first
        least = min(window, max(1, trainable - horizon))
        chosen = np.arange(max(start, first + least), last - horizon + 1)
        known = np.concatenate([[0], np.cumsum(np.isfinite(panel.of(s)[:, 0]))])
        within = chosen - first
        chosen = chosen[known[within + horizon] > known[within]]
        series.append(np.full(len(chosen), s))
        steps.append(chosen)
    return Origins(np.concatenate(series), np.concatenate(steps))
