"""Where settings come from, and who wins: defaults < file < environment < Python or command line.

A `Source` holds values by path, and for each the words that say where it stands. `gather` lays
sources over one another.
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
from .positions import lines_of
from .section import Choice
from .toml import value_text
from .training import AverageSettings, OptimizerSettings, ScheduleSettings

__all__ = ["Gathered", "Source", "from_environment", "from_file", "from_words", "gather"]

Key = tuple[str, ...]
W = TypeVar("W", bound=RunSettings)

#: short and old names of settings
ALIASES: Mapping[Key, Key] = {
    ("train", "weight_decay"): ("train", "optimizer", "weight_decay"),
    ("train", "optimizer", "lr"): ("train", "lr"),
    ("train", "patience"): ("train", "early_stopping", "patience"),
}
CHOICES: tuple[type[Choice], ...] = (OptimizerSettings, ScheduleSettings, AverageSettings)
_NAMES: Mapping[Key, Key] = {
    **{tuple(c.PLACE.split(".")): (*c.PLACE.split("."), c.KEY) for c in CHOICES},
    ("model",): ("model", "name"),  # of runs on images
}
#: settings that name files
PATHS: tuple[Key, ...] = (("data", "path"), ("data", "test"))


@dataclass(frozen=True)
class Source:
    """``values`` by path, and ``places``: where each stands, for errors and for ``--origin``."""

    values: Mapping[Key, Any]
    places: Mapping[Key, str] = field(default_factory=dict)

    @classmethod
    def of(cls, document: Mapping[str, Any], places: Mapping[Key, str]) -> Source:
        """From nested tables; aliases take their full names."""
        values: dict[Key, Any] = {}
        moved = dict(places)
        for path, value in _leaves(document):
            full = _full(path, value)
            if full in values and values[full] != value:
                raise SettingError(
                    ".".join(path),
                    f"`{'.'.join(path)}` and `{'.'.join(full)}` are one setting with two values",
                    where=_place(places, path),
                    help="leave one of them out",
                )
            values[full] = value
            if full != path:
                moved[full] = _place(places, path)
        return cls(values, moved)


@dataclass(frozen=True)
class Gathered(Generic[W]):
    """Settings, and where each value that is not a default comes from."""

    settings: W
    origins: Mapping[Key, str]


def gather(sources: Iterable[Source], whole: type[W]) -> Gathered[W]:
    """The settings that ``sources`` give, later ones over earlier ones; ``whole`` is their kind.

    A source that names another optimizer, schedule or average drops what earlier ones said about
    the settings of the one before. Raises ConfigError with the place for every mistake.
    """
    values: dict[Key, Any] = {}
    places: dict[Key, str] = {}
    for source in sources:
        for section, name in _NAMES.items():
            if name in source.values and source.values[name] != values.get(name):
                dropped = [k for k in values if k[: len(section)] == section]
                for key in dropped:
                    del values[key]
        values |= source.values
        places |= source.places
    try:
        settings = whole.read(_nested(values, places))
    except SettingError as error:
        place = _place(places, tuple(error.key.split(".")))
        raise SettingError(error.key, error.what, where=error.where or place,
                           help=error.help) from None  # fmt: skip
    return Gathered(settings, {key: _place(places, key) for key in values})


def from_file(path: Path, relative: bool = False) -> Source:
    """A ``run.toml``. The path of the data counts from the file's folder, and is made to count from
    the working folder unless ``relative``."""
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
    found = {key: _beside(path, source.values.get(key)) for key in PATHS}
    return replace(source, values={**source.values, **{k: v for k, v in found.items() if v}})


def _beside(path: Path, data: object) -> str | None:
    """Data that lies beside the file at ``path``, as it is reached from the working folder."""
    if not isinstance(data, str) or not data or Path(data).is_absolute():
        return None
    beside = path.parent / data
    return str(beside) if beside.exists() else None


def from_text(text: str, where: str) -> Source:
    """TOML text, which ``where`` names."""
    try:
        document = parsed_toml(text)
    except ValueError as error:
        raise ConfigError(f"not TOML: {error}", where=where) from None
    places = {path: f"{where}:{line}" for path, line in lines_of(text).items()}
    return Source.of(document, {(): where, **places})


def from_words(words: Sequence[str], where: str) -> Source:
    """``("train.lr=0.003", "data.columns.zip=category")``: values as TOML, or else as text."""
    found: list[Source] = []
    for word in words:
        key, mark, value = word.partition("=")
        if not mark or not key.strip():
            raise ConfigError(
                f"{word!r} is not KEY=VALUE", where=where, help="for example train.lr=0.003"
            )
        found.append(Source.of(_parsed(key.strip(), value.strip(), where), {(): where}))
    values = {k: v for source in found for k, v in source.values.items()}
    return Source(values, dict.fromkeys(((), *values), where))


def from_environment() -> Source:
    """The words of the environment variable CHAINRULE_SETTINGS."""
    return from_words(SETTINGS.read(), f"environment variable {SETTINGS.name}")


def _parsed(key: str, value: str, where: str) -> dict[str, Any]:
    for text in (value, value_text(value)):
        try:
            return parsed_toml(f"{key} = {text}")
        except ValueError:
            continue
    raise ConfigError(
        f"{key!r} is not the name of a setting", where=where, help="for example train.lr=0.003"
    )


def _leaves(document: Mapping[str, Any], above: Key = ()) -> list[tuple[Key, Any]]:
    found: list[tuple[Key, Any]] = []
    for name, value in document.items():
        inner = isinstance(value, Mapping) and value
        found += _leaves(value, (*above, name)) if inner else [((*above, name), value)]
    return found


def _full(path: Key, value: object) -> Key:
    if path in _NAMES and isinstance(value, str):
        return _NAMES[path]
    return ALIASES.get(path, path)


def _nested(values: Mapping[Key, Any], places: Mapping[Key, str]) -> dict[str, Any]:
    document: dict[str, Any] = {}
    for path, value in values.items():
        table = document
        for depth, part in enumerate(path[:-1]):
            inner = table.setdefault(part, {})
            if not isinstance(inner, dict):
                key = ".".join(path[: depth + 1])
                raise SettingError(
                    key, f"`{key}` is not a table", where=_place(places, path),
                    help=f"write [{key}]",
                )  # fmt: skip
            table = inner
        if not (value == {} and path[-1] in table):
            table[path[-1]] = value
    return document


def _place(places: Mapping[Key, str], path: Key) -> str:
    """Where ``path`` stands, or the nearest table around it."""
    for length in range(len(path), -1, -1):
        if path[:length] in places:
            return places[path[:length]]
    return ""
