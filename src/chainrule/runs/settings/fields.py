"""What a setting may be: one annotation gives its check, its words in an error and its JSON Schema.

Hint := bool | int | float | str | Literal[...] | Hint | Hint | tuple[Hint, ...]
      | tuple[Hint, Hint, Hint] | Mapping[str, Hint] | Annotated[Hint, Limit...]
Limit := Within(low, high) | Length(low, high) | Like(pattern, words) | About("what it does")
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

__all__ = ["About", "Length", "Like", "SettingError", "Within", "about", "converted",
           "schema_of", "words_for"]  # fmt: skip


class SettingError(ConfigError):
    """A setting that is wrong, with its dotted ``key``, so that its place can be found."""

    def __init__(self, key: str, what: str, *, where: str = "", help: str = "") -> None:
        super().__init__(what, where=where, help=help)
        self.key = key


class MisfitError(Exception):
    """A value that an annotation does not allow; of a list or table, the entry that is wrong."""

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
class Like:
    """Text that a regular expression matches as a whole; ``words`` says what that is."""

    pattern: str
    words: str


@dataclass(frozen=True)
class About:
    """What the setting does, in a few words."""

    text: str


def about(hint: Any) -> str:
    """The `About` of an annotation."""
    texts = [m.text for m in _limits(hint) if isinstance(m, About)]
    return texts[0] if texts else ""


def converted(value: Any, hint: Any, key: str) -> Any:
    """``value`` as ``hint`` says: lists become tuples, whole numbers floats; nothing else changes.

    Raises SettingError, naming ``key``, for a value that the annotation does not allow.
    """
    try:
        return _converted(value, hint)
    except MisfitError as error:
        shown = list(value) if isinstance(value, tuple) else value
        near = next((meant(str(error.value), words) for words in _literals(hint)), "")
        raise SettingError(
            key, f"`{key}` is {shown!r}", help=f"{near}expected: {words_for(hint)}"
        ) from None


def _converted(value: Any, hint: Any) -> Any:
    origin, inner = get_origin(hint), get_args(hint)
    if origin is Annotated:
        found = _converted(value, inner[0])
        for limit in inner[1:]:
            _check(found, limit)
        return found
    if origin in (Union, types.UnionType):
        return _first(value, inner)
    if origin is Literal:
        return _fits(value, any(value == word and type(value) is type(word) for word in inner))
    if origin is tuple:
        _fits(value, isinstance(value, list | tuple))
        each = [inner[0]] * len(value) if inner[-1] is Ellipsis else inner
        _fits(value, len(each) == len(value))
        return tuple(_converted(v, h) for v, h in zip(value, each, strict=True))
    if origin is not None:  # Mapping[str, Hint]
        _fits(value, isinstance(value, Mapping) and all(isinstance(k, str) for k in value))
        return {k: _converted(v, inner[1]) for k, v in value.items()}
    return _plain(value, hint)


def _plain(value: Any, hint: Any) -> Any:
    """A truth value is no number, and a number with a fraction no whole one."""
    if hint is bool:
        return _fits(value, isinstance(value, bool))
    if hint is str:
        return _fits(value, isinstance(value, str))
    number = isinstance(value, int if hint is int else int | float)
    _fits(value, number and not isinstance(value, bool))
    return hint(value)


def _first(value: Any, hints: Sequence[Any]) -> Any:
    for hint in hints:
        try:
            return _converted(value, hint)
        except MisfitError:
            continue
    raise MisfitError(value)


def _fits(value: Any, well: bool) -> Any:
    if not well:
        raise MisfitError(value)
    return value


def _check(value: Any, limit: object) -> None:
    if isinstance(limit, Within):
        _fits(value, limit.low <= value <= limit.high)
    elif isinstance(limit, Length):
        _fits(value, limit.low <= len(value) <= limit.high)
    elif isinstance(limit, Like):
        _fits(value, re.fullmatch(limit.pattern, value) is not None)


def _limits(hint: Any) -> tuple[Any, ...]:
    return get_args(hint)[1:] if get_origin(hint) is Annotated else ()


def _bare(hint: Any) -> Any:
    return get_args(hint)[0] if get_origin(hint) is Annotated else hint


def _literals(hint: Any) -> list[tuple[str, ...]]:
    """The words that are allowed somewhere in ``hint``."""
    inner = get_args(_bare(hint))
    if get_origin(_bare(hint)) is Literal:
        return [tuple(word for word in inner if isinstance(word, str))]
    return [found for part in inner if part is not Ellipsis for found in _literals(part)]


# ------------------------------------------------------------------------------- in words


def words_for(hint: Any) -> str:
    """``a number from 0 to 0.95, or "auto"``: what may stand there."""
    bare, limits = _bare(hint), _limits(hint)
    origin, inner = get_origin(bare), get_args(bare)
    if origin in (Union, types.UnionType):
        return " or ".join(words_for(part) for part in inner)
    if origin is Literal:
        words = [json.dumps(word) for word in inner]
        return words[0] if len(words) == 1 else f"one of {', '.join(words)}"
    if origin is tuple and inner[-1] is Ellipsis:
        bounds = next((m for m in limits if isinstance(m, Length)), None)
        count = f"{bounds.low:,} to {bounds.high:,} entries" if bounds else "entries"
        return f"a list of {count}, each {words_for(inner[0])}"
    if origin is tuple:
        return f"a list [{', '.join(words_for(part) for part in inner)}]"
    if origin is not None:
        return f"a table, each value {words_for(inner[1])}"
    like = next((m.words for m in limits if isinstance(m, Like)), "")
    plain = {bool: "true or false", int: "a whole number", float: "a number", str: "text"}
    return like or plain[bare] + _bounds_text(limits)


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
    bare = _bare(hint)
    found = _bare_schema(bare)
    for limit in _limits(hint):
        if isinstance(limit, About):
            found["description"] = limit.text
        elif isinstance(limit, Within):
            found["minimum"] = limit.low
            if limit.high != math.inf:
                found["maximum"] = limit.high
        elif isinstance(limit, Length):
            found |= {"minItems": limit.low, "maxItems": limit.high}
        elif isinstance(limit, Like):
            found["pattern"] = f"^(?:{limit.pattern})$"
    return found


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
