"""Trains a predictor on a table in one call."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence

from ...data import Kind, Task
from ...data.tables.table import Cell
from ...runs.fitting import fit_source
from ...runs.listeners import Listener
from ...runs.settings.arguments import setting_arguments
from .kind import TABLES
from .predictor import TablePredictor

__all__ = ["fit_table"]


def fit_table(
    source: object,
    target: str | None = None,
    *,
    task: Task | None = None,
    missing: Mapping[str, Sequence[Cell]] | None = None,
    columns: Mapping[str, Kind] | None = None,
    query: str | None = None,
    split: tuple[float, float, float] | None = None,
    layers: Sequence[int] | None = None,
    dropout: float | None = None,
    epochs: int | None = None,
    batch_size: int | str | None = None,
    lr: float | None = None,
    optimizer: str | None = None,
    schedule: str | None = None,
    weight_decay: float | None = None,
    patience: int | None = None,
    time_limit: float | None = None,
    seed: int | None = None,
    name: str | None = None,
    settings: Sequence[str] = (),
    runs_dir: str | os.PathLike[str] | None = "runs",
    verbose: bool = True,
    listener: Listener | None = None,
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
    SQL SELECT from ``data``.

    An MLP with hidden ``layers`` is trained until the validation loss has not improved for
    ``patience`` epochs, and the best weights are kept. An argument that is None takes the default
    of ``run.toml`` or is decided by the number of rows; ``settings`` sets anything else, for
    example ``["train.clip.global_norm=1"]``. The run folder goes to ``runs_dir``; with None,
    nothing is written. `chainrule.report.write_report` writes its report, as the command line does.
    The same data and ``seed`` give the same bits.

    Raises DataError or ConfigError for data or settings that cannot be used, StateError if the run
    folder cannot be written, TrainingError if training diverges. Ctrl-C saves the best weights so
    far with the status ``interrupted`` and raises KeyboardInterrupt.
    """
    arguments = setting_arguments(locals(), TABLES.arguments)
    return fit_source(TABLES, source, arguments, settings, verbose=verbose, listener=listener)
