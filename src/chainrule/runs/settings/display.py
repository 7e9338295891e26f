"""Settings for the eye: single values, differences of two runs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .document import RunSettings
from .toml import value_text

__all__ = ["differences", "flat"]

Key = tuple[str, ...]


def flat(settings: RunSettings) -> dict[Key, Any]:
    """Every value by its path."""
    return dict(_leaves(settings.to_document(), ()))


def _leaves(value: Any, path: Key) -> list[tuple[Key, Any]]:
    if isinstance(value, Mapping) and (value or not path):
        return [leaf for name, inner in value.items() for leaf in _leaves(inner, (*path, name))]
    return [(path, value)]


def differences(mine: RunSettings, theirs: RunSettings) -> dict[Key, tuple[str, str]]:
    """The values that differ, as TOML; empty text stands for a setting that one side lacks."""
    ours, others = ({k: value_text(v) for k, v in flat(s).items()} for s in (mine, theirs))
    pairs = {key: (ours.get(key, ""), others.get(key, "")) for key in {**ours, **others}}
    return {key: pair for key, pair in pairs.items() if pair[0] != pair[1]}
