"""Translation: a text in one language for one in another, token by token."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any, ClassVar

import numpy as np

from ..errors import ConfigError
from ..phrasing import format_number, quoted
from ..runs.task import Array, Task
from ..train import Scores
from ..train.metrics import Metric
from ..unverified import number, table
from .wording import NOTHING_LEARNED

__all__ = ["Translated", "Translation", "sacrebleu"]

#: of the translations in ``evaluation.json``: the worst, and others evenly spaced
WORST, OTHERS = 10, 20


def sacrebleu() -> ModuleType:
    """The package sacrebleu. ConfigError if it is not installed."""
    try:
        import sacrebleu as module
    except ImportError:
        raise ConfigError(
            "translations are scored by the sacrebleu package", help='pip install "chainrule[text]"'
        ) from None
    package: Any = module
    assert isinstance(package, ModuleType)
    return package


@dataclass(frozen=True)
class Translated(Scores):
    """Outputs, and the translations that the network writes by itself."""

    texts: tuple[str, ...] = ()


@dataclass(frozen=True)
class Translation(Task):
    """``size`` is that of the vocabulary, 0 the number of padding; ``text_of`` makes a text of
    tokens. A target is a row of tokens, from
    the one that begins a text to the one that ends it; outputs are -log P of each but the first,
    in nats, and 0 for padding. What is judged are the texts of `Translated`."""

    size: int
    text_of: Callable[[Array], str]

    name: ClassVar[str] = "translation"
    losses: ClassVar[tuple[str, ...]] = ("cross_entropy",)
    metrics: ClassVar[tuple[str, ...]] = ("bleu", "chrf")
    monitored: ClassVar[str] = "nats"
    guess: ClassVar[str] = "saying nothing"
    baseline_name: ClassVar[str] = "nothing"
    informed: ClassVar[bool] = True
    answer: ClassVar[str] = "a translation"
    metric_words: ClassVar[Mapping[str, str]] = {
        "bleu": "runs of one to four words shared with the reference (sacreBLEU, 0 to 100)",
        "chrf": "runs of one to six letters shared with the reference (sacreBLEU, 0 to 100)",
    }

    @property
    def outputs(self) -> int:
        return self.size

    @classmethod
    def higher_is_better(cls, metric: str) -> bool | None:
        return True if metric in cls.metrics else None

    @property
    def monitored_metric(self) -> Metric:
        """Nats per token of the references."""

        def nats(target: Array, values: Array) -> float:
            return float(values.sum() / max(int((target[:, 1:] != 0).sum()), 1))

        return Metric(self.monitored, nats, higher_is_better=False)

    def truth(self, target: Array) -> Array:
        """The references as texts."""
        return np.array([self.text_of(row) for row in target], object)

    def numbers(self, target: Array) -> Array:
        """The tokens of each translation."""
        return np.asarray((target != 0).sum(axis=1))

    def decode(self, scores: Scores) -> Array:
        """The translations."""
        assert isinstance(scores, Translated)
        return np.array(scores.texts, object)

    def compute_metrics(self, truth: Array, scores: Scores) -> dict[str, float]:
        return _scored([str(text) for text in truth], [str(text) for text in self.decode(scores)])

    def baseline(self, trained: Array, truth: Array) -> dict[str, float]:
        return dict.fromkeys(self.metrics, 0.0)

    @classmethod
    def caution(cls, metrics: Mapping[str, Any], baselines: Mapping[str, Mapping[str, Any]]) -> str:
        own = number(metrics.get("bleu"))
        others = {name: number(table(m).get("bleu")) for name, m in baselines.items()}
        known = {name: b for name, b in others.items() if b is not None and name != cls.guess}
        best = max(known, key=lambda name: known[name], default="")
        if own is None or not best or known[best] <= own:
            return ""
        return (
            f"Worse than a {best}: its BLEU is {format_number(known[best])}, that of this model "
            f"{format_number(own)}."
        )

    def evaluation(self, truth: Array, scores: Scores) -> dict[str, Any]:
        return {"rows": len(truth), "signature": _signatures()}

    def describe_untrained(self, loss: str) -> str:
        return f"with {self.size} equally likely tokens {math.log(self.size):.4g}; at best"

    @classmethod
    def describe_aim(cls, target: str, labels: Sequence[str]) -> str:
        return f"translate into {quoted(target)}"

    @classmethod
    def describe_result(
        cls, start: str, metrics: Mapping[str, Any], baseline: Mapping[str, Any], tested: int | None
    ) -> str:
        bleu, chrf = number(metrics.get("bleu")), number(metrics.get("chrf"))
        if bleu is None or chrf is None:
            return ""
        words = f"{start}, its translations have a BLEU of {format_number(bleu)}"
        words += f" and a chrF of {format_number(chrf)}."
        return words if bleu > 0 else f"{words} {NOTHING_LEARNED}"


def _scored(references: list[str], texts: list[str]) -> dict[str, float]:
    package = sacrebleu()
    return {
        "bleu": float(package.metrics.BLEU().corpus_score(texts, [references]).score),
        "chrf": float(package.metrics.CHRF().corpus_score(texts, [references]).score),
    }


def _signatures() -> list[str]:
    """How BLEU and chrF were computed, in sacreBLEU's own words."""
    package = sacrebleu()
    scorers = package.metrics.BLEU(), package.metrics.CHRF()
    for scorer in scorers:
        scorer.corpus_score(["a"], [["a"]])
    return [str(scorer.get_signature()) for scorer in scorers]
