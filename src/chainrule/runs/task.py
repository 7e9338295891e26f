"""What a task is; the tasks themselves are in ``tasks/``."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from ..errors import ConfigError
from ..train import Scores
from ..train.metrics import METRICS, Metric

__all__ = ["Task"]

Array = npt.NDArray[Any]


class Task(ABC):
    """What is learned, and how to read the outputs of a network that has learned it.

    Attributes:
        name: ``binary``, ``multiclass``, ``regression``, ...
        losses: those that fit the task, the usual one first.
        metrics: those computed on the test part, the most telling first.
        monitored: the one shown after every epoch.
        selectable: those that may choose the epoch instead, see ``train.metric``.
        guess, baseline_name: what is predicted without a model, in words.
        answer: what is predicted where there are no classes, in words.
        metric_words: what metrics of its own mean, of which less is better.
        averages: whether several networks have a common answer, see `together`.
        selected_by: the metric by which networks are chosen for a common answer.
        informed: whether an untrained network may well be better than outputs of zero.
        calibrates: whether errors on validation examples say how sure it is, see `calibrated`.

    *Truth* is what predictions are compared with, in the user's unit: class codes, or numbers.
    """

    name: ClassVar[str]
    losses: ClassVar[tuple[str, ...]]
    metrics: ClassVar[tuple[str, ...]]
    monitored: ClassVar[str]
    selectable: ClassVar[tuple[str, ...]] = ()
    guess: ClassVar[str]
    baseline_name: ClassVar[str]
    answer: ClassVar[str] = "a number"
    metric_words: ClassVar[Mapping[str, str]] = {}
    averages: ClassVar[bool] = False
    selected_by: ClassVar[str] = "log_loss"
    informed: ClassVar[bool] = False
    calibrates: ClassVar[bool] = False

    @property
    @abstractmethod
    def outputs(self) -> int:
        """The number of outputs of the network for each example."""

    @property
    def monitored_metric(self) -> str | Metric:
        """What `monitored` names, as `Trainer` takes it."""
        return self.monitored

    @property
    def labels(self) -> tuple[Any, ...]:
        """The classes, in the order of their codes; empty if numbers are predicted."""
        return ()

    @abstractmethod
    def truth(self, target: Array) -> Array:
        """The target that the network is trained on, as the truth that `compute_metrics` takes."""

    def numbers(self, target: Array) -> Array:
        """The numbers in a target, for checks of their range."""
        return self.truth(target)

    @abstractmethod
    def decode(self, scores: Scores) -> Array:
        """Predictions for the user: labels of their own type, numbers in the unit of the target."""

    def probabilities(self, scores: Scores) -> npt.NDArray[np.float64]:
        """The probability of each class, [examples, classes]. ConfigError without classes."""
        raise ConfigError(
            f"a {self.name} has no probabilities",
            help="use predict (on the command line: leave --proba out)",
        )

    def together(
        self, members: Sequence[tuple[Task, Scores]], weights: Sequence[float] | None = None
    ) -> Scores:
        """What several networks say, each with its own task, as the outputs of one: the mean of
        their probabilities or predictions, where the task ``averages``. With ``weights``, whose
        sum is 1, some count more."""
        raise NotImplementedError

    def tempered(self, scores: Scores, temperature: float) -> Scores:
        """The outputs with probabilities that are less sure for a ``temperature`` above 1, and
        surer below; numbers stay as they are."""
        return scores

    def shared(self, members: Sequence[Task]) -> Task:
        """The task of several networks that answer together: what they decide by, such as a
        threshold, is the mean of theirs."""
        return self

    def tuned(self, metric: str, truth: Array, scores: Scores) -> Task:
        """The same task with what it decides by, such as a threshold, chosen for ``metric`` on
        validation examples."""
        return self

    def calibrated(self, truth: Array, scores: Scores) -> Task:
        """The same task with what its errors on examples that no weight was learned from say of
        new ones, such as intervals around predictions."""
        return self

    @property
    def decisions(self) -> dict[str, float]:
        """What was `tuned` or `calibrated`, for ``run.json``; empty if nothing was."""
        return {}

    def with_decisions(self, decisions: Mapping[str, float]) -> Task:
        """The same task with `decisions` that a run recorded."""
        return self

    @abstractmethod
    def compute_metrics(self, truth: Array, scores: Scores) -> dict[str, float]:
        """The `metrics` of the outputs."""

    @abstractmethod
    def baseline(self, trained: Array, truth: Array) -> dict[str, float]:
        """The `metrics` of a guess that looks at no input; ``trained`` is the training target."""

    def baselines(self, trained: Array, truth: Array) -> dict[str, dict[str, float]]:
        """The `metrics` of further guesses beside the `baseline`, by name."""
        return {}

    @classmethod
    def caution(cls, metrics: Mapping[str, Any], baselines: Mapping[str, Mapping[str, Any]]) -> str:
        """What has to be said before any result: a guess among ``baselines`` is better than the
        model. Empty if there is nothing to say; the metrics come from a file, see `unverified`."""
        return ""

    @classmethod
    def metric_label(cls, metric: str, labels: Sequence[Any]) -> str:
        """What a metric is called beside its value, where the classes are called ``labels``."""
        return metric

    @classmethod
    def higher_is_better(cls, metric: str) -> bool | None:
        """Whether more of a metric is better; None for one that is not known."""
        if metric in METRICS:
            return METRICS[metric].higher_is_better
        return False if metric in cls.metric_words else None

    @abstractmethod
    def evaluation(self, truth: Array, scores: Scores) -> dict[str, Any]:
        """Predictions against the truth of the test part, for ``evaluation.json``."""

    @abstractmethod
    def describe_untrained(self, loss: str) -> str:
        """What a network does whose outputs are zero, in words followed by its loss."""

    @classmethod
    @abstractmethod
    def describe_aim(cls, target: str, labels: Sequence[str]) -> str:
        """What is learned, as the end of "a network was trained to ..."."""

    @classmethod
    @abstractmethod
    def describe_result(
        cls, start: str, metrics: Mapping[str, Any], baseline: Mapping[str, Any], tested: int | None
    ) -> str:
        """What the metrics of ``tested`` examples mean, in a few sentences that begin with
        ``start``; empty if they say nothing. They come from a file, and may be missing."""
