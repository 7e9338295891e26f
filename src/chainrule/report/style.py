"""The style of the page: one column of text, one accent colour, for light, dark and print.

The page's security policy allows this style alone, by its hash. What changes with the width of the
window is written once in ``stacked.css`` and repeated here for each breakpoint:

* ``stack-40`` is a table from 40 rem up, and blocks below; ``stack`` is always blocks;
* ``from-40`` is visible from 40 rem up, ``until-40`` below.
"""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path

from .width import BREAKPOINTS

__all__ = ["POLICY", "STYLE", "below"]


def _file(name: str) -> str:
    return Path(__file__).with_name(name).read_text(encoding="utf-8")


def below(window: int, rules: str) -> str:
    """Rules for windows narrower than ``window`` rem, without a gap to those for wider ones."""
    return f"@media not all and (min-width: {window}rem) {{\n{rules}}}\n"


def _style() -> str:
    stacked = _file("stacked.css")
    parts = [_file("style.css"), stacked]
    for window in BREAKPOINTS:
        rules = stacked.replace(".stack", f".stack-{window}")
        parts.append(below(window, f"{rules}.from-{window} {{ display: none; }}\n"))
        parts.append(
            f"@media (min-width: {window}rem) {{\n.until-{window} {{ display: none; }}\n}}\n"
        )
    return "".join(parts)


STYLE = _style()

_HASH = base64.b64encode(hashlib.sha256(STYLE.encode("utf-8")).digest()).decode("ascii")

#: nothing is loaded, run or sent, and only the style above applies
POLICY = (
    f"default-src 'none'; style-src 'sha256-{_HASH}'; img-src data:; "
    "base-uri 'none'; form-action 'none'"
)
