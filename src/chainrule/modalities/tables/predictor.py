"""A trained model and its preprocessing: predicts, and evaluates, a table."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ...data import Features, Preprocessor, Table, read_table, read_target
from ...data.tables.encode import CategoryEncoder, Encoder
from ...data.tables.fields import field_of, fields_of
from ...data.tables.sql import CHUNK_ROWS
from ...errors import ConfigError
from ...runs.example import (
    Example,
    Form,
    Name,
    is_file,
    numbers_of,
    spelled_classes,
)
from ...runs.predictor import Column, Predictor
from ...tasks.quantiles import Quantiles
from ...tasks.regression import Regression
from ...train import Scores
from .explaining import explained
from .network import TableNet, inputs_of, products_of
from .opening import open_table
from .prepare import PreparedTable
from .realmlp import RealMLP
from .settings import Settings

__all__ = ["TablePredictor"]


class TablePredictor(Predictor[TableNet | RealMLP, Preprocessor, Settings]):
    """What ``fit_table`` and ``load_run`` return::

        model.predict("new.csv")        # labels of their own type, or numbers in the target's unit
        model.predict_proba("new.csv")  # (rows, classes), in the order of model.classes
        model.evaluate("labelled.csv")  # {"accuracy": 0.84, ...}

    A table is anything that ``read_table`` accepts. Its columns may be in any order, and there may
    be more than the model uses; a missing one is a DataError. ``findings`` are about the training
    data, ``last_findings`` about the table predicted last. ``metrics`` are those of the test rows,
    ``baseline`` those of a constant guess; ``run`` is the run folder, if there is one.
    """

    def predict(self, table: object, *, query: str | None = None) -> npt.NDArray[Any]:
        """One label or number per row, in order.

        Labels have the type they had in training: text (an object array), int64 or bool. The
        numbers of a regression are float64, in the unit of the target.
        """
        return self.decode(self.scores(open_table(table, query)[0]))

    def predict_quantiles(
        self, table: object, *, query: str | None = None
    ) -> npt.NDArray[np.float64]:
        """The quantiles that were asked for, (rows, quantiles), in ascending order.

        ConfigError for a predictor of something else.
        """
        if not isinstance(self.goal, Quantiles):
            raise ConfigError(
                f"a {self.goal.name} has no quantiles", help="train with --quantiles 0.1,0.5,0.9"
            )
        return self.goal.intervals(self.scores(open_table(table, query)[0]))

    def predict_interval(
        self, table: object, level: float = 0.9, *, query: str | None = None
    ) -> npt.NDArray[np.float64]:
        """From where to where a share ``level`` of true values is expected, (rows, 2): 0.5, 0.8,
        0.9 or 0.95, from the errors on the validation rows, or what quantiles enclose.

        ConfigError for another level, and for classes.
        """
        return self._band(self.scores(open_table(table, query)[0]), level)

    def _band(self, scores: Scores, level: float) -> npt.NDArray[np.float64]:
        if not isinstance(self.goal, Regression):
            raise ConfigError(
                f"a {self.goal.name} has no intervals", help="ask for probabilities (--proba)"
            )
        return self.goal.band(scores, level)

    def predict_proba(self, table: object, *, query: str | None = None) -> npt.NDArray[np.float64]:
        """The probability of each class, (rows, classes). ConfigError for a regression."""
        return self.probabilities(self.scores(open_table(table, query)[0]))

    def evaluate(self, source: object, *, query: str | None = None) -> dict[str, float]:
        """Metrics on the rows that have a target (see `Task.metrics`)."""
        opened = open_table(source, query)[0]
        target = self.preprocessor.schema.target
        assert target is not None
        known = {c: v for c, v in self.preprocessor.schema.missing.items() if c == target.name}
        rows, truth = read_target(opened.with_missing(known), target)
        return self.goal.compute_metrics(truth, self.scores(opened, rows))

    def inputs(self, source: object) -> Any:
        return inputs_of(self._features(open_table(source)[0], None))

    def form(self) -> Form:
        fields = tuple(field_of(e) for e in self._used())
        return Form(fields, classes=spelled_classes(self.classes))

    def _used(self) -> list[Encoder]:
        """The encoder of each column that is an input, in the order of the table."""
        own = {encoder.column: encoder for encoder in self.preprocessor.encoders}
        return [own[c.name] for c in self.preprocessor.schema.inputs if c.name in own]

    def typed(self, text: str | Mapping[str, Any]) -> Any:
        if isinstance(text, str) and is_file(text):
            return text
        fields = fields_of(text, [e.column for e in self._used()], self.target)
        return read_table({name: [value] for name, value in fields.items()}, name="the row")

    def aim(self, text: str) -> npt.NDArray[Any]:
        if self.classes:
            return super().aim(text)
        return self.preprocessor.encode_target(np.array(numbers_of(text, 1)))

    def example(self, given: Any, target: str | None = None) -> Example:
        one = isinstance(given, Mapping) and all(map(np.isscalar, given.values()))
        source = self.typed(given) if one or isinstance(given, str) else given
        table = open_table(source)[0]
        own = self.preprocessor.schema.target
        read = super().example(table, target)
        if target is None and own is not None and own.name in table.columns:
            known = self.preprocessor.target(table)[1]
            return replace(read, target=known if len(known) else None)
        return read

    def input_names(self) -> tuple[Name, ...]:
        pre = self.preprocessor
        coded = [e for e in pre.encoders if isinstance(e, CategoryEncoder) and not e.one_hot]

        def number(index: tuple[int, ...], value: float) -> str:
            return pre.names[index[-1]]

        def category(index: tuple[int, ...], value: float) -> str:
            return coded[index[-1]].meaning(int(value))

        return (*([number] if pre.names else []), *([category] if coded else []))

    def scores(self, table: Table, rows: npt.NDArray[np.int64] | None = None) -> Scores:
        """The network's outputs for ``rows`` (all of them if None)."""
        if (table.n_rows if rows is None else len(rows)) <= CHUNK_ROWS:
            return self.joint(lambda one: one._outputs(table, rows))
        # What is predicted need not be kept: each part of the rows is encoded by one member, and
        # forgotten, then by the next.
        networks = self.members or (self,)
        answers = [each._in_parts(table, rows, len(networks) == 1) for each in networks]
        parts = [self.together(each) for each in zip(*answers, strict=True)]
        return Scores(np.concatenate([each.outputs for each in parts]), parts[0].link)

    def _in_parts(
        self, table: Table, rows: npt.NDArray[np.int64] | None, once: bool
    ) -> Iterator[Scores]:
        def answer(part: Features) -> Scores:
            self.last_findings = (*table.findings, *part.findings)
            return self.scores_of(inputs_of(part))

        return map(answer, self.preprocessor.in_parts(table, rows, once=once))

    def _outputs(self, table: Table, rows: npt.NDArray[np.int64] | None) -> Scores:
        return self.scores_of(inputs_of(self._features(table, rows)))

    def _features(self, table: Table, rows: npt.NDArray[np.int64] | None) -> Features:
        features = self.preprocessor.transform(table, rows, folder=Path(tempfile.gettempdir()))
        self.last_findings = (*table.findings, *features.findings)
        return features

    def explained(
        self, prepared: PreparedTable, truth: npt.NDArray[Any], scores: Scores
    ) -> dict[str, Any]:
        part = prepared.parts.test if prepared.sizes["test"] else prepared.parts.val

        def ask(features: Features) -> Scores:
            return self.scores_of(inputs_of(features))

        judged = prepared.opened.test if prepared.sizes["test"] else prepared.opened.valid
        table = judged or prepared.opened.table

        def cells_of(columns: Sequence[str], rows: npt.NDArray[np.int64]) -> list[list[str]]:
            return table.cells(columns, rows.tolist())

        return explained(
            ask, part.features, truth, scores, self.preprocessor, self.goal, part.rows, cells_of,
            products_of(self.model),
        )  # fmt: skip

    def columns(
        self,
        source: object,
        proba: bool = False,
        *,
        query: str | None = None,
        keep: Sequence[str] = (),
        interval: float | None = None,
    ) -> list[Column]:
        """The columns to ``keep``, as text, the predictions, and if asked for an ``interval`` that
        holds such a share of true values.

        ConfigError if a kept column has the name of a column of predictions.
        """
        table = open_table(source, query)[0]
        names = tuple(dict.fromkeys(keep))
        of_quantiles = self.goal.column_names if isinstance(self.goal, Quantiles) else []
        sides = ["from", "to"] if interval is not None else []
        probable = self.probability_names() if proba else []
        added = ["prediction", *probable, *of_quantiles, *sides]
        for name in names:
            table.index(name)  # raises if there is none
            if name in added:
                raise ConfigError(
                    f"the predictions already have a column named `{name}`",
                    where="--keep",
                    help="rename the column with --query",
                )
        scores = self.scores(table)
        predictions: list[Column] = [("prediction", self.decode(scores))]
        predictions += self.probability_columns(scores) if proba else []
        if isinstance(self.goal, Quantiles):
            predictions += zip(of_quantiles, self.goal.intervals(scores).T, strict=True)
        if interval is not None:
            predictions += zip(sides, self._band(scores, interval).T, strict=True)
        return [*_as_text(table, names), *predictions]


def _as_text(table: Table, names: Sequence[str]) -> list[Column]:
    chunks: dict[str, list[npt.NDArray[Any]]] = {name: [] for name in names}
    if names:
        for _, chunk in table.read(dict.fromkeys(names, "text")):
            for name in names:
                chunks[name].append(chunk[name])
    return [(name, np.concatenate(parts)) for name, parts in chunks.items()]
