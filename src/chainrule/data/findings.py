"""Findings: what was noticed in the data, in plain words, with the setting that changes it.

A finding never stops anything (an error does). Its code is stable, so that it can be looked up,
counted and silenced; ``CODES`` says in one line what each means.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Literal

__all__ = ["CODES", "Finding", "Severity"]

Severity = Literal["info", "warning"]

CODES: dict[str, str] = {
    "D101": "a column with one value, which tells nothing, is left out",
    "D102": "a column without any value is left out",
    "D103": "a column that numbers or names the rows is left out",
    "D104": "a column of free text is left out",
    "D105": "a column of a type that is no table cell is left out",
    "D106": "a value that may stand for `not measured`",
    "D107": "words such as NA or ? were read as missing",
    "D108": "infinite numbers were read as missing",
    "D109": "rows without a target were left out",
    "D110": "a target of few whole numbers was read as classes",
    "D111": "classes with very few rows",
    "D112": "few rows",
    "D113": "the file is not UTF-8",
    "D114": "numbers written with commas were read as text",
    "D115": "the order of day and month is not certain",
    "D116": "text that reads as numbers throughout",
    "D117": "columns without a name were given one",
    "D118": "rows that occur more than once",
    "D119": "whole numbers that look like codes are treated as categories",
    "D120": "a column that is almost all numbers was read as text",
    "D201": "categories that did not occur in training",
    "D202": "values missing where training had none",
    "D203": "numbers far outside what training saw",
    "D204": "more categories than are told apart",
    "D301": "files in a folder of images that are none",
    "D302": "images that cannot be read are left out",
    "D303": "of an animated image the first frame is taken",
    "D304": "images of other sizes were brought to one",
    "D305": "grey images among coloured ones became RGB",
    "D306": "a class without images",
    "D307": "links that lead out of the folder are not followed",
    "D308": "images beside the folders of the classes have no class",
    "D309": "of 16 bits the upper 8 are kept",
    "D310": "images that occur more than once",
    "D311": "transparent pixels lie on white",
    "D312": "the pixels lie in a file, because they need more memory than they may take",
}


@dataclass(frozen=True)
class Finding:
    """One observation: ``evidence`` is what was counted, ``fix`` a setting or command to paste."""

    code: str
    severity: Severity
    message: str
    evidence: str = ""
    fix: str = ""

    def to_dict(self) -> dict[str, str]:
        """The five texts, ready for JSON."""
        return asdict(self)

    def __str__(self) -> str:
        lines = [f"{self.code} {self.message}"]
        lines += [f"  seen: {self.evidence}"] if self.evidence else []
        lines += [f"  fix:  {self.fix}"] if self.fix else []
        return "\n".join(lines)
