"""The settings of a run on series: ``run.toml`` with ``[data] kind = "series"``."""

from __future__ import annotations

from collections.abc import Container, Mapping
from dataclasses import dataclass, field, replace
from typing import Annotated, ClassVar, Literal

from ...data.series.bundles import BUNDLED_SERIES
from ...errors import ConfigError
from ...runs.settings.document import RunSettings
from ...runs.settings.fields import About, Length, Within
from ...runs.settings.network import Network, NetworkChoice
from ...runs.settings.sections import (
    Auto,
    DataSettings,
    Fold,
    ObserveSettings,
    OutputSettings,
    RunName,
    Seed,
    Split,
)
from ...runs.settings.training import AverageSettings, OptimizerSettings, TrainSettings
from ...tasks import Forecasting
from .network import DEFAULT, NETWORKS

__all__ = ["NetworkSettings", "SeriesDataSettings", "SeriesSettings", "SeriesTrainSettings"]

QUANTILES = (0.1, 0.25, 0.5, 0.75, 0.9)
LARGEST_BATCH, SMALLEST_BATCH = 256, 32

Steps = Annotated[int, Within(1, 100_000)]
Columns = Annotated[tuple[str, ...], Length(0, 1000)]
Level = Annotated[float, Within(1e-6, 1 - 1e-6)]


@dataclass(frozen=True)
class SeriesDataSettings(DataSettings):
    """The series, which columns they are in, and how far to forecast."""

    BUNDLED: ClassVar[Container[str]] = BUNDLED_SERIES

    kind: Annotated[Literal["series"], About("marks a run on series; tables leave it out")] = (
        "series"
    )
    path: Annotated[
        str, About("a table with a row for each time stamp and series; relative to this file")
    ] = ""
    target: Annotated[str, About("column to forecast; empty: inferred")] = ""
    time: Annotated[str, About("column of the time stamps; empty: inferred")] = ""
    group: Annotated[
        Columns, About("columns that tell the series apart; []: inferred, or a single series")
    ] = ()
    query: Annotated[str, About("SELECT that picks rows and columns; the table is called data")] = (
        ""
    )
    task: Annotated[Literal["forecasting"], About("forecasting")] = "forecasting"
    horizon: Annotated[Steps | Auto, About("steps to forecast; auto: two seasons at most")] = "auto"
    window: Annotated[
        Steps | Auto, About("steps to look back; auto: two seasons or three horizons")
    ] = "auto"
    frequency: Annotated[
        str, About("auto, yearly, quarterly, monthly, weekly, daily, trading days, hourly, rows")
    ] = "auto"
    season: Annotated[Steps | Auto, About("steps that repeat; auto: by the frequency")] = "auto"
    quantiles: Annotated[
        Annotated[tuple[Level, ...], Length(1, 99)], About("levels of the forecasts, ascending")
    ] = QUANTILES
    known: Annotated[Columns, About("columns of numbers that are known for the future")] = ()
    past: Annotated[Columns, About("columns of numbers that are known for the past alone")] = ()
    static: Annotated[Columns, About("columns with one value for each series")] = ()
    calendar: Annotated[bool, About("whether the time of the year, week and day is an input")] = (
        False
    )
    transform: Annotated[
        Literal["auto", "none", "log"], About("auto: log if changes grow with the level")
    ] = "auto"
    split: Split = (0.7, 0.15, 0.15)
    fold: Fold = ()

    def check(self) -> None:
        super().check()
        if list(self.quantiles) != sorted(set(self.quantiles)):
            raise ConfigError(
                f"`data.quantiles` is {list(self.quantiles)}", help="give them in ascending order"
            )
        roles = [*self.group, *self.known, *self.past, *self.static, self.time, self.target]
        double = next((c for c in roles if c and roles.count(c) > 1), None)
        if double:
            raise ConfigError(
                f"the column `{double}` has two roles",
                help="a column is the time, the target, a group, known, past or static",
            )


@dataclass(frozen=True)
class NetworkSettings(NetworkChoice):
    """The network; see ``docs/series.md``."""

    NETWORKS: ClassVar[Mapping[str, Network]] = NETWORKS

    name: str = DEFAULT

    def check(self) -> None:
        NETWORKS[self.name].check(self.settings)


@dataclass(frozen=True)
class SeriesOptimizerSettings(OptimizerSettings):
    """The optimizer."""

    WEIGHT_DECAY: ClassVar[float] = 0.01


@dataclass(frozen=True)
class SeriesAverageSettings(AverageSettings):
    """Averages of the weights, used for predictions instead of the weights themselves: the best
    epoch on a short validation part is less of an accident with them."""

    name: str = "ema"


@dataclass(frozen=True)
class SeriesTrainSettings(TrainSettings):
    """Training."""

    UNITS: ClassVar[str] = "series"
    INSTEAD: ClassVar[Mapping[str, str]] = {"mixup": "set it to 0", "input_noise": "set it to 0"}

    optimizer: SeriesOptimizerSettings = field(default_factory=SeriesOptimizerSettings)
    average: SeriesAverageSettings = field(default_factory=SeriesAverageSettings)

    def check(self) -> None:
        super().check()
        if self.label_smoothing:
            raise ConfigError("`train.label_smoothing` is for classes", help="set it to 0")


@dataclass(frozen=True)
class SeriesSettings(RunSettings):
    """The settings of a run on series. The same settings and data give the same bits."""

    DECIDED_BY_DATA: ClassVar[tuple[str, ...]] = (
        "data.horizon", "data.window", "data.season", "train.loss",
    )  # fmt: skip

    name: RunName = ""
    seed: Annotated[Seed, About("seed of initial weights, shuffling and dropout")] = 0
    data: SeriesDataSettings = field(default_factory=SeriesDataSettings)
    model: NetworkSettings = field(default_factory=NetworkSettings)
    train: SeriesTrainSettings = field(default_factory=SeriesTrainSettings)
    observe: ObserveSettings = field(default_factory=ObserveSettings)
    output: OutputSettings = field(default_factory=OutputSettings)

    def resolved(self, windows: int) -> SeriesSettings:
        """The same without `auto` in training, which the number of training windows decides."""
        return replace(self, train=self.train.resolved(windows, Forecasting))
