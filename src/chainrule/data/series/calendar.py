"""Features that the calendar alone gives, so that they are known for the future, too."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from chainrule.data.series.frequency import DAY, Frequency, Stamps

__all__ = ["calendar_features"]

WEEK, YEAR = 7 * DAY, 365.2425 * DAY
#: steps below a fraction of a cycle show where in it they lie
FINE = 4
DIGITS = 6


def calendar_features(
    stamps: Stamps, frequency: Frequency
) -> tuple[list[str], NDArray[np.float32]]:
    """Names and values [steps, features]: sine and cosine of where in a day, a week and a year each
    stamp lies, of those cycles that have at least four steps."""
    if frequency.unit in ("row", "number"):
        return [], np.zeros((len(stamps), 0), np.float32)
    micro = stamps.astype(np.int64)
    step = (
        30 * DAY * frequency.size
        if frequency.unit == "month"
        else (DAY if frequency.unit == "trading day" else frequency.size)
    )
    names: list[str] = []
    columns: list[NDArray[np.float64]] = []
    year = stamps.astype("M8[Y]").astype("M8[us]").astype(np.int64)
    cycles = {"day": (micro % DAY, DAY), "week": (micro % WEEK, WEEK), "year": (micro - year, YEAR)}
    for name, (inside, length) in cycles.items():
        if step * FINE > length * 1.02:
            continue
        names += [f"sine of the {name}", f"cosine of the {name}"]
        columns += _waves(inside / length)
    if not columns:
        return [], np.zeros((len(stamps), 0), np.float32)
    return names, np.stack(columns, axis=1).astype(np.float32)


def _waves(phase: NDArray[np.float64]) -> list[NDArray[np.float64]]:
    """Sine and cosine; rounded, because libraries differ in the last bits."""
    unique, inverse = np.unique(phase, return_inverse=True)
    return [
        np.array([round(wave(2 * math.pi * p), DIGITS) for p in unique.tolist()])[inverse]
        for wave in (math.sin, math.cos)
    ]
