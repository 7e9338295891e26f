"""Settings of a run as a parameter: a dict of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..errors import ConfigError
from ..runs.settings.arguments import to_python
from ..runs.settings.toml import value_text

__all__ = ["as_overrides"]


def as_overrides(settings: Any) -> list[str]:
    """``{"train.average": "ema", "model": {"activation": "gelu"}}`` as ``KEY=VALUE``, in order;
    a list of such texts as it is. ConfigError for anything else."""
    if settings is None:
        return []
    if isinstance(settings, Mapping):
        return [f"{key}={text}" for key, text in _flat(settings, "")]
    if isinstance(settings, Sequence) and not isinstance(settings, str):
        return list(settings)
    raise ConfigError(
        f"settings is {settings!r}",
        help='pass a dict such as {"train.average": "ema"}; chainrule config show lists them all',
    )


def _flat(settings: Mapping[Any, Any], above: str) -> list[tuple[str, str]]:
    pairs: list[tuple[str, str]] = []
    for name, value in settings.items():
        if not isinstance(name, str):
            raise ConfigError(f"{name!r} is not the name of a setting", help="names are text")
        key = f"{above}{name}"
        if isinstance(value, Mapping) and value:
            pairs += _flat(value, f"{key}.")
        else:
            pairs.append((key, value_text(to_python(value))))
    return pairs
