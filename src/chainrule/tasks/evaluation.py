"""The evaluation of a model for reports, ``evaluation.json``; its size is bounded.

    missing      values missing in the training rows, by column
    validation   metrics of the validation rows, as ``run.json`` holds those of the test rows
    test         predictions against the truth of the test rows

Classes: ``labels`` and the counts ``confusion[true][predicted]``. Of more than 40 classes the most
frequent 39 are kept, and the last row and column are those of the ``merged`` rest. Numbers: at most
500 ``points`` (true, predicted), evenly spaced in the order of the true values, and a histogram of
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
    """Counts of true against predicted class codes; see the module's docstring."""
    merged = 0
    if len(labels) > CLASSES:
        by_frequency = np.argsort(-np.bincount(truth, minlength=len(labels)), kind="stable")
        frequent = np.sort(by_frequency[: CLASSES - 1])
        new_codes = np.full(len(labels), CLASSES - 1)
        new_codes[frequent] = np.arange(CLASSES - 1)
        truth, predicted = new_codes[truth], new_codes[predicted]
        merged = len(labels) - len(frequent)
        labels = [*(labels[k] for k in frequent), f"{merged} other classes"]
    counts = np.bincount(truth * len(labels) + predicted, minlength=len(labels) ** 2)
    return {
        "rows": len(truth),
        "labels": labels,
        "merged": merged,
        "confusion": counts.reshape(len(labels), len(labels)).tolist(),
    }


def residuals(truth: Floats, predicted: Floats) -> dict[str, Any]:
    """Points and histogram of predictions against the truth; see the module's docstring.

    The histogram leaves out at most 0.5 % of the rows at either end, counted in ``outside``, so
    that one wild prediction does not push all others into one bar.
    """
    rows = len(truth)
    with np.errstate(over="ignore", invalid="ignore"):
        errors = predicted - truth
    finite = np.isfinite(errors)
    truth, predicted, errors = truth[finite], predicted[finite], errors[finite]
    counted: dict[str, Any] = {"rows": rows, "unusable": rows - len(truth)}
    if not len(truth):
        return {**counted, "points": [], "histogram": {"edges": [], "counts": [], "outside": 0}}
    order = np.argsort(truth, kind="stable")
    spaced = order[np.linspace(0, len(order) - 1, min(POINTS, len(order))).round().astype(int)]
    low = np.quantile(errors, 0.005, method="lower")
    high = np.quantile(errors, 0.995, method="higher")
    inside = errors[(errors >= low) & (errors <= high)]
    # The Rice rule; residuals that differ by rounding alone are one bar.
    bins = min(BINS, max(5, math.ceil(2 * len(inside) ** (1 / 3))))
    bins = 1 if high - low <= 1e-9 * max(abs(low), abs(high)) else bins
    counts, edges = np.histogram(inside, bins)
    return {
        **counted,
        "points": np.stack([truth, predicted], axis=1)[spaced].tolist(),
        "mean": float(errors.mean()),
        "histogram": {
            "edges": edges.tolist(),
            "counts": counts.tolist(),
            "outside": len(errors) - len(inside),
        },
    }
