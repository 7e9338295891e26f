"""Trains a predictor on a table in one call."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Unpack

import numpy.typing as npt

from ...data import Kind, Task
from ...data.tables.table import Cell
from ...runs.fitting import FitArguments, fit_kind
from .kind import TABLES
from .predictor import TablePredictor
from .weights import with_weights

__all__ = ["fit_table"]


def fit_table(
    source: object,
    target: str | None = None,
    *,
    task: Task | None = None,
    missing: Mapping[str, Sequence[Cell]] | None = None,
    columns: Mapping[str, Kind] | None = None,
    query: str | None = None,
    test: str | None = None,
    valid: str | None = None,
    split_group: str | None = None,
    split_time: str | None = None,
    preset: str | None = None,
    layers: Sequence[int] | None = None,
    dropout: float | None = None,
    weight_decay: float | None = None,
    weights: str | Sequence[float] | npt.NDArray[Any] | None = None,
    class_weights: str | Mapping[str, float] | None = None,
    quantiles: Sequence[float] | None = None,
    transform: str | None = None,
    **common: Unpack[FitArguments],
) -> TablePredictor:
    """Trains a network to predict the column ``target`` of a table, and evaluates it on held-out
    rows.

    ``source`` is a path (csv, tsv, parquet or jsonl, plain or gzipped), a bundled table
    (``"heart"``, ``"breast_cancer"``, ``"diabetes"``, whose target is known), a data frame, a
    pyarrow table, a dict of columns, or an array. Two distinct target values make the task binary,
    a few labels multiclass, numbers a regression.

    ``split`` holds the fractions of training, validation and test rows. ``missing={"chol": [0]}``
    lists values that stand for missing data. ``columns={"zip": "category"}`` overrides the kind of
    a column; ``ignored`` leaves it out, and the kind of the target sets the task. ``query`` is an
    SQL SELECT from ``data``. ``test`` and ``valid`` are paths of tables with the test and the
    validation rows. ``split_group`` is a column whose groups are each in one part alone,
    ``split_time`` one by which the earliest rows are for training and the latest for the test.

    ``weights`` say how much each row counts in training, and for the validation loss: the name of a
    column, or one number for each row in memory. Metrics count all rows alike.

    ``class_weights`` are "balanced", so that all classes count alike however rare, or a number for
    each class; they multiply ``weights``. ``quantiles`` are predicted of a number in place of its
    mean: `predict` gives the middle one, `TablePredictor.predict_quantiles` all. A skewed number is
    learned through a ``transform`` ("log", "sqrt", "asinh", or "auto"), which predictions undo.

    ``preset`` names a set of settings to start from: ``fast``, ``good`` (the usual one), ``best``,
    ``tabm`` or ``realmlp``. A network with hidden ``layers`` is trained until the validation loss
    has not improved for ``patience`` epochs, and the best weights are kept. An argument that is
    None takes the default of ``run.toml`` or is decided by the number of rows; ``settings`` sets
    anything else, for example ``["train.clip.global_norm=1"]``. The run folder goes to
    ``runs_dir``; with None, nothing is written. `chainrule.report.write_report` writes its report.
    The same data and ``seed`` give the same bits.

    The other arguments (``common``) are those of every kind of data, and so are the errors: see
    `chainrule.fit`.
    """
    own = dict(locals())
    if weights is not None:
        source, own["weights"] = with_weights(source, weights)
    return fit_kind(TABLES, source, own, common)
