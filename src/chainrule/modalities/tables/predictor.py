"""A trained model with its preprocessing: from a table to labels, probabilities and metrics."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ...data import Features, Preprocessor, Table, Task, read_target
from ...data.target import Label
from ...errors import ConfigError
from ...runs.predictor import Trained
from ...tasks import scoring
from ...train import Scores, Trainer
from .network import TableNet, inputs_of
from .opening import open_table
from .settings import Settings
from .trainer import judging_trainer

__all__ = ["Predictor"]


class Predictor(Trained[TableNet, Preprocessor, Settings]):
    """What ``fit`` and ``load_run`` give::

        model.predict("new.csv")        # labels of their own type, numbers in the target's unit
        model.predict_proba("new.csv")  # (rows, classes), in the order of model.classes
        model.evaluate("labelled.csv")  # {"accuracy": 0.84, ...}

    Tables are what ``read_table`` takes. The order of columns does not matter and there may be more
    than the model uses; a missing one is a DataError. ``findings`` are those of the training data,
    ``last_findings`` those of the table that was predicted last; ``metrics`` hold the test rows'
    metrics, ``baseline`` those of a constant guess; ``run`` is the run folder, if there is one.
    """

    def judging(self) -> Trainer:
        return judging_trainer(self.model, self.pipeline, self.settings)

    def learned(self) -> str:
        return f"{self.target}: {self.task}"

    @property
    def task(self) -> Task:
        """``binary``, ``multiclass`` or ``regression``."""
        task = self.pipeline.schema.task
        assert task is not None
        return task

    @property
    def classes(self) -> tuple[Label, ...]:
        """The labels in the order of the columns of `predict_proba`; empty for a regression."""
        return self.pipeline.classes

    @property
    def target(self) -> str:
        """The name of the target column."""
        target = self.pipeline.schema.target
        assert target is not None
        return target.name

    def predict(self, table: object, *, query: str | None = None) -> npt.NDArray[Any]:
        """One label or number for each row, in order.

        Labels have the type they had in training: text as an object array, whole numbers int64,
        truth values bool; numbers of a regression are float64 in the target's unit.
        """
        return self.decode(self.scores(open_table(table, query)[0]))

    def predict_proba(self, table: object, *, query: str | None = None) -> npt.NDArray[np.float64]:
        """The probability of each class, (rows, classes). ConfigError for a regression."""
        return self.probabilities(self.scores(open_table(table, query)[0]))

    def evaluate(self, table: object, *, query: str | None = None) -> dict[str, float]:
        """Metrics on the rows that have a target (see ``scoring.metric_names``)."""
        opened = open_table(table, query)[0]
        target = self.pipeline.schema.target
        assert target is not None
        known = {c: v for c, v in self.pipeline.schema.missing.items() if c == target.name}
        rows, truth = read_target(opened.with_missing(known), target)
        return self.judge(truth, self.scores(opened, rows))

    def scores(self, table: Table, rows: npt.NDArray[np.int64] | None = None) -> Scores:
        """The network's outputs for ``rows`` (all of them if None)."""
        features = self.pipeline.transform(table, rows, folder=Path(tempfile.gettempdir()))
        self.last_findings = (*table.findings, *features.findings)
        return self.scores_of(features)

    def scores_of(self, features: Features) -> Scores:
        """The network's outputs for rows that are encoded already."""
        return self.trainer.scores(inputs_of(features))

    def decode(self, scores: Scores) -> npt.NDArray[Any]:
        """Outputs as labels or numbers."""
        if self.task == "regression":
            return self.pipeline.decode_target(scores.values[:, 0])
        return self.pipeline.decode_target(scores.labels.reshape(len(scores.values)))

    def probabilities(self, scores: Scores) -> npt.NDArray[np.float64]:
        """Outputs as probabilities of the classes."""
        if self.task == "regression":
            raise ConfigError(
                "a regression has no probabilities", help="use predict (on the command line: "
                "leave --proba out)"
            )  # fmt: skip
        p = scores.probabilities
        return np.concatenate([1 - p, p], axis=1) if self.task == "binary" else p

    def judge(self, truth: npt.NDArray[np.float64], scores: Scores) -> dict[str, float]:
        """Metrics of ``scores`` against class codes, or against numbers in the target's unit."""
        if self.task == "regression":
            return scoring.regression(truth, self.decode(scores))
        return scoring.classification(self.task, truth.astype(np.int32), scores)
