"""The settings of a run on a table, as in ``run.toml``, with all defaults."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Annotated, ClassVar, Literal, get_args

from ...data import Kind, Task
from ...data.tables.plan import Dividing, without_parts
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
from ...tasks import TASKS, Quantiles
from . import defaults as table_defaults
from .ensemble import EnsembleSettings
from .presets import PRESETS, Preset

__all__ = [
    "MAX_LAYERS",
    "MAX_WIDTH",
    "Activation",
    "Init",
    "ModelSettings",
    "Settings",
    "TableDataSettings",
    "TableTrainSettings",
    "Width",
]

Activation = Literal["relu", "leaky_relu", "elu", "selu", "gelu", "silu", "tanh", "sigmoid"]
Init = Literal[
    "default", "kaiming_uniform", "kaiming_normal", "xavier_uniform", "xavier_normal",
    "lecun_uniform", "lecun_normal", "orthogonal",
]  # fmt: skip
Network = Literal["mlp", "tabm", "realmlp"]
Numbers = Literal["plain", "piecewise", "periodic"]
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
    also: Annotated[
        Annotated[tuple[str, ...], Length(0, 100)],
        About("further columns to predict, with a network for each; none of them is an input"),
    ] = ()
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
    quantiles: Annotated[
        Annotated[tuple[Annotated[float, Within(0.001, 0.999)], ...], Length(0, 99)],
        About("quantiles to predict of a number, such as [0.1, 0.5, 0.9]"),
    ] = ()
    transform: Annotated[
        Literal["none", "auto", "log", "sqrt", "asinh"],
        About("what a skewed number is learned as; auto: decided by the training rows"),
    ] = "none"
    split: Split = (0.7, 0.15, 0.15)
    fold: Fold = ()
    bag: Annotated[
        Annotated[tuple[Annotated[int, Within(1, 1000)], ...], Length(0, 2)],
        About("[2, 5]: validate on the second fifth of what is not for the test; []: use split"),
    ] = ()
    split_seed: SplitSeed = "auto"
    split_group: Annotated[str, About("column whose groups are each in one part alone")] = ""
    split_time: Annotated[str, About("column by which the earliest rows are for training")] = ""
    test: Annotated[str, About("file with rows to test on; then no others are held out for it")] = (
        ""
    )
    valid: Annotated[str, About("file with rows for validation, likewise")] = ""
    columns: Annotated[
        Mapping[str, Kind],
        About("kinds of columns; text: by words; ignored: unused; the target's kind sets the task"),
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
        if len({self.target, *self.also}) <= len(self.also):
            raise ConfigError(
                f"`data.also` is {list(self.also)}",
                help="name each further target once, and the first one in data.target",
            )
        if any(a >= b for a, b in pairwise(self.quantiles)):
            raise ConfigError(
                f"`data.quantiles` is {list(self.quantiles)}", help="give them in ascending order"
            )
        if self.bag and not (len(self.bag) == 2 and self.bag[0] <= self.bag[1] >= 2):
            raise ConfigError(
                f"`data.bag` is {list(self.bag)}", help="[2, 5] is the second of five parts"
            )
        if self.bag and (self.fold or self.valid):
            other = "data.fold" if self.fold else "data.valid"
            raise ConfigError(
                f"data.bag says what validation rows are, and so does {other}",
                help=f"leave out data.bag (preset best sets it) or {other}",
            )
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
    """A multilayer perceptron, or several as one; categories are embedded."""

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

    network: Annotated[
        Network, About("mlp; tabm: members that share all weights but scales; or realmlp")
    ] = "mlp"
    numbers: Annotated[
        Numbers | Auto,
        About("what becomes of numbers first: plain, piecewise (by quantiles) or periodic (waves)"),
    ] = "plain"
    bins: Annotated[
        Annotated[int, Within(1, 1024)] | Auto, About("intervals of each number if piecewise")
    ] = 12
    trial_epochs: Annotated[
        Annotated[int, Within(0, 1_000)],
        About("epochs after which validation chooses numbers between piecewise and plain; 0: rows"),
    ] = 0
    members: Annotated[
        Annotated[int, Within(1, 1024)],
        About("networks trained as one, whose predictions are averaged"),
    ] = 1

    @property
    def intervals(self) -> int:
        """``bins``, once the data has decided."""
        assert not isinstance(self.bins, str)
        return self.bins

    @property
    def together(self) -> bool:
        """Whether outputs in training are those of each member."""
        return self.members > 1 or self.network != "mlp"

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
class TableTrainSettings(TrainSettings):
    """Training."""

    class_weights: Annotated[
        Literal["none", "balanced"] | Mapping[str, Annotated[float, Within(0.0)]],
        About("how much classes count: balanced (rare ones more), or a number for each; none"),
    ] = "none"


@dataclass(frozen=True)
class Settings(RunSettings):
    """The settings of a run. The same settings and data give the same bits."""

    DECIDED_BY_DATA: ClassVar[tuple[str, ...]] = (
        "model.layers", "model.dropout", "model.numbers", "model.bins", "train.loss",
    )  # fmt: skip
    PRESETS = PRESETS
    USUAL_PRESET = "good"

    name: RunName = ""
    preset: Annotated[Preset, About(f"values where nothing else is set: {', '.join(PRESETS)}")] = (
        "fast"
    )
    seed: Annotated[Seed, About("seed of the split, initial weights, shuffling and dropout")] = 0
    data: TableDataSettings = field(default_factory=TableDataSettings)
    model: ModelSettings = field(default_factory=ModelSettings)
    train: TableTrainSettings = field(default_factory=TableTrainSettings)
    ensemble: EnsembleSettings = field(default_factory=EnsembleSettings)
    observe: ObserveSettings = field(default_factory=ObserveSettings)
    output: OutputSettings = field(default_factory=OutputSettings)

    def resolved(self, rows: int, task: Task, numbers: int = 1) -> Settings:
        """The same without `auto`, which the training rows, their columns of ``numbers`` and the
        task decide.

        ConfigError for a loss that does not fit the task.
        """
        learned = Quantiles if self.data.quantiles else TASKS[task]
        model, train = self.model, self.train.resolved(rows, learned)
        if train.label_smoothing and task == "regression":
            raise ConfigError(
                "a regression has no labels to smooth",
                help="set train.label_smoothing to 0",
            )
        layers = table_defaults.layers_for(rows, model.network)
        dropout = table_defaults.dropout_for(rows, task, model.network)
        encoding = table_defaults.numbers_for(rows, numbers, task)
        bins = table_defaults.bins_for(rows, numbers)
        if model.network == "realmlp" and self.train.lr == "auto":
            train = train.changed(lr=table_defaults.REALMLP_LR[task])
        model = replace(
            model,
            layers=layers if model.layers == "auto" else model.layers,
            dropout=dropout if model.dropout == "auto" else model.dropout,
            numbers=encoding if model.numbers == "auto" else model.numbers,
            bins=bins if model.bins == "auto" else model.bins,
        )
        return replace(self, model=model, train=train)
