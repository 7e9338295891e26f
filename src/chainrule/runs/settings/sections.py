"""The section of ``run.toml`` about output, and what the data sections of all kinds share."""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ...arguments import path_beside, user_path
from ...data import Split as RowSplit
from ...data import split_rows
from ...data.split import fold_rows
from ...durations import interval, steps_counted
from ...errors import ConfigError
from .fields import About, Length, Pattern, SettingError, Within
from .section import Choice, Section

__all__ = [
    "Auto",
    "CheckpointSettings",
    "DataSettings",
    "Fold",
    "ObserveSettings",
    "OutputSettings",
    "RunName",
    "Seed",
    "Split",
    "SplitSeed",
]

Auto: TypeAlias = Literal["auto"]

Seed = Annotated[int, Within(0, 2**63 - 1)]
RunName = Annotated[str, About("name for the run folder")]
Share = Annotated[float, Within(0.0, 1.0)]
Split = Annotated[
    tuple[Share, Share, Share], About("fractions for training, validation and test set")
]
Fold = Annotated[
    Annotated[tuple[Annotated[int, Within(1, 1000)], ...], Length(0, 2)],
    About("[2, 5]: test on the second of five folds; []: use split"),
]

SplitSeed = Annotated[
    Literal["auto", "seed"] | Seed,
    About(
        "seed of the split; seed: that of the run; auto: likewise, but one split for all of --seeds"
    ),
]


class DataSettings(Section):
    """The data: where it is, what to predict, how it is split.

    Each kind of data has a dataclass with these fields and more.
    """

    TABLE: ClassVar[str] = "data"
    #: its settings that are paths, and the names of data that comes along, which are none
    PATHS: ClassVar[tuple[str, ...]] = ("path",)
    BUNDLED: ClassVar[Container[str]] = ()

    #: whether the share of the test may be 0: then the validation part judges the result
    TEST_MAY_BE_LEFT_OUT: ClassVar[bool] = False

    path: str
    target: str
    split: Split
    fold: Fold

    def check(self) -> None:
        needed = self.split[:2] if self.TEST_MAY_BE_LEFT_OUT else self.split
        if min(needed) <= 0 or abs(sum(self.split) - 1) > 1e-9:
            above = "the first two" if self.TEST_MAY_BE_LEFT_OUT else "each"
            raise ConfigError(
                f"`data.split` is {list(self.split)}",
                help=f"give shares of training, validation and test, {above} above 0, together 1",
            )
        if self.fold and not (len(self.fold) == 2 and self.fold[0] <= self.fold[1] >= 2):
            raise ConfigError(
                f"`data.fold` is {list(self.fold)}", help="[2, 5] is the second of five folds"
            )

    def divide(
        self,
        rows: int,
        seed: int,
        *,
        classes: NDArray[np.integer] | None = None,
        unit: str = "row",
        shares: tuple[float, float, float] | None = None,
    ) -> RowSplit:
        """Which of ``rows`` examples are for training, validation and test.

        The parts have nearly equal shares of ``classes``, if there are any. ``shares`` stand for
        those of the settings. Raises DataError if there are too few of a ``unit``.
        """
        shares = shares or self.split
        if self.fold:
            fold, folds = self.fold
            held = shares[1] / (shares[0] + shares[1])
            return fold_rows(
                rows, fold, folds, classes=classes, validation=held, seed=seed, unit=unit
            )
        return split_rows(rows, classes=classes, fractions=shares, seed=seed, unit=unit)

    def with_absolute_paths(self) -> Self:
        """The same with absolute paths; the names of bundled data stay as they are."""
        return self._with_paths(lambda path: str(path.absolute()))

    def relative_to(self, output: Path) -> Self:
        """The same with the paths of what exists relative to the folder of ``output``."""
        return self._with_paths(lambda p: path_beside(str(p), output) if p.exists() else None)

    def _with_paths(self, spell: Callable[[Path], str | None]) -> Self:
        spelled = {}
        for name in self.PATHS:
            text = getattr(self, name)
            path = user_path(text, "the data")
            if text and (text not in self.BUNDLED or path.exists()):
                spelled[name] = spell(path) or text
        return self.changed(**spelled)

    def training_rows(self, rows: int) -> int:
        """The approximate number of training examples among ``rows``."""
        share = self.split[0]
        if self.fold:
            share = (1 - 1 / self.fold[1]) * self.split[0] / (self.split[0] + self.split[1])
        return max(1, round(rows * share))


@dataclass(frozen=True)
class ObserveSettings(Choice):
    """What each layer does, measured in sampled steps: norms of weights, gradients and updates,
    dead and saturated units; ``full`` adds histograms. ``every`` is a time such as ``"2s"`` or a
    number of steps such as ``"100 steps"``. Weights have the same bits with and without."""

    TABLE: ClassVar[str] = "observe"
    NOUN: ClassVar[str] = "level of observation"
    KEY: ClassVar[str] = "level"

    name: str = "basic"

    @classmethod
    def options(cls) -> Mapping[str, Mapping[str, Any]]:
        every = {"every": "2s"}
        return {"off": {}, "basic": every, "full": every}

    def check(self) -> None:
        every = self.settings.get("every", "2s")
        if not interval(every) and not steps_counted(every):
            raise SettingError(
                self.key("every"),
                f"`{self.key('every')}` is {every!r}",
                help='give a time such as "2s", or a number of steps such as "100 steps"',
            )


@dataclass(frozen=True)
class CheckpointSettings(Section):
    """Checkpoints, from which an interrupted run resumes bit for bit."""

    TABLE: ClassVar[str] = "output.checkpoints"

    every: Annotated[
        Literal["epoch", "none"]
        | Annotated[int, Within(1, 1 << 40)]
        | Annotated[str, Pattern(r"\d+(\.\d+)? ?[smh]", 'a time such as "30s"')],
        About('epoch, a number of steps, a time such as "30s", or none'),
    ] = "30s"
    keep: Annotated[
        Annotated[int, Within(1, 1000)], About("number of recent checkpoints to keep")
    ] = 2


@dataclass(frozen=True)
class OutputSettings(Section):
    """What a run writes, and where."""

    TABLE: ClassVar[str] = "output"

    runs_dir: Annotated[str, About("folder to write runs to")] = "runs"
    report: Annotated[bool, About("whether the command line writes report.html")] = True
    ignore: Annotated[
        tuple[str, ...], About("codes of diagnoses that are not to be made, such as T305")
    ] = ()
    checkpoints: CheckpointSettings = field(default_factory=CheckpointSettings)
