"""What users say about a space: the table ``[tune]`` of a ``run.toml``, or a file of its own.

"train.lr" = { low = 1e-4, high = 0.1, log = true }
"train.batch_size" = { choices = [32, 64, 128] }
"model.layers" = { depth = { low = 1, high = 3 }, width = { low = 32, high = 128, step = 32 } }
"model.dropout" = false     # keeps its value
only = true                 # nothing is varied but what is here
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..errors import ConfigError
from ..records import parsed_toml
from ..runs.settings.fields import SettingError
from ..runs.settings.positions import key_lines
from ..runs.settings.sources import Key
from ..runs.space import Dimension, Interval, Number, OneOf, Stack

__all__ = ["NO_SPACE", "UserSpace", "file_space", "python_space", "run_space"]

TABLE = "tune"
FORMS = (
    'write { low = 0.1, high = 0.5 } with log = true or step = 2 if need be, { choices = ["a", "b"]'
    " }, { depth = {...}, width = {...} } for a list of equal numbers, or false to keep the setting"
)


@dataclass(frozen=True)
class UserSpace:
    """``dimensions`` by key, None for settings that are not varied; with ``only``, none of the
    usual ones are. ``lines`` and ``where`` say where each stands."""

    dimensions: Mapping[Key, Dimension | None] = field(default_factory=dict)
    only: bool = False
    lines: Mapping[Key, str] = field(default_factory=dict)
    where: str = ""

    @contextlib.contextmanager
    def located(self, key: Key) -> Iterator[None]:
        """Inside, errors say where the dimension of ``key`` stands."""
        try:
            yield
        except ConfigError as error:
            raise SettingError(
                ".".join(key), error.what, where=self.lines.get(key, self.where), help=error.help
            ) from None


NO_SPACE = UserSpace()


def file_space(path: Path) -> UserSpace:
    """A file with the keys of the table. ConfigError for one that cannot be read or used."""
    return _from_text(_text(path), str(path), inside=False)


def run_space(path: Path) -> UserSpace:
    """The table ``[tune]`` of a ``run.toml``; nothing without one."""
    return _from_text(_text(path), str(path), inside=True)


def python_space(table: Mapping[str, Any]) -> UserSpace:
    """A space that was given in Python, like the table."""
    return _read(table, {}, "argument space")


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8"
        raise ConfigError(
            f"{path} cannot be read: {reason}",
            help="chainrule tune --show-space DATA prints one to begin with",
        ) from None


def _from_text(text: str, where: str, inside: bool) -> UserSpace:
    try:
        document = parsed_toml(text)
    except ValueError as error:
        raise ConfigError(f"not TOML: {error}", where=where) from None
    lines = {key: f"{where}:{line}" for key, line in key_lines(text).items()}
    if inside or TABLE in document:
        document = document.get(TABLE, {})
        lines = {key[1:]: line for key, line in lines.items() if key[0] == TABLE}
        if not isinstance(document, Mapping):
            raise SettingError(TABLE, f"`{TABLE}` is not a table", where=where, help="write [tune]")
    return _read(document, lines, where)


def _read(document: Mapping[str, Any], lines: Mapping[Key, str], where: str) -> UserSpace:
    dimensions: dict[Key, Dimension | None] = {}
    positions: dict[Key, str] = {}
    only = document.get("only", False)
    if not isinstance(only, bool):
        raise SettingError("tune.only", f"`only` is {only!r}", where=lines.get(("only",), where),
                           help="expected: true or false")  # fmt: skip
    for written, value in _leaves({k: v for k, v in document.items() if k != "only"}):
        key = tuple(part for name in written for part in name.split("."))
        position = next(
            (lines[written[:n]] for n in range(len(written), 0, -1) if written[:n] in lines), where
        )
        dimensions[key] = _dimension(key, value, position)
        positions[key] = position
    return UserSpace(dimensions, only, positions, where)


def _leaves(table: Mapping[str, Any], above: Key = ()) -> Iterator[tuple[Key, Any]]:
    for name, value in table.items():
        key = (*above, name)
        if isinstance(value, Mapping) and not _is_form(value):
            yield from _leaves(value, key)
        else:
            yield key, value


def _is_form(value: Mapping[str, Any]) -> bool:
    scalars = not any(isinstance(value.get(k), Mapping) for k in ("low", "high", "choices"))
    named = bool({"low", "high", "choices"} & set(value)) and scalars
    return named or {"depth", "width"} == set(value) or not value


def _dimension(key: Key, value: Any, position: str) -> Dimension | None:
    if value is False:
        return None
    if isinstance(value, Mapping):
        form = set(value)
        if form == {"choices"} and isinstance(value["choices"], list | tuple) and value["choices"]:
            return OneOf(*value["choices"])
        if form == {"depth", "width"}:
            parts = [_number(key, value[name], position) for name in ("depth", "width")]
            if all(part.whole and part.low >= 1 for part in parts):
                return Stack(*parts)
        elif {"low", "high"} <= form <= {"low", "high", "log", "step"}:
            return Interval(_number(key, value, position))
    raise _unusable(key, value, position)


def _number(key: Key, value: Any, position: str) -> Number:
    if not isinstance(value, Mapping) or not {"low", "high"} <= set(value):
        raise _unusable(key, value, position)
    low, high = value["low"], value["high"]
    log, step = value.get("log", False), value.get("step", 1)
    numbers = all(isinstance(v, int | float) and not isinstance(v, bool) for v in (low, high))
    whole = type(low) is int and type(high) is int
    fits = numbers and low < high and isinstance(log, bool) and type(step) is int and step >= 1
    if not fits or (log and low <= 0) or (step > 1 and (log or not whole)):
        raise _unusable(key, dict(value), position)
    return Number(low, high, log, step) if whole else Number(float(low), float(high), log)


def _unusable(key: Key, value: Any, position: str) -> SettingError:
    name = ".".join(key)
    return SettingError(name, f"`{name}` cannot be varied by {value!r}", where=position, help=FORMS)
