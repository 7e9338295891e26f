"""Checks of the table's columns: kinds, gaps, and columns that say nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ....runs.checks.result import Check, Status, check, ignore_columns, select_findings
from .encoded import Encoded, columns_of
from .run import TableRun

__all__ = ["constant_columns", "duplicate_columns", "missing_values", "schema"]

#: of the cells of a column: more than this share is worth a word
MUCH_MISSING = 0.5
#: numbers that agree up to their scale: float32 rounds by less
SAME = 1.0 - 1e-6
#: rows and columns that are compared with one another
COMPARED_ROWS, COMPARED_COLUMNS = 20_000, 500


def schema(run: TableRun) -> Check:
    """What each column was taken for."""
    found = run.prepared.parts.schema
    kinds = Counter(column.kind for column in found.inputs)
    listed = ", ".join(f"{n} {kind}" for kind, n in kinds.most_common())
    goal = found.target
    assert goal is not None  # `prepare` was asked for one
    classes = f" of {len(goal.classes)} classes" if goal.classes else ""
    told = select_findings(
        run.prepared.parts.findings,
        "D103", "D104", "D105", "D110", "D113", "D114", "D115", "D116", "D117", "D119", "D120",
        "D204",
    )  # fmt: skip
    return check(
        "columns",
        "ok",
        f"{len(found.inputs)} inputs ({listed}); target `{goal.name}`, {goal.task}{classes}",
        findings=told,
        facts={
            "kinds": {column.name: column.kind for column in found.columns},
            "target": goal.name,
            "task": goal.task,
        },
    )


def missing_values(run: TableRun) -> Check:
    """Cells without a value, and values that may stand for that."""
    shares = {}
    for column in run.prepared.parts.schema.inputs:
        facts = run.opened.table.with_missing(run.prepared.parts.schema.missing).stats(column.name)
        if facts.present < facts.rows:
            shares[column.name] = (facts.rows - facts.present) / facts.rows
    worst = sorted(shares, key=lambda name: -shares[name])
    listed = ", ".join(f"`{name}` {shares[name]:.1%}" for name in worst[:5])
    more = f" and {len(worst) - 5} more" if len(worst) > 5 else ""
    evidence = f"missing in {listed}{more}" if worst else "none is missing"
    much = [name for name in worst if shares[name] > MUCH_MISSING]
    advice = [f"leave out what is mostly empty: {ignore_columns(much)}"] if much else []
    told = select_findings(run.prepared.parts.findings, "D106", "D107", "D108", "D109")
    status: Status = "warning" if much else "ok"
    return check("missing values", status, evidence, advice, told, facts={"shares": shares})


def constant_columns(run: TableRun) -> Check:
    """Columns that are the same in every row, or in every training row."""
    told = select_findings(run.prepared.parts.findings, "D101", "D102")
    evidence = f"left out: {len(told)}" if told else "every column varies"
    return check("constant columns", "ok", evidence, findings=told)


def duplicate_columns(run: TableRun) -> Check:
    """Columns that say the same: equal categories, or numbers that differ in scale alone."""
    rows = slice(COMPARED_ROWS)
    columns = list(columns_of(run.prepared.parts.pipeline, run.prepared.parts.train.features))
    plain = [c for c in columns if not c.name.endswith("?") or c.name == c.column]
    numbers = [c for c in plain if not c.coded][:COMPARED_COLUMNS]
    pairs = _same_numbers([c.column for c in numbers], [c.values[rows] for c in numbers])
    pairs += _same_partitions([c for c in plain if c.coded], rows)
    if not pairs:
        return check("duplicate columns", "ok", "no two columns say the same")
    listed = "; ".join(f"`{b}` says the same as `{a}`" for a, b in pairs[:5])
    more = f" and {len(pairs) - 5} more" if len(pairs) > 5 else ""
    advice = [f"keep one of each: {ignore_columns([b for _, b in pairs])}"]
    return check("duplicate columns", "warning", listed + more, advice, facts={"pairs": pairs})


def _same_numbers(names: list[str], values: Sequence[NDArray[np.float32]]) -> list[tuple[str, str]]:
    """Pairs with a correlation of one, each later column once."""
    if len(names) < 2:
        return []
    centred = np.stack([v.astype(np.float64) for v in values])
    centred -= centred.mean(axis=1, keepdims=True)
    norms = np.linalg.norm(centred, axis=1)
    centred /= np.where(norms > 0, norms, 1.0)[:, None]
    alike = np.abs(centred @ centred.T) >= SAME
    firsts = np.argmax(alike, axis=1)
    return [(names[i], names[j]) for j, i in enumerate(firsts) if alike[j, i] and i < j]


def _same_partitions(columns: list[Encoded], rows: slice) -> list[tuple[str, str]]:
    """Pairs whose categories divide the rows in the same way."""
    seen: dict[bytes, str] = {}
    pairs = []
    for column in columns:
        _, first, codes = np.unique(column.values[rows], return_index=True, return_inverse=True)
        # Numbered by first occurrence, so that names and order of the categories do not matter.
        mark = np.argsort(np.argsort(first))[codes].astype(np.int32).tobytes()
        if mark in seen:
            pairs.append((seen[mark], column.column))
        seen.setdefault(mark, column.column)
    return pairs
