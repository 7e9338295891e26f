"""Classification: two classes in one output, or one output per class."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from ..elementary import exp, log
from ..errors import ConfigError
from ..phrasing import confidence_interval, listed, percent, quoted
from ..runs.task import Array, Task
from ..train import Scores, metrics
from ..unverified import number, table
from .averaging import mean_of
from .curves import binary_charts, calibration_chart
from .evaluation import confusion
from .wording import NOTHING_LEARNED

__all__ = ["Binary", "Multiclass"]

Label = str | int | float | bool

#: probability below which none is tempered
SMALLEST = 1e-15
#: thresholds that are tried at most
MOST_THRESHOLDS = 200


@dataclass(frozen=True)
class Classification(Task):
    """``classes`` in the order of their codes; predictions are labels of the same type."""

    classes: tuple[Label, ...]

    monitored: ClassVar[str] = "accuracy"
    averages: ClassVar[bool] = True
    guess: ClassVar[str] = "always the same guess"
    baseline_name: ClassVar[str] = "constant guess"

    @property
    def labels(self) -> tuple[Label, ...]:
        return self.classes

    def truth(self, target: Array) -> Array:
        return target

    def decode(self, scores: Scores) -> Array:
        text = isinstance(self.classes[0], str)
        labels = np.array(self.classes, object) if text else np.array(self.classes)
        return np.asarray(labels[self.codes(scores)])

    def codes(self, scores: Scores) -> npt.NDArray[np.int64]:
        """The predicted class of each example, as a code."""
        return scores.labels.reshape(len(scores.outputs)).astype(np.int64)

    def compute_metrics(self, truth: Array, scores: Scores) -> dict[str, float]:
        codes, predicted = truth.astype(np.int32), self.codes(scores)
        known = ((name, metrics.METRICS[name]) for name in self.metrics)
        return {
            name: float(m.function(codes, predicted)) if m.takes == "labels" else m(codes, scores)
            for name, m in known
        }

    def baseline(self, trained: Array, truth: Array) -> dict[str, float]:
        """Metrics of predicting, for every example, the class frequencies of the training part."""
        counts = np.bincount(trained.astype(np.int64), minlength=len(self.classes))
        everywhere = np.tile(counts / len(trained), (len(truth), 1))
        return self.compute_metrics(truth, self._scores(everywhere))

    def together(
        self, members: Sequence[tuple[Task, Scores]], weights: Sequence[float] | None = None
    ) -> Scores:
        """The mean of the probabilities."""
        for task, _ in members:
            if task.labels != self.labels:
                own, other = (listed([quoted(str(c)) for c in t.labels]) for t in (self, task))
                raise ConfigError(
                    f"the networks of this group know different classes: {own}, but also {other}",
                    help="give one of the runs in the group",
                )
        each = [task.probabilities(scores) for task, scores in members]
        return self._scores(mean_of(each, weights))

    def tempered(self, scores: Scores, temperature: float) -> Scores:
        # A probability of 0 would stay 0 at any temperature, and cost infinitely much once.
        known = np.maximum(self.probabilities(scores), SMALLEST)
        powers = log(known) / temperature
        raised = exp(powers - powers.max(axis=1, keepdims=True))
        return self._scores(raised / raised.sum(axis=1, keepdims=True))

    @abstractmethod
    def _scores(self, probabilities: npt.NDArray[np.float64]) -> Scores:
        """Outputs with these probabilities of the classes, [examples, classes]."""

    def evaluation(self, truth: Array, scores: Scores) -> dict[str, Any]:
        predicted = self.codes(scores)
        return confusion(truth.astype(np.int64), predicted, [_label_text(c) for c in self.classes])

    def describe_untrained(self, loss: str) -> str:
        return f"with equal chances for {len(self.classes)} classes ln {len(self.classes)} ="

    @classmethod
    def caution(cls, metrics: Mapping[str, Any], baselines: Mapping[str, Mapping[str, Any]]) -> str:
        """A simpler method is right more often. The constant guess has its own sentence."""
        own = number(metrics.get("accuracy"))
        shares = {name: number(table(m).get("accuracy")) for name, m in baselines.items()}
        known = {name: a for name, a in shares.items() if a is not None and name != cls.guess}
        best = max(known, key=lambda name: known[name], default="")
        if own is None or not best or known[best] <= own:
            return ""
        return (
            f"Worse than {best}: it is right {percent(known[best])} of the time, this model "
            f"{percent(own)}."
        )

    @classmethod
    def describe_aim(cls, target: str, labels: Sequence[str]) -> str:
        if not labels:
            return f"predict {quoted(target)}"
        return f"tell whether {quoted(target)} is {listed([quoted(c) for c in labels], 'or')}"

    @classmethod
    def describe_result(
        cls, start: str, metrics: Mapping[str, Any], baseline: Mapping[str, Any], tested: int | None
    ) -> str:
        """How often the model is right, with its confidence interval, and a constant guess."""
        value, guess = number(metrics.get("accuracy")), number(baseline.get("accuracy"))
        if value is None:
            return ""
        words = f"{start}, it is right {percent(value)} of the time"
        if tested and 0 <= value <= 1:
            low, high = confidence_interval(value, tested)
            words += f" (95% confidence interval {100 * low:.0f} to {100 * high:.0f}%)"
        if guess is None:
            return f"{words}."
        words += (
            "; always guessing the most frequent class would be right "
            f"{percent(guess)} of the time."
        )
        return words if value > guess else f"{words} {NOTHING_LEARNED}"


@dataclass(frozen=True)
class Binary(Classification):
    """Two classes; one output, the logit of the second, which is predicted above ``threshold``."""

    threshold: float = 0.5

    name: ClassVar[str] = "binary"
    losses: ClassVar[tuple[str, ...]] = ("bce_with_logits",)
    metrics: ClassVar[tuple[str, ...]] = ("accuracy", "f1", "roc_auc", "log_loss")
    selectable: ClassVar[tuple[str, ...]] = (
        "accuracy", "balanced_accuracy", "f1", "f1_macro", "roc_auc", "log_loss",
    )  # fmt: skip

    @property
    def outputs(self) -> int:
        return 1

    @classmethod
    def metric_label(cls, metric: str, labels: Sequence[Any]) -> str:
        """F1 is that of one class: the other has another one."""
        return f"f1 of {_label_text(labels[1])}" if metric == "f1" and len(labels) == 2 else metric

    def codes(self, scores: Scores) -> npt.NDArray[np.int64]:
        if self.threshold == 0.5:
            return super().codes(scores)
        return (scores.probabilities > self.threshold).reshape(-1).astype(np.int64)

    def tuned(self, metric: str, truth: Array, scores: Scores) -> Binary:
        """With the threshold at which ``metric`` is best; the one nearest to 1/2 of several."""
        if metric not in metrics.METRICS or metrics.METRICS[metric].takes != "labels":
            return self
        codes, second = truth.astype(np.int64), np.unique(scores.probabilities)
        if len(second) > MOST_THRESHOLDS:
            second = np.quantile(second, np.linspace(0, 1, MOST_THRESHOLDS))
        between = (second[1:] + second[:-1]) / 2
        candidates = sorted([0.5, *between.tolist()], key=lambda t: (abs(t - 0.5), t))
        measure = metrics.METRICS[metric].function
        values = [
            float(measure(codes, replace(self, threshold=t).codes(scores))) for t in candidates
        ]
        return replace(self, threshold=candidates[values.index(max(values))])

    def shared(self, members: Sequence[Task]) -> Binary:
        own = [task.threshold for task in members if isinstance(task, Binary)]
        return replace(self, threshold=math.fsum(own) / len(own)) if own else self

    @property
    def decisions(self) -> dict[str, float]:
        return {} if self.threshold == 0.5 else {"threshold": self.threshold}

    def with_decisions(self, decisions: Mapping[str, float]) -> Binary:
        return replace(self, threshold=float(decisions.get("threshold", 0.5)))

    def baseline(self, trained: Array, truth: Array) -> dict[str, float]:
        if self.threshold != 0.5:  # which is for the model's probabilities
            return replace(self, threshold=0.5).baseline(trained, truth)
        return super().baseline(trained, truth)

    def probabilities(self, scores: Scores) -> npt.NDArray[np.float64]:
        second = scores.probabilities
        return np.concatenate([1 - second, second], axis=1)

    def evaluation(self, truth: Array, scores: Scores) -> dict[str, Any]:
        second = self.probabilities(scores)[:, 1]
        charts = binary_charts(truth.astype(np.int64) == 1, second, _label_text(self.classes[1]))
        return super().evaluation(truth, scores) | {"charts": charts}

    def _scores(self, probabilities: npt.NDArray[np.float64]) -> Scores:
        # Exactly one half is not a majority: Scores predicts class 1 only above it.
        return Scores(probabilities[:, 1:], "probability")


@dataclass(frozen=True)
class Multiclass(Classification):
    """One output per class, its logit."""

    name: ClassVar[str] = "multiclass"
    losses: ClassVar[tuple[str, ...]] = ("cross_entropy",)
    metrics: ClassVar[tuple[str, ...]] = ("accuracy", "f1_macro", "roc_auc", "log_loss")
    selectable: ClassVar[tuple[str, ...]] = (
        "accuracy", "balanced_accuracy", "f1_macro", "roc_auc", "log_loss",
    )  # fmt: skip

    @property
    def outputs(self) -> int:
        return len(self.classes)

    def probabilities(self, scores: Scores) -> npt.NDArray[np.float64]:
        return scores.probabilities

    def evaluation(self, truth: Array, scores: Scores) -> dict[str, Any]:
        probabilities = self.probabilities(scores)
        right = self.codes(scores) == truth.astype(np.int64)
        charts = calibration_chart(right, probabilities.max(axis=1), "what is predicted")
        return super().evaluation(truth, scores) | {"charts": charts}

    def _scores(self, probabilities: npt.NDArray[np.float64]) -> Scores:
        with np.errstate(divide="ignore"):
            return Scores(log(probabilities), "exp")


def _label_text(label: Label) -> str:
    return str(label).lower() if isinstance(label, bool) else str(label)
