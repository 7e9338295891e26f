"""Findings: what was noticed in the data, in plain words, and the setting that would change it.

A finding never stops anything (an error does). Its code is stable, so that it can be looked up,
counted and silenced; ``CODES`` says in one line what each means.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

__all__ = ["CODES", "Finding", "Setting", "Severity"]

Value = str | float | int | bool
Severity = Literal["info", "warning"]

CODES: dict[str, str] = {
    "D101": "a column with only one value is left out",
    "D102": "an empty column is left out",
    "D103": "a column of row numbers or identifiers is left out",
    "D104": "a column of free text is left out",
    "D105": "a column of an unsupported type is left out",
    "D106": "a value that may stand for missing data",
    "D107": "words such as NA or ? were read as missing",
    "D108": "infinite numbers were read as missing",
    "D109": "rows without a target were left out",
    "D110": "a target with few distinct integers was treated as classes",
    "D111": "classes with very few rows",
    "D112": "few rows",
    "D113": "the file is not UTF-8",
    "D114": "numbers with marks or a unit, and how they were read",
    "D115": "the order of day and month is ambiguous",
    "D116": "text that consists only of numbers",
    "D117": "unnamed columns were given names",
    "D118": "duplicate rows",
    "D119": "integers that look like codes are treated as categories",
    "D120": "a few cells among numbers or dates that are something else",
    "D121": "dates in several formats",
    "D122": "whole numbers that were read as dates",
    "D123": "rows were split by groups",
    "D124": "rows were split by time",
    "D125": "one class is nearly all rows",
    "D126": "a skewed target is learned through a transform",
    "D127": "a column of text is read by its words",
    "D201": "categories not seen in training",
    "D202": "missing values in a column that had none in training",
    "D203": "numbers far outside the training range",
    "D204": "more categories than can be distinguished",
    "D301": "files in an image folder that are not images",
    "D302": "unreadable images are left out",
    "D303": "only the first frame of an animated image is used",
    "D304": "images of different sizes were resized",
    "D305": "grey images among colour ones were converted to RGB",
    "D306": "a class without images",
    "D307": "links that lead outside the folder are not followed",
    "D308": "images outside the class folders have no class",
    "D309": "16-bit images are reduced to the upper 8 bits",
    "D310": "duplicate images",
    "D311": "transparent pixels are shown on white",
    "D312": "the pixels are kept in a file because they exceed the memory limit",
    "D401": "the columns of series were recognised",
    "D402": "columns of a table of series that are not used",
    "D403": "steps of series without a value",
    "D404": "series shorter than a window",
    "D405": "series that end before they can be tested",
    "D406": "series that only repeat themselves",
    "D407": "covariates with missing values",
    "D408": "forecasts beyond the horizon of the training",
    "D409": "forecasts worse than naive ones",
    "D410": "series that begin after the training part",
    "D501": "files in a folder of recordings that are no sound",
    "D502": "unreadable recordings are left out",
    "D503": "several channels were mixed to one",
    "D504": "recordings of other rates were resampled",
    "D505": "recordings that are shorter than their files say",
    "D506": "a class without recordings",
    "D507": "links that lead outside the folder are not followed",
    "D508": "recordings outside the class folders have no class",
    "D509": "silent recordings",
    "D510": "duplicate recordings",
    "D511": "clipped recordings",
    "D512": "long recordings were cropped",
    "D513": "rows without a transcript",
    "D514": "transcripts that are too long for their recordings",
    "D515": "letters that no training transcript has",
    "D601": "files in a folder of texts that are no text files",
    "D602": "a class without texts",
    "D603": "links that lead outside the folder are not followed",
    "D604": "texts outside the class folders have no class",
    "D605": "the column of texts was recognised",
    "D606": "empty texts",
    "D607": "long texts were cut off",
    "D608": "duplicate texts",
    "D609": "rare characters or words that the vocabulary leaves out",
    "D610": "pairs without a source or a target were left out",
}


@dataclass(frozen=True)
class Setting:
    """A setting and the value it should have: ``key`` holds the parts of its name in ``run.toml``,
    such as ``("data", "missing", "chol")``."""

    key: tuple[str, ...]
    value: Value | tuple[Value, ...]

    def __str__(self) -> str:
        """For reading; each place that shows a setting to be pasted spells it in its own way."""
        value = list(self.value) if isinstance(self.value, tuple) else self.value
        return f"{'.'.join(self.key)} = {value!r}"


@dataclass(frozen=True)
class Finding:
    """One observation: ``evidence`` is what was counted. The fix is a ``setting``, ``advice`` in
    words, or both: then the advice says when the setting is right."""

    code: str
    severity: Severity
    message: str
    evidence: str = ""
    advice: str = ""
    setting: Setting | None = None

    def fix(self, spell: Callable[[Setting], str] = str) -> str:
        """What to do, "" for nothing; ``spell`` writes the setting for whoever reads it."""
        if self.setting is None:
            return self.advice
        return spell(self.setting) + (f" ({self.advice})" if self.advice else "")

    def text(self, spell: Callable[[Setting], str] = str) -> str:
        """The finding in one to three lines; ``spell`` writes its setting."""
        lines, fix = [f"{self.code} {self.message}"], self.fix(spell)
        lines += [f"  seen: {self.evidence}"] if self.evidence else []
        lines += [f"  fix:  {fix}"] if fix else []
        return "\n".join(lines)

    def __str__(self) -> str:
        return self.text()
