"""The base of all sections of ``run.toml``: dataclasses that check, write and describe themselves.

A `Section` has fixed keys. A `Choice` is a section whose first key names one of several methods;
its other keys are that method's settings.
"""

from __future__ import annotations

import dataclasses
import functools
import types
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self, get_type_hints

from ...errors import ConfigError, meant, nearest
from .fields import SettingError, about, converted, schema_of

__all__ = ["Choice", "Section"]


@dataclass(frozen=True)
class Section:
    """Every field is checked against its annotation; ``PLACE`` is the section's dotted name."""

    PLACE: ClassVar[str] = ""

    def __post_init__(self) -> None:
        for name, hint in self.hints().items():
            value = getattr(self, name)
            if isinstance(value, Section):
                continue
            object.__setattr__(self, name, converted(value, hint, self.key(name)))
        self.check_all()

    def check_all(self) -> None:
        """`check`, whose errors then say which section they are about."""
        try:
            self.check()
        except SettingError:
            raise
        except ConfigError as error:
            key = error.what.split("`")[1] if error.what.startswith("`") else self.PLACE
            raise SettingError(key, error.what, help=error.help) from None

    def check(self) -> None:
        """What no annotation can say. Raises ConfigError."""

    def changed(self, **values: Any) -> Self:
        """The same with other values, which are checked as these were."""
        return dataclasses.replace(self, **values)

    @classmethod
    def key(cls, name: str) -> str:
        """The dotted key of a field."""
        return f"{cls.PLACE}.{name}" if cls.PLACE else name

    @classmethod
    @functools.cache
    def hints(cls) -> dict[str, Any]:
        """The annotation of each field, in order."""
        found = get_type_hints(cls, include_extras=True)
        return {field.name: found[field.name] for field in dataclasses.fields(cls)}

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Self:
        """The section that a table of ``run.toml`` describes. Raises SettingError."""
        values: dict[str, Any] = {}
        for name, value in _table(document, cls.PLACE).items():
            if name not in cls.hints():
                raise unknown_key(cls.key(name), [cls.key(known) for known in cls.hints()])
            inner = cls.section(name)
            values[name] = inner.from_document(value) if inner else value
        return cls(**values)

    @classmethod
    def section(cls, name: str) -> type[Section] | None:
        """The class of the section inside that is called ``name``."""
        hint = cls.hints()[name]
        return hint if isinstance(hint, type) and issubclass(hint, Section) else None

    def to_document(self) -> dict[str, Any]:
        """Every value, as `from_document` reads it."""
        found = {name: getattr(self, name) for name in self.hints()}
        return {n: v.to_document() if isinstance(v, Section) else _plain(v)
                for n, v in found.items()}  # fmt: skip

    @classmethod
    def schema(cls) -> dict[str, Any]:
        """The JSON Schema of the section."""
        properties: dict[str, Any] = {}
        for name, hint in cls.hints().items():
            inner = cls.section(name)
            properties[name] = inner.schema() if inner else schema_of(hint)
        return {
            "type": "object",
            "description": " ".join((cls.__doc__ or "").split()),
            "properties": properties,
            "additionalProperties": False,
        }

    @classmethod
    def abouts(cls) -> dict[tuple[str, ...], str]:
        """What each key does, by its path."""
        found: dict[tuple[str, ...], str] = {}
        for name, hint in cls.hints().items():
            inner = cls.section(name)
            path = tuple(cls.key(name).split("."))
            found |= inner.abouts() if inner else {path: about(hint)}
        return found


