"""Transcription: the letters of what is said, by connectionist temporal classification."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from ..elementary import exp
from ..phrasing import percent, quoted
from ..runs.task import Array, Task
from ..train import Scores
from ..train.metrics import Metric
from ..unverified import number
from .wording import NOTHING_LEARNED

__all__ = ["Transcription", "edits", "error_rates"]

#: examples in each table of ``evaluation.json``
SHOWN = 10


def edits(truth: Sequence[Hashable], other: Sequence[Hashable]) -> int:
    """The fewest insertions, deletions and replacements between both (Levenshtein, 1966)."""
    previous = list(range(len(other) + 1))
    for i, wanted in enumerate(truth, 1):
        current = [i]
        for j, got in enumerate(other, 1):
            changed = previous[j - 1] + (wanted != got)
            current.append(min(changed, previous[j] + 1, current[-1] + 1))
        previous = current
    return previous[-1]


def error_rates(truth: Sequence[str], heard: Sequence[str]) -> dict[str, float]:
    """``cer`` and ``wer``: edits of letters and of words, divided by how many there are in all."""
    pairs = list(zip(truth, heard, strict=True))
    letters = sum(len(t) for t, _ in pairs)
    words = sum(len(t.split()) for t, _ in pairs)
    return {
        "cer": sum(edits(t, h) for t, h in pairs) / max(letters, 1),
        "wer": sum(edits(t.split(), h.split()) for t, h in pairs) / max(words, 1),
    }


@dataclass(frozen=True)
class Transcription(Task):
    """``letters`` are numbered from 1, 0 is the blank. A target is a row of whole numbers: the
    steps that the network has for it, how many letters follow, and these. Outputs are
    log-probabilities [rows, steps, letters + 1], zeros beyond the steps of a row."""

    letters: str

    name: ClassVar[str] = "transcription"
    losses: ClassVar[tuple[str, ...]] = ("ctc",)
    metrics: ClassVar[tuple[str, ...]] = ("cer", "wer")
    monitored: ClassVar[str] = "cer"
    guess: ClassVar[str] = "silence"
    baseline_name: ClassVar[str] = "hearing nothing"
    informed: ClassVar[bool] = True
    answer: ClassVar[str] = "letters"
    metric_words: ClassVar[Mapping[str, str]] = {
        "cer": "letters inserted, left out or wrong, divided by the letters said",
        "wer": "words inserted, left out or wrong, divided by the words said",
    }

    @property
    def outputs(self) -> int:
        return len(self.letters) + 1

    @property
    def monitored_metric(self) -> Metric:
        """The errors in letters."""

        def cer(target: Array, values: Array) -> float:
            return error_rates(list(self.truth(target)), self._heard(values))["cer"]

        return Metric(self.monitored, cer, higher_is_better=False)

    def truth(self, target: Array) -> Array:
        texts = ["".join(self.letters[code - 1] for code in row[2 : 2 + row[1]]) for row in target]
        return np.array(texts, object)

    def numbers(self, target: Array) -> Array:
        return np.asarray(target[:, 1])

    def decode(self, scores: Scores) -> Array:
        """What the likeliest letter of each step says: repetitions count once."""
        return np.array(self._heard(scores.outputs), object)

    def _heard(self, outputs: Array) -> list[str]:
        best = np.asarray(outputs).argmax(axis=2)
        first = np.ones(best.shape, bool)
        first[:, 1:] = best[:, 1:] != best[:, :-1]
        return [
            "".join(self.letters[code - 1] for code in row[new & (row > 0)])
            for row, new in zip(best, first, strict=True)
        ]

    def confidence(self, scores: Scores) -> Array:
        """The probability of the likeliest letter, averaged (geometrically) over the steps of each
        row: those that are not zeros."""
        best = scores.values.max(axis=2)
        counts = np.maximum((best < 0).sum(axis=1), 1)
        return exp(best.sum(axis=1) / counts)

    def compute_metrics(self, truth: Array, scores: Scores) -> dict[str, float]:
        return error_rates(list(truth), list(self.decode(scores)))

    def baseline(self, trained: Array, truth: Array) -> dict[str, float]:
        """The rates of hearing nothing: all letters and words are left out."""
        return error_rates(list(truth), [""] * len(truth))

    def evaluation(self, truth: Array, scores: Scores) -> dict[str, Any]:
        return {"rows": len(truth)}

    def transcripts(
        self, names: Sequence[str], unit: str, truth: Array, scores: Scores
    ) -> list[dict[str, Any]]:
        """Tables for ``evaluation.json``: what was said and heard in the worst examples and in some
        typical ones, whose error is in the middle; ``unit`` is what an example is called."""
        heard = self.decode(scores)
        wrong = np.array([error_rates([t], [h])["cer"] for t, h in zip(truth, heard, strict=True)])
        order = np.argsort(-wrong, kind="stable")
        worst = order[wrong[order] > 0][:SHOWN]
        rest = order[len(worst) :]
        first = max(0, min(len(order) // 2 - SHOWN // 2 - len(worst), len(rest) - SHOWN))
        heads = [unit, "said", "heard", "cer"]

        def table(title: str, words: str, rows: Array) -> dict[str, Any]:
            cells = [[names[i], truth[i], heard[i], float(wrong[i])] for i in rows.tolist()]
            return {"title": title, "words": words, "heads": heads, "rows": cells}

        tables = [
            table("Worst transcripts", f"What was heard in each {unit}, the worst first.", worst),
            table(
                "Typical transcripts", "Those whose error is in the middle of all.",
                rest[first : first + SHOWN],
            ),
        ]  # fmt: skip
        return [shown for shown in tables if shown["rows"]]

    def describe_untrained(self, loss: str) -> str:
        return "with all letters equally likely in each step"

    @classmethod
    def describe_aim(cls, target: str, labels: Sequence[str]) -> str:
        return f"write down {quoted(target)}, letter by letter"

    @classmethod
    def describe_result(
        cls, start: str, metrics: Mapping[str, Any], baseline: Mapping[str, Any], tested: int | None
    ) -> str:
        letters, words = number(metrics.get("cer")), number(metrics.get("wer"))
        if letters is None:
            return ""
        text = f"{start}, {percent(letters)} of the letters"
        text += (
            f" and {percent(words)} of the words are wrong." if words is not None else " are wrong."
        )
        return f"{text} {NOTHING_LEARNED}" if letters >= 1 else text
