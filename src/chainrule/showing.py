"""Texts that others wrote, shown to people: names of columns, classes and files.

A terminal obeys what is printed on it. Control characters, half characters and marks that turn the
direction of writing around are shown as escapes, so that a name is only ever read.
"""

from __future__ import annotations

import re

__all__ = ["cell_text", "escaped_json", "spreadsheet_text", "visible", "whole_text"]

# C0 without tab and new line, DEL and C1; line and paragraph separators; marks of direction; halves
# of characters, which no stream can write.
_UNSEEN = r"\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"
_UNSAFE = re.compile(f"[{_UNSEEN}\ud800-\udfff]")
_HALVES = re.compile("[\ud800-\udfff]")
#: how formulas begin
_RUNS = "=+-@\t\r"
_NUMBER = re.compile(r"[+-]?(\d[\d_ ,.]*|\.\d+)(e[+-]?\d+)?|[+-](inf|nan|infinity)", re.I)
_LINES = re.compile(r"[\t\n]+")


def visible(text: str) -> str:
    """``text`` with what a terminal would obey as escapes: ``\\x1b[31m``. Lines stay lines."""
    return _UNSAFE.sub(_escape, text)


def cell_text(text: str) -> str:
    """`visible`, on one line."""
    return _LINES.sub(" ", visible(text))


def escaped_json(text: str) -> str:
    """JSON with the same meaning that is safe to print: escapes are JSON's own."""
    return _UNSAFE.sub(lambda character: f"\\u{ord(character[0]):04x}", text)


def spreadsheet_text(text: str) -> str:
    """``text`` for a csv, with ``'`` in front of what a spreadsheet would run as a formula.

    Numbers and single signs stay as they are. No half of a character is left.
    """
    risky = len(text) > 1 and text[0] in _RUNS and not _NUMBER.fullmatch(text)
    return whole_text(f"'{text}" if risky else text)


def whole_text(text: str) -> str:
    """``text`` with halves of characters, as file names may have, as escapes: any file takes it."""
    return _HALVES.sub(_escape, text)


def _escape(character: re.Match[str]) -> str:
    code = ord(character[0])
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"
