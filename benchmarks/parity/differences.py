"""What differs from PyTorch on purpose, each with its reason; nothing else is excused."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from benchmarks.parity.samples import Arguments
from benchmarks.parity.verdict import Outcome, Verdict


@dataclass(frozen=True)
class Difference:
    """Entries, the samples of them that it concerns, and why."""

    entries: tuple[str, ...]
    concerns: Callable[[Arguments, str], bool]
    why: str


DIFFERENCES: tuple[Difference, ...] = ()


def excused(entry: str, arguments: Arguments, outcome: Outcome) -> Outcome:
    """``outcome``, or that it is by design."""
    if outcome.verdict is not Verdict.WRONG:
        return outcome
    for known in DIFFERENCES:
        if entry in known.entries and known.concerns(arguments, outcome.detail):
            return Outcome(Verdict.DESIGN, outcome.way, known.why)
    return outcome
