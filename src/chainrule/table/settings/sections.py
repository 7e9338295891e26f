"""The sections of ``run.toml`` about data, model and output."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, ClassVar, Literal, TypeAlias, get_args

from ...data import Kind, Task
from ...errors import ConfigError
from .fields import About, Length, Like, Within
from .section import Section

__all__ = ["Auto", "CheckpointSettings", "DataSettings", "ModelSettings", "OutputSettings"]

Auto: TypeAlias = Literal["auto"]
Activation = Literal["relu", "leaky_relu", "elu", "selu", "gelu", "silu", "tanh", "sigmoid"]
Init = Literal[
    "default", "kaiming_uniform", "kaiming_normal", "xavier_uniform", "xavier_normal",
    "lecun_uniform", "lecun_normal", "orthogonal",
]  # fmt: skip
MAX_LAYERS = 64
MAX_WIDTH = 65_536

Width = Annotated[int, Within(1, MAX_WIDTH)]
Share = Annotated[float, Within(0.0, 1.0)]


@dataclass(frozen=True)
class DataSettings(Section):
    """The table, what to predict, and how to split the rows."""

    PLACE: ClassVar[str] = "data"

    path: Annotated[
        str, About("csv, tsv, parquet or jsonl, plain or gzipped; relative to this file")
    ] = ""
    target: Annotated[str, About("column to predict")] = ""
    query: Annotated[str, About("SELECT that picks rows and columns; the table is called data")] = (
        ""
    )
    task: Annotated[
        Literal["auto", "binary", "multiclass", "regression"],
        About("auto: inferred from the target"),
    ] = "auto"
    split: Annotated[
        tuple[Share, Share, Share], About("fractions for training, validation and test rows")
    ] = (0.7, 0.15, 0.15)
    fold: Annotated[
        tuple[Annotated[int, Within(1, 1000)], ...],
        Length(0, 2),
        About("[2, 5]: test on the second of five folds; []: use split"),
    ] = ()
    columns: Annotated[
        Mapping[str, Kind],
        About("kinds of columns; ignored: not used; the target's kind sets the task"),
    ] = field(default_factory=dict)
    missing: Annotated[
        Mapping[str, Annotated[tuple[int | float | str, ...], Length(1, 10_000)]],
        About("values that stand for missing data, by column"),
    ] = field(default_factory=dict)

    def check(self) -> None:
        if min(self.split) <= 0 or abs(sum(self.split) - 1) > 1e-9:
            raise ConfigError(
                f"`data.split` is {list(self.split)}",
                help="training, validation and test each need a share; together they are 1",
            )
        if self.fold and not (len(self.fold) == 2 and self.fold[0] <= self.fold[1] >= 2):
            raise ConfigError(
                f"`data.fold` is {list(self.fold)}", help="[2, 5] is the second of five folds"
            )

    @property
    def wanted_task(self) -> Task | None:
        return None if self.task == "auto" else self.task


@dataclass(frozen=True)
class ModelSettings(Section):
    """A multilayer perceptron; categories are embedded."""

    PLACE: ClassVar[str] = "model"

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

    @property
    def widths(self) -> tuple[int, ...]:
        """``layers``, once the data has decided."""
        assert not isinstance(self.layers, str)
        return self.layers

    @property
    def share_dropped(self) -> float:
        """``dropout``, once the data has decided."""
        assert not isinstance(self.dropout, str)
        return self.dropout


@dataclass(frozen=True)
class CheckpointSettings(Section):
    """Checkpoints, from which an interrupted run resumes bit for bit."""

    PLACE: ClassVar[str] = "output.checkpoints"

    every: Annotated[
        Literal["epoch", "none"]
        | Annotated[int, Within(1, 1 << 40)]
        | Annotated[str, Like(r"\d+(\.\d+)? ?[smh]", 'a time such as "30s"')],
        About('epoch, a number of steps, a time such as "30s", or none'),
    ] = "30s"
    keep: Annotated[
        Annotated[int, Within(1, 1000)], About("number of recent checkpoints to keep")
    ] = 2


@dataclass(frozen=True)
class OutputSettings(Section):
    """What a run writes, and where."""

    PLACE: ClassVar[str] = "output"

    runs_dir: Annotated[str, About("folder to write runs to")] = "runs"
    report: Annotated[bool, About("whether the command line writes report.html")] = True
    checkpoints: CheckpointSettings = field(default_factory=CheckpointSettings)
