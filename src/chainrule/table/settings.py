"""The settings of one run: what ``run.toml`` holds, with every default written out.

Each section is a frozen dataclass that checks itself; reading refuses unknown keys and wrong types
with the place and the nearest name.
"""

from __future__ import annotations

import dataclasses
import difflib
import math
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from ..data import Kind, Task
from ..data.table import Cell
from ..errors import ConfigError
from . import toml

__all__ = ["DataSettings", "Loss", "ModelSettings", "Settings", "TrainSettings"]

VERSION = 1
Loss = Literal["bce_with_logits", "cross_entropy", "mse"]
MAX_LAYERS = 64
MAX_WIDTH = 65_536


@dataclass(frozen=True)
class DataSettings:
    """``columns`` fixes the kind of a column (``ignored`` leaves it out); ``missing`` lists, for a
    column, the values that mean `not measured`; ``split`` is train, validation and test."""

    path: str
    target: str
    query: str = ""
    task: Literal["auto", "binary", "multiclass", "regression"] = "auto"
    columns: Mapping[str, Kind] = field(default_factory=dict)
    missing: Mapping[str, tuple[Cell, ...]] = field(default_factory=dict)
    split: tuple[float, float, float] = (0.7, 0.15, 0.15)

    def __post_init__(self) -> None:
        one_of("task", self.task, ("auto", *get_args(Task)))
        for column, kind in self.columns.items():
            one_of(f"the kind of column {column!r}", kind, get_args(Kind))
        if len(self.split) != 3:
            raise ConfigError(f"split is {list(self.split)}", help="use [0.7, 0.15, 0.15]")
        if not all(0 < part < 1 for part in self.split) or abs(sum(self.split) - 1) > 1e-9:
            raise ConfigError(
                f"split is {list(self.split)}",
                help="training, validation and test each need a share; together they are 1",
            )

    @property
    def wanted_task(self) -> Task | None:
        return None if self.task == "auto" else self.task


@dataclass(frozen=True)
class ModelSettings:
    """``layers`` are the widths of the hidden layers; none of them makes a linear model."""

    layers: tuple[int, ...]
    dropout: float

    def __post_init__(self) -> None:
        if len(self.layers) > MAX_LAYERS or not all(1 <= w <= MAX_WIDTH for w in self.layers):
            raise ConfigError(
                f"layers is {list(self.layers)}",
                help=f"give up to {MAX_LAYERS} widths from 1 to {MAX_WIDTH}, such as 64,64",
            )
        within("dropout", self.dropout, 0.0, 0.95)


@dataclass(frozen=True)
class TrainSettings:
    """``patience`` is the number of epochs without a better validation loss that ends training;
    ``time_limit`` in seconds ends it after the epoch in which it is reached (0: no limit)."""

    epochs: int
    batch_size: int
    lr: float
    weight_decay: float
    patience: int
    time_limit: float = 0.0
    optimizer: Literal["adamw"] = "adamw"
    loss: Loss = "mse"

    def __post_init__(self) -> None:
        within("epochs", self.epochs, 1, 1_000_000)
        within("batch_size", self.batch_size, 1, 1 << 24)
        within("lr", self.lr, 1e-12, 1e3)
        within("weight_decay", self.weight_decay, 0.0, 1e3)
        within("patience", self.patience, 1, 1_000_000)
        within("time_limit", self.time_limit, 0.0, math.inf)
        one_of("optimizer", self.optimizer, ("adamw",))
        one_of("loss", self.loss, get_args(Loss))


