"""One fit: from prepared arrays to the predictor, with the run folder written on the way."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ...data import Finding, Kind, Prepared, Table, Task, divide, prepare, read_target
from ...runs.folder import RunFolder, unwritable
from ...runs.listeners import Listener
from ...runs.training import Course, generator_at
from ...tasks import scoring
from ...train import Trainer
from .evaluation import write_evaluation
from .fingerprint import fingerprint_of
from .network import TableNet, build, inputs_of
from .predictor import Predictor
from .settings import DataSettings, Settings
from .trainer import new_trainer

__all__ = ["Fitting", "check_division", "prepared_arrays", "task_of", "untrained"]


def task_of(prepared: Prepared) -> Task:
    task = prepared.schema.task
    assert task is not None
    return task


def prepared_arrays(table: Table, data: DataSettings, seed: int, place: Path | None) -> Prepared:
    """Schema, split, fitted preprocessing and arrays, as the settings say; arrays that do not fit
    into memory lie in files of ``place`` without a name.
    """
    try:
        return prepare(table, data.target, **_wanted(data), seed=seed, folder=place)
    except OSError as error:
        raise unwritable(place or Path(), error) from None


def check_division(table: Table, data: DataSettings, seed: int) -> None:
    """Raises what is wrong with the target or the split, before anything is written."""
    divide(table, data.target, **_wanted(data), seed=seed)


def _wanted(data: DataSettings) -> dict[str, Any]:
    """The settings as arguments of `prepare` and `divide`."""
    kinds: dict[str, Kind] = {c: k for c, k in data.columns.items() if k != "ignored"}
    return {
        "task": data.wanted_task,
        "kinds": kinds,
        "missing": data.missing,
        "ignore": [c for c, k in data.columns.items() if k == "ignored"],
        "fractions": data.split,
        "fold": (data.fold[0], data.fold[1]) if data.fold else None,
    }


def untrained(prepared: Prepared, settings: Settings) -> tuple[TableNet, Trainer]:
    """The network with its first weights, and what trains it."""
    with generator_at(2 * settings.seed):
        model = build(prepared.pipeline, settings.model)
    return model, new_trainer(model, prepared.pipeline, settings, len(prepared.train))


@dataclass
class Fitting(Course[TableNet, Predictor]):
    """One fit, from prepared arrays to the predictor."""

    source: object
    table: Table
    prepared: Prepared
    settings: Settings
    place: Path | None
    heard: Listener
    named: bool

    @property
    def data_name(self) -> str:
        """The table's name without folders and endings."""
        return Path(self.table.name).name.split(".")[0] or "table"

    @property
    def model_name(self) -> str:
        return "mlp" if self.settings.model.layers else "linear"

    @property
    def findings(self) -> Sequence[Finding]:
        return self.prepared.findings

    def untrained(self) -> tuple[TableNet, Trainer]:
        return untrained(self.prepared, self.settings)

    def examples(self) -> tuple[Any, Any]:
        train, val = self.prepared.train, self.prepared.val
        return (inputs_of(train.features), train.target), (inputs_of(val.features), val.target)

    def pipeline_text(self) -> str:
        return self.prepared.pipeline.to_json()

    def facts(self) -> dict[str, Any]:
        prepared, settings = self.prepared, self.settings
        return {
            "task": task_of(prepared),
            "classes": list(prepared.pipeline.classes),
            "data": {
                "name": self.data_name,
                "path": settings.data.path,
                "fingerprint": fingerprint_of(self.source, self.table),
                "rows": self.table.n_rows,
                "columns": len(self.table.columns),
                "target": settings.data.target,
            },
            "split": {
                "train": len(prepared.train),
                "validation": len(prepared.val),
                "test": len(prepared.test),
            },
        }

    def sizes(self, model: TableNet) -> dict[str, Any]:
        pipeline = self.prepared.pipeline
        return {
            "layers": list(self.settings.model.widths),
            "columns": len({e.column for e in pipeline.encoders}),
            "inputs": len(pipeline.names) + len(pipeline.code_names),
        }

    def judged(self, model: TableNet, trainer: Trainer, folder: RunFolder) -> Predictor:
        prepared = self.prepared
        predictor = Predictor(
            model,
            prepared.pipeline,
            self.settings,
            history=trainer.history,
            findings=prepared.findings,
            run=folder.path,
        )
        truth = self._truth(prepared.test.rows)
        scores = predictor.scores_of(prepared.test.features)
        predictor.metrics = predictor.judge(truth, scores)
        predictor.baseline = scoring.baseline(prepared.pipeline, prepared.train.target, truth)
        write_evaluation(folder, predictor, prepared, truth, scores)
        return predictor

    def _truth(self, chosen: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
        """Class codes, or numbers in the target's unit, of the chosen rows."""
        target = self.prepared.schema.target
        assert target is not None
        known = {c: v for c, v in self.prepared.schema.missing.items() if c == target.name}
        rows, values = read_target(self.table.with_missing(known), target)
        return values[np.searchsorted(rows, chosen)]
