"""Where settings come from, and which win: defaults < file < environment < Python or command line.

A `Source` holds values by key, and the position of each. `gather` lays sources over one another.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Generic, TypeVar

from ...config import SETTINGS
from ...errors import ConfigError
from ...records import parsed_toml
from .document import RunSettings
from .fields import SettingError
from .positions import key_lines
from .section import Choice
from .sections import ObserveSettings
from .toml import value_text
from .training import AverageSettings, OptimizerSettings, ScheduleSettings

__all__ = ["PRESET", "Gathered", "Key", "Source", "from_environment", "from_file", "from_overrides",
           "gather", "usual"]  # fmt: skip

Key = tuple[str, ...]
W = TypeVar("W", bound=RunSettings)

#: short and former names of settings
ALIASES: Mapping[Key, Key] = {
    ("train", "weight_decay"): ("train", "optimizer", "weight_decay"),
    ("train", "optimizer", "lr"): ("train", "lr"),
    ("train", "patience"): ("train", "early_stopping", "patience"),
}
CHOICES: tuple[type[Choice], ...] = (
    OptimizerSettings, ScheduleSettings, AverageSettings, ObserveSettings,
)  # fmt: skip
_NAMES: Mapping[Key, Key] = {
    **{tuple(c.TABLE.split(".")): (*c.TABLE.split("."), c.KEY) for c in CHOICES},
    ("model",): ("model", "name"),  # of runs on images
}
PRESET: Key = ("preset",)
#: settings that name files
PATHS: tuple[Key, ...] = (("data", "path"), ("data", "test"), ("data", "valid"),
                          ("data", "parallel"))  # fmt: skip


@dataclass(frozen=True)
class Source:
    """``values`` by key, and the ``positions`` at which they stand, for errors and ``--origin``."""

    values: Mapping[Key, Any]
    positions: Mapping[Key, str] = field(default_factory=dict)

    @classmethod
    def of(cls, document: Mapping[str, Any], positions: Mapping[Key, str]) -> Source:
        """From nested tables; aliases are replaced by the full keys."""
        values: dict[Key, Any] = {}
        full_positions = dict(positions)
        for key, value in _leaves(document):
            full = _full_key(key, value)
            if full in values and values[full] != value:
                raise SettingError(
                    ".".join(key),
                    f"`{'.'.join(key)}` and `{'.'.join(full)}` are one setting with two values",
                    where=_position(positions, key),
                    help="leave one of them out",
                )
            values[full] = value
            if full != key:
                full_positions[full] = _position(positions, key)
        return cls(values, full_positions)


@dataclass(frozen=True)
class Gathered(Generic[W]):
    """Settings, and the origin of each value that is not a default."""

    settings: W
    origins: Mapping[Key, str]


def gather(sources: Iterable[Source], root: type[W]) -> Gathered[W]:
    """The settings of class ``root`` that ``sources`` give; later sources win.

    A source that names another optimizer, schedule or average drops what earlier ones said about
    the settings of the previous one. The last source that names a preset has its values below its
    own. Raises ConfigError, with the position, for every mistake.
    """
    values: dict[Key, Any] = {}
    positions: dict[Key, str] = {}
    for source in _with_preset(list(sources), root):
        for section, name in _NAMES.items():
            if name in source.values and source.values[name] != values.get(name):
                dropped = [key for key in values if key[: len(section)] == section]
                for key in dropped:
                    del values[key]
        values |= source.values
        positions |= source.positions
    try:
        settings = root.read(_nested(values, positions))
    except SettingError as error:
        position = _position(positions, tuple(error.key.split(".")))
        raise SettingError(error.key, error.what, where=error.where or position,
                           help=error.help) from None  # fmt: skip
    return Gathered(settings, {key: _position(positions, key) for key in values})


def usual(root: type[RunSettings]) -> list[Source]:
    """What comes first in a training that no file describes: its usual preset, if it has one."""
    name = root.USUAL_PRESET
    return [Source({PRESET: name}, {PRESET: "default"})] if name else []


def _with_preset(sources: list[Source], root: type[RunSettings]) -> list[Source]:
    """The sources, and the values of the last preset in front of the one that names it."""
    for i in reversed(range(len(sources))):
        name = sources[i].values.get(PRESET)
        if name is None:
            continue
        known = root.PRESETS.get(name, {}) if isinstance(name, str) else {}
        preset = Source(known, dict.fromkeys(known, f"preset {name}"))
        return [*sources[:i], preset, *sources[i:]]
    return sources


def from_file(path: Path, relative: bool = False) -> Source:
    """A ``run.toml``. Paths in it are relative to its folder, and are rewritten relative to the
    working folder unless ``relative``."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8"
        raise ConfigError(
            f"{path} cannot be read: {reason}",
            help="chainrule init DATA --target COLUMN writes one",
        ) from None
    source = from_text(text, str(path))
    if relative:
        return source
    moved = {key: _beside(path, source.values.get(key)) for key in PATHS}
    return replace(source, values={**source.values, **{k: v for k, v in moved.items() if v}})


