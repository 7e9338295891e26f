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

from ..data import Features, Prepared, Preprocessor
from ..data.encode import CategoryEncoder
from ..train import Scores
from .predictor import Predictor
from .runfolder import RunFolder, json_text

__all__ = ["CLASSES", "POINTS", "confusion", "missing_counts", "residuals", "write_evaluation"]

CLASSES = 40
POINTS = 500
BINS = 40

Floats = npt.NDArray[np.float64]
Codes = npt.NDArray[np.int64]


def write_evaluation(
    folder: RunFolder, predictor: Predictor, prepared: Prepared, truth: Floats, scores: Scores
) -> None:
    """Writes ``evaluation.json``; ``truth`` and ``scores`` are those of the test rows."""
    if folder.path is None:
        return
    pipeline, val = prepared.pipeline, prepared.val
    regression = predictor.task == "regression"
    held = pipeline.decode_target(val.target) if regression else val.target
    document = {
        "format": "chainrule.evaluation",
        "version": 1,
        "missing": missing_counts(pipeline, prepared.train.features),
        "validation": predictor.judge(np.asarray(held, float), predictor.scores_of(val.features)),
        "test": residuals(truth, predictor.decode(scores))
        if regression
        else confusion(
            truth.astype(np.int64),
            scores.labels.reshape(len(truth)),
            [_label(c) for c in pipeline.classes],
        ),
    }
    folder.write("evaluation.json", json_text(document) + "\n")


def _label(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def missing_counts(pipeline: Preprocessor, features: Features) -> dict[str, int]:
    """Missing values of each column in encoded rows, as the encoders mark them. A column without
    a mark had none in the rows that it was fitted on, or so few that they count as rare.
    """
    found = {}
    numeric = code = 0
    for encoder in pipeline.encoders:
        if isinstance(encoder, CategoryEncoder):
            known = None in encoder.categories
            at = encoder.categories.index(None) if known else 0
            if encoder.one_hot:
                marks = features.numeric[:, numeric + at] > 0.5 if known else None
            else:
                marks = features.codes[:, code] == at + 1 if known else None
        else:
            last = numeric + len(encoder.names) - 1
            marks = features.numeric[:, last] > 0.5 if encoder.indicator else None
        embedded = isinstance(encoder, CategoryEncoder) and not encoder.one_hot
        code += embedded
        numeric += 0 if embedded else len(encoder.names)
        found[encoder.column] = 0 if marks is None else int(np.count_nonzero(marks))
    return found


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
