"""Settings to show: single values, and the differences of two runs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .document import RunSettings
from .toml import value_text

__all__ = ["differences", "flatten_settings"]

Key = tuple[str, ...]


def flatten_settings(settings: RunSettings) -> dict[Key, Any]:
    """Every value, by its key."""
    return dict(_leaves(settings.to_document(), ()))


def _leaves(value: Any, key: Key) -> list[tuple[Key, Any]]:
    if isinstance(value, Mapping) and (value or not key):
        return [leaf for name, inner in value.items() for leaf in _leaves(inner, (*key, name))]
    return [(key, value)]


def differences(a: RunSettings, b: RunSettings) -> dict[Key, tuple[str, str]]:
    """The values that differ, as pairs of TOML; "" for a setting that one side does not have."""
    texts_a, texts_b = (
        {key: value_text(value) for key, value in flatten_settings(side).items()} for side in (a, b)
    )
    pairs = {key: (texts_a.get(key, ""), texts_b.get(key, "")) for key in {**texts_a, **texts_b}}
    return {key: pair for key, pair in pairs.items() if pair[0] != pair[1]}
