"""The widths of texts and tables, and the smallest window in which they fit.

A page without scripts cannot measure itself, so widths are estimated here, rather too large than
too small. At a few widths of the window the style changes: a table that does not fit shows each of
its rows as a small block instead. The narrowest window considered is `NARROWEST`.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence

from ..markup import Markup, element, joined

__all__ = ["BREAKPOINTS", "NARROWEST", "abbreviated", "breakable", "characters", "first_that_fits",
           "longest_piece", "room", "text_width"]  # fmt: skip

NARROWEST = 22.5  # rem: 360 pixels
#: widths of the window, in rem, at which the style may change
BREAKPOINTS = (30, 40, 54)
#: rem, from which the margins are wide
WIDE_MARGINS = 40
SCROLLBAR = 1.0
CHARACTER = 0.64  # em: a digit of DejaVu Sans, which is wider than most
LONGEST_PIECE = 14  # characters: longer words may be broken

ELLIPSIS = "\N{HORIZONTAL ELLIPSIS}"
#: a word is broken after these, or before a capital letter, rather than anywhere
SEAMS = re.compile(r"(?<=[_\-/.,:;=@|])(?=.)|(?<=[a-z0-9])(?=[A-Z])")
JOINER = "\N{ZERO WIDTH JOINER}"


def room(window: float) -> float:
    """The width in rem that a window of ``window`` rem leaves for content."""
    margin = 1.5 if window >= WIDE_MARGINS else 1.0
    return window - 2 * margin - SCROLLBAR


def first_that_fits(width: float) -> int | None:
    """The first breakpoint at which ``width`` rem fit; 0 is everywhere, None is nowhere."""
    if width <= room(NARROWEST):
        return 0
    return next((window for window in BREAKPOINTS if width <= room(window)), None)


def characters(text: str) -> int:
    """The width of a text in characters; Chinese, Japanese and Korean ones count twice."""
    return sum(
        0 if _is_combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text
    )


def text_width(text: str, size: float) -> float:
    """The width in rem of a text on one line, in letters of ``size`` rem."""
    return CHARACTER * size * characters(text)


def longest_piece(text: str) -> int:
    """The characters of the longest piece of a text that no line break divides."""
    return max((characters(piece) for word in text.split() for piece in _pieces(word)), default=0)


def breakable(text: str) -> Markup:
    """A text whose long words may be broken, at their seams if they have any."""
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
            if full and not _is_combining(character) and not pieces[-1].endswith(JOINER):
                pieces.append("")
            pieces[-1] += character
    return [piece for piece in pieces if piece]


def _is_combining(character: str) -> bool:
    """Whether a character is drawn onto the previous one, like an accent."""
    return unicodedata.category(character) in ("Mn", "Me", "Cf")


def abbreviated(names: Sequence[str], most: int) -> list[str]:
    """Names of at most ``most`` characters: of long ones, the beginning and the end. If two would
    be the same, each long one begins with its number.
    """
    short = [_without_middle(name, most) for name in names]
    if len(set(short)) == len(set(names)):
        return short
    return [
        name if name == text else _without_middle(f"{i} {name}", most)
        for i, (name, text) in enumerate(zip(names, short, strict=True), 1)
    ]


def _without_middle(name: str, most: int) -> str:
    if characters(name) <= most:
        return name
    tail = (most - 1) // 3
    return f"{_prefix(name, most - 1 - tail)}{ELLIPSIS}{_prefix(name[::-1], tail)[::-1]}"


def _prefix(text: Iterable[str], most: int) -> str:
    prefix = ""
    for character in text:
        if characters(prefix + character) > most:
            break
        prefix += character
    return prefix
