"""The end of series, and what it takes to go on from there."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ...data.series import Panel
from ...errors import DataError
from .preprocessor import SeriesPreprocessor

__all__ = ["continued", "ends_of", "require_known"]

Ints = NDArray[np.int64]


def ends_of(panel: Panel) -> Ints:
    """The step after the last known target of each series."""
    return np.array([
        int(panel.first[s]) + int(np.flatnonzero(np.isfinite(panel.of(s)[:, 0]))[-1]) + 1
        for s in range(len(panel.names))
    ])  # fmt: skip


def require_known(panel: Panel, preprocessor: SeriesPreprocessor, ends: Ints) -> None:
    """DataError for the first column that should be known of the horizon after ``ends``, and is
    not."""
    skipped = 1 + len(preprocessor.past)
    for s in range(len(panel.names)):
        start = int(ends[s] - panel.first[s])
        known = panel.of(s)[start : start + preprocessor.horizon, skipped:]
        for i, column in enumerate(preprocessor.known):
            there = np.isfinite(known[:, i])
            if len(there) == preprocessor.horizon and there.all():
                continue
            steps = len(there) if there.all() else int(np.argmin(there))
            stamp = _stamp_after(panel, s, int(ends[s]) + steps)
            of = f" of series `{panel.names[s]}`" if panel.names[s] else ""
            raise DataError(
                f"`{column}`{of} is not known at {stamp}",
                help=f"it was trained as known for the future: add rows for {preprocessor.horizon} "
                f"steps with `{column}`, and leave `{preprocessor.target}` empty in them",
            )


def _stamp_after(panel: Panel, series: int, step: int) -> str:
    if step < len(panel.axis):
        return panel.stamp(step)
    more = panel.frequency.after(panel.axis[-1], step - len(panel.axis) + 1)
    stamp = more[-1]
    if panel.frequency.unit == "number":
        return str(stamp.astype(np.int64))
    return str(np.datetime_as_string(stamp, unit="auto"))


def continued(panel: Panel, ends: Ints, values: NDArray[np.float64]) -> Panel:
    """The panel with ``values`` [series, steps] as targets after ``ends``; other columns are those
    of the panel, where it has them."""
    steps = values.shape[1]
    last = np.maximum(panel.last, ends + steps - 1)
    lacking = int(last.max()) + 1 - len(panel.axis)
    axis = panel.axis
    if lacking > 0:
        axis = np.concatenate([axis, panel.frequency.after(axis[-1], lacking)])
    pieces = []
    for s in range(len(panel.names)):
        rows = np.full((int(last[s] - panel.first[s]) + 1, panel.values.shape[1]), np.nan)
        rows[: panel.lengths[s]] = panel.of(s)
        start = int(ends[s] - panel.first[s])
        rows[start : start + steps, 0] = values[s]
        pieces.append(rows)
    return Panel(panel.names, panel.frequency, axis, panel.first, last, np.concatenate(pieces))
