"""Checks of the images: how they were read, and copies on both sides of the split."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ....runs.checks.parts import file_copies
from ....runs.checks.result import Check, check, select_findings

if TYPE_CHECKING:
    from .run import ImageRun

__all__ = ["classes_and_sizes", "copies"]


def classes_and_sizes(run: ImageRun) -> Check:
    """How many images of how many classes there are, and how they were read."""
    prepared = run.prepared
    facts = prepared.model_facts()
    rows = sum(prepared.sizes.values())
    findings = select_findings(
        prepared.findings, "D301", "D302", "D303", "D304", "D305", "D306", "D307", "D308", "D309",
        "D311", "D312",
    )  # fmt: skip
    return check(
        "images",
        "ok",
        f"{rows} images of {len(prepared.preprocessor.classes)} classes; {facts['images']}",
        findings=findings,
        facts={"rows": rows, "classes": list(prepared.preprocessor.classes)},
    )


def copies(run: ImageRun) -> Check:
    """Images that are in the training part and in another one."""
    return file_copies(run, run.prepared.parts)
