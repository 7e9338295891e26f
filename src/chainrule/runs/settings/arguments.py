"""Arguments of functions and options of commands, as settings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from .sources import Key, Source

__all__ = ["COMMON_ARGUMENTS", "from_arguments", "setting_arguments", "to_python"]

#: the arguments that every kind of data has, each with its key in ``run.toml``
COMMON_ARGUMENTS: Mapping[str, Key] = {
    "path": ("data", "path"),
    "split": ("data", "split"),
    "fold": ("data", "fold"),
    "epochs": ("train", "epochs"),
    "batch_size": ("train", "batch_size"),
    "lr": ("train", "lr"),
    "optimizer": ("train", "optimizer", "name"),
    "schedule": ("train", "schedule", "name"),
    "metric": ("train", "metric"),
    "patience": ("train", "early_stopping", "patience"),
    "time_limit": ("train", "time_limit"),
    "seed": ("seed",),
    "name": ("name",),
    "runs_dir": ("output", "runs_dir"),
}


def setting_arguments(
    arguments: Mapping[str, Any], keys: Mapping[str, Key] = COMMON_ARGUMENTS
) -> dict[str, Any]:
    """Those ``arguments`` of a function, its ``locals()``, that are settings: ``keys`` has them."""
    return {name: value for name, value in arguments.items() if name in keys}


def from_arguments(
    arguments: Mapping[str, Any],
    keys: Mapping[str, Key],
    positions: Mapping[str, str] | None = None,
) -> Source:
    """Settings from arguments by name. ``keys`` has the key of each; ``positions`` says where it
    was given, for errors."""
    document: dict[str, Any] = {}
    positions_by_key: dict[Key, str] = {(): "Python"}
    for name, value in arguments.items():
        key = keys[name]
        table = document
        for part in key[:-1]:
            table = table.setdefault(part, {})
        table[key[-1]] = to_python(value)
        positions_by_key[key] = (positions or {}).get(name, f"argument {name}")
    return Source.of(document, positions_by_key)


def to_python(value: Any) -> Any:
    """``value`` with Python's numbers in place of NumPy's, as a run.toml can hold them."""
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, Mapping):
        return {key: to_python(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(map(to_python, value))
    return value
