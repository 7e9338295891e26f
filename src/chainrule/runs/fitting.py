"""From the arguments of a function to a run: `fit`, whatever it learns from."""

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
from .settings.arguments import source_of
from .settings.document import RunSettings
from .settings.sources import from_environment, from_words, gather
from .training import fit

__all__ = ["cross_validate_source", "fit_source", "settings_from"]

S = TypeVar("S", bound=RunSettings)
P = TypeVar("P", bound=Predictor[Any, Any, Any])


def fit_source(
    kind: Modality[S, P],
    source: object,
    given: Mapping[str, Any],
    words: Sequence[str],
    *,
    data: object = None,
    verbose: bool = True,
    listener: Listener | None = None,
) -> P:
    """Trains on ``source`` with the arguments that were ``given``, None for those left out, and
    settings in ``words``; ``data`` is what is read if that is not the source itself."""
    settings = settings_from(kind, source, given, words)
    held = source if data is None else data
    return fit(kind, settings, held, listener or _talk(kind, verbose))


def cross_validate_source(
    kind: Modality[S, P],
    source: object,
    given: Mapping[str, Any],
    words: Sequence[str],
    *,
    data: object = None,
    folds: int | None,
    seeds: int | Sequence[int] | None,
    verbose: bool = True,
    listener: Listener | None = None,
) -> Repeated[P]:
    """`fit_source` for each of ``folds`` and ``seeds``."""
    settings = settings_from(kind, source, given, words)
    held = source if data is None else data
    return repeat(kind, settings, held, seeds, folds, listener or _talk(kind, verbose))


def _talk(kind: Modality[Any, Any], verbose: bool) -> Listener:
    """Who says what happens; fixes of findings are spelled as arguments of this kind."""
    return Talk(arguments=kind.arguments) if verbose else Listener()


def settings_from(
    kind: Modality[S, Any], source: object, given: Mapping[str, Any], words: Sequence[str]
) -> S:
    """The settings that arguments and words make. ConfigError for an argument that this kind of
    data does not have."""
    for name in given:
        if name not in kind.arguments:
            raise ConfigError(
                f"there is no argument {name!r} for {kind.name}",
                help=f"known: {', '.join(n for n in kind.arguments if n not in ('path', 'fold'))}",
            )
    place = given.get("runs_dir")
    known = {
        **{k: os.fspath(v) if isinstance(v, os.PathLike) else v for k, v in given.items()},
        "path": os.fspath(source) if isinstance(source, str | os.PathLike) else "",
        "runs_dir": "" if place is None else str(path_of(place, "runs_dir")),
    }
    chosen = source_of({k: v for k, v in known.items() if v is not None}, kind.arguments)
    sources = [from_environment(), chosen, from_words(words, "settings")]
    return gather(sources, kind.settings).settings
