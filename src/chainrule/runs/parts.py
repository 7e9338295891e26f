"""Data in three parts, and examples that are files of classes: what kinds of data share.

    OpenedFiles ── divide ──► Split ── prepare ──► PreparedFiles: `source` says how a part is read

`PreparedParts` serves every kind whose parts are read through a `BatchSource`, `OpenedExamples`
every one that reads all examples when it opens them, `OpenedFiles` and `PreparedFiles` those whose
examples are `Labelled`: a file each, in a folder for each class.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sized
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Generic, Self, TypeVar, cast

import numpy.typing as npt

from ..data import Finding, Split
from ..data.labelled import Labelled
from ..errors import DataError
from ..train import BatchSource, OwnRows
from .modality import PARTS, PartName, Prepared
from .settings.document import RunSettings
from .settings.files import FileDataSettings

__all__ = ["OpenedExamples", "OpenedFiles", "PreparedFiles", "PreparedParts", "check_classes",
           "divide_classes"]  # fmt: skip

S = TypeVar("S", bound=RunSettings)
E = TypeVar("E", bound=Labelled)
X = TypeVar("X", bound=Sized)


class PreparedParts(ABC, Generic[S]):
    """`Prepared` data, a dataclass with ``settings`` and ``parts``: training, validation, test.

    Where parts are something else, `part` and `sizes` say what.
    """

    settings: S
    parts: Any

    @abstractmethod
    def source(self, part: PartName) -> BatchSource:
        """How the step reads a part."""

    def with_settings(self, settings: S) -> Self:
        own: Any = self
        return cast(Self, replace(own, settings=settings))

    @property
    def train(self) -> BatchSource | OwnRows:
        return self.source("train")

    @property
    def validation(self) -> BatchSource:
        return self.source("validation")

    @property
    def test(self) -> BatchSource:
        return self.source("test")

    def part(self, name: PartName) -> Any:
        """A part by its name."""
        return self.parts[PARTS.index(name)]

    @property
    def sizes(self) -> dict[str, int]:
        return {name: len(part) for name, part in zip(PARTS, self.parts, strict=True)}

    def data_facts(self) -> dict[str, Any]:
        return {"rows": sum(self.sizes.values())}

    @property
    def model_name(self) -> str:
        return str(self.settings.model.name)


@dataclass(frozen=True)
class PreparedFiles(PreparedParts[S], Generic[S]):
    """``parts`` of the examples, whose labels are the target. ``fingerprint`` is of all."""

    settings: S
    name: str
    fingerprint: str
    parts: Any
    preprocessor: Any
    findings: tuple[Finding, ...]

    @property
    def train(self) -> BatchSource | OwnRows:
        """Of examples that are divided, those that this worker has."""
        source = self.source("train")
        return source if self.part("train").share is None else OwnRows(source)

    def target(self, part: PartName) -> npt.NDArray[Any]:
        return self.part(part).labels  # type: ignore[no-any-return]

    @property
    def truth(self) -> npt.NDArray[Any]:
        return self.target("test")


@dataclass(frozen=True)
class OpenedExamples(ABC, Generic[S, X]):
    """All examples of a source; ``settings`` have absolute paths."""

    examples: X
    settings: S

    @property
    def fingerprint(self) -> None:
        """Not known before all has been read."""
        return None

    def training_rows(self) -> int:
        return self.settings.data.training_rows(len(self.examples))

    @abstractmethod
    def divide(self, settings: S) -> Split:
        """Which examples are for training, validation and test. DataError if they cannot be."""

    @abstractmethod
    def prepare(self, settings: S, folder: Path | None) -> Prepared[S]:
        """See `runs.modality.Opened`."""


class OpenedFiles(OpenedExamples[S, E], Generic[S, E]):
    """Examples of classes, which may have a separate test part."""

    def divide(self, settings: S) -> Split:
        """With nearly equal shares of all classes. DataError if there are too few."""
        data = cast(FileDataSettings, settings.data)
        return divide_classes(self.examples, data, settings.split_seed)

    def tested_on(
        self, settings: S, held_out: E, read: Callable[[object], E]
    ) -> tuple[E, str, tuple[Finding, ...]]:
        """The test part, the fingerprint of all data, and what was found in it.

        The test part is ``held_out``, or what ``read`` gives of separate test examples.
        """
        examples, data = self.examples, cast(FileDataSettings, settings.data)
        findings = (*examples.findings, *examples.class_findings())
        if not data.test:
            return held_out, examples.fingerprint(), findings
        test = read(data.test).labelled_as(examples.classes)
        fingerprint = f"{examples.fingerprint()}+{test.fingerprint()}"
        return test, fingerprint, (*findings, *test.findings)


def divide_classes(examples: Labelled, data: FileDataSettings, seed: int) -> Split:
    """Three parts with nearly equal shares of all classes. DataError if there are fewer than two
    classes, or too few examples."""
    check_classes(examples)
    return data.divide(
        len(examples), seed, classes=examples.labels, unit=examples.UNIT, shares=data.shares
    )


def check_classes(examples: Labelled) -> None:
    """DataError if there are fewer than two classes."""
    if len(examples.classes) < 2:
        only = f"one class, {examples.classes[0]}" if examples.classes else "no classes"
        raise DataError(
            f"the {examples.UNITS} of {examples.name} have {only}",
            help=examples.PASS_CLASSES,
        )