@dataclass(frozen=True)
class Choice(Section):
    """``name`` says which method; ``settings`` are all of its settings, the defaults filled in."""

    WHAT: ClassVar[str] = ""
    KEY: ClassVar[str] = "name"
    #: how a setting that is left out is written
    LEFT_OUT: ClassVar[str] = "none"

    name: str = ""
    settings: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        options = self.options()
        if self.name not in options:
            raise SettingError(
                self.key(self.KEY),
                f"there is no {self.WHAT} {self.name!r}",
                help=f"{meant(str(self.name), options)}use one of {', '.join(options)}",
            )
        known = options[self.name]
        for name in self.settings:
            if name not in known:
                raise unknown_key(
                    self.key(name),
                    [self.key(k) for k in (self.KEY, *known)],
                    f"{self.name} has {', '.join(known) or 'no settings'}",
                )
        chosen = {n: _like(self.settings.get(n, d), d, self.key(n)) for n, d in known.items()}
        object.__setattr__(self, "settings", chosen)
        self.check_all()

    @classmethod
    def options(cls) -> Mapping[str, Mapping[str, Any]]:
        """The settings of each method with their defaults; None stands for `none`."""
        return {}

    @classmethod
    def abouts(cls) -> dict[tuple[str, ...], str]:
        place = tuple(cls.PLACE.split("."))
        return {(*place, cls.KEY): f"one of {', '.join(cls.options())}"}

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Self:
        settings = dict(_table(document, cls.PLACE))
        name = settings.pop(cls.KEY, None)
        if name is None:
            return cls(settings=settings)
        if not isinstance(name, str):
            raise SettingError(cls.key(cls.KEY), f"`{cls.key(cls.KEY)}` is {name!r}",
                               help="expected: text")  # fmt: skip
        return cls(name, settings)

    def to_document(self) -> dict[str, Any]:
        found = {n: _plain(v, self.LEFT_OUT) for n, v in self.settings.items()}
        return {self.KEY: self.name, **found}

    @classmethod
    def schema(cls) -> dict[str, Any]:
        """The name is one of the options; under each, its own settings and no others."""
        rules = []
        for name, settings in cls.options().items():
            properties = {n: _schema_like(d, cls.LEFT_OUT) for n, d in settings.items()}
            allowed = {"properties": {cls.KEY: {}, **properties}, "additionalProperties": False}
            condition: dict[str, Any] = {"properties": {cls.KEY: {"const": name}}}
            if name != cls().name:
                condition["required"] = [cls.KEY]
            rules.append({"if": condition, "then": allowed})
        text = " ".join((cls.__doc__ or "").split())
        table = {"type": "object", "properties": {cls.KEY: {"enum": list(cls.options())}},
                 "allOf": rules}  # fmt: skip
        return {"description": text, "anyOf": [{"enum": list(cls.options())}, table]}


def unknown_key(key: str, known: list[str], otherwise: str = "") -> SettingError:
    """The error for a key that does not exist; the nearest one is looked for by its last part."""
    last = {k.rpartition(".")[2]: k for k in known}
    near = nearest(key.rpartition(".")[2], last)
    hint = f"did you mean `{last[near]}`?" if near else otherwise or f"known: {', '.join(last)}"
    return SettingError(key, f"unknown key `{key}`", help=hint)


def _table(value: object, place: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise SettingError(place, f"`{place}` is not a table", help=f"write [{place}]")
    return value


def _plain(value: Any, left_out: str = "none") -> Any:
    """As TOML writes it: lists, and a word for what there is not."""
    if isinstance(value, tuple):
        return [_plain(v, left_out) for v in value]
    if isinstance(value, Mapping):
        return {k: _plain(v, left_out) for k, v in value.items()}
    return left_out if value is None else value


def _like(value: Any, default: Any, key: str) -> Any:
    """``value`` with the type of ``default``; anything for a default of None."""
    if default is None or (isinstance(default, tuple) and None in default):
        return _free(value)
    return converted(value, _hint_of(default), key)


def _free(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return tuple(_free(v) for v in value)
    return None if value in ("none", "auto") else value


def _hint_of(default: Any) -> Any:
    if isinstance(default, tuple | list):
        return types.GenericAlias(tuple, (_hint_of(default[0]), ...))
    return type(default)


def _schema_like(default: Any, left_out: str) -> dict[str, Any]:
    if default is None or (isinstance(default, tuple) and None in default):
        kinds = ["number", "string", "boolean", "array"]
        return {"type": kinds, "default": _plain(default, left_out)}
    return schema_of(_hint_of(default)) | {"default": _plain(default)}
