"""What several networks weigh in a common answer, and how sure that answer is.

    p = sum_i w_i p_i,   then p^(1/T), normalised

The weights come from greedy selection with replacement (Caruana et al. 2004, "Ensemble selection
from libraries of models"), the temperature T from the log-loss (Guo et al. 2017, "On calibration of
modern neural networks"); both from examples that the networks were not trained on.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..train import Scores
from ..train.metrics import METRICS
from .task import Array, Task

__all__ = ["AS_IT_IS", "Mixture", "best_temperature", "greedy_weights", "loss_of"]

#: of greedy selection: as many networks are chosen at most, some of them several times
ROUNDS = 25
#: temperatures from 1/4 to 4, narrowed down so many times
WIDEST, NARROWINGS = math.log(4.0), 48
GOLDEN = (math.sqrt(5) - 1) / 2


@dataclass(frozen=True)
class Mixture:
    """The share of each network, together 1 (None: equal ones), and the temperature."""

    weights: tuple[float, ...] | None = None
    temperature: float = 1.0

    def of(self, goal: Task, members: Sequence[tuple[Task, Scores]]) -> Scores:
        """What networks with outputs for the same examples say together, as outputs of ``goal``."""
        together = goal.together(members, self.weights)
        return together if self.temperature == 1 else goal.tempered(together, self.temperature)


AS_IT_IS = Mixture()


def loss_of(goal: Task, metric: str, truth: Array, scores: Scores) -> float:
    """A metric as something of which less is better."""
    measure = METRICS[metric]
    if goal.labels:
        truth = truth.astype(np.int32)
        value = measure(truth, scores)
    else:
        value = float(measure.function(truth, goal.decode(scores)))
    return -value if measure.higher_is_better else value


def greedy_weights(
    goal: Task, metric: str, truth: Array, scores: Sequence[Scores]
) -> tuple[float, ...]:
    """The shares of networks with these ``scores``, the best that greedy selection comes by: the
    network is added that helps most, again and again; of equal ones the first."""
    members = [(goal, each) for each in scores]
    chosen = np.zeros(len(members), np.int64)
    best, lowest = chosen, math.inf
    for _ in range(ROUNDS):
        tried = [chosen + (np.arange(len(members)) == i) for i in range(len(members))]
        losses = [
            loss_of(goal, metric, truth, goal.together(members, _shares(counts)))
            for counts in tried
        ]
        chosen = tried[int(np.argmin(losses))]
        if min(losses) < lowest:
            best, lowest = chosen, min(losses)
    return _shares(best)


def _shares(counts: Array) -> tuple[float, ...]:
    return tuple(float(n) / int(counts.sum()) for n in counts)


def best_temperature(goal: Task, truth: Array, scores: Scores) -> float:
    """The temperature with the lowest log-loss; 1 where nothing is calibrated, or nothing gained.

    The log-loss has one minimum in 1/T, so that a golden-section search finds it.
    """
    if not goal.labels:
        return 1.0

    def loss(logarithm: float) -> float:
        tempered = goal.tempered(scores, math.exp(logarithm))
        return loss_of(goal, "log_loss", truth, tempered)

    low, high = -WIDEST, WIDEST
    for _ in range(NARROWINGS):
        left, right = high - GOLDEN * (high - low), low + GOLDEN * (high - low)
        low, high = (low, right) if loss(left) <= loss(right) else (left, high)
    middle = (low + high) / 2
    return math.exp(middle) if loss(middle) < loss(0.0) else 1.0
