"""Asks every rule."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any

from ..errors import ConfigError
from ..notebook import framed, words
from ..train import Trainer
from .collecting import evidence_of, evidence_of_run
from .evidence import Evidence
from .rule import Diagnosis
from .rules import RULES, check_codes

__all__ = ["diagnose", "examine_evidence"]

ORDER = ("error", "warning", "info")
#: diagnoses that explain others, which then need not be made
EXPLAINED = {
    "T106": ("T102", "T304", "T302"),
    "T408": ("T410",),
    "T105": ("T203",),
    "T206": ("T201", "T305"),
    "T207": ("T201", "T305"),
    "T304": ("T303",),
    "T309": ("T301", "T303"),
    "T410": ("T303",),
}  # fmt: skip


class Diagnoses(list[Diagnosis]):
    """A list of diagnoses, which a notebook shows with what to try."""

    def _repr_html_(self) -> str:
        found = [diagnosis.html() for diagnosis in self]
        return framed(*found) if found else framed(words("nothing found"))


def examine_evidence(evidence: Evidence, silenced: Collection[str] = ()) -> Diagnoses:
    """What the rules say, the gravest first; without those whose codes are ``silenced``, here or by
    the settings of the run."""
    check_codes(silenced)
    silenced = {*silenced, *evidence.settings.get("output.ignore", ())}
    found = {}
    for code, rule in RULES.items():
        sign = None if code in silenced else rule.look(evidence)
        if sign is not None:
            found[code] = Diagnosis(rule, sign, bool(evidence.settings))
    explained = {other for code in found for other in EXPLAINED.get(code, ())}
    left = [d for code, d in found.items() if code not in explained]
    return Diagnoses(sorted(left, key=lambda d: (ORDER.index(d.severity), d.code)))


def diagnose(training: Any, *, silenced: Collection[str] = ()) -> Diagnoses:
    """What is wrong with a training: a `Trainer` that has trained, a predictor of a run, or the
    folder of one. Nothing, if nothing is found.

    ``silenced`` are codes of rules to leave out. Each diagnosis has a ``code``, a ``severity``, a
    ``sentence`` and the numbers in it; printed, it says what to try.
    """
    if isinstance(training, Trainer):
        return examine_evidence(evidence_of(training), silenced)
    folder = getattr(training, "run", training)
    if not isinstance(folder, str | Path):
        raise ConfigError(
            f"{training!r} cannot be diagnosed",
            help="pass a Trainer after fit, the result of cr.fit, or the folder of a run",
        )
    return examine_evidence(evidence_of_run(Path(folder)), silenced)
