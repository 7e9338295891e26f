"""The line of each key of a TOML text: ``tomllib`` gives values without their positions.

The text has been parsed by ``tomllib`` before, so nothing is checked here. The lines are scanned
for headers and ``key =``; what belongs to a value of several lines is skipped.
"""

from __future__ import annotations

import re
import tomllib

__all__ = ["key_lines"]

Key = tuple[str, ...]

PART = re.compile(r"""\s*("(?:[^"\\]|\\.)*"|'[^']*'|[A-Za-z0-9_-]+)\s*""")
STRINGS = re.compile(
    r'"""(?:[^\\]|\\.)*?"""|\'\'\'.*?\'\'\'|"(?:[^"\\\n]|\\.)*"|\'[^\'\n]*\'', re.DOTALL
)


def key_lines(text: str) -> dict[Key, int]:
    """The line, from 1, of each table and key. Keys inside a value have the line of that value."""
    lines: dict[Key, int] = {}
    table: Key = ()
    depth = 0
    blanked = _without_strings(text).split("\n")
    for number, (line, bare) in enumerate(zip(text.split("\n"), blanked, strict=True), 1):
        content = bare.split("#")[0]
        if depth == 0:
            if bare.strip().startswith("["):
                table = _split_key(line.strip().lstrip("["))[0]
                lines.setdefault(table, number)
                continue
            key, rest = _split_key(line)
            if key and bare[len(line) - len(rest) :].startswith("="):
                for length in range(1, len(key) + 1):
                    lines.setdefault(table + key[:length], number)
        depth += sum(content.count(c) for c in "[{") - sum(content.count(c) for c in "]}")
    return lines


def _split_key(text: str) -> tuple[Key, str]:
    """The dotted key at the start of ``text``, and the rest."""
    parts: list[str] = []
    while match := PART.match(text):
        parts += tomllib.loads(f"{match[1]} = 0")  # without the quotes and escapes of the key
        text = text[match.end() :]
        if not text.startswith("."):
            break
        text = text[1:]
    return tuple(parts), text


def _without_strings(text: str) -> str:
    """``text`` without comments and with blanked strings, so that the brackets left count."""

    def blank(match: re.Match[str]) -> str:
        return re.sub(r"[^\n]", "_", match[0])

    # One pattern for both: a quote in a comment opens no string, and a # in a string no comment.
    return re.sub(
        rf"{STRINGS.pattern}|#[^\n]*",
        lambda m: "" if m[0].startswith("#") else blank(m),
        text,
        flags=re.DOTALL,
    )
