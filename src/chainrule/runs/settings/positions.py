"""Where each key of a TOML text stands: the standard reader gives values without positions.

The text has been read by ``tomllib`` before, so this need not check anything. It goes through the
lines, knows headers and ``key =``, and skips what belongs to a value of several lines.
"""

from __future__ import annotations

import re
import tomllib

__all__ = ["lines_of"]

Path = tuple[str, ...]

PART = re.compile(r"""\s*("(?:[^"\\]|\\.)*"|'[^']*'|[A-Za-z0-9_-]+)\s*""")
STRINGS = re.compile(
    r'"""(?:[^\\]|\\.)*?"""|\'\'\'.*?\'\'\'|"(?:[^"\\\n]|\\.)*"|\'[^\'\n]*\'', re.DOTALL
)


def lines_of(text: str) -> dict[Path, int]:
    """The line, from 1, of each table and key. Keys inside a value have their value's line."""
    found: dict[Path, int] = {}
    table: Path = ()
    depth = 0
    plain = _without_strings(text).split("\n")
    for number, (line, bare) in enumerate(zip(text.split("\n"), plain, strict=True), 1):
        content = bare.split("#")[0]
        if depth == 0:
            if bare.strip().startswith("["):
                table = _key(line.strip().lstrip("["))[0]
                found.setdefault(table, number)
                continue
            key, after = _key(line)
            if key and bare[len(line) - len(after) :].startswith("="):
                for length in range(1, len(key) + 1):
                    found.setdefault(table + key[:length], number)
        depth += sum(content.count(c) for c in "[{") - sum(content.count(c) for c in "]}")
    return found


def _key(text: str) -> tuple[Path, str]:
    """The dotted key at the start of ``text``, and what follows it."""
    parts: list[str] = []
    while match := PART.match(text):
        parts += tomllib.loads(f"{match[1]} = 0")  # the quotes and escapes of a key are gone
        text = text[match.end() :]
        if not text.startswith("."):
            break
        text = text[1:]
    return tuple(parts), text


def _without_strings(text: str) -> str:
    """``text`` with the inside of strings blanked, line ends kept, so that brackets count."""

    def blank(match: re.Match[str]) -> str:
        return re.sub(r"[^\n]", "_", match[0])

    # A quote in a comment opens no string: comments go first, unless a string holds the #.
    return re.sub(
        rf"{STRINGS.pattern}|#[^\n]*",
        lambda m: "" if m[0].startswith("#") else blank(m),
        text,
        flags=re.DOTALL,
    )
