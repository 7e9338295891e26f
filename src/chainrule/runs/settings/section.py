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
from .fields import SettingError, about, convert, schema_of

__all__ = ["Choice", "Section"]


@dataclass(frozen=True)
class Section:
    """Checks every field against its annotation; ``TABLE`` is the dotted name of the section."""

    TABLE: ClassVar[str] = ""

    def __post_init__(self) -> None:
        for name, hint in self.hints().items():
            value = getattr(self, name)
            if isinstance(value, Section):
                continue
            object.__setattr__(self, name, convert(value, hint, self.key(name)))
        self.run_check()

    def run_check(self) -> None:
        """Runs `check`; errors are raised as SettingError, with the key that they are about."""
        try:
            self.check()
        except SettingError:
            raise
        except ConfigError as error:
            key = error.what.split("`")[1] if error.what.startswith("`") else self.TABLE
            raise SettingError(key, error.what, help=error.help) from None

    def check(self) -> None:
        """Checks what no annotation can say. Raises ConfigError."""

    def changed(self, **values: Any) -> Self:
        """The same section with other values, which are checked as well."""
        return dataclasses.replace(self, **values)

    def unregularized(self) -> Self:
        """The same without all that keeps a network from memorising a few examples."""
        return self

    @classmethod
    def key(cls, name: str) -> str:
        """The dotted key of a field."""
        return f"{cls.TABLE}.{name}" if cls.TABLE else name

    @classmethod
    @functools.cache
    def hints(cls) -> dict[str, Any]:
        """The annotation of each field, in order."""
        hints = get_type_hints(cls, include_extras=True)
        return {field.name: hints[field.name] for field in dataclasses.fields(cls)}

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Self:
        """The section that a table of ``run.toml`` describes. Raises SettingError."""
        values: dict[str, Any] = {}
        for name, value in _table(document, cls.TABLE).items():
            if name not in cls.hints():
                raise unknown_key(cls.key(name), [cls.key(known) for known in cls.hints()])
            inner = cls.section(name)
            values[name] = inner.from_document(value) if inner else value
        return cls(**values)

    @classmethod
    def section(cls, name: str) -> type[Section] | None:
        """The class of the field ``name``, if it is a section; else None."""
        hint = cls.hints()[name]
        return hint if isinstance(hint, type) and issubclass(hint, Section) else None

    def to_document(self) -> dict[str, Any]:
        """Every value, as `from_document` reads it."""
        values = {name: getattr(self, name) for name in self.hints()}
        return {n: v.to_document() if isinstance(v, Section) else _to_toml_value(v)
                for n, v in values.items()}  # fmt: skip

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
    def descriptions(cls) -> dict[tuple[str, ...], str]:
        """What each setting does, by its key."""
        texts: dict[tuple[str, ...], str] = {}
        for name, hint in cls.hints().items():
            inner = cls.section(name)
            key = tuple(cls.key(name).split("."))
            texts |= inner.descriptions() if inner else {key: about(hint)}
        return texts


@dataclass(frozen=True)
class Choice(Section):
    """One of several methods: its ``name``, and all of its ``settings``, defaults filled in."""

    NOUN: ClassVar[str] = ""
    KEY: ClassVar[str] = "name"
    #: how a setting of None is written
    UNSET: ClassVar[str] = "none"

    name: str = ""
    settings: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        options = self.options()
        if self.name not in options:
            raise SettingError(
                self.key(self.KEY),
                f"there is no {self.NOUN} {self.name!r}",
                help=f"{meant(str(self.name), options)}use one of {', '.join(options)}",
            )
        defaults = options[self.name]
        for name in self.settings:
            if name not in defaults:
                raise unknown_key(
                    self.key(name),
                    [self.key(k) for k in (self.KEY, *defaults)],
                    f"{self.name} has {', '.join(defaults) or 'no settings'}",
                )
        settings = {
            name: _convert_like(self.settings.get(name, default), default, self.key(name))
            for name, default in defaults.items()
        }
        object.__setattr__(self, "settings", settings)
        self.run_check()

    @classmethod
    def options(cls) -> Mapping[str, Mapping[str, Any]]:
        """The settings of each method with their defaults; None is written as `UNSET`."""
        return {}

    @classmethod
    def descriptions(cls) -> dict[tuple[str, ...], str]:
        table = tuple(cls.TABLE.split("."))
        return {(*table, cls.KEY): f"one of {', '.join(cls.options())}"}

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Self:
        settings = dict(_table(document, cls.TABLE))
        name = settings.pop(cls.KEY, None)
        if name is None:
            return cls(settings=settings)
        if not isinstance(name, str):
            raise SettingError(cls.key(cls.KEY), f"`{cls.key(cls.KEY)}` is {name!r}",
                               help="expected: a name in quotes")  # fmt: skip
        return cls(name, settings)

    def to_document(self) -> dict[str, Any]:
        settings = {n: _to_toml_value(v, self.UNSET) for n, v in self.settings.items()}
        return {self.KEY: self.name, **settings}

    @classmethod
    def schema(cls) -> dict[str, Any]:
        """The name of an option, or a table with that name and the settings of that option."""
        rules = []
        for name, settings in cls.options().items():
            properties = {n: _schema_like(d, cls.UNSET) for n, d in settings.items()}
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
    """The error for a key that does not exist, suggesting the one with the nearest last part."""
    last = {k.rpartition(".")[2]: k for k in known}
    near = nearest(key.rpartition(".")[2], last)
    hint = f"did you mean `{last[near]}`?" if near else otherwise or f"known: {', '.join(last)}"
    return SettingError(key, f"unknown key `{key}`", help=hint)


def _table(value: object, name: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise SettingError(name, f"`{name}` is not a table", help=f"write [{name}]")
    return value


def _to_toml_value(value: Any, unset: str = "none") -> Any:
    """As TOML writes it: tuples as lists, None as the word ``unset``."""
    if isinstance(value, tuple):
        return [_to_toml_value(v, unset) for v in value]
    if isinstance(value, Mapping):
        return {k: _to_toml_value(v, unset) for k, v in value.items()}
    return unset if value is None else value


def _convert_like(value: Any, default: Any, key: str) -> Any:
    """``value`` with the type of ``default``; anything for a default of None."""
    if _allows_anything(default):
        return _convert_any(value)
    return convert(value, _hint_of(default), key)


def _allows_anything(default: Any) -> bool:
    return default is None or (isinstance(default, tuple) and None in default)


def _convert_any(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return tuple(_convert_any(v) for v in value)
    return None if value in ("none", "auto") else value


def _hint_of(default: Any) -> Any:
    if isinstance(default, tuple | list):
        return types.GenericAlias(tuple, (_hint_of(default[0]), ...))
    return type(default)


def _schema_like(default: Any, unset: str) -> dict[str, Any]:
    """The JSON Schema of a setting with this default."""
    if _allows_anything(default):
        types_allowed = ["number", "string", "boolean", "array"]
        return {"type": types_allowed, "default": _to_toml_value(default, unset)}
    return schema_of(_hint_of(default)) | {"default": _to_toml_value(default)}
