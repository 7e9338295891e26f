"""From a table and the name of a column to a trained predictor, in one call."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence

from ...data import Kind, Task
from ...data.tables.table import Cell
from ...runs.fitting import fit_source
from ...runs.listeners import Listener
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
    """Learns to predict column ``target`` of a table, and judges itself on rows kept apart.

    ``source`` is a path (csv, tsv, parquet, jsonl; plain or gzipped), a bundled table (``"heart"``,
    ``"breast_cancer"``, ``"diabetes"``: their target is known), a data frame, a pyarrow table, a
    dict of columns or an array. Two target values make a binary, few labels a multiclass task,
    numbers a regression.

    ``split``: shares of train, validation and test rows. An MLP with hidden ``layers`` is trained
    with AdamW until the validation loss has not improved for ``patience`` epochs; the best weights
    are kept. What is None is decided by the defaults of ``run.toml`` or by the number of rows.
    ``missing={"chol": [0]}`` lists values that mean `not measured`, ``columns={"zip": "category"}``
    overrules a kind (``ignored`` leaves out, that of the target sets the task), ``query`` is an SQL
    SELECT from ``data``.
    ``settings`` sets anything else that ``run.toml`` can hold: ``["train.clip.global_norm=1"]``.
    The run folder goes to ``runs_dir`` (None: nothing is written); its ``report.html`` is written
    by the command line, or by `chainrule.report.write_report`. Equal data and ``seed``, equal bits.

    Raises DataError or ConfigError for what cannot be learned from, StateError when the run folder
    cannot be written, TrainingError when training diverges. Ctrl-C saves the best weights so far
    with the status ``interrupted`` and raises KeyboardInterrupt.
    """
    given = {
        "target": target, "task": task, "missing": missing, "columns": columns, "query": query,
        "split": split, "layers": layers, "dropout": dropout, "epochs": epochs,
        "batch_size": batch_size, "lr": lr, "optimizer": optimizer, "schedule": schedule,
        "weight_decay": weight_decay, "patience": patience, "time_limit": time_limit,
        "seed": seed, "name": name, "runs_dir": runs_dir,
    }  # fmt: skip
    return fit_source(TABLES, source, given, settings, verbose=verbose, listener=listener)
