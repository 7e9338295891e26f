"""Formats of dates that are not ISO, and those in which the dates of a column are written.

Several formats of one column are joined by ``|``; in between, ``iso`` stands for ISO 8601, which
alone is the empty text. A cell is read in the first format that fits.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

from chainrule.data.tables.database import Database
from chainrule.data.tables.sql import cast_time, is_word

__all__ = ["COMPACT", "Dates", "find_dates", "swapped"]

#: 20240105, which is a number, too
COMPACT = "%Y%m%d"
# By how often they are meant when two fit.
DAYS = ("%m/%d/%Y", "%d/%m/%Y", "%d.%m.%Y", "%Y/%m/%d", "%d-%m-%Y", "%m-%d-%Y", "%Y.%m.%d",
        "%m/%d/%y", "%d/%m/%y", "%d.%m.%y", "%d %b %Y", "%d %B %Y", "%b %d, %Y", "%B %d, %Y",
        "%b %d %Y", "%B %d %Y", "%d-%b-%Y", "%d-%b-%y", "%d. %B %Y", "%a, %d %b %Y")  # fmt: skip
TIMES = ("", " %H:%M", " %H:%M:%S", " %I:%M %p", " %I:%M:%S %p", " %I:%M%p", " %I:%M:%S%p")
HALVES = TIMES[3:]
FORMATS = tuple(
    [d + t for t, d in product(TIMES, DAYS)] + [f"%Y-%m-%d{t}" for t in HALVES] + [COMPACT]
)
#: what no date is without; most other text need not be tried in all formats
DATE = re.compile(
    r"\d[/.-]\d{1,2}[/.-]\d|^\d{8}$|jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec", re.IGNORECASE
)
SAMPLE = 50
MOST_FORMATS = 6


@dataclass(frozen=True)
class Dates:
    """``fitting`` cells are written in ``form``; ``other`` is a form with day and month swapped
    in which just as many are."""

    form: str
    fitting: int
    distinct: int
    other: str = ""


def swapped(form: str) -> str:
    """``form`` with day and month exchanged, where it begins with these two numbers; a year in
    front is followed by the month everywhere."""
    return "|".join(re.sub(r"^(%[md])([/.-])(%[md])", r"\3\2\1", one) for one in form.split("|"))


def find_dates(database: Database, text: str, known: int, fewest: float) -> Dates | None:
    """How the dates of the cells ``text`` are written, ``known`` of which hold something.

    None if fewer than ``fewest`` are dates. A few cells tell which formats to count.
    """
    sample = [
        str(cell)
        for (cell,) in database.sample(
            f"SELECT t FROM (SELECT {text} AS t FROM raw) WHERE NOT {is_word('t')}", SAMPLE
        )
    ]
    if sum(DATE.search(cell) is not None for cell in sample) < 0.5 * len(sample):
        return None
    tried = ("", *FORMATS)
    read = database.execute(
        f"SELECT {', '.join(map(_readable, tried))} FROM (SELECT unnest($1) AS t)", [sample]
    )
    hits = dict(zip(tried, read[0], strict=True))
    likely = sorted((f for f in hits if hits[f]), key=lambda f: -hits[f])
    likely = [f for f in likely if f != COMPACT or len(likely) == 1][: 2 * MOST_FORMATS]
    if sum(hits[f] for f in likely) < 0.5 * len(sample):
        return None
    cells = f"(SELECT {text} AS t FROM raw)"
    fitted = database.totals([_readable(form) for form in likely], cells)
    counts = dict(zip(likely, map(int, fitted[0]), strict=True))
    # In order of preference among equals.
    ranked = sorted(counts, key=lambda f: (-counts[f], ("", *FORMATS).index(f)))
    chosen: list[str] = []
    for form in ranked:
        if counts[form] and swapped(form) not in chosen:
            chosen.append(form)
        if counts[form] == known:
            break
    form = _joined(chosen[:MOST_FORMATS])
    other = swapped(form)
    value, also = cast_time("t", form), cast_time("t", other) if other != form else "NULL"
    [(fitting, distinct, others)] = database.totals(
        ["count(v)", "count(DISTINCT v)", "count(o)"],
        f"(SELECT {value} AS v, {also} AS o FROM {cells})",
    )
    if fitting < max(1.0, fewest):
        return None
    return Dates(form, fitting, distinct, other if others == fitting else "")


def _readable(form: str) -> str:
    """How many texts, called t, ``form`` reads, as SQL."""
    return f"count({cast_time('t', form)})"


def _joined(forms: Sequence[str]) -> str:
    return "" if list(forms) == [""] else "|".join(f or "iso" for f in forms)
