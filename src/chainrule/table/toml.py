"""Writing TOML: the standard library reads it, so this is the other half.

    Document := (key, Value)* then tables; Value := str | bool | int | float | list | dict

A dict inside a table becomes an inline table. ``tomllib.loads(dumps(d)) == d``.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

__all__ = ["dumps"]

BARE = re.compile(r"[A-Za-z0-9_-]+")


def dumps(document: Mapping[str, Any]) -> str:
    """``document`` as TOML: plain values first, then one ``[table]`` for each dict."""
    plain = {k: v for k, v in document.items() if not isinstance(v, Mapping)}
    parts = ["\n".join(_line(k, v) for k, v in plain.items())] if plain else []
    for name, table in document.items():
        if isinstance(table, Mapping):
            lines = [f"[{_key(name)}]", *(_line(k, v) for k, v in table.items())]
            parts.append("\n".join(lines))
    return "\n\n".join(parts) + "\n"


def _line(key: str, value: Any) -> str:
    return f"{_key(key)} = {_value(value)}"


def _key(key: str) -> str:
    return key if BARE.fullmatch(key) else _text(key)


def _text(text: str) -> str:
    # JSON's escapes are TOML's; only DEL is allowed in JSON and not in TOML.
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _value(value: Any) -> str:
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
        inner = ", ".join(f"{_key(k)} = {_value(v)}" for k, v in value.items())
        return f"{{ {inner} }}" if inner else "{}"
    if isinstance(value, Sequence):
        return f"[{', '.join(map(_value, value))}]"
    raise TypeError(f"TOML has no {type(value).__name__}")
