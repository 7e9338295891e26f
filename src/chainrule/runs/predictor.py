"""What every training ends with, on tables and on images: a model and what is known of it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

from ..data import Finding
from ..nn import Module
from ..train import History, Trainer
from .settings.sections import OutputSettings
from .settings.training import TrainSettings

__all__ = ["RunSettings", "Trained"]

Model = TypeVar("Model", bound=Module)
Pipe = TypeVar("Pipe")
Chosen = TypeVar("Chosen", bound="RunSettings")


class RunSettings(Protocol):
    """What the settings of every run have."""

    @property
    def name(self) -> str: ...
    @property
    def seed(self) -> int: ...
    @property
    def train(self) -> TrainSettings: ...
    @property
    def output(self) -> OutputSettings: ...
    def to_toml(self) -> str: ...
    def to_document(self) -> dict[str, Any]: ...


class Trained(ABC, Generic[Model, Pipe, Chosen]):
    """A model with its pipeline and settings, and what a training said about them.

    ``findings`` are those of the training data, ``last_findings`` those of the data that was
    predicted last; ``metrics`` hold the test data's metrics, ``baseline`` those of a constant
    guess; ``run`` is the run folder, if there is one.
    """

    def __init__(
        self,
        model: Model,
        pipeline: Pipe,
        settings: Chosen,
        *,
        history: History | None = None,
        metrics: Mapping[str, float] | None = None,
        baseline: Mapping[str, float] | None = None,
        findings: Sequence[Finding] = (),
        run: Path | None = None,
    ) -> None:
        self.model, self.pipeline, self.settings = model, pipeline, settings
        self.trainer = self.judging()
        self.history = history or History()
        self.metrics, self.baseline = dict(metrics or {}), dict(baseline or {})
        self.findings: tuple[Finding, ...] = tuple(findings)
        self.last_findings: tuple[Finding, ...] = ()
        self.run = run

    @abstractmethod
    def judging(self) -> Trainer:
        """A trainer that predicts and judges; what only training needs is left out."""

    @abstractmethod
    def learned(self) -> str:
        """What the model tells, for `repr`."""

    @property
    def output(self) -> OutputSettings:
        """What the run was to leave behind."""
        return self.settings.output

    def __repr__(self) -> str:
        shown = ", ".join(f"{name} {value:.4g}" for name, value in self.metrics.items())
        tested = f"; test {shown}" if shown else ""
        return f"{type(self).__name__}({self.learned()}{tested})"
