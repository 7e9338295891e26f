"""Checks of the rows: duplicates, and the range of the inputs after preprocessing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ....data import PreparedRows
from ....runs.checks.parts import shared_examples
from ....runs.checks.result import Check, check, list_names, select_findings
from ....runs.fixes import as_override

if TYPE_CHECKING:
    from .run import TableRun

__all__ = ["duplicate_rows", "feature_ranges"]

#: more rows than this are not compared
MOST_COMPARED = 1_000_000
#: standard deviations from the mean
FAR = 10.0


def duplicate_rows(run: TableRun) -> Check:
    """Rows that are in the training part and in another one."""
    prepared, name = run.prepared.parts, "duplicate rows"
    findings = select_findings(prepared.findings, "D118")
    judging = [part for part in (prepared.val, prepared.test) if len(part)]
    if not judging or len(prepared.train) > MOST_COMPARED:
        return check(name, "ok", "skipped: the parts are not compared", findings=findings)
    # The setting keeps the user's own query.
    fixes = [f"leave copies out: {f.fix(as_override)}" for f in findings if f.setting]
    if any(finding.setting is None for finding in findings):
        fixes = ["leave them in: rows of few different values are equal by chance"]
    return shared_examples(
        name,
        _row_keys(prepared.train),
        [key for part in judging for key in _row_keys(part)],
        run.words.units,
        seen=", as the model sees them,",
        remedies=fixes or ["they differ only in what the model does not see: keep one of each"],
        findings=findings,
    )


def _row_keys(part: PreparedRows) -> list[bytes]:
    """The bytes of each row: inputs and target."""
    blocks = [part.features.numeric, part.features.codes, part.target.reshape(len(part), -1)]
    as_bytes = [
        np.ascontiguousarray(b).view(np.uint8).reshape(len(part), -1) for b in blocks if b.size
    ]
    return [row.tobytes() for row in np.concatenate(as_bytes, axis=1)]


def feature_ranges(run: TableRun) -> Check:
    """Whether the inputs of the network are of the order of one, in all parts."""
    prepared, name = run.prepared.parts, "feature ranges"
    parts = (prepared.train, prepared.val, prepared.test)
    names = prepared.pipeline.names
    findings = [f for part in parts[1:] for f in part.features.findings]
    findings = list({(f.code, f.message): f for f in findings}.values())
    if not names:
        return check(name, "ok", "the network gets categories alone", findings=findings)
    numeric = [part.features.numeric for part in parts if len(part)]
    low = np.min([n.min(axis=0) for n in numeric], axis=0)
    high = np.max([n.max(axis=0) for n in numeric], axis=0)
    evidence = f"{len(names)} numbers from {low.min():.3g} to {high.max():.3g} after preprocessing"
    widest = np.argsort(-np.maximum(np.abs(low), high), kind="stable")
    far = [names[i] for i in widest if max(-low[i], high[i]) > FAR]
    advice = []
    if far:
        goes = "go" if len(far) > 1 else "goes"
        evidence += f"; {list_names(far)} {goes} beyond {FAR:g} standard deviations"
        advice = ["correct such cells if they are errors; else select the logarithm with a query"]
    ranges = {n: [float(a), float(b)] for n, a, b in zip(names, low, high, strict=True)}
    return check(name, "warning" if far else "ok", evidence, advice, findings, {"ranges": ranges})
