"""The table door: from a table and the name of a column to a trained predictor, in one call."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ...arguments import path_of, user_path
from ...data import Bundled, Kind, Table, Task
from ...data.table import Cell
from ...errors import ConfigError
from ...runs.listeners import Listener, Talk
from ...runs.settings.arguments import COMMON, source_of
from ...runs.settings.sources import from_environment, from_words, gather
from .fitting import Fitting, prepared_arrays, task_of
from .opening import open_table
from .predictor import Predictor
from .settings import Settings

__all__ = ["KEYS", "completed", "fit", "fit_settings", "settings_for"]

#: where the arguments of ``fit`` and the options of ``chainrule train`` stand in ``run.toml``
KEYS: Mapping[str, tuple[str, ...]] = {
    **COMMON,
    "target": ("data", "target"),
    "query": ("data", "query"),
    "task": ("data", "task"),
    "columns": ("data", "columns"),
    "missing": ("data", "missing"),
    "layers": ("model", "layers"),
    "dropout": ("model", "dropout"),
    "weight_decay": ("train", "optimizer", "weight_decay"),
}


def fit(
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
) -> Predictor:
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
    found = settings_for(source, given, settings)
    return fit_settings(found, source, listener=listener or (Talk() if verbose else Listener()))


def settings_for(source: object, given: Mapping[str, Any], words: Sequence[str]) -> Settings:
    """Settings from arguments of `fit`, None for those that were left out, and ``KEY=VALUE``."""
    place = given.get("runs_dir")
    given = {
        **given,
        "path": os.fspath(source) if isinstance(source, str | os.PathLike) else "",
        "runs_dir": "" if place is None else str(path_of(place, "runs_dir")),
    }
    chosen = source_of({name: value for name, value in given.items() if value is not None}, KEYS)
    return gather([from_environment(), chosen, from_words(words, "settings")], Settings).settings


def fit_settings(
    settings: Settings, source: object = None, *, listener: Listener | None = None
) -> Predictor:
    """`fit` with settings that are complete but for what the data decides.

    ``source`` stands for the table of ``settings.data.path`` if it is given.
    """
    heard = listener or Listener()
    origin = source if source is not None else settings.data.path
    table, known = open_table(origin, settings.data.query or None)
    named = bool(settings.name)
    settings = completed(settings, origin, table, known)
    where = settings.output.runs_dir
    place = user_path(where, "output.runs_dir") if where else None
    prepared = prepared_arrays(table, settings.data, settings.seed, place)
    settings = settings.resolved(len(prepared.train), task_of(prepared))
    heard.findings(prepared.findings)
    origin = known.path if known else origin
    return Fitting(origin, table, prepared, settings, place, heard, named).run()


def completed(settings: Settings, origin: object, table: Table, known: Bundled | None) -> Settings:
    """With what a bundled table knows about itself, a name, and a path that holds anywhere."""
    data = settings.data
    if not data.target and known and known.target in table.columns:
        data = replace(data, target=known.target)
    if not data.target:
        raise ConfigError(
            "the target column is not named",
            where=table.name,
            help=f"say which one to predict; the columns are {', '.join(table.columns[:12])}",
        )
    if not data.missing and known:
        usual = {c: v for c, v in known.missing.items() if c in table.columns and c != data.target}
        data = replace(data, missing=usual)
    if known:
        data = replace(data, path=known.name)
    elif isinstance(origin, str | os.PathLike):
        data = replace(data, path=str(user_path(origin, "the data").absolute()))
    return replace(settings, data=data, name=settings.name or _name_of(table, known))


def _name_of(table: Table, known: Bundled | None) -> str:
    """The table's name without folders and endings."""
    return known.name if known else Path(table.name).name.split(".")[0] or "table"
