"""The settings of a run on a table, as in ``run.toml``, with all defaults."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Annotated, ClassVar, Literal, get_args

from ...data import Kind, Task
from ...data.tables.divide import Dividing
from ...data.tables.prepare import without_parts
from ...errors import ConfigError
from ...runs.settings.document import RunSettings
from ...runs.settings.fields import About, Length, Within
from ...runs.settings.section import Section
from ...runs.settings.sections import (
    Auto,
    DataSettings,
    Fold,
    ObserveSettings,
    OutputSettings,
    RunName,
    Seed,
    Split,
    SplitSeed,
)
from ...runs.settings.training import TrainSettings
from ...tasks import TASKS
from . import defaults as table_defaults

__all__ = [
    "MAX_LAYERS",
    "MAX_WIDTH",
    "Activation",
    "Init",
    "ModelSettings",
    "Settings",
    "TableDataSettings",
    "Width",
]

Activation = Literal["relu", "leaky_relu", "elu", "selu", "gelu", "silu", "tanh", "sigmoid"]
Init = Literal[
    "default", "kaiming_uniform", "kaiming_normal", "xavier_uniform", "xavier_normal",
    "lecun_uniform", "lecun_normal", "orthogonal",
]  # fmt: skip
MAX_LAYERS = 64
MAX_WIDTH = 65_536
Width = Annotated[int, Within(1, MAX_WIDTH)]


@dataclass(frozen=True)
class TableDataSettings(DataSettings):
    """The table, what to predict, and how to split the rows."""

    TEST_MAY_BE_LEFT_OUT: ClassVar[bool] = True
    PATHS: ClassVar[tuple[str, ...]] = ("path", "test", "valid")

    path: Annotated[
        str, About("csv, tsv, parquet or jsonl, plain or gzipped; relative to this file")
    ] = ""
    target: Annotated[str, About("column to predict")] = ""
    weight: Annotated[
        str, About("column of numbers that say how much each row counts in training")
    ] = ""
    query: Annotated[str, About("SELECT that picks rows and columns; the table is called data")] = (
        ""
    )
    task: Annotated[
        Literal["auto", "binary", "multiclass", "regression"],
        About("auto: inferred from the target"),
    ] = "auto"
    split: Split = (0.7, 0.15, 0.15)
    fold: Fold = ()
    split_seed: SplitSeed = "auto"
    split_group: Annotated[str, About("column whose groups are each in one part alone")] = ""
    split_time: Annotated[str, About("column by which the earliest rows are for training")] = ""
    test: Annotated[str, About("file with rows to test on; then no others are held out for it")] = (
        ""
    )
    valid: Annotated[str, About("file with rows for validation, likewise")] = ""
    columns: Annotated[
        Mapping[str, Kind],
        About("kinds of columns; ignored: not used; the target's kind sets the task"),
    ] = field(default_factory=dict)
    missing: Annotated[
        Mapping[str, Annotated[tuple[int | float | str, ...], Length(1, 10_000)]],
        About("values that stand for missing data, by column"),
    ] = field(default_factory=dict)
    formats: Annotated[
        Mapping[str, str],
        About('how numbers or dates are written, by column: "1.234,56", "%d/%m/%Y"'),
    ] = field(default_factory=dict)

    def check(self) -> None:
        super().check()
        Dividing(self.split_group, self.split_time)
        if self.fold and (self.test or self.valid):
            raise ConfigError(
                "folds cannot be combined with files of test or validation rows",
                help="leave out the folds (--seeds repeats a training), data.test and data.valid",
            )

    @property
    def shares(self) -> tuple[float, float, float]:
        """``split``, less the parts that have files of their own."""
        return without_parts(self.split, bool(self.valid), bool(self.test))

    def training_rows(self, rows: int) -> int:
        return super().training_rows(rows) if self.fold else max(1, round(rows * self.shares[0]))

    @property
    def fixed_task(self) -> Task | None:
        return None if self.task == "auto" else self.task


@dataclass(frozen=True)
class ModelSettings(Section):
    """A multilayer perceptron; categories are embedded."""

    TABLE: ClassVar[str] = "model"

    layers: Annotated[
        Annotated[tuple[Width, ...], Length(0, MAX_LAYERS)] | Auto,
        About("sizes of the hidden layers; []: a linear model"),
    ] = "auto"
    dropout: Annotated[Annotated[float, Within(0.0, 0.95)] | Auto, About("dropout probability")] = (
        "auto"
    )
    activation: Annotated[Activation, About(f"one of {', '.join(get_args(Activation))}")] = "relu"
    init: Annotated[
        Init, About(f"initial weights of the hidden layers: {', '.join(get_args(Init))}")
    ] = "default"
    normalisation: Annotated[
        Literal["none", "batch", "layer"],
        About("normalisation after each hidden layer: none, batch or layer"),
    ] = "none"

    def unregularized(self) -> ModelSettings:
        """Without dropout."""
        return replace(self, dropout=0.0)

    @property
    def widths(self) -> tuple[int, ...]:
        """``layers``, once the data has decided."""
        assert not isinstance(self.layers, str)
        return self.layers

    @property
    def dropout_rate(self) -> float:
        """``dropout``, once the data has decided."""
        assert not isinstance(self.dropout, str)
        return self.dropout


@dataclass(frozen=True)
class Settings(RunSettings):
    """The settings of a run. The same settings and data give the same bits."""

    DECIDED_BY_DATA: ClassVar[tuple[str, ...]] = ("model.layers", "model.dropout", "train.loss")

    name: RunName = ""
    seed: Annotated[Seed, About("seed of the split, initial weights, shuffling and dropout")] = 0
    data: TableDataSettings = field(default_factory=TableDataSettings)
    model: ModelSettings = field(default_factory=ModelSettings)
    train: TrainSettings = field(default_factory=TrainSettings)
    observe: ObserveSettings = field(default_factory=ObserveSettings)
    output: OutputSettings = field(default_factory=OutputSettings)

    def resolved(self, rows: int, task: Task) -> Settings:
        """The same without `auto`, which the number of training rows and the task decide.

        ConfigError for a loss that does not fit the task.
        """
        model, train = self.model, self.train.resolved(rows, TASKS[task])
        if train.label_smoothing and task == "regression":
            raise ConfigError(
                "a regression has no labels to smooth",
                help="set train.label_smoothing to 0",
            )
        layers = table_defaults.layers_for(rows) if model.layers == "auto" else model.layers
        dropout = table_defaults.dropout_for(rows, task)
        model = replace(
            model, layers=layers, dropout=dropout if model.dropout == "auto" else model.dropout
        )
        return replace(self, model=model, train=train)
