"""How numbers are written in a column: marks, and a unit that is not part of the number.

A form is spelled by an example, the number 1234.56: ``1.234,56``, ``$1,234.56``, ``1 234,56 kg``,
``1234.56%``. So it can be read by people, written to documents, and set by hand.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

__all__ = ["PREFIX", "SUFFIX", "NumberForm"]

# What may stand before a number: a sign of a currency, or its three letters.
PREFIX = (r"[A-Z]{0,3}\p{Sc}|USD|EUR|GBP|JPY|CHF|CAD|AUD|NZD|CNY|INR|BRL|SEK|NOK|DKK|PLN|CZK|HUF|"
          r"RUB|TRY|ZAR|MXN|SGD|HKD|KRW|Rs\.?")  # fmt: skip
# What may stand behind one: a currency, or a unit such as %, kg, km/h, m² and °C; it has no digits.
SUFFIX = r"[\p{Sc}%‰°µ\p{L}][\p{L}°%‰²³µ/·. ]{0,14}"
BLANK = r"[ \x{00A0}\x{202F}\x{2009}]"
SIGN = r"[+\-−]"
EXAMPLE = re.compile(r"(?P<before>[^0-9]*)1(?P<group>\D?)234(?P<decimal>[.,])56(?P<behind>[^0-9]*)")
#: a blank stands for all blanks that separate groups
GROUPS = {"": "", ",": ",", ".": r"\.", " ": BLANK, "'": "['’]"}


@dataclass(frozen=True)
class NumberForm:
    """``decimal`` and ``group`` are marks; ``before`` and ``behind`` are the unit."""

    decimal: str = "."
    group: str = ""
    before: str = ""
    behind: str = ""

    def __str__(self) -> str:
        blank = " " if self.behind[:1].isalpha() else ""
        return f"{self.before}1{self.group}234{self.decimal}56{blank}{self.behind}"

    @staticmethod
    def parse(text: str) -> NumberForm | None:
        """The form of an example; None when it is none."""
        match = EXAMPLE.fullmatch(text)
        if match is None or match["group"] not in GROUPS or match["group"] == match["decimal"]:
            return None
        before, behind = match["before"].strip(), match["behind"].strip()
        return NumberForm(match["decimal"], match["group"], before, behind)

    @property
    def pattern(self) -> str:
        """The regular expression of a whole cell in this form. A unit may be left out, and one in
        letters may have an s or not; numbers in brackets are negative."""
        decimal = rf"([{self.decimal}][0-9]*)?"
        mark = GROUPS[self.group]
        grouped = rf"[1-9][0-9]{{0,2}}({mark}[0-9]{{3}})+{decimal}|" if mark else ""
        number = rf"({grouped}[0-9]+{decimal}|[{self.decimal}][0-9]+)"
        before = rf"({re.escape(self.before)})?{BLANK}*" if self.before else ""
        behind = ""
        if self.behind:
            word = self.behind.removesuffix("s") if len(self.behind) > 2 else self.behind
            plural = "s?" if word[-1:].isalpha() and len(word) > 1 else ""
            behind = rf"({BLANK}*{re.escape(word)}{plural})?"
        signs = rf"{SIGN}?{BLANK}*"
        return rf"(?i:{signs}{before}{signs}{number}{behind}|\({before}{number}{behind}\))"

    def matches(self, text: str) -> str:
        """An SQL condition on ``text``."""
        return f"regexp_full_match({text}, {_literal(self.pattern)})"

    def value(self, text: str) -> str:
        """The SQL of the number; NULL for what is not in this form."""
        run = _literal(rf"[{self.decimal}]?[0-9][0-9{_inside(self.group)}{self.decimal}]*")
        digits = f"regexp_extract({text}, {run})"
        if self.group:
            digits = f"regexp_replace({digits}, {_literal(GROUPS[self.group])}, '', 'g')"
        if self.decimal != ".":
            digits = f"replace({digits}, '{self.decimal}', '.')"
        # The unit may end in a point, as Rs. does.
        if self.before.endswith("."):
            digits = f"ltrim({digits}, '.')"
        negative = f"regexp_matches({text}, {_literal(r'^[^0-9]*[-−(]')})"
        return (
            f"(CASE WHEN {self.matches(text)} THEN "
            f"(CASE WHEN {negative} THEN -1.0 ELSE 1.0 END) * TRY_CAST({digits} AS DOUBLE) END)"
        )


def _inside(group: str) -> str:
    """A group mark inside of a class of characters."""
    return GROUPS[group].strip("[]").replace("\\.", ".")


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
