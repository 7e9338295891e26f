"""Trains a forecaster on series in one call."""

from __future__ import annotations

import os
from collections.abc import Sequence

from ...runs.fitting import fit_source
from ...runs.listeners import Listener
from ...runs.settings.arguments import setting_arguments
from .kind import SERIES
from .predictor import SeriesPredictor

__all__ = ["fit_series"]


def fit_series(
    source: object,
    target: str | None = None,
    *,
    time: str | None = None,
    group: str | Sequence[str] | None = None,
    horizon: int | None = None,
    window: int | None = None,
    frequency: str | None = None,
    season: int | None = None,
    quantiles: Sequence[float] | None = None,
    known: Sequence[str] | None = None,
    past: Sequence[str] | None = None,
    static: Sequence[str] | None = None,
    query: str | None = None,
    network: str | None = None,
    split: tuple[float, float, float] | None = None,
    epochs: int | None = None,
    batch_size: int | str | None = None,
    lr: float | None = None,
    optimizer: str | None = None,
    schedule: str | None = None,
    patience: int | None = None,
    time_limit: float | None = None,
    seed: int | None = None,
    name: str | None = None,
    settings: Sequence[str] = (),
    runs_dir: str | os.PathLike[str] | None = "runs",
    verbose: bool = True,
    listener: Listener | None = None,
) -> SeriesPredictor:
    """Trains a network to forecast ``horizon`` steps of one or many series, and evaluates it on the
    last part of the time.

    ``source`` is a table with a row for each time stamp and series (long form): a path, a data
    frame, a dict of columns, or ``"macrodata"`` or ``"stocks"``. The columns of the time stamps, of
    the series (``group``) and of the values (``target``) are inferred; naming them overrules that.
    Columns in ``known`` are known for the future, those in ``past`` are not, and ``static`` ones
    have one value for each series. All other columns are left out.

    A forecast looks ``window`` steps back. ``split`` holds the fractions of time for training,
    validation and test, in this order. ``quantiles`` are the levels to forecast; with the loss
    ``l1`` or ``mse`` there is one number for each step instead. ``network`` is one of
    ``chainrule.modalities.series.NETWORKS``.

    An argument that is None takes the default of ``run.toml`` or is decided by the data;
    ``settings`` sets anything else, for example ``["data.calendar=true"]``. The run folder goes to
    ``runs_dir``; with None, nothing is written. The same data and ``seed`` give the same bits.

    Raises DataError or ConfigError for data or settings that cannot be used, StateError if the run
    folder cannot be written, TrainingError if training diverges. Ctrl-C saves the best weights so
    far with the status ``interrupted`` and raises KeyboardInterrupt.
    """
    group = (group,) if isinstance(group, str) else group
    arguments = setting_arguments(locals(), SERIES.arguments)
    return fit_source(SERIES, source, arguments, settings, verbose=verbose, listener=listener)
