"""Checks of the recordings: how they were read, and copies on both sides of the split."""

from __future__ import annotations

from dataclasses import dataclass

from ....runs.checks.parts import shared_examples
from ....runs.checks.result import Check, check, select_findings
from ....runs.dry_run import PreparedRun
from ..prepare import PreparedAudio
from ..settings import AudioSettings

__all__ = ["classes_and_lengths", "copies"]


@dataclass(frozen=True)
class AudioRun(PreparedRun[AudioSettings]):
    """A training on recordings that has not started."""

    prepared: PreparedAudio


def classes_and_lengths(run: AudioRun) -> Check:
    """How many recordings of how many classes there are, and how they were read."""
    prepared = run.prepared
    model, data = prepared.model_facts(), prepared.data_facts()
    findings = select_findings(
        prepared.findings, "D501", "D502", "D503", "D504", "D505", "D506", "D507", "D508", "D509",
        "D511", "D512",
    )  # fmt: skip
    classes = prepared.preprocessor.classes
    return check(
        "recordings",
        "ok",
        f"{data['rows']} recordings of {len(classes)} classes, {data['minutes']:g} minutes; "
        f"{model['clips']}, {model['features']}",
        findings=findings,
        facts={"rows": data["rows"], "classes": list(classes)},
    )


def copies(run: AudioRun) -> Check:
    """Recordings that are in the training part and in another one."""
    train, val, test = run.prepared.parts
    return shared_examples(
        "duplicate recordings",
        iter(train.digests()),
        [*val.digests(), *test.digests()],
        run.words.units,
        remedies=["remove the copies: they make the test too easy"],
        findings=select_findings(run.prepared.findings, "D510"),
    )