@dataclass(frozen=True)
class Settings:
    """All of it. ``seed`` fixes split, first weights, order of rows and dropout."""

    name: str
    seed: int
    data: DataSettings
    model: ModelSettings
    train: TrainSettings

    def __post_init__(self) -> None:
        within("seed", self.seed, 0, 2**63 - 1)

    def to_toml(self) -> str:
        """The text of ``run.toml``."""
        head = {"version": VERSION, "name": self.name, "seed": self.seed}
        sections = {s: dict(vars(getattr(self, s))) for s in ("data", "model", "train")}
        return toml.dumps({**head, **sections})

    @staticmethod
    def from_toml(text: str, where: str = "run.toml") -> Settings:
        """The settings that ``to_toml`` wrote. Raises ConfigError with the place."""
        try:
            document = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            raise ConfigError(f"not TOML: {error}", where=where) from None
        if document.get("version") != VERSION:
            raise ConfigError(
                f"version {document.get('version')!r} of the settings is not known",
                where=where,
                help=f"this Chainrule reads version {VERSION}",
            )
        keys = {"version", "name", "seed", "data", "model", "train"}
        _check_keys(document, keys, keys, "", where)
        return Settings(
            _typed(document["name"], "str", "name", where),
            _typed(document["seed"], "int", "seed", where),
            _section(DataSettings, document["data"], "data", where),
            _section(ModelSettings, document["model"], "model", where),
            _section(TrainSettings, document["train"], "train", where),
        )


def within(name: str, value: float, low: float, high: float) -> None:
    """ConfigError unless ``low <= value <= high``; NaN is outside."""
    if isinstance(value, bool) or not low <= value <= high:
        bounds = f"at least {low:g}" if high == math.inf else f"from {low:g} to {high:g}"
        raise ConfigError(f"{name} is {value!r}", help=f"{name} is a number {bounds}")


def one_of(name: str, value: object, options: tuple[str, ...]) -> None:
    """ConfigError with the nearest option unless ``value`` is one of them."""
    if value not in options:
        near = difflib.get_close_matches(str(value), options, n=1)
        hint = f"did you mean {near[0]!r}? " if near else ""
        raise ConfigError(f"{name} is {value!r}", help=f"{hint}use one of {', '.join(options)}")


def _section(kind: type[Any], value: object, place: str, where: str) -> Any:
    """An instance of the dataclass ``kind`` from a table, every key and type checked."""
    if not isinstance(value, dict):
        raise ConfigError(f"`{place}` is not a table", where=where, help=f"write [{place}]")
    fields = {f.name: f for f in dataclasses.fields(kind)}
    needed = {n for n, f in fields.items() if _has_no_default(f)}
    _check_keys(value, set(fields), needed, f"{place}.", where)
    return kind(
        **{k: _typed(v, str(fields[k].type), f"{place}.{k}", where) for k, v in value.items()}
    )


def _has_no_default(found: dataclasses.Field[Any]) -> bool:
    return found.default is dataclasses.MISSING and found.default_factory is dataclasses.MISSING


def _check_keys(
    value: Mapping[str, Any], known: set[str], needed: set[str], prefix: str, where: str
) -> None:
    for key in value:
        if key not in known:
            near = difflib.get_close_matches(key, sorted(known), n=1)
            hint = f"did you mean `{prefix}{near[0]}`?" if near else f"known: {', '.join(known)}"
            raise ConfigError(f"unknown key `{prefix}{key}`", where=where, help=hint)
    for key in sorted(needed - set(value)):
        raise ConfigError(f"the key `{prefix}{key}` is missing", where=where)


def _typed(value: Any, annotation: str, place: str, where: str) -> Any:
    """``value`` as the annotated type, without conversion except from whole numbers to float."""
    found: Any = None
    if annotation in ("str", "Loss") or annotation.startswith("Literal"):
        found = value if isinstance(value, str) else None
    elif annotation == "int":
        found = value if isinstance(value, int) and not isinstance(value, bool) else None
    elif annotation == "float":
        found = float(value) if _is_number(value) else None
    elif annotation == "tuple[int, ...]" or annotation.startswith("tuple[float"):
        whole = annotation == "tuple[int, ...]"
        fits = isinstance(value, list) and all(
            _is_number(v) and not (whole and isinstance(v, float)) for v in value
        )
        found = tuple(v if whole else float(v) for v in value) if fits else None
    elif annotation == "Mapping[str, Kind]":
        fits = isinstance(value, dict) and all(isinstance(v, str) for v in value.values())
        found = value if fits else None
    elif annotation == "Mapping[str, tuple[Cell, ...]]":
        fits = isinstance(value, dict) and all(_are_cells(v) for v in value.values())
        found = {k: tuple(v) for k, v in value.items()} if fits else None
    if found is None:
        raise ConfigError(f"`{place}` is {value!r}", where=where, help=f"expected: {annotation}")
    return found


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _are_cells(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(v, str | int | float) for v in value)
