"""Language: how surprising each token of a text is, given those before it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from ..elementary import log
from ..phrasing import format_number
from ..runs.task import Array, Task
from ..train import Scores
from ..train.metrics import Metric
from ..unverified import number, table
from .wording import NOTHING_LEARNED

__all__ = ["Language", "bits_per_character"]

#: the largest loss whose exponential is still worth a number
MOST_NATS = 700.0


def bits_per_character(nats: Array, tokens: Array, characters: Sequence[int]) -> float:
    """The bits that ``tokens`` take, by the nats of each, over the characters they stand for."""
    counted = int(np.asarray(characters)[tokens].sum())
    return float(np.asarray(nats, np.float64).sum()) / math.log(2) / max(counted, 1)


@dataclass(frozen=True)
class Language(Task):
    """``characters`` says how many each token stands for. A target is a stretch of tokens [rows,
    length + 1]; outputs are -log P of each but the first, in nats [rows, length]."""

    characters: tuple[int, ...]

    name: ClassVar[str] = "language"
    losses: ClassVar[tuple[str, ...]] = ("cross_entropy",)
    metrics: ClassVar[tuple[str, ...]] = ("bits_per_character", "nats", "perplexity")
    monitored: ClassVar[str] = "bits_per_character"
    guess: ClassVar[str] = "frequencies of the tokens"
    baseline_name: ClassVar[str] = "frequencies"
    informed: ClassVar[bool] = True
    answer: ClassVar[str] = "the next token"
    metric_words: ClassVar[Mapping[str, str]] = {
        "bits_per_character": "bits that a character of the text takes on average; comparable for "
        "all tokenizers",
        "nats": "mean of -ln P(token) over the tokens: the loss",
        "perplexity": "e to the nats: between so many equally likely tokens it wavers",
    }

    @property
    def outputs(self) -> int:
        return len(self.characters)

    @property
    def monitored_metric(self) -> Metric:
        """Bits per character."""

        def measure(target: Array, values: Array) -> float:
            return bits_per_character(values, target[:, 1:], self.characters)

        return Metric(self.monitored, measure, higher_is_better=False)

    def truth(self, target: Array) -> Array:
        return target

    def numbers(self, target: Array) -> Array:
        """How many different tokens there are in each stretch."""
        return np.array([len(np.unique(row)) for row in target])

    def decode(self, scores: Scores) -> Array:
        """The mean surprise of each stretch, in nats."""
        return np.asarray(scores.values.mean(axis=1))

    def compute_metrics(self, truth: Array, scores: Scores) -> dict[str, float]:
        nats = float(scores.values.mean())
        return {
            "bits_per_character": bits_per_character(scores.values, truth[:, 1:], self.characters),
            "nats": nats,
            "perplexity": math.exp(min(nats, MOST_NATS)),
        }

    def baseline(self, trained: Array, truth: Array) -> dict[str, float]:
        """The metrics of the frequencies of tokens in the training part, each counted once more."""
        counts = np.bincount(trained.reshape(-1), minlength=self.outputs) + 1.0
        nats = -log(counts / counts.sum())[truth[:, 1:]]
        return self.compute_metrics(truth, Scores(nats, "identity"))

    @classmethod
    def caution(cls, metrics: Mapping[str, Any], baselines: Mapping[str, Mapping[str, Any]]) -> str:
        own = number(metrics.get(cls.monitored))
        bits = {name: number(table(m).get(cls.monitored)) for name, m in baselines.items()}
        better = {n: b for n, b in bits.items() if b is not None and own is not None and b <= own}
        if own is None or not better:
            return ""
        best = min(better, key=lambda name: better[name])
        return (
            f"Worse than {best}: a character takes {format_number(better[best])} bits by these, "
            f"{format_number(own)} by this model."
        )

    def evaluation(self, truth: Array, scores: Scores) -> dict[str, Any]:
        """How the surprise falls with what is known of the text."""
        by_place = scores.values.mean(axis=0)
        return {
            "rows": len(truth),
            "charts": [{
                "title": "Surprise by how much is known",
                "words": "The mean loss of a token (in nats), by the number of tokens before it.",
                "below": "tokens before it",
                "x": list(range(1, len(by_place) + 1)),
                "lines": [{"name": "nats", "values": by_place.tolist()}],
            }],
        }  # fmt: skip

    def describe_untrained(self, loss: str) -> str:
        return f"with {self.outputs} equally likely tokens {math.log(self.outputs):.4g}; at best"

    @classmethod
    def describe_aim(cls, target: str, labels: Sequence[str]) -> str:
        return "predict the next token of a text"

    @classmethod
    def describe_result(
        cls, start: str, metrics: Mapping[str, Any], baseline: Mapping[str, Any], tested: int | None
    ) -> str:
        bits, guess = number(metrics.get(cls.monitored)), number(baseline.get(cls.monitored))
        if bits is None:
            return ""
        words = f"{start}, a character takes {format_number(bits)} bits"
        if (nats := number(metrics.get("nats"))) is not None:
            words += f" ({format_number(nats)} nats a token)"
        if guess is None:
            return f"{words}."
        words += f"; by the frequencies of the tokens alone, it takes {format_number(guess)}."
        return words if bits < guess else f"{words} {NOTHING_LEARNED}"
