"""What a kind of data brings: all that runs, reports and commands need to know about it.

    settings, source ── Modality.open ──► Opened ── prepare ──► Prepared ── training ──► Predictor

`Opened` data was found and can be read. `Prepared` data is split and encoded, with everything
fitted on the training part alone, and leaves nothing to decide. Loading a run folder needs the
rest of `Modality`: it reads the preprocessor, builds the network, and describes the run in words.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import (
    TYPE_CHECKING,
    Any,
    ClassVar,
    Generic,
    Literal,
    Protocol,
    Self,
    TypeVar,
)

import numpy as np
import numpy.typing as npt

from ..arguments import is_pair
from ..data import Finding
from ..frontend import Tensor
from ..nn import Module
from ..train import BatchSource, OwnRows, Scores
from .choosing import Candidates
from .option import Command, Options
from .predictor import Predictor
from .settings.document import RunSettings
from .settings.sources import Key
from .space import OneOf, Space, Times, between
from .task import Task

if TYPE_CHECKING:
    from .checks.result import Check

__all__ = ["PARTS", "SPACE", "Batch", "Draft", "Modality", "Opened", "Part", "PartName", "Prepared",
           "Preprocessor", "Words", "is_pair", "judged_part", "part_inputs"]  # fmt: skip

S = TypeVar("S", bound=RunSettings)
P = TypeVar("P", bound=Predictor[Any, Any, Any])
Batch = tuple[Tensor, ...]
PartName = Literal["train", "validation", "test"]
#: as `Trainer.fit` takes it: inputs and target, a source that reads both, or some rows of them
Part = tuple[Any, Any] | BatchSource | OwnRows
PARTS: tuple[PartName, ...] = ("train", "validation", "test")
#: of kinds that declare none of their own
SPACE: Space = {
    ("train", "lr"): Times(1 / 8, 8),
    ("train", "optimizer", "weight_decay"): between(1e-4, 0.5, log=True),
    ("train", "batch_size"): OneOf(16, 32, 64, 128, 256),
}


def judged_part(sizes: Mapping[str, object]) -> PartName:
    """The part that a result is measured on: the test part, or validation if there is none."""
    return "validation" if sizes.get("test") == 0 else "test"


def part_inputs(part: Part) -> Any:
    """The inputs of a part, as `Trainer.scores` takes them."""
    return part[0] if isinstance(part, tuple) else part


class Preprocessor(Protocol):
    """What is fitted on the training data and turns data into inputs of the network."""

    def to_json(self) -> str:
        """The text of ``pipeline.json``."""


@dataclass(frozen=True)
class Words:
    """How a run speaks of its data and model; kept in ``run.json``.

    ``unit`` and ``units`` are what an example is called. ``source`` and ``network`` are short, for
    a headline: ``918 rows, 10 columns``, ``mlp 64-64``; ``model`` is the network in a sentence.
    ``new`` and ``labelled`` stand for the user's own data in a command.
    """

    unit: str
    units: str
    source: str
    network: str
    model: str
    new: str
    labelled: str

    def to_dict(self) -> dict[str, str]:
        """For ``run.json``."""
        return asdict(self)


class Prepared(Protocol[S]):
    """Data to train on: split and encoded, everything fitted on the training part alone."""

    @property
    def settings(self) -> S:
        """The settings of the run, with no ``auto`` left."""

    @property
    def name(self) -> str:
        """The name of the data in the names of run folders."""

    @property
    def model_name(self) -> str:
        """The name of the model there."""

    @property
    def fingerprint(self) -> str:
        """``sha256:...`` of the data."""

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What was found in the data."""

    @property
    def preprocessor(self) -> Any:
        """The fitted `Preprocessor`."""

    @property
    def train(self) -> Part:
        """The part to train on."""

    @property
    def validation(self) -> Part:
        """The part that decides when to stop."""

    @property
    def test(self) -> Part:
        """The part held out to test the result."""

    def target(self, part: PartName) -> npt.NDArray[Any]:
        """The target of each example of a part, as the network learns it; see `Task.truth`."""

    @property
    def truth(self) -> npt.NDArray[Any]:
        """The truth for the test part, as `Task.compute_metrics` takes it."""

    @property
    def sizes(self) -> dict[str, int]:
        """The number of examples in ``train``, ``validation`` and ``test``."""

    def with_settings(self, settings: S) -> Self:
        """The same data, for a training with other settings of model or training."""

    def data_facts(self) -> dict[str, Any]:
        """For the section ``data`` of ``run.json``: at least ``rows``, the number of examples."""

    def model_facts(self) -> dict[str, Any]:
        """For the section ``model`` of ``run.json``."""


class Opened(Protocol[S]):
    """Data that was found and can be read."""

    @property
    def settings(self) -> S:
        """The settings, with what the data says about itself: a name, the target, and a path that
        is valid in any working folder."""

    @property
    def fingerprint(self) -> str | None:
        """`Prepared.fingerprint`, if it is known this early."""

    def training_rows(self) -> int:
        """The approximate number of examples in the training part."""

    def divide(self, settings: S) -> object:
        """Raises DataError or ConfigError for a target, classes or a split that cannot be used."""

    def prepare(self, settings: S, folder: Path | None) -> Prepared[S]:
        """The data as ``settings`` say; what does not fit into memory is kept in ``folder``."""


