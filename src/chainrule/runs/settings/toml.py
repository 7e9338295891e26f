"""Writing TOML, which the standard library only reads.

    Document := (key, Value)* then tables; Value := str | bool | int | float | list | {}

Dicts become tables, ``[train.optimizer]``; inside lists they are written inline.
``tomllib.loads(dumps(d)) == d``.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

__all__ = ["dumps", "key_text", "value_text"]

BARE = re.compile(r"[A-Za-z0-9_-]+")

Key = tuple[str, ...]


def dumps(document: Mapping[str, Any], comments: Mapping[Key, str] | None = None) -> str:
    """``document`` as TOML: plain values first, then one ``[table]`` for each dict.

    ``comments`` are written behind the values, by key.
    """
    return "\n\n".join(_tables(document, (), comments or {})) + "\n"


def _tables(table: Mapping[str, Any], key: Key, comments: Mapping[Key, str]) -> Iterator[str]:
    inner = {k: v for k, v in table.items() if isinstance(v, Mapping) and v}
    lines = [f"[{key_text(key)}]"] if key else []
    for name, value in table.items():
        if name not in inner:
            comment = comments.get((*key, name), "")
            line = f"{_part_text(name)} = {value_text(value)}"
            lines.append(f"{line}  # {comment}" if comment else line)
    if len(lines) > bool(key) or not inner:
        yield "\n".join(lines)
    for name, value in inner.items():
        yield from _tables(value, (*key, name), comments)


def key_text(key: Key) -> str:
    """A dotted key, quoted where it must be."""
    return ".".join(map(_part_text, key))


def _part_text(part: str) -> str:
    return part if BARE.fullmatch(part) else _text(part)


def _text(text: str) -> str:
    # JSON's escapes are TOML's; only DEL is allowed in JSON and not in TOML.
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def value_text(value: Any) -> str:
    """One value as TOML."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        # repr is the shortest text that reads back to the same bits; 1e20 is a float in TOML too.
        return repr(value) if math.isfinite(value) else repr(value).replace("infinity", "inf")
    if isinstance(value, Mapping):
        inner = ", ".join(f"{_part_text(k)} = {value_text(v)}" for k, v in value.items())
        return f"{{ {inner} }}" if inner else "{}"
    if isinstance(value, Sequence):
        return f"[{', '.join(map(value_text, value))}]"
    raise TypeError(f"TOML has no {type(value).__name__}")
