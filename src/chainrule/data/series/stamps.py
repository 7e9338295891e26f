"""Time stamps that databases do not read: quarters, months and years as text."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from chainrule.data.series.frequency import Frequency, Stamps

__all__ = ["read_stamps", "stamp_pattern", "stamp_texts", "zoned"]

#: as a whole cell; each gives a year and the month in which its period begins
FORMS = {
    "quarter": re.compile(r"(\d{4})[- ]?[Qq]([1-4])"),
    "month": re.compile(r"(\d{4})[-/Mm](0?[1-9]|1[0-2])"),
    "year": re.compile(r"([12]\d{3})"),
}
ZONE = re.compile(r"\d{1,2}:\d{2}.*(Z|[+-]\d{2}(:?\d{2})?)\s*$")


def stamp_pattern(text: str) -> str | None:
    """Which of `FORMS` a text has; None for another."""
    return next((name for name, form in FORMS.items() if form.fullmatch(text.strip())), None)


def read_stamps(texts: Sequence[str]) -> tuple[Stamps, int]:
    """The stamps of texts of one of `FORMS`, and the number of the first that has it not (-1)."""
    pattern = stamp_pattern(texts[0]) if texts else None
    stamps = np.empty(len(texts), "M8[us]")
    for i, text in enumerate(texts):
        match = FORMS[pattern].fullmatch(text.strip()) if pattern else None
        if match is None:
            return stamps, i
        year, *rest = map(int, match.groups())
        month = 3 * rest[0] - 2 if pattern == "quarter" else (rest or [1])[0]
        stamps[i] = np.datetime64(f"{year:04d}-{month:02d}", "us")
    return stamps, -1


def zoned(text: str) -> bool:
    """Whether a time has an offset from UTC, such as ``+02:00`` or ``Z``."""
    return ZONE.search(text) is not None


def stamp_texts(stamps: Stamps, frequency: Frequency) -> NDArray[np.object_]:
    """Stamps for people: the day where all are at midnight, the number if they are numbers."""
    if frequency.unit == "number":
        return stamps.astype(np.int64).astype(str).astype(object)
    midnight = bool(np.all(stamps == stamps.astype("M8[D]")))
    texts = np.datetime_as_string(stamps, unit="D" if midnight else "s")
    return np.array([t.replace("T", " ") for t in texts], dtype=object)
