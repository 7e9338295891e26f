"""Checks of settings that come from configuration, with errors that name the nearest right one."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

from ..errors import ConfigError, meant

__all__ = ["not_negative", "positive", "unknown_key"]


def unknown_key(what: str, key: str, known: Iterable[str]) -> ConfigError:
    """The error for a ``key`` of ``what`` that does not exist."""
    names = list(known)
    hint = meant(key, names, cutoff=0.5)
    return ConfigError(f"unknown {what} {key!r}", help=f"{hint}known: {', '.join(names)}")


def positive(name: str, value: Any) -> float:
    """``value`` as a finite number above 0; ConfigError otherwise."""
    return _number(name, value, "a finite number above 0", lowest=math.ulp(0.0))


def not_negative(name: str, value: Any) -> float:
    """``value`` as a finite number of at least 0; ConfigError otherwise."""
    return _number(name, value, "a finite number of at least 0", lowest=0.0)


def _number(name: str, value: Any, words: str, lowest: float) -> float:
    if (
        isinstance(value, int | float)
        and not isinstance(value, bool)
        and lowest <= value < math.inf
    ):
        return float(value)
    raise ConfigError(f"{name} is {value!r}", help=f"{name} must be {words}")
