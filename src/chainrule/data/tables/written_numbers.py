"""In which form the numbers of a column are written, decided by all of its cells."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from chainrule.data.tables.database import Database
from chainrule.data.tables.number_form import BLANK, PREFIX, SIGN, SUFFIX, NumberForm
from chainrule.data.tables.sql import quoted

__all__ = ["Written", "find_number_form"]

#: marks, by how often they are meant when several fit
MARKS = ((".", ""), (".", ","), (",", "."), (".", " "), (",", " "), (".", "'"))
#: different units of a column that are looked at
UNITS = 50


@dataclass(frozen=True)
class Written:
    """``fitting`` cells are written in ``form``, and each of them might be in ``other``."""

    form: NumberForm
    fitting: int
    other: NumberForm | None = None


def find_number_form(
    database: Database, text: str, fewest: float, plain: int, given: NumberForm | None = None
) -> Written | None:
    """The form of the numbers in the cells ``text``; None if fewer than ``fewest`` are in one, or
    no more than the ``plain`` ones.

    The unit is the one that nearly all cells have, if they have any; the marks are those that fit
    most cells. ``1,234`` alone is a thousand and more.
    """
    cells = f"(SELECT {text} AS t FROM raw)"
    if given is not None:
        [(fitting,)] = database.totals([f"count({given.value('t')})"], cells)
        return Written(given, int(fitting))
    unit = _unit(database, cells, fewest)
    if unit is None:
        return None
    forms = [NumberForm(decimal, group, *unit) for decimal, group in MARKS]
    counted = [f"count(*) FILTER (WHERE {f.matches('t')})" for f in forms]
    fractions = "count(*) FILTER (WHERE regexp_matches(t, '[0-9][.,]|[.,][0-9]'))"
    [(*counts, marked)] = database.totals([*counted, fractions], cells)
    best = max(counts)
    if best < fewest or best <= plain:
        return None
    form = forms[counts.index(best)]
    mirrored = next(
        (f for f, n in zip(forms, counts, strict=True)
         if n == best and f.decimal != form.decimal and f.group in ("", ".", ",")),
        None,
    )  # fmt: skip
    return Written(form, best, mirrored if marked else None)


def _unit(database: Database, cells: str, fewest: float) -> tuple[str, str] | None:
    """The unit before and behind the numbers; None if there are several, or what stands there is
    none."""
    before = quoted(rf"^\(?{SIGN}?{BLANK}*([^0-9.,]*?){BLANK}*{SIGN}?{BLANK}*[.,]?[0-9]")
    behind = quoted(rf"[0-9][.,]?{BLANK}*([^0-9]*?){BLANK}*\)?$")
    source = (
        f"(SELECT * FROM (SELECT regexp_extract(t, {before}, 1) AS a, "
        f"regexp_extract(t, {behind}, 1) AS b FROM {cells} WHERE regexp_matches(t, '[0-9]')) "
        f"WHERE regexp_full_match(a, {quoted(f'({PREFIX})?')}) "
        f"AND regexp_full_match(b, {quoted(f'({SUFFIX})?')}))"
    )
    found = database.counts("a, b", source, UNITS)
    units = Counter({(str(a), str(b)): int(n) for a, b, n in found})
    bare = units.pop(("", ""), 0)
    if not units:
        return ("", "") if bare >= fewest else None
    unit = units.most_common(1)[0][0]
    alike = sum(n for other, n in units.items() if _singular(other) == _singular(unit))
    return unit if alike + bare >= fewest else None


def _singular(unit: tuple[str, str]) -> tuple[str, str]:
    before, behind = unit
    return before, behind.casefold().removesuffix("s") if len(behind) > 2 else behind.casefold()
