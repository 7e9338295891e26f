"""The style of the page: one column of text, one accent colour, for light, dark and print.

The page's security policy allows this style alone, by its hash. What changes with the width of the
window is written once in ``stacked.css`` and repeated here for each breakpoint:

* ``stack-40`` is a table from 40 rem up, and blocks below; ``stack`` is always blocks;
* ``from-40`` is visible from 40 rem up, ``until-40`` below.

The dashboard shows the same results, drawn by the same code, beside other things. So there the
width that counts is that of the column they stand in (`FRAGMENT_STYLE`).
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable
from pathlib import Path

from .width import BREAKPOINTS, WIDE_MARGINS, room

__all__ = ["FRAGMENT_STYLE", "POLICY", "STYLE", "below"]
#: rules, under the condition that there is less or more room than at a breakpoint
Condition = Callable[[int, str], str]


def _file(name: str) -> str:
    return Path(__file__).with_name(name).read_text(encoding="utf-8")


def below(window: int, rules: str) -> str:
    """Rules for windows narrower than ``window`` rem, without a gap to those for wider ones."""
    return f"@media not all and (min-width: {window}rem) {{\n{rules}}}\n"


def _above(window: int, rules: str) -> str:
    return f"@media (min-width: {window}rem) {{\n{rules}}}\n"


def _column_below(window: int, rules: str) -> str:
    """Rules for columns narrower than what a window of ``window`` rem leaves for content."""
    return f"@container not (min-width: {room(window):g}rem) {{\n{rules}}}\n"


def _column_above(window: int, rules: str) -> str:
    return f"@container (min-width: {room(window):g}rem) {{\n{rules}}}\n"


def _parts(below: Condition, above: Condition) -> str:
    """The style of figures, drawings and tables, for all widths."""
    stacked = _file("stacked.css")
    rules = [_file("parts.css"), below(WIDE_MARGINS, _file("narrow.css")), stacked]
    for window in BREAKPOINTS:
        own = stacked.replace(".stack", f".stack-{window}")
        rules.append(below(window, f"{own}.from-{window} {{ display: none; }}\n"))
        rules.append(above(window, f".until-{window} {{ display: none; }}\n"))
    return "".join(rules)


STYLE = _parts(below, _above) + _file("style.css")

#: of results that stand in another page, in an element of class ``reported``
FRAGMENT_STYLE = (
    ".reported { container-type: inline-size; }\n"
    f".reported {{\n{_parts(_column_below, _column_above)}}}\n"
)

_HASH = base64.b64encode(hashlib.sha256(STYLE.encode("utf-8")).digest()).decode("ascii")

#: nothing is loaded, run or sent, and only the style above applies
POLICY = (
    f"default-src 'none'; style-src 'sha256-{_HASH}'; img-src data:; "
    "base-uri 'none'; form-action 'none'"
)
