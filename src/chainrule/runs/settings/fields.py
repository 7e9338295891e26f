"""What a setting may be: its annotation gives its check, its error message and its JSON Schema.

Hint := bool | int | float | str | Literal[...] | Hint | Hint | tuple[Hint, ...]
      | tuple[Hint, Hint, Hint] | Mapping[str, Hint] | Annotated[Hint, Limit...]
Limit := Within(low, high) | Length(low, high) | Pattern(regex, words) | About("what it does")
"""

from __future__ import annotations

import json
import math
import re
import types
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from ...errors import ConfigError, meant

__all__ = ["About", "Length", "Pattern", "SettingError", "Within", "about", "convert",
           "describe_values", "schema_of"]  # fmt: skip


class SettingError(ConfigError):
    """A setting that is wrong, with its dotted ``key``, by which its position can be found."""

    def __init__(self, key: str, what: str, *, where: str = "", help: str = "") -> None:
        super().__init__(what, where=where, help=help)
        self.key = key


class MisfitError(Exception):
    """A value that an annotation does not allow; in a list or table, the entry that is wrong."""

    def __init__(self, value: Any) -> None:
        super().__init__()
        self.value = value


@dataclass(frozen=True)
class Within:
    """A number from ``low`` to ``high``, both included; NaN is outside."""

    low: float
    high: float = math.inf


@dataclass(frozen=True)
class Length:
    """A list of ``low`` to ``high`` entries."""

    low: int
    high: int


@dataclass(frozen=True)
class Pattern:
    """Text that a regular expression matches as a whole; ``words`` describe such a text."""

    regex: str
    words: str


@dataclass(frozen=True)
class About:
    """What a setting does, in a few words."""

    text: str


def about(hint: Any) -> str:
    """The text of the `About` in an annotation; empty if it has none."""
    texts = [m.text for m in _limits(hint) if isinstance(m, About)]
    return texts[0] if texts else ""


def convert(value: Any, hint: Any, key: str) -> Any:
    """``value`` as ``hint`` says: lists become tuples, whole numbers floats, and a text where a
    list of texts is expected a list of one; nothing else changes.

    Raises SettingError, naming ``key``, for a value that the annotation does not allow.
    """
    try:
        return _convert(value, hint)
    except MisfitError as error:
        given = list(value) if isinstance(value, tuple) else value
        suggestion = next((meant(str(error.value), words) for words in _literals(hint)), "")
        if isinstance(error.value, Mapping) and isinstance(value, Mapping):
            suggestion = _quoted_name(value, key)
        raise SettingError(
            key, f"`{key}` is {given!r}", help=f"{suggestion}expected: {describe_values(hint)}"
        ) from None


def _quoted_name(value: Mapping[str, Any], key: str) -> str:
    """How to write a name with a point, which was taken for a table in a table."""
    names, inner = [], value
    while len(inner) == 1:
        ((name, deeper),) = inner.items()
        names.append(name)
        if not isinstance(deeper, Mapping):
            dotted = json.dumps(".".join(names), ensure_ascii=False)
            return f"quote a name that has a point: '{key}.{dotted}={deeper}'; "
        inner = deeper
    return ""


def _convert(value: Any, hint: Any) -> Any:
    origin, inner = get_origin(hint), get_args(hint)
    if origin is Annotated:
        result = _convert(value, inner[0])
        for limit in inner[1:]:
            _check(result, limit)
        return result
    if origin in (Union, types.UnionType):
        return _convert_to_first(value, inner)
    if origin is Literal:
        return _require(value, any(value == word and type(value) is type(word) for word in inner))
    if origin is tuple:
        if inner == (str, ...) and isinstance(value, str):
            value = [value]
        _require(value, isinstance(value, list | tuple))
        entry_hints = [inner[0]] * len(value) if inner[-1] is Ellipsis else inner
        _require(value, len(entry_hints) == len(value))
        return tuple(_convert(v, h) for v, h in zip(value, entry_hints, strict=True))
    if origin is not None:  # Mapping[str, Hint]
        _require(value, isinstance(value, Mapping) and all(isinstance(k, str) for k in value))
        return {k: _convert(v, inner[1]) for k, v in value.items()}
    return _convert_plain(value, hint)


def _convert_plain(value: Any, hint: Any) -> Any:
    """A truth value is not a number, and a number with a fraction not a whole one."""
    if hint is bool:
        return _require(value, isinstance(value, bool))
    if hint is str:
        return _require(value, isinstance(value, str))
    number = isinstance(value, int if hint is int else int | float)
    _require(value, number and not isinstance(value, bool))
    return hint(value)