@dataclass(frozen=True)
class Draft(Generic[S]):
    """A first ``run.toml``; ``comments`` to write beside the values, by key."""

    settings: S
    comments: Mapping[tuple[str, ...], str]
    findings: tuple[Finding, ...] = ()


class Modality(ABC, Generic[S, P]):
    """A kind of data.

    Attributes:
        name: its name in ``data.kind`` and on the command line.
        is_default: whether it is the kind of runs that do not name one.
        settings: its ``run.toml``.
        arguments: the arguments of its `fit` and options of ``train``, each with its key in
            ``run.toml``.
        sources: what the data may be, in a few lines of help.
        commands: those of its own, which take a run.
        options: what it adds to commands, by command; those of ``predict`` and ``eval`` go to
            `Predictor.columns` and `Predictor.evaluate`.
        tasks: what can be learned from it, by name.
        predictor: the class of what a training ends with.
        refits: whether ``train.refit`` can train once more on all examples.
        facts: what ``run.json`` must hold, as `records.check_shape` takes it.
        prepared_by: the settings and sections on which `Opened.prepare` depends; data that was
            prepared with others of the same values serves with `Prepared.with_settings`.
        checks: checks of the data of a `PreparedRun`, which come before those of the model.
    """

    name: ClassVar[str]
    is_default: ClassVar[bool] = False
    refits: ClassVar[bool] = False
    settings: type[S]
    arguments: Mapping[str, Key]
    sources: ClassVar[tuple[str, ...]] = ()
    options: ClassVar[Options] = {}
    commands: ClassVar[tuple[Command, ...]] = ()
    tasks: Mapping[str, type[Task]]
    facts: ClassVar[Mapping[str, Any]]
    predictor: type[P]
    prepared_by: ClassVar[tuple[str, ...]] = ("data",)
    checks: Sequence[Callable[[Any], Check]] = ()

    @abstractmethod
    def recognises(self, source: object) -> float:
        """How likely ``source`` is of this kind, from 0 (it is not) to 1."""

    @abstractmethod
    def open(self, settings: S, source: object, folder: Path | None) -> Opened[S]:
        """The data of ``source``, or of ``settings.data.path`` if that is None.

        Raises DataError or ConfigError for data that cannot be learned from.
        """

    @abstractmethod
    def build(self, preprocessor: Any, settings: S) -> Module:
        """The network, with initial weights from the default generator."""

    def fit_network(self, network: Module, prepared: Any) -> None:
        """Sets what a new network takes from the training part as a whole, such as the borders of
        intervals; most take nothing."""

    @abstractmethod
    def read_preprocessor(self, text: str, where: str) -> Any:
        """The inverse of `Preprocessor.to_json`. StateError, naming ``where``, for other text."""

    @abstractmethod
    def goal(self, preprocessor: Any) -> Task:
        """The task, with what it needs to know of the data."""

    @abstractmethod
    def describe(self, facts: Mapping[str, Any]) -> Words:
        """The words for a run, from its ``run.json``; raises nothing, whatever is missing there."""

    def loss(self, prepared: Any) -> Any:
        """The loss, as `Trainer` takes it. ConfigError for one that does not fit the task."""
        return prepared.settings.train.objective

    def everything(self, prepared: Any) -> Part:
        """All parts as one to train on, for ``train.refit``; only of a kind that ``refits``."""
        raise NotImplementedError

    def transform(self, prepared: Any) -> Callable[..., Batch] | None:
        """What is done to a batch inside the compiled step, before the network gets it."""
        return None

    def candidates(self, prepared: Any) -> Candidates[S] | None:
        """Settings among which the validation loss is to choose, by trying; None if nothing is left
        to decide."""
        return None

    def untried(self, prepared: Any) -> Mapping[str, Any]:
        """Overrides with which nothing is tried that was not, because a time limit is set."""
        return {}

    def space(self, settings: S) -> Space:
        """What tuning varies around ``settings``, in which nothing is left to decide."""
        return SPACE

    def bagged(self, settings: S) -> Mapping[str, Sequence[S]]:
        """Of an ensemble, the settings of each recipe for every fold; empty for one network."""
        return {}

    def by_target(self, settings: S) -> Mapping[str, S]:
        """Of several targets, the settings of the network of each; empty for one."""
        return {}

    def of_targets(self, predictors: Sequence[P], run: Path | None) -> P:
        """The predictors of several targets as one; only of a kind that has `by_target`."""
        raise NotImplementedError

    def row_numbers(self, prepared: Any) -> npt.NDArray[np.int64]:
        """The numbers of the validation rows; only of a kind that can be `bagged`."""
        raise NotImplementedError

    def rivals(self, prepared: Any) -> Mapping[str, Scores]:
        """What simpler methods, by name, say of the test part: they stand beside the model."""
        return {}

    def evaluation(self, prepared: Any, scores: Scores) -> dict[str, Any]:
        """What to add to ``evaluation.json``; ``scores`` are those of the test part."""
        return {}

    def draft(self, settings: S, output: Path) -> Draft[S]:
        """A first ``run.toml`` at ``output``, with what can be inferred from the data: nothing, if
        all of it would have to be read."""
        return Draft(settings.relative_to(output), settings.descriptions())
