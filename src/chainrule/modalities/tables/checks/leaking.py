"""Columns that give the target away: it follows from one of them alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ....runs.checks.result import Check, check, ignore_columns, list_names
from .encoded import Encoded, columns_of

if TYPE_CHECKING:
    from .run import TableRun

__all__ = ["leaking_columns"]

#: fraction of the error of a constant guess that one column alone removes: suspicious, leaking
SUSPICIOUS, LEAKING = 0.95, 0.995
#: numbers are binned into this many parts of equal size
PARTS = 64
#: fewer rows than this are not enough to judge by
JUDGED_ROWS = 10


def leaking_columns(run: TableRun) -> Check:
    """Columns that almost determine the target, fitted on the training rows and evaluated on the
    others: by R² for numbers, by the fraction of a constant guess's errors removed for classes.
    """
    name, prepared = "leaking columns", run.prepared.parts
    judging = [part for part in (prepared.val, prepared.test) if len(part)]
    target = np.concatenate([part.target for part in judging]) if judging else np.empty(0)
    if len(target) < JUDGED_ROWS:
        return check(name, "ok", f"skipped: {len(target)} rows are too few to judge by")
    held_out = [list(columns_of(prepared.pipeline, part.features)) for part in judging]
    scores: dict[str, float] = {}
    for j, column in enumerate(columns_of(prepared.pipeline, prepared.train.features)):
        values = np.concatenate([part[j].values for part in held_out])
        score = _explained_by(column, prepared.train.target, values, target)
        scores[column.column] = max(score, scores.get(column.column, -np.inf))
    ranked = sorted(scores, key=lambda c: -scores[c])
    first = ", ".join(f"`{c}` {scores[c]:.3f}" for c in ranked[:3])
    evidence = f"of the target, one column alone explains at most: {first}"
    leaking = [c for c in ranked if scores[c] >= SUSPICIOUS]
    facts = {"scores": {c: float(scores[c]) for c in ranked}}
    if not leaking or len(scores) == 1:
        return check(name, "ok", evidence, facts=facts)
    failed = scores[ranked[0]] >= LEAKING
    return check(
        name,
        "failed" if failed else "warning",
        f"{list_names(leaking)} almost determine{'s' if len(leaking) == 1 else ''} the target "
        f"({first})",
        [
            "if it is known only after the target, or derived from it, leave it out: "
            + ignore_columns(leaking)
        ],
        facts=facts,
    )


def _explained_by(
    column: Encoded,
    target: NDArray[Any],
    values: NDArray[Any],
    truth: NDArray[Any],
) -> float:
    """How much of ``truth`` is explained by ``values``, as ``column`` explains ``target``."""
    if target.dtype.kind == "f":
        return max(
            _by_parts(column, target, values, truth), _by_line(column, target, values, truth)
        )
    return _by_parts(column, target, values, truth)


def _parts(column: Encoded, values: NDArray[Any]) -> NDArray[np.intp]:
    """The part of ``column`` that each of ``values`` falls into."""
    bounds = np.unique(column.values)
    if len(bounds) > PARTS and not column.coded:
        bounds = np.unique(np.quantile(column.values, np.arange(1, PARTS) / PARTS, method="lower"))
    return np.searchsorted(bounds, values, side="right")


def _by_parts(
    column: Encoded,
    target: NDArray[Any],
    values: NDArray[Any],
    truth: NDArray[Any],
) -> float:
    """Each part predicts its most frequent class, or its mean."""
    trained, judged = _parts(column, column.values), _parts(column, values)
    size = int(max(trained.max(), judged.max())) + 1
    if target.dtype.kind == "f":
        counts = np.bincount(trained, minlength=size)
        sums = np.bincount(trained, target.astype(np.float64), minlength=size)
        overall = float(np.mean(target, dtype=np.float64))
        means = np.where(counts > 0, sums / np.maximum(counts, 1), overall)
        return _explained(means[judged], truth)
    classes = int(max(target.max(), truth.max())) + 1
    table = np.bincount(trained * classes + target, minlength=size * classes).reshape(size, classes)
    majority = int(table.sum(axis=0).argmax())
    guess = np.where(table.sum(axis=1) > 0, table.argmax(axis=1), majority)
    wrong, before = np.mean(guess[judged] != truth), np.mean(truth != majority)
    return float(1 - wrong / before) if before > 0 else 0.0


def _by_line(
    column: Encoded,
    target: NDArray[Any],
    values: NDArray[Any],
    truth: NDArray[Any],
) -> float:
    """A straight line fitted to the training rows predicts."""
    if column.coded:
        return -np.inf
    slope, height = np.polyfit(column.values.astype(np.float64), target.astype(np.float64), 1)
    return _explained(slope * values.astype(np.float64) + height, truth)


def _explained(guess: NDArray[np.float64], truth: NDArray[Any]) -> float:
    """R² of ``guess``."""
    exact = truth.astype(np.float64)
    spread = float(np.sum((exact - exact.mean()) ** 2))
    return 1 - float(np.sum((exact - guess) ** 2)) / spread if spread > 0 else 0.0
