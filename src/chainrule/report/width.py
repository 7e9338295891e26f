"""How wide texts and tables are, and from which width of the window on they fit.

A page without scripts cannot measure itself, so widths are estimated here, rather too wide than too
narrow, and the style knows a few widths of the window at which something else is shown: a table
that does not fit has each of its rows as a small block instead. The smallest window counted with
is `NARROWEST`.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence

from .markup import Markup, element, joined

__all__ = ["BREAKPOINTS", "NARROWEST", "abbreviated", "breakable", "characters", "first_that_fits",
           "longest_piece", "room", "text_width"]  # fmt: skip

NARROWEST = 22.5  # rem: 360 pixels
#: widths of the window, in rem, at which the style may change
BREAKPOINTS = (30, 40, 54)
#: from here on the margins are wide
WIDE_MARGINS = 40
SCROLLBAR = 1.0
CHARACTER = 0.64  # em: a digit of DejaVu Sans, which is wider than most
LONGEST_PIECE = 14  # longer words may be divided

ELLIPSIS = "\N{HORIZONTAL ELLIPSIS}"
#: a word is divided behind these, or before a capital letter, rather than anywhere
SEAMS = re.compile(r"(?<=[_\-/.,:;=@|])(?=.)|(?<=[a-z0-9])(?=[A-Z])")
JOINER = "\N{ZERO WIDTH JOINER}"


def room(window: float) -> float:
    """The width that a window of so many rem leaves for what stands on the page."""
    margin = 1.5 if window >= WIDE_MARGINS else 1.0
    return window - 2 * margin - SCROLLBAR


def first_that_fits(width: float) -> int | None:
    """The breakpoint from which on ``width`` rem fit; 0 is everywhere, None is nowhere."""
    if width <= room(NARROWEST):
        return 0
    return next((window for window in BREAKPOINTS if width <= room(window)), None)


def characters(text: str) -> int:
    """How many characters wide a text is; those of Chinese, Japanese and Korean count twice."""
    return sum(
        0 if _belongs_to_last(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1
        for c in text
    )


def text_width(text: str, size: float) -> float:
    """The width in rem of a text that stays on one line, in letters of ``size`` rem."""
    return CHARACTER * size * characters(text)


def longest_piece(text: str) -> int:
    """The characters of the longest piece of a text that no line end divides."""
    return max((characters(piece) for word in text.split() for piece in _pieces(word)), default=0)


def breakable(text: str) -> Markup:
    """A text whose long words may be divided, at their seams if they have any."""
    parts = re.split(r"(\s+)", text)
    return joined(*(joined(*_pieces(part), between=element("wbr")) for part in parts))


def _pieces(word: str) -> list[str]:
    """A word, or the pieces of a long one; at most `LONGEST_PIECE` characters each."""
    if characters(word) <= LONGEST_PIECE:
        return [word]
    pieces = [""]
    for part in SEAMS.split(word):
        if characters(pieces[-1] + part) <= LONGEST_PIECE:
            pieces[-1] += part
            continue
        pieces.append("")
        for character in part:
            full = characters(pieces[-1] + character) > LONGEST_PIECE
            if full and not _belongs_to_last(character) and not pieces[-1].endswith(JOINER):
                pieces.append("")
            pieces[-1] += character
    return [piece for piece in pieces if piece]


def _belongs_to_last(character: str) -> bool:
    """Whether a character is drawn onto the one before, like an accent."""
    return unicodedata.category(character) in ("Mn", "Me", "Cf")


def abbreviated(names: Sequence[str], most: int) -> list[str]:
    """Names of at most ``most`` characters: the beginning and the end of long ones. Where two would
    become the same, each long one begins with its number.
    """
    short = [_middle_left_out(name, most) for name in names]
    if len(set(short)) == len(set(names)):
        return short
    return [
        name if name == text else _middle_left_out(f"{i} {name}", most)
        for i, (name, text) in enumerate(zip(names, short, strict=True), 1)
    ]


def _middle_left_out(name: str, most: int) -> str:
    if characters(name) <= most:
        return name
    tail = (most - 1) // 3
    return f"{_up_to(name, most - 1 - tail)}{ELLIPSIS}{_up_to(name[::-1], tail)[::-1]}"


def _up_to(text: Iterable[str], most: int) -> str:
    kept = ""
    for character in text:
        if characters(kept + character) > most:
            break
        kept += character
    return kept