def _beside(path: Path, data: object) -> str | None:
    """The path of data beside the file at ``path``, from the working folder; None if not there."""
    if not isinstance(data, str) or not data or Path(data).is_absolute():
        return None
    beside = path.parent / data
    return str(beside) if beside.exists() else None


def from_text(text: str, where: str) -> Source:
    """TOML text; ``where`` names it in errors."""
    try:
        document = parsed_toml(text)
    except ValueError as error:
        raise ConfigError(f"not TOML: {error}", where=where) from None
    positions = {key: f"{where}:{line}" for key, line in key_lines(text).items()}
    return Source.of(document, {(): where, **positions})


def from_overrides(overrides: Sequence[str], where: str) -> Source:
    """``("train.lr=0.003", "data.columns.zip=category")``: values are TOML, or else text."""
    sources: list[Source] = []
    for override in overrides:
        key, equals, value = override.partition("=")
        if not equals or not key.strip():
            raise ConfigError(
                f"{override!r} is not KEY=VALUE", where=where, help="for example train.lr=0.003"
            )
        sources.append(Source.of(_parse(key.strip(), value.strip(), where), {(): where}))
    values = {k: v for source in sources for k, v in source.values.items()}
    return Source(values, dict.fromkeys(((), *values), where))


def from_environment() -> Source:
    """The overrides in the environment variable CHAINRULE_SETTINGS."""
    return from_overrides(SETTINGS.read(), f"environment variable {SETTINGS.name}")


def _parse(key: str, value: str, where: str) -> dict[str, Any]:
    for text in (value, value_text(value)):
        try:
            return parsed_toml(f"{key} = {text}")
        except ValueError:
            continue
    raise ConfigError(
        f"{key!r} is not the name of a setting", where=where, help="for example train.lr=0.003"
    )


def _leaves(document: Mapping[str, Any], above: Key = ()) -> list[tuple[Key, Any]]:
    leaves: list[tuple[Key, Any]] = []
    for name, value in document.items():
        inner = isinstance(value, Mapping) and value
        leaves += _leaves(value, (*above, name)) if inner else [((*above, name), value)]
    return leaves


def _full_key(key: Key, value: object) -> Key:
    if key in _NAMES and isinstance(value, str):
        return _NAMES[key]
    return ALIASES.get(key, key)


def _nested(values: Mapping[Key, Any], positions: Mapping[Key, str]) -> dict[str, Any]:
    document: dict[str, Any] = {}
    for key, value in values.items():
        table = document
        for depth, part in enumerate(key[:-1]):
            inner = table.setdefault(part, {})
            if not isinstance(inner, dict):
                name = ".".join(key[: depth + 1])
                raise SettingError(
                    name, f"`{name}` is not a table", where=_position(positions, key),
                    help=f"write [{name}]",
                )  # fmt: skip
            table = inner
        if not (value == {} and key[-1] in table):
            table[key[-1]] = value
    return document


def _position(positions: Mapping[Key, str], key: Key) -> str:
    """The position of ``key``, or of the innermost table around it."""
    for length in range(len(key), -1, -1):
        if key[:length] in positions:
            return positions[key[:length]]
    return ""
