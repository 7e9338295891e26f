"""What a kind of data brings: all that runs, reports and commands need to know of it.

    settings, source ── Modality.open ──► Opened ── prepare ──► Prepared ── training ──► Predictor

`Opened` is found and can be read; `Prepared` is divided, fitted on the training part alone, and
leaves nothing to decide. A run in its folder needs the rest of `Modality`: to read its
preprocessor, build its network, and say in words what it is about.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Literal, Protocol, Self, TypeVar

import numpy.typing as npt

from ..data import Finding
from ..frontend import Tensor
from ..nn import Module
from ..train import BatchSource, Scores
from .option import Options
from .predictor import Predictor
from .settings.document import RunSettings
from .settings.sources import Key
from .task import Task

if TYPE_CHECKING:
    from .checks.result import Check

__all__ = ["PARTS", "Batch", "Draft", "Modality", "Opened", "Part", "PartName", "Prepared",
           "Preprocessor", "Words", "inputs_of"]  # fmt: skip

S = TypeVar("S", bound=RunSettings)
P = TypeVar("P", bound=Predictor[Any, Any, Any])
Batch = tuple[Tensor, ...]
PartName = Literal["train", "validation", "test"]
#: as `Trainer.fit` takes it: inputs and target, or a source that reads both
Part = tuple[Any, Any] | BatchSource
PARTS: tuple[PartName, ...] = ("train", "validation", "test")


def inputs_of(part: Part) -> Any:
    """What a network gets of a part, as `Trainer.scores` takes it."""
    return part[0] if isinstance(part, tuple) else part


class Preprocessor(Protocol):
    """What is fitted on the training data and stands between data and network."""

    def to_json(self) -> str:
        """The text of ``pipeline.json``."""


@dataclass(frozen=True)
class Words:
    """How a run speaks of what it is about; ``run.json`` keeps it, so that nobody has to ask again.

    ``unit`` and ``units`` are what is counted. ``source`` and ``network`` are short, for one line:
    ``918 rows, 10 columns``, ``mlp 64-64``; ``model`` is the network in a sentence. ``new`` and
    ``labelled`` stand for the user's own data in a command.
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
    """Data that a training can begin with: divided, fitted on the training part alone."""

    @property
    def settings(self) -> S:
        """Those of the run; they hold no ``auto`` any more."""

    @property
    def name(self) -> str:
        """What the data is called in the names of run folders."""

    @property
    def model_name(self) -> str:
        """What the model is called there."""

    @property
    def fingerprint(self) -> str:
        """``sha256:...``: tells the data from any other."""

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What was noticed."""

    @property
    def preprocessor(self) -> Any:
        """What was fitted; a `Preprocessor`."""

    @property
    def train(self) -> Part:
        """The part that is trained on."""

    @property
    def validation(self) -> Part:
        """The part that decides when to stop."""

    @property
    def test(self) -> Part:
        """The part that judges."""

    def target(self, part: PartName) -> npt.NDArray[Any]:
        """What the network is trained to give for each example of a part; see `Task.truth`."""

    @property
    def truth(self) -> npt.NDArray[Any]:
        """What the predictions for the test part are judged by; see `Task.judge`."""

    @property
    def sizes(self) -> dict[str, int]:
        """Examples of the parts ``train``, ``validation``, ``test``."""

    def with_settings(self, settings: S) -> Self:
        """The same data, to be trained on with other settings of model or training."""

    def data_facts(self) -> dict[str, Any]:
        """For the section ``data`` of ``run.json``: at least ``rows``, the number of examples."""

    def model_facts(self) -> dict[str, Any]:
        """For the section ``model`` of ``run.json``."""


class Opened(Protocol[S]):
    """Data that was found and can be read."""

    @property
    def settings(self) -> S:
        """They hold what the data says about itself: a name, the target, a path that holds from
        any folder."""

    @property
    def fingerprint(self) -> str | None:
        """That of `Prepared`, if it is known so early."""

    def training_rows(self) -> int:
        """About how many examples will be trained on."""

    def divide(self, settings: S) -> object:
        """Raises what is wrong with the target, the classes or the split, and does nothing else."""

    def prepare(self, settings: S, folder: Path | None) -> Prepared[S]:
        """What ``settings`` make of it; what does not fit into memory lies in ``folder``."""


@dataclass(frozen=True)
class Draft(Generic[S]):
    """A first ``run.toml``: ``comments`` stand beside the values, by path."""

    settings: S
    comments: Mapping[tuple[str, ...], str]
    findings: tuple[Finding, ...] = ()


class Modality(ABC, Generic[S, P]):
    """A kind of data.

    ``name`` is its name in ``data.kind`` and on the command line; runs of the one that is
    ``unmarked`` do not say it. ``arguments`` are those of its `fit` and options of ``train``, by
    where they stand in ``run.toml``. ``sources`` say in a few lines what the data may be.
    ``options`` are those that it adds to commands, by the name of
    the command; those of ``predict`` and ``eval`` go to `Predictor.columns` and
    `Predictor.evaluate`.
    ``tasks`` can be learned from it. ``predictor`` is what a training ends with. ``facts`` is what
    ``run.json`` must hold, as `records.check_shape` takes it. ``checks`` look at the data of a
    `PreparedRun`, before those of the model.
    """

    name: ClassVar[str]
    unmarked: ClassVar[bool] = False
    settings: type[S]
    arguments: Mapping[str, Key]
    sources: ClassVar[tuple[str, ...]] = ()
    options: ClassVar[Options] = {}
    tasks: Mapping[str, type[Task]]
    facts: ClassVar[Mapping[str, Any]]
    predictor: type[P]
    checks: Sequence[Callable[[Any], Check]] = ()

    @abstractmethod
    def recognises(self, source: object) -> float:
        """How sure it is that ``source`` is of this kind, from 0 (it is not) to 1."""

    @abstractmethod
    def open(self, settings: S, source: object, folder: Path | None) -> Opened[S]:
        """The data of ``source``, or of ``settings.data.path`` if that is None.

        Raises DataError or ConfigError for what cannot be learned from.
        """

    @abstractmethod
    def build(self, preprocessor: Any, settings: S) -> Module:
        """The network that fits, with first weights from the default generator."""

    @abstractmethod
    def read_preprocessor(self, text: str, where: str) -> Any:
        """From what `Preprocessor.to_json` wrote. StateError, naming ``where``, otherwise."""

    @abstractmethod
    def goal(self, preprocessor: Any) -> Task:
        """What is learned."""

    @abstractmethod
    def describe(self, facts: Mapping[str, Any]) -> Words:
        """In words, from what ``run.json`` holds; whatever is missing there, nothing is raised."""

    def loss(self, prepared: Any) -> Any:
        """What is minimised, as a trainer takes it. ConfigError if that cannot be."""
        return prepared.settings.train.objective

    def transform(self, prepared: Any) -> Callable[..., Batch] | None:
        """What happens to a batch inside the compiled step, before the network gets it."""
        return None

    def evaluation(self, prepared: Any, scores: Scores) -> dict[str, Any]:
        """What ``evaluation.json`` holds besides the task's own; ``scores`` are of the test."""
        return {}

    def draft(self, settings: S, output: Path) -> Draft[S]:
        """A first ``run.toml`` at ``output``, with all that can be inferred from the data."""
        return Draft(settings, settings.abouts())
