"""Checks of texts: how many there are and how long, and copies on both sides of the split."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from ....data.text import UNKNOWN
from ....runs.checks.parts import shared_examples
from ....runs.checks.result import Check, Status, check, select_findings

if TYPE_CHECKING:
    from ....runs.dry_run import PreparedRun

__all__ = ["copies", "texts_and_tokens"]

#: share of tokens of the validation part that the vocabulary lacks: above it, a warning
UNKNOWN_SHARE = 0.1


def texts_and_tokens(run: PreparedRun[Any]) -> Check:
    """How long the texts are in tokens, and how much of them the vocabulary knows."""
    trained = run.prepared.tokens("train")  # type: ignore[attr-defined]
    judged = run.prepared.tokens("validation")  # type: ignore[attr-defined]
    lengths = np.array([len(row) for row in trained])
    unknown = float(np.mean(np.concatenate(judged) == UNKNOWN))
    facts = run.prepared.model_facts()
    evidence = (
        f"{facts['tokens']}; {len(trained)} training {run.words.units} of {lengths.min()} to "
        f"{lengths.max()} tokens, {np.median(lengths):.0f} in the middle; {unknown:.1%} of the "
        "validation tokens are unknown"
    )
    findings = select_findings(run.prepared.findings, "D605", "D606", "D607", "D609", "D610")
    status: Status = "warning" if unknown > UNKNOWN_SHARE else "ok"
    advice = ['split words into pieces: tokenizer.kind = "byte-pair"'] if status != "ok" else []
    return check("tokens", status, evidence, advice, findings, {"unknown": unknown})


def copies(run: PreparedRun[Any]) -> Check:
    """Texts that are in the training part and in another one."""
    parts = [_hashes(run.prepared.tokens(name))  # type: ignore[attr-defined]
             for name in ("train", "validation", "test")]  # fmt: skip
    return shared_examples(
        "duplicate texts", parts[0], [*parts[1], *parts[2]], run.words.units,
        remedies=["remove the copies: they make the test too easy"],
        findings=select_findings(run.prepared.findings, "D608"),
    )  # fmt: skip


def _hashes(rows: Iterable[Any]) -> Iterator[bytes]:
    for row in rows:
        yield hashlib.blake2b(np.asarray(row).tobytes(), digest_size=16).digest()
