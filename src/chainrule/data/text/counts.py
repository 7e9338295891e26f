"""What counting alone achieves: classes by naive Bayes, and the next token by n-grams."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from chainrule.data.text.tokenizer import Codes
from chainrule.elementary import exp, log

__all__ = ["NaiveBayes", "Successors"]

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]


@dataclass(frozen=True)
class NaiveBayes:
    """Multinomial naive Bayes with one imaginary occurrence of each feature in each class (see
    Manning, Raghavan and Schütze, 2008, chapter 13)::

        log P(c | x) = log P(c) + sum of log P(feature | c) over the features of x + constant

    ``counts`` [classes, features] says how often each feature occurred in each class, ``members``
    [classes] how many rows were of each.
    """

    counts: Counts
    members: Counts

    @classmethod
    def fit(cls, rows: Sequence[Codes], classes: NDArray[np.integer], count: int, features: int
            ) -> NaiveBayes:  # fmt: skip
        """From the features of rows, and the class of each."""
        own = np.asarray(classes, np.int64)
        counted = np.zeros((count, features), np.int64)
        owners = np.repeat(own, [len(row) for row in rows])
        np.add.at(counted, (owners, np.concatenate([np.zeros(0, np.int64), *rows])), 1)
        return cls(counted, np.bincount(own, minlength=count))

    @cached_property
    def _logs(self) -> tuple[Floats, Floats]:
        prior, counted = self.members + 1.0, self.counts + 1.0
        totals = counted.sum(axis=1, keepdims=True)
        return log(prior / prior.sum()), log(counted / totals)

    @property
    def feature_logs(self) -> Floats:
        """log P(feature | class), [classes, features]."""
        return self._logs[1]

    def joint(self, rows: Sequence[Codes], known: NDArray[np.integer] | None = None) -> Floats:
        """log P(class, row) up to a constant of the row, [rows, classes].

        Of rows that it was fitted on, whose classes are ``known``, it says what it would say
        without having seen them.
        """
        prior, features = self._logs
        joint = np.stack([prior + features[:, row].sum(axis=1) for row in rows])
        if known is None:
            return joint
        classes, lengths = np.asarray(known, np.int64), np.array([len(row) for row in rows])
        uses = [np.unique(row, return_counts=True) for row in rows]
        left = [self.counts[c, own] + 1 - n for (own, n), c in zip(uses, classes, strict=True)]
        logs = np.split(log(np.concatenate(left)), np.cumsum([len(row) for row in left])[:-1])
        whole = log((self.counts + 1).sum(axis=1)[classes] - lengths)
        first = log(self.members[classes] / (self.members.sum() + len(self.members)))
        for i, ((_, n), said) in enumerate(zip(uses, logs, strict=True)):
            joint[i, classes[i]] = first[i] + ((n * said).sum() - lengths[i] * whole[i])
        return joint

    def log_probabilities(self, rows: Sequence[Codes]) -> Floats:
        """log P(class | row), [rows, classes]."""
        joint = self.joint(rows)
        top = joint.max(axis=1, keepdims=True)
        return np.asarray(joint - top - log(exp(joint - top).sum(axis=1, keepdims=True)))


class Successors:
    """The next token by what followed the last ones, interpolated (Witten and Bell, 1991)::

        P(w | h) = (count(h w) + kinds(h) P(w | shorter h)) / (count(h) + kinds(h))

    where ``kinds(h)`` is how many different tokens followed h. The shortest history is empty; there
    each of ``size`` tokens has one imaginary occurrence more.
    """

    def __init__(self, tokens: Codes, size: int, order: int) -> None:
        self.size, self.order = size, order
        flat = tokens.astype(np.int64)
        counted = np.bincount(flat, minlength=size) + 1.0
        self.first = counted / counted.sum()
        #: of each length of history: keys of known grams, how often each, and of histories
        self.grams: list[tuple[Counts, Counts]] = []
        self.histories: list[tuple[Counts, Counts]] = []
        numbers = flat
        for length in range(1, order):
            keys = numbers[:-1] * size + flat[length:]
            known, numbered, counts = np.unique(keys, return_inverse=True, return_counts=True)
            self.grams.append((known, counts))
            totals = np.bincount(known // size, weights=counts).astype(np.int64)
            kinds = np.bincount(known // size)
            self.histories.append((totals, kinds))
            numbers = numbered

    def probabilities(self, rows: NDArray[np.integer]) -> Floats:
        """P of each token of rows but for the first, by at most ``order`` - 1 before it in its own
        row: [rows, length] gives [rows, length - 1]."""
        flat = np.asarray(rows, np.int64)
        result = self.first[flat]
        numbers, usable = flat, np.ones(flat.shape, bool)
        for length, ((known, counts), (totals, kinds)) in enumerate(
            zip(self.grams, self.histories, strict=True), 1
        ):
            if flat.shape[1] <= length or not len(known):
                break
            histories, follows = numbers[:, :-1], usable[:, :-1]
            inside = follows & (histories < len(totals))
            seen = np.where(inside, histories, 0)
            keys = histories * self.size + flat[:, length:]
            at = np.minimum(np.searchsorted(known, keys), len(known) - 1)
            hit = follows & (known[at] == keys)
            count, total, kind = np.where(hit, counts[at], 0), totals[seen], kinds[seen]
            total, kind = np.where(inside, total, 0), np.where(inside, kind, 0)
            shorter = result[:, length:]
            mixed = (count + kind * shorter) / np.maximum(total + kind, 1)
            result[:, length:] = np.where(total > 0, mixed, shorter)
            numbers, usable = at, hit
        return np.asarray(result[:, 1:])
