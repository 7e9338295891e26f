"""Trains a forecaster on series in one call."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Unpack

from ...runs.fitting import FitArguments, fit_kind
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
    **common: Unpack[FitArguments],
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

    The other arguments (``common``) are those of every kind of data, and so are the errors: see
    `chainrule.fit`.
    """
    group = (group,) if isinstance(group, str) else group
    return fit_kind(SERIES, source, locals(), common)
