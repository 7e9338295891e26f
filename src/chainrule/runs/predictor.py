"""What every training gives: a model with its preprocessor and its results."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Generic, Self, TypeVar

import numpy as np
import numpy.typing as npt

from ..data import Finding
from ..nn import Module
from ..optim import SGD
from ..train import History, Scores, Trainer
from .settings.document import RunSettings
from .task import Task

__all__ = ["Column", "Predictor"]

Model = TypeVar("Model", bound=Module)
Pre = TypeVar("Pre")
S = TypeVar("S", bound=RunSettings)

Array = npt.NDArray[Any]
Column = tuple[str, Array]


class Predictor(ABC, Generic[Model, Pre, S]):
    """A model with its preprocessor and settings, and the results of its training.

    A kind of data whose predictions ``goes_on`` from the end of the data that it was trained on
    can predict without any other; its `columns` take None for that.

    ``goal`` is what was learned. ``findings`` are those of the training data, ``last_findings``
    those of the data that was predicted last. ``metrics`` are those of the test part, ``baseline``
    the same ones for a guess that looks at no input, ``baselines`` for further guesses by name.
    ``run`` is the run folder, if there is one.
    """

    goes_on: ClassVar[bool] = False

    def __init__(
        self,
        model: Model,
        preprocessor: Pre,
        settings: S,
        goal: Task,
        *,
        history: History | None = None,
        metrics: Mapping[str, float] | None = None,
        baseline: Mapping[str, float] | None = None,
        baselines: Mapping[str, Mapping[str, float]] | None = None,
        findings: Sequence[Finding] = (),
        run: Path | None = None,
    ) -> None:
        self.model, self.preprocessor, self.settings = model, preprocessor, settings
        self.goal = goal
        # Settings that only training needs are left out.
        optimizer = SGD(model.parameters(), lr=0.0)
        self.trainer = Trainer(model, settings.train.objective, optimizer, [goal.monitored_metric])
        self.history = history or History()
        self.metrics, self.baseline = dict(metrics or {}), dict(baseline or {})
        self.baselines = {name: dict(guess) for name, guess in (baselines or {}).items()}
        self.findings: tuple[Finding, ...] = tuple(findings)
        self.last_findings: tuple[Finding, ...] = ()
        self.run = run
        #: those of a group, which answer together; see `joint`
        self.members: tuple[Self, ...] = ()

    @property
    def task(self) -> str:
        """The name of the task: ``binary``, ``multiclass``, ``regression``."""
        return self.goal.name

    @property
    def classes(self) -> tuple[Any, ...]:
        """The labels in the order of the columns of `predict_proba`; empty for numbers."""
        return self.goal.labels

    @property
    def target(self) -> str:
        """What is predicted, by name."""
        return self.settings.data.target

    def scores_of(self, inputs: Any) -> Scores:
        """The outputs of the network for preprocessed examples: inputs, or a `BatchSource`."""
        return self.trainer.scores(inputs)

    def joint(self, ask: Callable[[Self], Scores]) -> Scores:
        """The outputs that ``ask`` gets from this predictor; of a group, those of all members
        together, of which this is the first (see `Task.together`)."""
        if not self.members:
            return ask(self)
        return self.goal.together([(member.goal, ask(member)) for member in self.members])

    def decode(self, scores: Scores) -> Array:
        """Outputs as labels or numbers; see `Task.decode`."""
        return self.goal.decode(scores)

    def probabilities(self, scores: Scores) -> npt.NDArray[np.float64]:
        """Outputs as probabilities of the classes. ConfigError if there are none."""
        return self.goal.probabilities(scores)

    def explained(self, prepared: Any, truth: Array, scores: Scores) -> dict[str, Any]:
        """What to add to the section ``test`` of ``evaluation.json``, where it takes the model
        itself to say why it predicts the test part of ``prepared`` as it does."""
        return {}

    @abstractmethod
    def scores(self, source: Any) -> Scores:
        """The network's outputs for a source."""

    def predict(self, source: Any) -> Array:
        """The prediction for each example of a source, in order: labels of the type that they had
        in training, or numbers in the unit of the target."""
        return self.decode(self.scores(source))

    def predict_proba(self, source: Any) -> npt.NDArray[np.float64]:
        """The probability of each class, (examples, classes). ConfigError if there are none."""
        return self.probabilities(self.scores(source))

    @abstractmethod
    def evaluate(self, source: Any) -> dict[str, float]:
        """The metrics on data whose target is known."""

    @abstractmethod
    def columns(self, source: Any, proba: bool = False) -> list[Column]:
        """The predictions for a source as the columns of a file; ``proba`` adds probabilities."""

    def probability_names(self) -> list[str]:
        """``probability_<class>`` for each class."""
        labels = (str(c).lower() if isinstance(c, bool) else str(c) for c in self.classes)
        return [f"probability_{label}" for label in labels]

    def probability_columns(self, scores: Scores) -> list[Column]:
        """The probability of each class, by `probability_names`."""
        return list(zip(self.probability_names(), self.probabilities(scores).T, strict=True))

    def __repr__(self) -> str:
        metrics = ", ".join(f"{name} {value:.4g}" for name, value in self.metrics.items())
        goal = f"{self.target}: {self.task}"
        goal += f", {len(self.classes)} classes" if self.classes else ""
        tested = f"; test {metrics}" if metrics else ""
        return f"{type(self).__name__}({goal}{tested})"
