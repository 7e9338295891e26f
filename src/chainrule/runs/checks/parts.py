"""Checks of any data: how the target is distributed, and whether the parts are large enough."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ...data import Finding
from ...data.labelled import Labelled
from ..modality import PARTS, judged_part
from .result import Check, Status, check, list_names, select_findings

if TYPE_CHECKING:
    from ..dry_run import PreparedRun

__all__ = ["file_copies", "shared_examples", "split_sizes", "target_balance"]

#: share of the judging examples that are training examples, too: above it a warning, a failure
SHARED, MOSTLY_SHARED = 0.02, 0.5
#: with fewer examples than this, metrics depend on chance
MIN_EXAMPLES = 30
#: fraction of all examples below which a class is easily overlooked
RARE = 0.05
#: in standard deviations from the mean
FAR = 10.0


def shared_examples(
    name: str,
    trained: Iterable[bytes],
    judging: Collection[bytes],
    units: str,
    *,
    seen: str = "",
    remedies: Sequence[str],
    findings: Iterable[Finding],
) -> Check:
    """How many of the examples that judge were trained on as well, by a key of each.

    ``seen`` says how two are told apart. ``remedies`` are given if there are too many, ``findings``
    if not.
    """
    keys = set(trained)
    shared = sum(key in keys for key in judging)
    share = shared / len(judging) if judging else 0.0
    status: Status = "ok" if share <= SHARED else "warning" if share <= MOSTLY_SHARED else "failed"
    evidence = (
        f"{shared} of {len(judging)} validation and test {units} ({share:.1%}) are{seen} training "
        f"{units} too"
    )
    facts = {"shared": shared, "judges": len(judging)}
    if status == "ok":
        return check(name, status, evidence, findings=findings, facts=facts)
    return check(name, status, evidence, remedies, facts=facts)


def file_copies(run: PreparedRun[Any], parts: Sequence[Labelled]) -> Check:
    """Files that are in the training part and in another one."""
    train, *others = parts
    return shared_examples(
        f"duplicate {train.UNITS}",
        train.digests(),
        [digest for part in others for digest in part.digests()],
        run.words.units,
        remedies=["remove the copies: they make the test too easy"],
        findings=select_findings(run.prepared.findings, train.COPIES),
    )


def target_balance(run: PreparedRun[Any]) -> Check:
    """How the classes are distributed, or the range of the numbers to predict."""
    prepared = run.prepared
    target = np.concatenate([prepared.target(part) for part in PARTS])
    labels = [str(label) for label in run.goal.labels]
    return _class_balance(run, target, labels) if labels else _number_range(run, target)


def _class_balance(run: PreparedRun[Any], codes: npt.NDArray[Any], labels: list[str]) -> Check:
    counts = np.bincount(codes, minlength=len(labels))
    order = np.argsort(-counts, kind="stable")
    listed = ", ".join(f"{labels[i]} {counts[i] / len(codes):.1%}" for i in order[:6])
    more = f" and {len(labels) - 6} more" if len(labels) > 6 else ""
    rare = [labels[i] for i in order if counts[i] < RARE * min(1.0, 2 / len(labels)) * len(codes)]
    advice = []
    if rare:
        more_of = f"{list_names(rare)} hardly counts in it; gather more such {run.words.units}"
        advice = [f"do not judge by accuracy alone: {more_of}"]
    findings = select_findings(run.prepared.findings, "D111")
    balance = {label: int(n) for label, n in zip(labels, counts, strict=True)}
    status: Status = "warning" if rare else "ok"
    return check("target", status, listed + more, advice, findings, {"counts": balance})


def _number_range(run: PreparedRun[Any], target: npt.NDArray[Any]) -> Check:
    values = run.goal.numbers(target)
    training_values = run.goal.numbers(run.prepared.target("train"))
    mean, deviation = float(np.mean(training_values)), float(np.std(training_values))
    far = int(np.sum(np.abs(values - mean) > FAR * deviation))
    evidence = (
        f"from {values.min():.4g} to {values.max():.4g}, mean {mean:.4g}, standard deviation "
        f"{deviation:.4g}"
    )
    advice = []
    if far:
        units = run.words.units
        evidence += f"; {far} {units} lie more than {FAR:g} standard deviations from the mean"
        advice = [
            "correct these values, or use a loss that is less sensitive to them: train.loss=huber"
        ]
    return check("target", "warning" if far else "ok", evidence, advice, facts={"far": far})


def split_sizes(run: PreparedRun[Any]) -> Check:
    """How many examples there are to learn from, and how many to judge by."""
    sizes, units = run.prepared.sizes, run.words.units
    judging = ("validation", "test") if judged_part(sizes) == "test" else ("validation",)
    few = [name for name in judging if sizes[name] < MIN_EXAMPLES]
    evidence = ", ".join(f"{n} {name}" for name, n in sizes.items())
    advice = []
    if few:
        evidence += f"; below {MIN_EXAMPLES} {units}, chance decides the metrics"
        advice = [f"judge by all {units}: chainrule train ... --folds 5, with several --seeds"]
    findings = select_findings(run.prepared.findings, "D112")
    return check("split", "warning" if few else "ok", evidence, advice, findings, sizes)
