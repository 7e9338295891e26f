"""Intervals around predicted numbers, from errors on examples that no weight was learned from.

    of n errors in ascending order, the margin for a share p is the one in place ceil((n + 1) p)

Split conformal prediction (Papadopoulos et al. 2002; Lei et al. 2018): a new example is inside with
a probability of at least p if it is one like those, and as far as they did not decide when to stop.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from ..phrasing import percent

__all__ = ["LEVELS", "bands_chart", "coverage_table", "margins_of"]

#: how many of all examples an interval is to hold
LEVELS = (0.5, 0.8, 0.9, 0.95)
#: points of a drawing
DRAWN = 60

Floats = npt.NDArray[np.float64]


def margins_of(errors: Floats) -> dict[float, float]:
    """How far to go to either side of a prediction for each of `LEVELS`; none for those that would
    take more errors."""
    ordered, n = np.sort(np.abs(errors)), len(errors)
    places = {level: math.ceil((n + 1) * level) for level in LEVELS}
    return {level: float(ordered[place - 1]) for level, place in places.items() if place <= n}


def coverage_table(truth: Floats, bands: dict[float, Floats], words: str) -> dict[str, Any]:
    """How many true values each of the ``bands``, [examples, 2], holds, for reports."""
    rows = []
    for level, band in bands.items():
        inside = np.mean((truth >= band[:, 0]) & (truth <= band[:, 1]))
        rows.append(
            [percent(level), percent(float(inside)), float(np.mean(band[:, 1] - band[:, 0]))]
        )
    return {
        "title": "Intervals",
        "words": words,
        "heads": ["to hold", "held of the test part", "mean width"],
        "rows": rows,
    }


def bands_chart(truth: Floats, predicted: Floats, band: Floats, title: str) -> dict[str, Any]:
    """Predictions in ascending order, the interval around them, and the truth, for reports."""
    order = np.argsort(predicted, kind="stable")
    chosen = order[np.linspace(0, len(order) - 1, min(DRAWN, len(order))).round().astype(int)]
    lines = {"true value": truth, "prediction": predicted, "from": band[:, 0], "to": band[:, 1]}
    return {
        "title": title,
        "words": f"Of {len(chosen)} rows of the test part, in the order of their predictions.",
        "below": "percentile of the prediction",
        "x": np.linspace(0, 100, len(chosen)).round(1).tolist(),
        "lines": [
            {"name": name, "values": values[chosen].tolist()} for name, values in lines.items()
        ],
    }
