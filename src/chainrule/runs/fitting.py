"""From the arguments of a Python function to a run, for every kind of data."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any, TypedDict, TypeVar

from ..arguments import path_of
from ..errors import ConfigError, meant
from .bagging import start
from .carriers import Carrier
from .groups import Repeated, repeat
from .listeners import Listener, Talk
from .modality import Modality
from .predictor import Predictor
from .settings.arguments import from_arguments, setting_arguments
from .settings.document import RunSettings
from .settings.sources import from_environment, from_overrides, gather, usual

__all__ = ["FitArguments", "cross_validate_source", "fit_kind", "fit_source",
           "settings_from_arguments"]  # fmt: skip

#: where run folders go
RUNS_DIR = "runs"
#: arguments that are no settings
HOW = ("settings", "verbose", "listener")

S = TypeVar("S", bound=RunSettings)
P = TypeVar("P", bound=Predictor[Any, Any, Any])


class FitArguments(TypedDict, total=False):
    """The arguments that every ``fit_*`` function has, beside those of its kind of data: all that
    are not given are decided by ``run.toml`` or the data."""

    split: tuple[float, float, float] | None
    epochs: int | None
    batch_size: int | str | None
    lr: float | None
    optimizer: str | None
    schedule: str | None
    metric: str | None
    patience: int | None
    time_limit: float | None
    seed: int | None
    name: str | None
    #: anything else, as ``KEY=VALUE``
    settings: Sequence[str]
    #: where the run folder goes; None: nothing is written
    runs_dir: str | os.PathLike[str] | None
    verbose: bool
    listener: Listener | None


def fit_kind(
    kind: Modality[S, P],
    source: object,
    own: Mapping[str, Any],
    common: FitArguments,
    labels: object = None,
) -> P:
    """A ``fit_*`` function: ``own`` are its arguments, its ``locals()``, of which those count that
    its kind of data has. With ``labels``, the source lies in memory."""
    settings = {name: value for name, value in common.items() if name not in HOW}
    return fit_source(
        kind,
        source,
        {"runs_dir": RUNS_DIR, **setting_arguments(own, kind.arguments), **settings},
        common.get("settings", ()),
        data=None if labels is None else (source, labels),
        verbose=common.get("verbose", True),
        listener=common.get("listener"),
    )


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
    return start(kind, settings, data, listener or _default_listener(kind, verbose))


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
    carrier: Carrier | None = None,
) -> Repeated[P]:
    """`fit_source` once for each fold and seed."""
    settings = settings_from_arguments(kind, source, arguments, overrides)
    data = source if data is None else data
    told = listener or _default_listener(kind, verbose)
    return repeat(kind, settings, data, seeds, folds, told, carrier)


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
            known = [n for n in kind.arguments if n not in ("path", "fold")]
            raise ConfigError(
                f"there is no argument {name!r} for {kind.name}",
                help=f"{meant(name, known)}known: {', '.join(known)}",
            )
    runs_dir = arguments.get("runs_dir")
    values = {
        **{k: os.fspath(v) if isinstance(v, os.PathLike) else v for k, v in arguments.items()},
        "path": os.fspath(source) if isinstance(source, str | os.PathLike) else "",
        "runs_dir": "" if runs_dir is None else str(path_of(runs_dir, "runs_dir")),
    }
    sources = [
        *usual(kind.settings),
        from_environment(),
        from_arguments({k: v for k, v in values.items() if v is not None}, kind.arguments),
        from_overrides(overrides, "settings"),
    ]
    return gather(sources, kind.settings).settings
