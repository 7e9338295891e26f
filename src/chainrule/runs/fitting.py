"""From the arguments of a Python function to a run, for every kind of data."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from ..arguments import path_of
from ..errors import ConfigError
from .groups import Repeated, repeat
from .listeners import Listener, Talk
from .modality import Modality
from .predictor import Predictor
from .settings.arguments import from_arguments
from .settings.document import RunSettings
from .settings.sources import from_environment, from_overrides, gather
from .training import train

__all__ = ["cross_validate_source", "fit_source", "settings_from_arguments"]

S = TypeVar("S", bound=RunSettings)
P = TypeVar("P", bound=Predictor[Any, Any, Any])


def fit_source(
    kind: Modality[S, P],
    source: object,
    arguments: Mapping[str, Any],
    overrides: Sequence[str],
    *,
    data: object = None,
    verbose: bool = True,
    listener: Listener | None = None,
) -> P:
    """Trains on ``source`` with ``arguments`` by name (None: left out), and KEY=VALUE
    ``overrides`` of settings; ``data`` is what is read if that is not the source itself."""
    settings = settings_from_arguments(kind, source, arguments, overrides)
    data = source if data is None else data
    return train(kind, settings, data, listener or _default_listener(kind, verbose))


def cross_validate_source(
    kind: Modality[S, P],
    source: object,
    arguments: Mapping[str, Any],
    overrides: Sequence[str],
    *,
    data: object = None,
    folds: int | None,
    seeds: int | Sequence[int] | None,
    verbose: bool = True,
    listener: Listener | None = None,
) -> Repeated[P]:
    """`fit_source` once for each fold and seed."""
    settings = settings_from_arguments(kind, source, arguments, overrides)
    data = source if data is None else data
    return repeat(kind, settings, data, seeds, folds, listener or _default_listener(kind, verbose))


def _default_listener(kind: Modality[Any, Any], verbose: bool) -> Listener:
    """One that spells the fixes of findings as arguments of this kind, or a silent one."""
    return Talk(arguments=kind.arguments) if verbose else Listener()


def settings_from_arguments(
    kind: Modality[S, Any],
    source: object,
    arguments: Mapping[str, Any],
    overrides: Sequence[str],
) -> S:
    """The settings that arguments and overrides make. ConfigError for an argument that this kind
    of data does not have."""
    for name in arguments:
        if name not in kind.arguments:
            raise ConfigError(
                f"there is no argument {name!r} for {kind.name}",
                help=f"known: {', '.join(n for n in kind.arguments if n not in ('path', 'fold'))}",
            )
    runs_dir = arguments.get("runs_dir")
    values = {
        **{k: os.fspath(v) if isinstance(v, os.PathLike) else v for k, v in arguments.items()},
        "path": os.fspath(source) if isinstance(source, str | os.PathLike) else "",
        "runs_dir": "" if runs_dir is None else str(path_of(runs_dir, "runs_dir")),
    }
    sources = [
        from_environment(),
        from_arguments({k: v for k, v in values.items() if v is not None}, kind.arguments),
        from_overrides(overrides, "settings"),
    ]
    return gather(sources, kind.settings).settings