def _convert_to_first(value: Any, hints: Sequence[Any]) -> Any:
    for hint in hints:
        try:
            return _convert(value, hint)
        except MisfitError:
            continue
    raise MisfitError(value)


def _require(value: Any, condition: bool) -> Any:
    if not condition:
        raise MisfitError(value)
    return value


def _check(value: Any, limit: object) -> None:
    if isinstance(limit, Within):
        _require(value, limit.low <= value <= limit.high)
    elif isinstance(limit, Length):
        _require(value, limit.low <= len(value) <= limit.high)
    elif isinstance(limit, Pattern):
        _require(value, re.fullmatch(limit.regex, value) is not None)


def _limits(hint: Any) -> tuple[Any, ...]:
    return get_args(hint)[1:] if get_origin(hint) is Annotated else ()


def _bare(hint: Any) -> Any:
    return get_args(hint)[0] if get_origin(hint) is Annotated else hint


def _literals(hint: Any) -> list[tuple[str, ...]]:
    """The words of each Literal in ``hint``."""
    inner = get_args(_bare(hint))
    if get_origin(_bare(hint)) is Literal:
        return [tuple(word for word in inner if isinstance(word, str))]
    return [words for part in inner if part is not Ellipsis for words in _literals(part)]


# ------------------------------------------------------------------------------- in words


def describe_values(hint: Any) -> str:
    """The values that ``hint`` allows: ``a number from 0 to 0.95 or "auto"``."""
    bare, limits = _bare(hint), _limits(hint)
    origin, inner = get_origin(bare), get_args(bare)
    if origin in (Union, types.UnionType):
        return " or ".join(describe_values(part) for part in inner)
    if origin is Literal:
        words = [json.dumps(word) for word in inner]
        return words[0] if len(words) == 1 else f"one of {', '.join(words)}"
    if origin is tuple and inner[-1] is Ellipsis:
        bounds = next((m for m in limits if isinstance(m, Length)), None)
        count = f"{bounds.low:,} to {bounds.high:,} entries" if bounds else "entries"
        return f"a list of {count}, each {describe_values(inner[0])}"
    if origin is tuple:
        return f"a list [{', '.join(describe_values(part) for part in inner)}]"
    if origin is not None:
        return f"a table, each value {describe_values(inner[1])}"
    pattern = next((m.words for m in limits if isinstance(m, Pattern)), "")
    plain = {bool: "true or false", int: "a whole number", float: "a number", str: "text"}
    return pattern or plain[bare] + _bounds_text(limits)


def _bounds_text(limits: tuple[Any, ...]) -> str:
    for limit in limits:
        if isinstance(limit, Within):
            high = "" if limit.high == math.inf else f" to {_number(limit.high)}"
            return f" from {_number(limit.low)}{high}"
    return ""


def _number(value: float) -> str:
    return f"{value:,}" if isinstance(value, int) else f"{value:g}"


# ---------------------------------------------------------------------------- as JSON Schema


def schema_of(hint: Any) -> dict[str, Any]:
    """The JSON Schema (2020-12) of the values that ``hint`` allows."""
    schema = _bare_schema(_bare(hint))
    for limit in _limits(hint):
        if isinstance(limit, About):
            schema["description"] = limit.text
        elif isinstance(limit, Within):
            schema["minimum"] = limit.low
            if limit.high != math.inf:
                schema["maximum"] = limit.high
        elif isinstance(limit, Length):
            schema |= {"minItems": limit.low, "maxItems": limit.high}
        elif isinstance(limit, Pattern):
            schema["pattern"] = f"^(?:{limit.regex})$"
    return schema


def _bare_schema(hint: Any) -> dict[str, Any]:
    origin, inner = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        return {"anyOf": [schema_of(part) for part in inner]}
    if origin is Literal:
        return {"enum": list(inner)}
    if origin is tuple and inner[-1] is Ellipsis:
        return {"type": "array", "items": schema_of(inner[0])}
    if origin is tuple:
        parts = [schema_of(part) for part in inner]
        return {"type": "array", "prefixItems": parts, "minItems": len(parts),
                "maxItems": len(parts)}  # fmt: skip
    if origin is not None:
        return {"type": "object", "additionalProperties": schema_of(inner[1])}
    return {"type": {bool: "boolean", int: "integer", float: "number", str: "string"}[hint]}
