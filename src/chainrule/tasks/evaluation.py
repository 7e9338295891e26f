"""What a run found out about its model, for reports: ``evaluation.json``, of bounded size.

    missing      values missing in the training rows, by column
    validation   metrics of the validation rows, as ``run.json`` holds those of the test rows
    test         how predictions and truth of the test rows lie to one another

Classes: ``labels`` and the counts ``confusion[true][predicted]``. Of more than 40 classes the most
frequent 39 are kept, and the last line and column stand for the ``merged`` rest. Numbers: at most
500 ``points`` (true, predicted), evenly chosen in the order of the true values, and a histogram of
the residuals, predicted minus true, of all rows.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["CLASSES", "POINTS", "confusion", "residuals"]

CLASSES = 40
POINTS = 500
BINS = 40

Floats = npt.NDArray[np.float64]
Codes = npt.NDArray[np.int64]


def confusion(truth: Codes, predicted: Codes, labels: list[str]) -> dict[str, Any]:
    """Counts of true against predicted class codes; see the module."""
    merged = 0
    if len(labels) > CLASSES:
        often = np.argsort(-np.bincount(truth, minlength=len(labels)), kind="stable")
        kept = np.sort(often[: CLASSES - 1])
        place = np.full(len(labels), CLASSES - 1)
        place[kept] = np.arange(CLASSES - 1)
        truth, predicted = place[truth], place[predicted]
        merged = len(labels) - len(kept)
        labels = [*(labels[k] for k in kept), f"{merged} other classes"]
    counts = np.bincount(truth * len(labels) + predicted, minlength=len(labels) ** 2)
    return {
        "rows": len(truth),
        "labels": labels,
        "merged": merged,
        "confusion": counts.reshape(len(labels), len(labels)).tolist(),
    }


def residuals(truth: Floats, predicted: Floats) -> dict[str, Any]:
    """Points and histogram of predictions against the truth; see the module.

    The histogram leaves out at most 0.5 % of the rows at either end, counted in ``outside``, so
    that one wild prediction does not push all others into one bar.
    """
    rows = len(truth)
    with np.errstate(over="ignore", invalid="ignore"):
        rest = predicted - truth
    finite = np.isfinite(rest)
    truth, predicted, rest = truth[finite], predicted[finite], rest[finite]
    found: dict[str, Any] = {"rows": rows, "unusable": rows - len(truth)}
    if not len(truth):
        return {**found, "points": [], "histogram": {"edges": [], "counts": [], "outside": 0}}
    order = np.argsort(truth, kind="stable")
    chosen = order[np.linspace(0, len(order) - 1, min(POINTS, len(order))).round().astype(int)]
    low = np.quantile(rest, 0.005, method="lower")
    high = np.quantile(rest, 0.995, method="higher")
    inside = rest[(rest >= low) & (rest <= high)]
    # The rule of Rice; residuals that differ by rounding alone are one bar.
    bins = min(BINS, max(5, math.ceil(2 * len(inside) ** (1 / 3))))
    bins = 1 if high - low <= 1e-9 * max(abs(low), abs(high)) else bins
    counts, edges = np.histogram(inside, bins)
    return {
        **found,
        "points": np.stack([truth, predicted], axis=1)[chosen].tolist(),
        "mean": float(rest.mean()),
        "histogram": {
            "edges": edges.tolist(),
            "counts": counts.tolist(),
            "outside": len(rest) - len(inside),
        },
    }
