"""Arguments of functions and options of commands as settings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from .sources import Key, Source

__all__ = ["COMMON", "as_python", "setting_arguments", "source_of"]

#: where the arguments that every kind of data has stand in ``run.toml``
COMMON: Mapping[str, Key] = {
    "path": ("data", "path"),
    "split": ("data", "split"),
    "fold": ("data", "fold"),
    "epochs": ("train", "epochs"),
    "batch_size": ("train", "batch_size"),
    "lr": ("train", "lr"),
    "optimizer": ("train", "optimizer", "name"),
    "schedule": ("train", "schedule", "name"),
    "patience": ("train", "early_stopping", "patience"),
    "time_limit": ("train", "time_limit"),
    "seed": ("seed",),
    "name": ("name",),
    "runs_dir": ("output", "runs_dir"),
}


def setting_arguments(
    arguments: Mapping[str, Any], keys: Mapping[str, Key] = COMMON
) -> dict[str, Any]:
    """Those ``arguments`` of a function, its ``locals()``, that are settings: ``keys`` has them."""
    return {name: value for name, value in arguments.items() if name in keys}


def source_of(
    given: Mapping[str, Any],
    keys: Mapping[str, Key],
    places: Mapping[str, str] | None = None,
) -> Source:
    """Settings from arguments by name: ``keys`` are those of all arguments, ``places`` says where
    each was given."""
    document: dict[str, Any] = {}
    found: dict[tuple[str, ...], str] = {(): "Python"}
    for name, value in given.items():
        path = keys[name]
        table = document
        for part in path[:-1]:
            table = table.setdefault(part, {})
        table[path[-1]] = as_python(value)
        found[path] = (places or {}).get(name, f"argument {name}")
    return Source.of(document, found)


def as_python(value: Any) -> Any:
    """``value`` with NumPy's numbers as Python's: a setting is what a run.toml can hold."""
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, Mapping):
        return {key: as_python(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(map(as_python, value))
    return value
