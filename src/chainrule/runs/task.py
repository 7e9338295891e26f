"""What is learned: classes, numbers, and what comes. The tasks themselves stand in ``tasks/``."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from ..errors import ConfigError
from ..train import Scores

__all__ = ["Task"]

Array = npt.NDArray[Any]


class Task(ABC):
    """A task, with all that it takes to read the outputs of a network that has learned it.

    ``losses`` are those that fit it, the usual one first; ``metrics`` what is computed on the test
    set, the most telling first; ``monitored`` the one that is shown after every epoch. ``guess``
    and ``baseline_name`` say in words what is predicted without a model.

    *Truth* is what predictions are judged by, in the unit of the user: class codes, or numbers.
    """

    name: ClassVar[str]
    losses: ClassVar[tuple[str, ...]]
    metrics: ClassVar[tuple[str, ...]]
    monitored: ClassVar[str]
    guess: ClassVar[str]
    baseline_name: ClassVar[str]

    @property
    @abstractmethod
    def outputs(self) -> int:
        """How many numbers the network gives for an example."""

    @property
    def labels(self) -> tuple[Any, ...]:
        """The classes, in the order of their codes; none if numbers are predicted."""
        return ()

    @abstractmethod
    def truth(self, target: Array) -> Array:
        """What the network is trained to give, as `judge` takes it."""

    @abstractmethod
    def decode(self, scores: Scores) -> Array:
        """Predictions for a user: labels of their own type, numbers in the unit of the target."""

    def probabilities(self, scores: Scores) -> npt.NDArray[np.float64]:
        """The probability of each class, [examples, classes]. ConfigError if there are none."""
        raise ConfigError(
            f"a {self.name} has no probabilities",
            help="use predict (on the command line: leave --proba out)",
        )

    @abstractmethod
    def judge(self, truth: Array, scores: Scores) -> dict[str, float]:
        """The `metrics` of outputs."""

    @abstractmethod
    def baseline(self, trained: Array, truth: Array) -> dict[str, float]:
        """The `metrics` of a guess that looks at no input; ``trained`` is the training target."""

    @abstractmethod
    def evaluation(self, truth: Array, scores: Scores) -> dict[str, Any]:
        """How predictions and truth of the test set lie to one another, for ``evaluation.json``."""

    @abstractmethod
    def untrained(self, loss: str) -> str:
        """What a network whose outputs are zero amounts to, in words that a number follows."""

    @classmethod
    @abstractmethod
    def aim(cls, target: str, labels: Sequence[str]) -> str:
        """What is learned, as the end of "a network was trained to ..."."""

    @classmethod
    @abstractmethod
    def result(
        cls, start: str, metrics: Mapping[str, Any], baseline: Mapping[str, Any], tested: int | None
    ) -> str:
        """What the metrics of ``tested`` examples mean, in a few sentences that begin with
        ``start``; empty if they say nothing. The numbers come from a file and may be missing."""
