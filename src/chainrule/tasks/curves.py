"""What probabilities are worth, as charts for a report: ROC, precision and recall, calibration."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ..phrasing import quoted

__all__ = ["binary_charts", "calibration_chart"]

Floats = npt.NDArray[np.float64]
#: positions along a chart, in per cent
PERCENT = np.arange(101)
#: groups of equal size that probabilities are compared with frequencies in
GROUPS, LEAST = 10, 5


def binary_charts(
    positive: npt.NDArray[np.bool_], probability: Floats, label: str
) -> list[dict[str, Any]]:
    """ROC and precision-recall curves of the class ``label``, and its calibration; empty if all
    examples are of one class."""
    if positive.all() or not positive.any():
        return []
    order = np.argsort(-probability, kind="stable")
    hits, ranked = np.cumsum(positive[order]), probability[order]
    last = np.append(np.flatnonzero(np.diff(ranked)), len(ranked) - 1)  # of equal probabilities
    found, called = hits[last], last + 1
    recall = np.concatenate([[0.0], found / found[-1]])
    false = np.concatenate([[0.0], (called - found) / (len(positive) - found[-1])])
    precision = np.maximum.accumulate((found / called)[::-1])[::-1]
    # The best that is reached up to a share of false alarms, or from a recall on.
    roc = [recall[false <= x / 100 + 1e-12].max() for x in PERCENT]
    first = np.searchsorted(recall[1:], PERCENT / 100 - 1e-12)
    name = quoted(label)
    share = f"Share of {name} among all"
    return [
        {
            "title": f"ROC curve of {name}",
            "words": "How many of them are found, in per cent, for each share of the others that "
            "is called so by mistake.",
            "below": "false alarms, %",
            "x": PERCENT.tolist(),
            "lines": [
                {"name": "found", "values": [100 * float(v) for v in roc]},
                {"name": "by chance", "values": PERCENT.tolist()},
            ],
        },
        {
            "title": f"Precision and recall of {name}",
            "words": "How many of those that are called so are so, in per cent, for each share of "
            "them that is found.",
            "below": "found, %",
            "x": PERCENT.tolist(),
            "lines": [
                {"name": "right", "values": (100 * precision[first]).tolist()},
                {"name": share, "values": [100 * float(positive.mean())] * len(PERCENT)},
            ],
        },
        *calibration_chart(positive, probability, name),
    ]


def calibration_chart(
    right: npt.NDArray[np.bool_], probability: Floats, what: str
) -> list[dict[str, Any]]:
    """How often ``what`` was ``right`` among examples with nearly the same probability; empty for
    too few of them."""
    groups = min(GROUPS, len(right) // LEAST)
    if groups < 2:
        return []
    parts = np.array_split(np.argsort(probability, kind="stable"), groups)
    # Groups with nearly the same probability are one place on the chart.
    places: dict[int, list[npt.NDArray[np.int64]]] = {}
    for part in parts:
        places.setdefault(round(100 * float(probability[part].mean())), []).append(part)
    joined = {x: np.concatenate(own) for x, own in sorted(places.items())}
    if len(joined) < 2:
        return []
    seen = [100 * float(right[part].mean()) for part in joined.values()]
    return [
        {
            "title": f"Calibration of {what}",
            "words": f"Examples in {groups} groups by their probability: how often it came true, "
            "in per cent. Below the dashed line the model is too sure.",
            "below": "probability, %",
            "x": list(joined),
            "lines": [
                {"name": "came true", "values": seen},
                {"name": "calibrated", "values": [float(x) for x in joined]},
            ],
        }
    ]
