"""One check: what was looked at, what was found, what to do."""

from __future__ import annotations

import json
import re
import shlex
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from ...data import Finding

__all__ = ["Check", "Status", "as_words", "check", "ignored", "noticed", "some"]

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
        if finding.fix:
            advice.append(as_words(finding.fix))
    return Check(name, status, tuple(lines), tuple(dict.fromkeys(advice)), facts or {})


def noticed(findings: Iterable[Finding], *codes: str) -> list[Finding]:
    """Those of ``findings`` that have one of ``codes``."""
    return [finding for finding in findings if finding.code in codes]


def as_words(fix: str) -> str:
    """The fix of a finding as a setting of the command line; other advice stays as it is.

    ``missing = { chol = [0] }`` becomes ``'data.missing.chol=[0]'``.
    """
    try:
        document = tomllib.loads(fix)
    except tomllib.TOMLDecodeError:
        return fix
    words = [_word("missing", c, json.dumps(v)) for c, v in document.get("missing", {}).items()]
    words += [_word("columns", c, k["type"]) for c, k in document.get("columns", {}).items()]
    words += [f"data.task={document['task']}"] if "task" in document else []
    return " ".join(words) or fix


def _word(section: str, column: str, value: str) -> str:
    """``data.columns.zip=number``, quoted for TOML and for the shell where that is needed."""
    plain = re.fullmatch("[A-Za-z0-9_-]+", column)
    key = column if plain else json.dumps(column, ensure_ascii=False)
    return shlex.quote(f"data.{section}.{key}={value}")


def some(names: Sequence[str], most: int = 5) -> str:
    """The first names of a list, and how many more there are."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(f"`{name}`" for name in names[:most]) + more


def ignored(names: Sequence[str]) -> str:
    """Words that leave columns out."""
    return " ".join(_word("columns", name, "ignored") for name in dict.fromkeys(names))
