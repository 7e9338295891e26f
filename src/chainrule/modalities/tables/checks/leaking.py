"""Columns that know too much: the target follows from one of them alone."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ....runs.checks.result import Check, check, ignore_columns, list_names
from .encoded import Encoded, columns_of
from .run import TableRun

__all__ = ["leaking_columns"]

#: of the error of a constant guess, the share that one column alone takes away
SUSPICIOUS, LEAKING = 0.95, 0.995
#: a column of numbers is cut into so many parts of equal size
PARTS = 64
#: fewer rows than this prove nothing
JUDGED_ROWS = 10


def leaking_columns(run: TableRun) -> Check:
    """Columns from which the target follows almost surely, learned on training rows and judged on
    the others: R² for numbers; for classes, the share of a constant guess' errors that vanish.
    """
    name, prepared = "leaking columns", run.prepared.parts
    judged = [part for part in (prepared.val, prepared.test) if len(part)]
    target = np.concatenate([part.target for part in judged]) if judged else np.empty(0)
    if len(target) < JUDGED_ROWS:
        return check(name, "ok", f"not looked at: {len(target)} rows to judge by are too few")
    held = [list(columns_of(prepared.pipeline, part.features)) for part in judged]
    scores: dict[str, float] = {}
    for j, column in enumerate(columns_of(prepared.pipeline, prepared.train.features)):
        values = np.concatenate([part[j].values for part in held])
        found = _predicted(column, prepared.train.target, values, target)
        scores[column.column] = max(found, scores.get(column.column, -np.inf))
    best = sorted(scores, key=lambda c: -scores[c])
    listed = ", ".join(f"`{c}` {scores[c]:.3f}" for c in best[:3])
    evidence = f"of the target, one column alone explains at most: {listed}"
    telling = [c for c in best if scores[c] >= SUSPICIOUS]
    facts = {"scores": {c: float(scores[c]) for c in best}}
    if not telling or len(scores) == 1:
        return check(name, "ok", evidence, facts=facts)
    failed = scores[best[0]] >= LEAKING
    return check(
        name,
        "failed" if failed else "warning",
        f"{list_names(telling)} almost determine{'s' if len(telling) == 1 else ''} the target "
        f"({listed})",
        [
            "if that is known only after the target, or made from it, leave it out: "
            + ignore_columns(telling)
        ],
        facts=facts,
    )


def _predicted(
    column: Encoded,
    target: NDArray[Any],
    values: NDArray[Any],
    truth: NDArray[Any],
) -> float:
    """How much of ``truth`` follows from ``values``, by what ``column`` says of ``target``."""
    if target.dtype.kind == "f":
        return max(
            _by_parts(column, target, values, truth), _by_line(column, target, values, truth)
        )
    return _by_parts(column, target, values, truth)


def _parts(column: Encoded, values: NDArray[Any]) -> NDArray[np.intp]:
    """The part of ``column`` that each of ``values`` belongs to."""
    known = np.unique(column.values)
    if len(known) > PARTS and not column.coded:
        known = np.unique(np.quantile(column.values, np.arange(1, PARTS) / PARTS, method="lower"))
    return np.searchsorted(known, values, side="right")


def _by_parts(
    column: Encoded,
    target: NDArray[Any],
    values: NDArray[Any],
    truth: NDArray[Any],
) -> float:
    """Each part guesses its commonest class, or its mean."""
    mine, theirs = _parts(column, column.values), _parts(column, values)
    size = int(max(mine.max(), theirs.max())) + 1
    if target.dtype.kind == "f":
        counts = np.bincount(mine, minlength=size)
        sums = np.bincount(mine, target.astype(np.float64), minlength=size)
        usual = float(np.mean(target, dtype=np.float64))
        means = np.where(counts > 0, sums / np.maximum(counts, 1), usual)
        return _explained(means[theirs], truth)
    classes = int(max(target.max(), truth.max())) + 1
    table = np.bincount(mine * classes + target, minlength=size * classes).reshape(size, classes)
    usual_class = int(table.sum(axis=0).argmax())
    guess = np.where(table.sum(axis=1) > 0, table.argmax(axis=1), usual_class)
    wrong, before = np.mean(guess[theirs] != truth), np.mean(truth != usual_class)
    return float(1 - wrong / before) if before > 0 else 0.0


def _by_line(
    column: Encoded,
    target: NDArray[Any],
    values: NDArray[Any],
    truth: NDArray[Any],
) -> float:
    """A straight line through the training rows."""
    if column.coded:
        return -np.inf
    slope, height = np.polyfit(column.values.astype(np.float64), target.astype(np.float64), 1)
    return _explained(slope * values.astype(np.float64) + height, truth)


def _explained(guess: NDArray[np.float64], truth: NDArray[Any]) -> float:
    """R² on the judged rows."""
    exact = truth.astype(np.float64)
    spread = float(np.sum((exact - exact.mean()) ** 2))
    return 1 - float(np.sum((exact - guess) ** 2)) / spread if spread > 0 else 0.0
