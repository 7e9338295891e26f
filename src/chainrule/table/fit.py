"""The table door: from a table and the name of a column to a trained predictor, in one call."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..data import Bundled, Kind, Table, Task
from ..data.table import Cell
from ..errors import ConfigError
from . import defaults
from .fitting import Fitting, arrays_folder, prepared_arrays, task_of
from .predictor import LOSS_OF_TASK, Predictor, open_table
from .settings import DataSettings, ModelSettings, Settings, TrainSettings
from .watch import Listener, Talk

__all__ = ["fit"]


def fit(
    source: object,
    target: str | None = None,
    *,
    task: Task | None = None,
    missing: Mapping[str, Sequence[Cell]] | None = None,
    columns: Mapping[str, Kind] | None = None,
    query: str | None = None,
    split: tuple[float, float, float] = (0.7, 0.15, 0.15),
    layers: Sequence[int] | None = None,
    dropout: float | None = None,
    epochs: int = defaults.EPOCHS,
    batch_size: int | None = None,
    lr: float = defaults.LR,
    weight_decay: float = defaults.WEIGHT_DECAY,
    patience: int = defaults.PATIENCE,
    time_limit: float = 0.0,
    seed: int = 0,
    name: str = "",
    runs_dir: str | os.PathLike[str] | None = "runs",
    verbose: bool = True,
    listener: Listener | None = None,
) -> Predictor:
    """Learns to predict column ``target`` of a table, and judges itself on rows kept apart.

    ``source`` is a path (csv, tsv, parquet, jsonl; plain or gzipped), a bundled table (``"heart"``,
    ``"breast_cancer"``: their target is known), a data frame, a pyarrow table, a dict of columns or
    an array. Two target values make a binary, few labels a multiclass task, numbers a regression.

    ``split``: shares of train, validation and test rows. An MLP with hidden ``layers`` is trained
    with AdamW until the validation loss has not improved for ``patience`` epochs; the best weights
    are kept. None for ``layers``, ``dropout``, ``batch_size`` chooses by the number of rows.
    ``missing={"chol": [0]}`` lists values that mean `not measured`, ``columns={"zip": "category"}``
    overrules a kind (``ignored`` leaves out), ``query`` is an SQL SELECT from ``data``. The run
    folder goes to ``runs_dir`` (None: nothing is written). Equal data and ``seed``, equal bits.

    Raises DataError or ConfigError for what cannot be learned from, StateError when the run folder
    cannot be written, TrainingError when training diverges. Ctrl-C saves the best weights so far
    with the status ``interrupted`` and raises KeyboardInterrupt.
    """
    table, known = open_table(source, query)
    data = _data_settings(source, table, known, target, task, columns, missing, query, split)
    wishes = _Wishes(layers, dropout, epochs, batch_size, lr, weight_decay, patience, time_limit)
    wishes.resolved(1, "binary")  # a wrong setting is told before the table is taken apart
    place = None if runs_dir is None else Path(runs_dir).expanduser()
    heard = listener or (Talk() if verbose else Listener())
    with arrays_folder(place) as arrays:
        prepared = prepared_arrays(table, data, seed, arrays)
        model, train = wishes.resolved(len(prepared.train), task_of(prepared))
        settings = Settings(name or _name_of(table, known), seed, data, model, train)
        heard.findings(prepared.findings)
        origin = known.path if known else source
        return Fitting(origin, table, prepared, settings, place, heard, bool(name)).run()


@dataclass(frozen=True)
class _Wishes:
    """What the caller said about model and training; None where the data decides."""

    layers: Sequence[int] | None
    dropout: float | None
    epochs: int
    batch_size: int | None
    lr: float
    weight_decay: float
    patience: int
    time_limit: float

    def resolved(self, rows: int, task: Task) -> tuple[ModelSettings, TrainSettings]:
        """Every setting, with the defaults for ``rows`` training rows."""
        model = ModelSettings(
            tuple(defaults.layers_for(rows) if self.layers is None else self.layers),
            defaults.dropout_for(rows, task) if self.dropout is None else float(self.dropout),
        )
        train = TrainSettings(
            epochs=self.epochs,
            batch_size=defaults.batch_size_for(rows)
            if self.batch_size is None
            else self.batch_size,
            lr=float(self.lr),
            weight_decay=float(self.weight_decay),
            patience=self.patience,
            time_limit=float(self.time_limit),
            loss=LOSS_OF_TASK[task],
        )
        return model, train


def _data_settings(
    source: object,
    table: Table,
    known: Bundled | None,
    target: str | None,
    task: Task | None,
    columns: Mapping[str, Kind] | None,
    missing: Mapping[str, Sequence[Cell]] | None,
    query: str | None,
    split: tuple[float, float, float],
) -> DataSettings:
    """The settings of the data; a bundled table brings its target and what is missing in it."""
    if target is None and known and known.target in table.columns:
        target = known.target
    if target is None:
        raise ConfigError(
            "the target column is not named",
            where=table.name,
            help=f"say which one to predict; the columns are {', '.join(table.columns[:12])}",
        )
    if missing is None and known:
        missing = {c: v for c, v in known.missing.items() if c in table.columns and c != target}
    train, val, test = (float(part) for part in split)
    return DataSettings(
        path=str(source) if isinstance(source, str | os.PathLike) else "",
        target=target,
        query=query or "",
        task=task or "auto",
        columns=dict(columns or {}),
        missing={c: tuple(v) for c, v in (missing or {}).items()},
        split=(train, val, test),
    )


def _name_of(table: Table, known: Bundled | None) -> str:
    """The table's name without folders and endings."""
    return known.name if known else Path(table.name).name.split(".")[0] or "table"
