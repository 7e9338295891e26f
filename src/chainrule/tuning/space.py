"""The space of a search: dimensions around the settings of a run, from its kind and from the user.

settings ── SearchSpace.parameters_of ──► {"train.lr": 0.003, "model.layers.depth": 2, ...}
         ◄── SearchSpace.settings ──────
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..runs.modality import Modality
from ..runs.settings.document import RunSettings
from ..runs.settings.sources import Key
from ..runs.space import Dimension, Interval, Number, Parameter, Times
from .user_space import UserSpace

__all__ = ["SearchSpace", "search_space"]

AnyKind = Modality[Any, Any]


@dataclass(frozen=True)
class SearchSpace:
    """``dimensions`` by key, around ``base``, in which nothing is left to decide."""

    base: RunSettings
    dimensions: Mapping[Key, Dimension]

    def parameters(self) -> dict[str, Parameter]:
        """What a search chooses, by name."""
        return {
            ".".join(key) + suffix: parameter
            for key, dimension in self.dimensions.items()
            for suffix, parameter in dimension.parameters().items()
        }

    def document(self, chosen: Mapping[str, Any]) -> dict[str, Any]:
        """The document of ``base`` with the settings that were chosen. One that is as it was keeps
        all its digits."""
        document = self.base.to_document()
        for key, dimension in self.dimensions.items():
            name = ".".join(key)
            own = {s: chosen.get(name + s) for s in dimension.parameters()}
            if None not in own.values() and own != dimension.parameters_of(at(document, key)):
                value = dimension.value(own)
                put(document, key, list(value) if isinstance(value, tuple) else value)
        return document

    def settings(self, chosen: Mapping[str, Any]) -> RunSettings:
        """The settings of it. ConfigError if they do not go together."""
        return type(self.base).read(self.document(chosen))

    def parameters_of(self, settings: RunSettings) -> dict[str, Any]:
        """What was chosen, as far as the space has the settings."""
        document = settings.to_document()
        chosen: dict[str, Any] = {}
        for key, dimension in self.dimensions.items():
            own = dimension.parameters_of(at(document, key)) or {}
            chosen |= {".".join(key) + suffix: value for suffix, value in own.items()}
        return chosen

    def changes(self, chosen: Mapping[str, Any]) -> dict[str, Any]:
        """The chosen settings by dotted key, as ``run.toml`` has them."""
        document = self.document(chosen)
        return {".".join(key): at(document, key) for key in self.dimensions}

    def to_document(self) -> dict[str, Any]:
        """The table ``[tune]`` that says the same."""
        return {".".join(key): d.to_document() for key, d in self.dimensions.items()}


def search_space(kind: AnyKind, base: RunSettings, own: UserSpace) -> SearchSpace:
    """The space of ``kind`` around ``base``, with what users say of ``own``. SettingError, with its
    place, for a dimension of settings that do not exist or have no such values."""
    document = base.to_document()
    usual = {} if own.only else kind.space(base)
    near: dict[Key, Dimension] = {}
    for key, dimension in usual.items():
        if exists(document, key):  # of the optimizer that was chosen, say
            value = at(document, key)
            near[key] = dimension.near(value) if isinstance(dimension, Times) else dimension
    for key, given in own.dimensions.items():
        near.pop(key, None)
        if given is not None:
            near[key] = _checked(base, key, given, own)
    return SearchSpace(base, near)


def _checked(base: RunSettings, key: Key, dimension: Dimension, own: UserSpace) -> Dimension:
    """The dimension, a number with a fraction where the setting has one."""
    with own.located(key):
        for value in dimension.extremes():
            document = base.to_document()
            put(document, key, value)
            read = at(type(base).read(document).to_document(), key)
    if isinstance(dimension, Interval) and isinstance(read, float):
        number = dimension.number
        return Interval(Number(float(number.low), float(number.high), number.log))
    return dimension


def exists(document: Mapping[str, Any], key: Key) -> bool:
    """Whether a document has a value at ``key``."""
    for name in key:
        if not isinstance(document, Mapping) or name not in document:
            return False
        document = document[name]
    return True


def at(document: Mapping[str, Any], key: Key) -> Any:
    """The value at ``key``."""
    value: Any = document
    for name in key:
        value = value[name]
    return value


def put(document: dict[str, Any], key: Key, value: Any) -> None:
    """Sets the value at ``key``."""
    for name in key[:-1]:
        document = document.setdefault(name, {})
    document[key[-1]] = value
