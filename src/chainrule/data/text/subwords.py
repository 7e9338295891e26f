"""Runs of letters in words as features: "boring" and "bored" have <bo, bor and <bor in common.

Bojanowski et al., 2017, "Enriching word vectors with subword information".
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from chainrule.data.text.tokenizer import Codes
from chainrule.errors import StateError
from chainrule.records import check_shape

__all__ = ["Subwords", "learn_subwords"]

#: letters of a run, the marks of both ends included
FEWEST, MOST = 3, 5
BEGIN, END = "<", ">"

Words = Sequence[Sequence[str]]


def runs_of(word: str) -> list[str]:
    """Those of one word, in order, but for the whole word; none of a single letter or mark."""
    marked = f"{BEGIN}{word}{END}"
    return [
        marked[start : start + size]
        for size in range(FEWEST, min(MOST, len(word) + 1) + 1)
        for start in range(len(marked) - size + 1)
    ]


@dataclass(frozen=True)
class Subwords:
    """The runs that are known, by their numbers."""

    pieces: tuple[str, ...]

    @cached_property
    def _numbers(self) -> dict[str, int]:
        return {piece: number for number, piece in enumerate(self.pieces)}

    @cached_property
    def _of_words(self) -> dict[str, list[int]]:
        return {}

    def encode(self, texts: Words) -> list[Codes]:
        """The numbers of the known runs in the words of each text."""
        known, numbers = self._of_words, self._numbers
        rows = []
        for words in texts:
            row: list[int] = []
            for word in words:
                own = known.get(word)
                if own is None:
                    own = [numbers[run] for run in runs_of(word) if run in numbers]
                    known[word] = own
                row += own
            rows.append(np.array(row, np.int32))
        return rows

    def shown(self, number: int) -> str:
        """A run for reading: ``bor…``, ``…ing``, ``…ori…``."""
        piece = self.pieces[number]
        before = "" if piece.startswith(BEGIN) else "…"
        after = "" if piece.endswith(END) else "…"
        return f"{before}{piece.removeprefix(BEGIN).removesuffix(END)}{after}"

    @classmethod
    def from_document(cls, document: Any, where: str) -> Subwords:
        """From a list of runs. StateError, naming ``where``, for anything else."""
        check_shape(document, [str], where)
        if len(set(document)) < len(document) or not all(
            FEWEST <= len(piece) <= MOST for piece in document
        ):
            raise StateError(
                "the runs of letters cannot be read: one is missing or occurs twice",
                where=where,
                help="the file was changed or cut off; copy it again",
            )
        return cls(tuple(document))


def learn_subwords(texts: Words, *, rare: int = 2, most: int = 100_000) -> Subwords:
    """The runs that occur in at least ``rare`` texts, the ``most`` frequent of them first."""
    counts: Counter[str] = Counter()
    for words in texts:
        counts.update({run for word in set(words) for run in runs_of(word)})
    ranked = sorted((-count, run) for run, count in counts.items() if count >= rare)
    return Subwords(tuple(run for _, run in ranked[:most]))
