"""The same training on a table several times: other seeds, or other folds of the rows."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

from ...arguments import user_path
from ...errors import ConfigError
from ...runs.groups import Repeated, Way, go_on_with, members, seed_list, train_all
from ...runs.listeners import Listener, Talk
from ...runs.settings.sources import gather
from .fit import KEYS, completed, fit_settings, settings_for
from .fitting import check_division
from .loading import load_run
from .opening import open_table
from .predictor import Predictor
from .resuming import resume
from .settings import Settings

__all__ = ["TABLES", "cross_validate", "repeat", "resume_group"]


def cross_validate(
    source: object,
    target: str | None = None,
    *,
    folds: int | None = 5,
    seeds: int | Sequence[int] | None = None,
    settings: Sequence[str] = (),
    runs_dir: str | os.PathLike[str] | None = "runs",
    verbose: bool = True,
    listener: Listener | None = None,
    **options: Any,
) -> Repeated[Predictor]:
    """Trains once for each of ``folds``, so that every row is a test row once (Stone 1974).

    The folds are stratified for classes and come from the seed. ``seeds`` repeats it with other
    seeds (so many from ``seed`` on, or a list), ``folds=None`` leaves the folds out. The other
    arguments are those of `fit`. Each training has a run folder, all below one in ``runs_dir``.

    Raises what `fit` raises, and ConfigError for an argument that `fit` does not have.
    """
    for name in options:
        if name not in KEYS:
            raise ConfigError(
                f"cross_validate has no argument {name!r}",
                help="it takes those of fit, folds and seeds",
            )
    chosen = settings_for(source, {"target": target, "runs_dir": runs_dir, **options}, settings)
    heard = listener or (Talk() if verbose else Listener())
    return repeat(chosen, source, seeds=seeds, folds=folds, listener=heard)


TABLES: Way[Settings, Predictor] = Way(
    "table",
    read=lambda source: gather([source], Settings).settings,
    fit=lambda settings, source, heard: fit_settings(settings, source, listener=heard),
    load=load_run,
    resume=lambda run, source, heard: resume(run, source, listener=heard),
)


def repeat(
    settings: Settings,
    source: object = None,
    *,
    seeds: int | Sequence[int] | None = None,
    folds: int | None = None,
    listener: Listener | None = None,
) -> Repeated[Predictor]:
    """`fit_settings` for each of ``seeds`` and each of ``folds``."""
    chosen = seed_list(settings.seed, seeds)
    members(settings, chosen, folds)  # mistakes in them come before those of the table
    origin = settings.data.path if source is None else source
    table, known = open_table(origin, settings.data.query or None)
    settings = completed(settings, origin, table, known)
    first = next(iter(members(settings, chosen, folds).values()))
    check_division(table, first.data, first.seed)  # and these before anything is written
    return train_all(TABLES, settings, source, chosen, folds, listener or Listener())


def resume_group(
    run: str | os.PathLike[str],
    source: object = None,
    *,
    verbose: bool = True,
    listener: Listener | None = None,
) -> Repeated[Predictor]:
    """Goes on with several trainings that were ended: what `repeat` would have given.

    Trainings that are done are loaded, those that were ended go on from their newest checkpoint,
    the others begin. ``source`` is the table, if it came from Python or has moved.

    Raises StateError for a folder that is no group, else what `resume` and `fit` raise.
    """
    heard = listener or (Talk() if verbose else Listener())
    return go_on_with(TABLES, user_path(run, "the group of runs"), source, heard)
