"""An opened table, and what its settings make of it: rows split, columns encoded."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ... import data as tables
from ...data import Finding, Kind, PreparedRows, Preprocessor, Table, divide, read_target
from ...data.tables.fingerprint import fingerprint_of
from ...data.tables.plan import Dividing, TablePlan
from ...errors import ConfigError, DataError
from ...frontend import Tensor
from ...nn import functional as F
from ...nn import mixup
from ...runs.modality import Batch, PartName
from ...runs.settings.training import TrainSettings
from ...tasks import Task
from ...train import OwnRows
from .network import inputs_of, number_places
from .settings import Settings
from .weights import class_weights, weights_in

__all__ = ["OpenedTable", "PreparedTable", "arrays_of", "transform_of"]


@dataclass(frozen=True)
class OpenedTable:
    """A table and where it came from; ``settings`` name its target."""

    table: Table
    origin: object
    settings: Settings
    valid: Table | None = None
    test: Table | None = None
    #: several networks may learn from the same rows
    latest: list[tuple[Any, tables.Prepared]] = field(default_factory=list, init=False, repr=False)

    @cached_property
    def fingerprint(self) -> str:
        data = self.settings.data
        parts = [(self.origin, self.table), (data.valid, self.valid), (data.test, self.test)]
        return "+".join(fingerprint_of(o, table) for o, table in parts if table is not None)

    def training_rows(self) -> int:
        return self.settings.data.training_rows(self.table.n_rows)

    def divide(self, settings: Settings) -> None:
        data = settings.data
        divide(self.table, data.target, plan_of(settings, data.shares))

    def prepare(self, settings: Settings, folder: Path | None) -> PreparedTable:
        """Schema, split, fitted preprocessing and arrays; those that do not fit into memory lie in
        files of ``folder`` without a name."""
        data = settings.data
        said = (data, settings.split_seed, folder)
        if not self.latest or self.latest[0][0] != said:
            self.latest.clear()
            parts = tables.prepare(
                self.table, data.target, plan_of(settings, data.split), val=self.valid,
                test=self.test, folder=folder,
            )  # fmt: skip
            self.latest.append((said, parts))
        parts = self.latest[0][1]
        task = parts.schema.task
        assert task is not None  # a target was asked for
        numbers = len(number_places(parts.pipeline))
        resolved = settings.resolved(len(parts.train), task, numbers)
        prepared = PreparedTable(self, parts, resolved, settings)
        prepared.check_weights()
        return prepared


def plan_of(settings: Settings, fractions: tuple[float, float, float]) -> TablePlan:
    """What the settings say about a table, with ``fractions`` of training, validation and test."""
    data = settings.data
    kinds: dict[str, Kind] = {c: k for c, k in data.columns.items() if k != "ignored"}
    return TablePlan(
        task=data.fixed_task,
        kinds=kinds,
        missing=data.missing,
        formats=data.formats,
        ignore=[c for c, k in data.columns.items() if k == "ignored"],
        fractions=fractions,
        fold=(data.fold[0], data.fold[1]) if data.fold else None,
        bag=(data.bag[0], data.bag[1]) if data.bag else None,
        seed=settings.split_seed,
        by=Dividing(data.split_group, data.split_time),
        quantiles=data.quantiles,
        transform="" if data.transform == "none" else data.transform,
    )


def arrays_of(part: PreparedRows) -> tuple[Any, Any]:
    """Inputs and target of the rows that are here, as a trainer takes them."""
    return inputs_of(part.features), part.target[part.own]


@dataclass(frozen=True)
class PreparedTable:
    """``parts`` of the table's rows, encoded by what was fitted on the training rows. ``asked`` are
    the settings before the data decided; None if others were decided on."""

    opened: OpenedTable
    parts: tables.Prepared
    settings: Settings
    asked: Settings | None = None

    def with_settings(self, settings: Settings) -> PreparedTable:
        return replace(self, settings=settings, asked=None)

    @property
    def name(self) -> str:
        """The name of the table without folders and extensions."""
        return Path(self.opened.table.name).name.split(".")[0] or "table"

    @property
    def findings(self) -> tuple[Finding, ...]:
        return self.parts.findings

    @property
    def preprocessor(self) -> Preprocessor:
        return self.parts.pipeline

    @property
    def fingerprint(self) -> str:
        return self.opened.fingerprint

    @property
    def train(self) -> tuple[Any, ...] | OwnRows:
        train = self.weighted("train")
        return OwnRows(train) if self.parts.train.is_divided else train

    @property
    def validation(self) -> tuple[Any, ...]:
        return self.weighted("validation")

    def weighted(self, name: PartName) -> tuple[Any, ...]:
        """Inputs and target of a part, and what each row counts if a column says so."""
        parts, opened = self.parts, self.opened
        part, own = {"train": (parts.train, None), "validation": (parts.val, opened.valid),
                     "test": (parts.test, opened.test)}[name]  # fmt: skip
        column, by_class = self.settings.data.weight, self.of_classes
        if not column and by_class is None:
            return arrays_of(part)
        return (*arrays_of(part), self.weights_of(part, own or opened.table)[part.own])

    def weights_of(self, part: PreparedRows, table: Table) -> npt.NDArray[np.float64]:
        """What each row of a part of ``table`` counts, wherever it is."""
        column, by_class = self.settings.data.weight, self.of_classes
        weights = np.ones(len(part.rows)) if by_class is None else by_class[part.target]
        return weights * weights_in(table, column)[part.rows] if column else weights

    def check_weights(self) -> None:
        """DataError or ConfigError if the training rows cannot be weighted as asked for."""
        if not self.weights_of(self.parts.train, self.opened.table).any():
            raise DataError(
                "all training rows have a weight of zero",
                where=f"column `{self.settings.data.weight}`",
                help="at least one row must count: pass a weight above 0",
            )

    @cached_property
    def of_classes(self) -> npt.NDArray[np.float64] | None:
        """How much a row of each class counts; None if all count alike."""
        return class_weights(
            self.settings.train.class_weights, self.preprocessor.classes, self.parts.train.target
        )

    @property
    def test(self) -> tuple[Any, Any]:
        return arrays_of(self.parts.test)

    def target(self, part: PartName) -> npt.NDArray[Any]:
        parts = {"train": self.parts.train, "validation": self.parts.val, "test": self.parts.test}
        return parts[part].target

    @property
    def truth(self) -> npt.NDArray[Any]:
        """Read again, because the encoded target is rounded to float32."""
        target = self.parts.schema.target
        assert target is not None
        known = {c: v for c, v in self.parts.schema.missing.items() if c == target.name}
        table = self.opened.test or self.opened.table
        rows, values = read_target(table.with_missing(known), target)
        return values[np.searchsorted(rows, self.parts.test.rows)]

    @property
    def sizes(self) -> dict[str, int]:
        parts = self.parts
        return {"train": len(parts.train), "validation": len(parts.val), "test": len(parts.test)}

    def data_facts(self) -> dict[str, Any]:
        table = self.opened.table
        return {"rows": table.n_rows, "columns": len(table.columns)}

    def model_facts(self) -> dict[str, Any]:
        preprocessor = self.preprocessor
        return {
            "network": self.settings.model.network,
            "members": self.settings.model.members,
            "layers": list(self.settings.model.widths),
            "columns": len({e.column for e in preprocessor.encoders}),
            "inputs": len(preprocessor.names) + len(preprocessor.code_names),
        }

    @property
    def model_name(self) -> str:
        return self.settings.model.network if self.settings.model.layers else "linear"


def transform_of(
    preprocessor: Preprocessor, goal: Task, settings: TrainSettings
) -> Callable[..., Batch] | None:
    """What is done to a batch inside the step: input noise, label smoothing, mixup.

    ConfigError for mixup of rows that cannot be mixed.
    """
    regularization, smoothing = settings.regularization, settings.label_smoothing
    if not (regularization.input_noise or regularization.mixup or smoothing):
        return None
    if regularization.mixup and preprocessor.code_names:
        raise ConfigError(
            "mixup needs numbers, but the table has categories",
            where=", ".join(preprocessor.code_names[:5]),
            help="set train.regularization.mixup to 0, or leave those columns out",
        )
    classes = goal.outputs if goal.outputs > 1 else 0

    def transform(*batch: Tensor) -> Batch:
        *inputs, target = batch
        if regularization.input_noise and preprocessor.names:
            inputs[0] = F.gaussian_noise(inputs[0], regularization.input_noise)
        if classes and (smoothing or regularization.mixup):
            target = F.one_hot(target, classes).float()
        if smoothing:
            # With two classes, each gets half of it: Szegedy et al. 2016, section 7.
            target = target * (1 - smoothing) + smoothing / (classes or 2)
        if regularization.mixup:
            mixed = mixup(inputs[0], target, regularization.mixup)
            return mixed.x, mixed.target
        return (*inputs, target)

    return transform
