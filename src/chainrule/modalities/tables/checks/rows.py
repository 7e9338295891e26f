"""Checks of the rows: copies, and what the preprocessing makes of them."""

from __future__ import annotations

import numpy as np

from ....data import PreparedRows
from ....runs.checks.result import Check, Status, check, list_names, select_findings
from .run import TableRun

__all__ = ["duplicate_rows", "feature_ranges"]

#: of the rows that judge: so many that were trained on as well are a warning, or a failure
SHARED, MOSTLY_SHARED = 0.02, 0.5
#: more rows than this are not compared
MOST_COMPARED = 1_000_000
#: standard deviations from the mean
FAR = 10.0


def duplicate_rows(run: TableRun) -> Check:
    """Copies of rows, and those that lie both in the training part and in another one."""
    prepared, name = run.prepared.parts, "duplicate rows"
    told = select_findings(prepared.findings, "D118")
    held = [part for part in (prepared.val, prepared.test) if len(part)]
    judges = sum(len(part) for part in held)
    if not judges or len(prepared.train) > MOST_COMPARED:
        return check(name, "ok", "the parts were not compared", findings=told)
    trained = set(_keys(prepared.train))
    shared = sum(key in trained for part in held for key in _keys(part))
    share = shared / judges
    status: Status = "ok" if share <= SHARED else "warning" if share <= MOSTLY_SHARED else "failed"
    evidence = (
        f"{shared} of {judges} validation and test rows ({share:.1%}) are, as the model sees them, "
        "training rows too"
    )
    advice = ['leave copies out: --query "SELECT DISTINCT * FROM data"'] if status != "ok" else []
    # One remedy for copies is enough.
    plain = [f for f in told if status == "ok"]
    return check(name, status, evidence, advice, plain, {"shared": shared, "judges": judges})


def _keys(part: PreparedRows) -> list[bytes]:
    """The bytes of each row: inputs and target."""
    blocks = [part.features.numeric, part.features.codes, part.target.reshape(len(part), -1)]
    plain = [
        np.ascontiguousarray(b).view(np.uint8).reshape(len(part), -1) for b in blocks if b.size
    ]
    return [row.tobytes() for row in np.concatenate(plain, axis=1)]


def feature_ranges(run: TableRun) -> Check:
    """What the network gets: numbers of about one, also in the rows that judge."""
    prepared, name = run.prepared.parts, "feature ranges"
    parts = (prepared.train, prepared.val, prepared.test)
    names = prepared.pipeline.names
    told = [f for part in parts[1:] for f in part.features.findings]
    told = list({(f.code, f.message): f for f in told}.values())
    if not names:
        return check(name, "ok", "the network gets categories alone", findings=told)
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
    return check(name, "warning" if far else "ok", evidence, advice, told, {"ranges": ranges})
