"""One check: what was looked at, what was found, what to do."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from ...data import Finding, Setting
from ..fixes import as_word

__all__ = ["Check", "Status", "check", "ignored", "noticed", "some"]

Status = Literal["ok", "warning", "failed"]
ORDER: Mapping[Status, int] = {"ok": 0, "warning": 1, "failed": 2}


@dataclass(frozen=True)
class Check:
    """``evidence`` is what was seen, ``remedies`` what to do, in plain words; ``facts`` holds the
    numbers behind the evidence.
    """

    name: str
    status: Status
    evidence: tuple[str, ...]
    remedies: tuple[str, ...] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """All of it, ready for JSON."""
        return {
            "name": self.name,
            "status": self.status,
            "evidence": list(self.evidence),
            "remedies": list(self.remedies),
            "facts": dict(self.facts),
        }


def check(
    name: str,
    status: Status,
    evidence: str,
    remedies: Sequence[str] = (),
    findings: Iterable[Finding] = (),
    facts: Mapping[str, Any] | None = None,
) -> Check:
    """A check that says ``evidence`` first and then what the data layer noticed.

    A warning among ``findings`` makes it one; their fixes are remedies.
    """
    lines, advice = [evidence], list(remedies)
    for finding in findings:
        if finding.severity == "warning" and ORDER[status] < ORDER["warning"]:
            status = "warning"
        lines.append(finding.message + (f": {finding.evidence}" if finding.evidence else ""))
        if fix := finding.fix(as_word):
            advice.append(fix)
    return Check(name, status, tuple(lines), tuple(dict.fromkeys(advice)), facts or {})


def noticed(findings: Iterable[Finding], *codes: str) -> list[Finding]:
    """Those of ``findings`` that have one of ``codes``."""
    return [finding for finding in findings if finding.code in codes]


def some(names: Sequence[str], most: int = 5) -> str:
    """The first names of a list, and how many more there are."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(f"`{name}`" for name in names[:most]) + more


def ignored(names: Sequence[str]) -> str:
    """Words that leave columns out."""
    columns = dict.fromkeys(names)
    return " ".join(as_word(Setting(("data", "columns", name), "ignored")) for name in columns)
