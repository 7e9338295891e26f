"""The result of one check: what was found, and what to do about it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from ...data import Finding, Setting
from ..fixes import as_override

__all__ = ["Check", "Status", "check", "ignore_columns", "list_names", "select_findings"]

Status = Literal["ok", "warning", "failed"]
ORDER: Mapping[Status, int] = {"ok": 0, "warning": 1, "failed": 2}


@dataclass(frozen=True)
class Check:
    """``evidence`` is what was found and ``remedies`` what to do about it, both in words; ``facts``
    are the numbers behind the evidence.
    """

    name: str
    status: Status
    evidence: tuple[str, ...]
    remedies: tuple[str, ...] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """The check as JSON."""
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
    """A check with ``evidence`` first, then ``findings`` about the data and their fixes.

    A warning among the findings makes it a warning at least.
    """
    lines, advice = [evidence], list(remedies)
    for finding in findings:
        if finding.severity == "warning" and ORDER[status] < ORDER["warning"]:
            status = "warning"
        lines.append(finding.message + (f": {finding.evidence}" if finding.evidence else ""))
        if fix := finding.fix(as_override):
            advice.append(fix)
    return Check(name, status, tuple(lines), tuple(dict.fromkeys(advice)), facts or {})


def select_findings(findings: Iterable[Finding], *codes: str) -> list[Finding]:
    """The findings with one of these codes."""
    return [finding for finding in findings if finding.code in codes]


def list_names(names: Sequence[str], most: int = 5) -> str:
    """```a`, `b` and 3 more``: the first names of a list, and how many more there are."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(f"`{name}`" for name in names[:most]) + more


def ignore_columns(names: Sequence[str]) -> str:
    """Overrides that leave columns out: ``data.columns.id=ignored ...``."""
    columns = dict.fromkeys(names)
    return " ".join(as_override(Setting(("data", "columns", name), "ignored")) for name in columns)
