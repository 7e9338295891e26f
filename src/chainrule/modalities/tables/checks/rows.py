"""Checks of the rows: copies, parts, target, and what the preprocessing makes of them."""

from __future__ import annotations

import numpy as np

from ....data import PreparedRows
from ....runs.checks.result import Check, Status, check, noticed, some
from ..readying import Ready

__all__ = ["duplicate_rows", "feature_ranges", "split_sizes", "target_balance"]

#: of the rows that judge: so many that were trained on as well are a warning, or a failure
SHARED, MOSTLY_SHARED = 0.02, 0.5
#: more rows than this are not compared
MOST_COMPARED = 1_000_000
#: fewer rows than this judge by chance
FEW_JUDGES = 30
#: of all rows: a class with less is easily overlooked
RARE = 0.05
#: standard deviations from the mean
FAR = 10.0


def duplicate_rows(ready: Ready) -> Check:
    """Copies of rows, and those that lie both in the training part and in another one."""
    prepared, name = ready.prepared, "duplicate rows"
    told = noticed(prepared.findings, "D118")
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


def target_balance(ready: Ready) -> Check:
    """How the classes are distributed, or where the numbers of a regression lie."""
    prepared = ready.prepared
    target = np.concatenate([p.target for p in (prepared.train, prepared.val, prepared.test)])
    if not prepared.pipeline.classes:
        return _target_range(ready, target)
    labels = [str(c) for c in prepared.pipeline.classes]
    counts = np.bincount(target, minlength=len(labels))
    order = np.argsort(-counts, kind="stable")
    listed = ", ".join(f"{labels[i]} {counts[i] / len(target):.1%}" for i in order[:6])
    more = f" and {len(labels) - 6} more" if len(labels) > 6 else ""
    rare = [labels[i] for i in order if counts[i] < RARE * min(1.0, 2 / len(labels)) * len(target)]
    advice = (
        [f"do not judge by accuracy alone: {some(rare)} hardly counts in it; gather more such rows"]
        if rare
        else []
    )
    told = noticed(prepared.findings, "D111")
    balance = {label: int(n) for label, n in zip(labels, counts, strict=True)}
    status: Status = "warning" if rare else "ok"
    return check("target", status, listed + more, advice, told, {"counts": balance})


def _target_range(ready: Ready, scaled: np.ndarray[tuple[int], np.dtype[np.float32]]) -> Check:
    pipeline = ready.prepared.pipeline
    values = pipeline.decode_target(scaled)
    far = int(np.sum(np.abs(scaled) > FAR))
    evidence = (
        f"from {values.min():.4g} to {values.max():.4g}, mean {pipeline.target_mean:.4g}, standard "
        f"deviation {pipeline.target_std:.4g}"
    )
    advice = []
    if far:
        evidence += f"; {far} rows lie more than {FAR:g} standard deviations from the mean"
        advice = ["correct these cells, or use a loss that minds them less: train.loss=huber"]
    return check("target", "warning" if far else "ok", evidence, advice, facts={"far": far})


def split_sizes(ready: Ready) -> Check:
    """Rows to learn from and rows to judge by."""
    prepared = ready.prepared
    sizes = {"train": len(prepared.train), "validation": len(prepared.val),
             "test": len(prepared.test)}  # fmt: skip
    few = [name for name in ("validation", "test") if sizes[name] < FEW_JUDGES]
    evidence = ", ".join(f"{n} {name}" for name, n in sizes.items())
    advice = []
    if few:
        evidence += f"; below {FEW_JUDGES} rows, chance decides the metrics"
        advice = ["judge by all rows: chainrule train ... --folds 5, with several --seeds"]
    told = noticed(prepared.findings, "D112")
    return check("split", "warning" if few else "ok", evidence, advice, told, sizes)


def feature_ranges(ready: Ready) -> Check:
    """What the network gets: numbers of about one, also in the rows that judge."""
    prepared, name = ready.prepared, "feature ranges"
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
        evidence += (
            f"; {some(far)} {'go' if len(far) > 1 else 'goes'} beyond {FAR:g} standard deviations"
        )
        advice = ["correct such cells if they are errors; else select the logarithm with a query"]
    ranges = {n: [float(a), float(b)] for n, a, b in zip(names, low, high, strict=True)}
    return check(name, "warning" if far else "ok", evidence, advice, told, {"ranges": ranges})
