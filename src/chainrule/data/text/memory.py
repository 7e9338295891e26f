"""A translation memory: for a text the translation of the most similar one that is known."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from chainrule.data.text.tokenizer import Codes
from chainrule.elementary import log1p

__all__ = ["TranslationMemory"]

Floats = NDArray[np.float64]


class TranslationMemory:
    """Finds texts by the cosine of counts of their tokens, which weigh log(1 + N / n) where n of
    all N known texts have them (Salton and Buckley, 1988; translation by example: Nagao, 1984).

    ``known`` are the tokens of the texts, numbers below ``size``.
    """

    def __init__(self, known: Sequence[Codes], size: int) -> None:
        self.count = len(known)
        owners = np.repeat(np.arange(self.count), [len(row) for row in known])
        flat = np.concatenate([np.zeros(0, np.int64), *known]).astype(np.int64)
        # by token, and of each token by text
        keys, times = np.unique(flat * self.count + owners, return_counts=True)
        tokens, self.owners = np.divmod(keys, max(self.count, 1))
        self.begin = np.searchsorted(tokens, np.arange(size + 1))
        texts = np.diff(self.begin)
        self.weights = np.where(texts > 0, log1p(self.count / np.maximum(texts, 1)), 0.0)
        self.parts: Floats = times * self.weights[tokens]
        squares = np.bincount(self.owners, self.parts**2, minlength=self.count)
        self.parts /= np.sqrt(squares)[self.owners]

    def nearest(self, rows: Sequence[Codes]) -> NDArray[np.int64]:
        """For the tokens of each text the number of the known text that is most like it, the first
        of several."""
        found = np.zeros(len(rows), np.int64)
        for i, row in enumerate(rows):
            scores = np.zeros(self.count)
            for token, times in zip(*np.unique(row, return_counts=True), strict=True):
                own = slice(self.begin[token], self.begin[token + 1])
                scores[self.owners[own]] += times * self.weights[token] * self.parts[own]
            found[i] = scores.argmax()
        return found
