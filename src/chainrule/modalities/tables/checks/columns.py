"""Checks of the columns: kinds, missing values, and columns that add nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ....runs.checks.result import Check, Status, check, ignore_columns, select_findings
from .encoded import Encoded, columns_of

if TYPE_CHECKING:
    from .run import TableRun

__all__ = ["constant_columns", "duplicate_columns", "missing_values", "schema"]

#: fraction of missing cells above which a column is flagged
MUCH_MISSING = 0.5
#: correlation above which two columns are the same: float32 rounds by less
SAME = 1.0 - 1e-6
#: at most so many rows and columns are compared
COMPARED_ROWS, COMPARED_COLUMNS = 20_000, 500


def schema(run: TableRun) -> Check:
    """The kind of each column, the target and its task."""
    schema = run.prepared.parts.schema
    kinds = Counter(column.kind for column in schema.inputs)
    inputs = ", ".join(f"{n} {kind}" for kind, n in kinds.most_common())
    target = schema.target
    assert target is not None  # `prepare` was asked for one
    classes = f" of {len(target.classes)} classes" if target.classes else ""
    findings = select_findings(
        run.prepared.parts.findings,
        "D103", "D104", "D105", "D110", "D113", "D114", "D115", "D116", "D117", "D119", "D120",
        "D127", "D204",
    )  # fmt: skip
    return check(
        "columns",
        "ok",
        f"{len(schema.inputs)} inputs ({inputs}); target `{target.name}`, {target.task}{classes}",
        findings=findings,
        facts={
            "kinds": {column.name: column.kind for column in schema.columns},
            "target": target.name,
            "task": target.task,
        },
    )


def missing_values(run: TableRun) -> Check:
    """Empty cells, and values that may stand for missing data."""
    schema, shares = run.prepared.parts.schema, {}
    table = run.opened.table.with_missing(schema.missing)
    for column in schema.inputs:
        stats = table.stats(column.name)
        if stats.present < stats.rows:
            shares[column.name] = (stats.rows - stats.present) / stats.rows
    ranked = sorted(shares, key=lambda name: -shares[name])
    first = ", ".join(f"`{name}` {shares[name]:.1%}" for name in ranked[:5])
    more = f" and {len(ranked) - 5} more" if len(ranked) > 5 else ""
    evidence = f"missing in {first}{more}" if ranked else "none is missing"
    mostly_empty = [name for name in ranked if shares[name] > MUCH_MISSING]
    advice = (
        [f"leave out what is mostly empty: {ignore_columns(mostly_empty)}"] if mostly_empty else []
    )
    findings = select_findings(run.prepared.parts.findings, "D106", "D107", "D108", "D109")
    status: Status = "warning" if mostly_empty else "ok"
    return check("missing values", status, evidence, advice, findings, facts={"shares": shares})


def constant_columns(run: TableRun) -> Check:
    """Columns with the same value in every row, or in every training row."""
    findings = select_findings(run.prepared.parts.findings, "D101", "D102")
    evidence = f"left out: {len(findings)}" if findings else "every column varies"
    return check("constant columns", "ok", evidence, findings=findings)


def duplicate_columns(run: TableRun) -> Check:
    """Columns with the same content: equal categories, or numbers that differ only in scale."""
    rows = slice(COMPARED_ROWS)
    columns = list(columns_of(run.prepared.parts.pipeline, run.prepared.parts.train.features))
    plain = [c for c in columns if not c.name.endswith("?") or c.name == c.column]
    numbers = [c for c in plain if not c.coded][:COMPARED_COLUMNS]
    pairs = _same_numbers([c.column for c in numbers], [c.values[rows] for c in numbers])
    pairs += _same_partitions([c for c in plain if c.coded], rows)
    if not pairs:
        return check("duplicate columns", "ok", "no two columns say the same")
    first = "; ".join(f"`{b}` says the same as `{a}`" for a, b in pairs[:5])
    more = f" and {len(pairs) - 5} more" if len(pairs) > 5 else ""
    advice = [f"keep one of each: {ignore_columns([b for _, b in pairs])}"]
    return check("duplicate columns", "warning", first + more, advice, facts={"pairs": pairs})


def _same_numbers(names: list[str], values: Sequence[NDArray[np.float32]]) -> list[tuple[str, str]]:
    """Pairs with a correlation of ±1; each column is paired with the first like it."""
    if len(names) < 2:
        return []
    centred = np.stack([v.astype(np.float64) for v in values])
    centred -= centred.mean(axis=1, keepdims=True)
    norms = np.linalg.norm(centred, axis=1)
    centred /= np.where(norms > 0, norms, 1.0)[:, None]
    equal = np.abs(centred @ centred.T) >= SAME
    firsts = np.argmax(equal, axis=1)
    return [(names[i], names[j]) for j, i in enumerate(firsts) if equal[j, i] and i < j]


def _same_partitions(columns: list[Encoded], rows: slice) -> list[tuple[str, str]]:
    """Pairs whose categories group the rows identically."""
    firsts: dict[bytes, str] = {}
    pairs = []
    for column in columns:
        _, first, codes = np.unique(column.values[rows], return_index=True, return_inverse=True)
        # Numbered by first occurrence, so that names and order of the categories do not matter.
        key = np.argsort(np.argsort(first))[codes].astype(np.int32).tobytes()
        if key in firsts:
            pairs.append((firsts[key], column.column))
        firsts.setdefault(key, column.column)
    return pairs
