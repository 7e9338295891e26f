"""Beam search: the likeliest continuations, as far as a few beginnings side by side can tell."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from ..elementary import exp, log
from ..errors import ShapeError
from ..frontend.functional.activations import setting
from ..frontend.functional.windows import whole
from ..frontend.modes import user_line
from ..frontend.storage import Storage
from ..frontend.tree import flatten, unflatten
from ..ir.types import Array
from .module import as_tensor
from .sampling import Step, check_vocabulary, scores_of, tokens_of

__all__ = ["Hypothesis", "beam_search"]


class Hypothesis(NamedTuple):
    """New tokens, with the one that ends them if there is one; the logarithm of their probability;
    and that over the penalty of their length, by which they are ordered.
    """

    tokens: list[int]
    log_prob: float
    score: float


def beam_search(
    step: Step,
    prompts: Any,
    state: Any,
    *,
    length: int,
    stop: int | None = None,
    beam: int = 4,
    best: int = 1,
    length_penalty: float = 0.6,
) -> list[list[Hypothesis]]:
    """The ``best`` continuations of each row of prompts [rows, tokens], best first.

    ``step`` is that of `generate`. Of each row ``beam`` beginnings are kept; one ends with the
    token ``stop``, or after ``length`` tokens. The score is log p / ((5 + n) / 6)^length_penalty
    for n tokens (Wu et al., 2016, "Google's neural machine translation system"): 0 prefers short
    ones, as probabilities do. The arrays of ``state`` have the rows along their first axis, single
    numbers belong to all; each array is repeated for the beginnings, and put into their order.

    `ConfigError` if more are wanted than a beam holds, `DataError` for prompts that cannot be read,
    `ShapeError` for prompts of several lengths.
    """
    beam, best, length = whole("beam", beam), whole("best", best), whole("length", length)
    setting("best", best, best <= beam, f"at most beam, which is {beam}")
    legal = isinstance(length_penalty, int | float) and 0.0 <= length_penalty < math.inf
    setting("length_penalty", length_penalty, legal, "a number of at least 0")
    rows = tokens_of(prompts)
    if len({len(row) for row in rows}) > 1:
        raise ShapeError(
            "the prompts differ in length",
            where=user_line(),
            help="search for those of one length at a time",
        )
    state = _taken(state, np.repeat(np.arange(len(rows)), beam))
    for t in range(len(rows[0])):
        tokens = np.repeat(np.array([row[t] for row in rows], np.int32), beam)
        logits, state = step(tokens[:, None], state)
        if t == 0:
            check_vocabulary(rows, logits)
    searches = [_Search(beam, best, length, stop, length_penalty) for _ in rows]
    while True:
        scores = scores_of(logits)
        shifted = scores - scores.max(1, keepdims=True)
        log_probs = shifted - log(exp(shifted).sum(1, keepdims=True))
        each = log_probs.reshape(len(rows), beam, -1)
        moves = [search.advance(own) for search, own in zip(searches, each, strict=True)]
        if all(search.over for search in searches):
            return [search.found() for search in searches]
        order = np.concatenate([i * beam + parents for i, (parents, _) in enumerate(moves)])
        tokens = np.concatenate([new for _, new in moves]).astype(np.int32)
        logits, state = step(tokens[:, None], _taken(state, order))


class _Search:
    """The beginnings of one row: tokens and log-probabilities, likeliest first."""

    def __init__(self, beam: int, best: int, length: int, stop: int | None, penalty: float) -> None:
        self.beam, self.best, self.length, self.stop, self.penalty = (
            beam, best, length, stop, penalty,
        )  # fmt: skip
        self.beginnings: list[list[int]] = [[] for _ in range(beam)]
        self.log_probs = np.full(beam, -math.inf)
        self.log_probs[0] = 0.0  # at first all are the same: one of them goes on
        self.ended: list[Hypothesis] = []
        self.over = False

    def advance(self, log_probs: Array) -> tuple[Array, Array]:
        """Which beginnings go on, and with which tokens, given log_probs [beam, vocabulary]."""
        stay = np.arange(self.beam), np.zeros(self.beam, np.int64)
        if self.over:
            return stay
        totals = (self.log_probs[:, None] + log_probs).ravel()
        parents: list[int] = []
        tokens: list[int] = []
        kept: list[tuple[list[int], float]] = []
        for i in np.argsort(-totals, kind="stable")[: 2 * self.beam]:
            parent, token = divmod(int(i), log_probs.shape[1])
            if totals[i] == -math.inf or len(parents) == self.beam:
                break
            longer = [*self.beginnings[parent], token]
            if token == self.stop or len(longer) == self.length:
                self.ended.append(self._hypothesis(longer, float(totals[i])))
            else:
                parents.append(parent)
                tokens.append(token)
                kept.append((longer, float(totals[i])))
        missing = self.beam - len(kept)
        self.beginnings = [b for b, _ in kept] + [[]] * missing
        self.log_probs = np.array([p for _, p in kept] + [-math.inf] * missing)
        self.over = not kept or self._settled()
        return np.array(parents + [0] * missing), np.array(tokens + [0] * missing)

    def _settled(self) -> bool:
        """Whether nothing that goes on can become better than the best that have ended."""
        found = self.found()
        # Probabilities only fall; at best the likeliest beginning keeps its own to the very end.
        limit = self.log_probs[0] / self._divisor(self.length)
        return len(found) == self.best and bool(found[-1].score >= limit)

    def found(self) -> list[Hypothesis]:
        """The best that have ended."""
        return sorted(self.ended, key=lambda h: -h.score)[: self.best]

    def _hypothesis(self, tokens: list[int], log_prob: float) -> Hypothesis:
        return Hypothesis(tokens, log_prob, log_prob / self._divisor(len(tokens)))

    def _divisor(self, length: int) -> float:
        return float(((5 + length) / 6) ** self.penalty)


def _taken(state: Any, rows: Array) -> Any:
    """The arrays of ``state`` at ``rows`` of their first axis."""

    def is_array(value: Any) -> bool:
        return isinstance(value, Storage | np.ndarray)

    leaves, tree = flatten(state, is_array)
    return unflatten(tree, [x if x.ndim == 0 else as_tensor(x)[rows] for x in leaves])
