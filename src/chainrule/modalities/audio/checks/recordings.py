"""Checks of the recordings: how they were read, and copies on both sides of the split."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ....data.audio import Transcribed
from ....runs.checks.parts import file_copies
from ....runs.checks.result import Check, check, select_findings

if TYPE_CHECKING:
    from .run import AudioRun

__all__ = ["classes_and_lengths", "copies"]


def classes_and_lengths(run: AudioRun) -> Check:
    """How many recordings of how many classes there are, and how they were read."""
    prepared = run.prepared
    model, data = prepared.model_facts(), prepared.data_facts()
    findings = select_findings(
        prepared.findings, "D501", "D502", "D503", "D504", "D505", "D506", "D507", "D508", "D509",
        "D511", "D512", "D513", "D514", "D515",
    )  # fmt: skip
    learned = run.goal.labels
    what = f"{len(learned)} classes" if learned else f"{run.goal.outputs - 1} letters"
    return check(
        "recordings",
        "ok",
        f"{data['rows']} recordings of {what}, {data['minutes']:g} minutes; "
        f"{model['clips']}, {model['features']}",
        findings=findings,
        facts={"rows": data["rows"], "classes": list(learned)},
    )


def copies(run: AudioRun) -> Check:
    """Recordings that are in the training part and in another one."""
    parts = run.prepared.parts
    return file_copies(run, [p.recordings if isinstance(p, Transcribed) else p for p in parts])
