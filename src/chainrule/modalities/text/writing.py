"""Writes translations: greedily, or with a beam of several at once."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from ...data.text import END, PADDING, START, UNKNOWN
from ...frontend import Tensor, no_grad
from ...frontend.apply import from_array
from ...frontend.compiled import compile
from .translating import Translator

__all__ = ["Writer"]

Codes = npt.NDArray[np.int32]
Floats = npt.NDArray[np.float64]

#: rows of one batch, so that one program serves all
BATCH = 64
NEVER = -1e30
#: of the logarithm of a translation's probability by its length (Wu et al., 2016)
LENGTH_PENALTY = 0.6


class Writer:
    """Translates rows of tokens with ``model``, at most ``most`` tokens each; with a ``beam`` of 1,
    the likeliest token is taken in each step."""

    def __init__(self, model: Translator, most: int, beam: int = 1) -> None:
        self.model, self.most, self.beam = model, most, beam
        model.eval()
        self._read, self._write = compile(model.read), compile(model.write)

    def translate(self, sources: Codes) -> list[list[int]]:
        """The tokens of each translation."""
        return [tokens for tokens, _ in self.translate_looking(sources)]

    def translate_looking(self, sources: Codes) -> list[tuple[list[int], Floats]]:
        """The tokens of each translation, and how much each looked at those of the source, [tokens,
        source]."""
        each = max(BATCH // self.beam, 1)
        made: list[tuple[list[int], Floats]] = []
        for start in range(0, len(sources), each):
            batch = sources[start : start + each]
            filled = np.full((each, sources.shape[1]), PADDING, np.int32)
            filled[:, 0] = END
            filled[: len(batch)] = batch
            made += self._batch(filled)[: len(batch)]
        return made

    def _batch(self, sources: Codes) -> list[tuple[list[int], Floats]]:
        rows, beam = len(sources), self.beam
        with no_grad():
            state, *memory = self._read(from_array(np.repeat(sources, beam, axis=0)))
            total = np.full((rows, beam), NEVER)
            total[:, 0] = 0.0
            written = np.full((rows, beam, 0), PADDING, np.int32)
            looked = np.zeros((rows, beam, 0, sources.shape[1]))
            token, done = np.full((rows, beam), START, np.int32), np.zeros((rows, beam), bool)
            for _ in range(self.most + 1):
                column = from_array(token.reshape(-1, 1))
                logits, weights, state = self._write(column, state, *memory)
                log = _log_probabilities(logits.numpy().reshape(rows, beam, -1), done)
                total, parents, token = _best(total, log, done, written.shape[2])
                at = np.arange(rows)[:, None]
                seen = weights.numpy().reshape(rows, beam, -1)[at, parents]
                written = np.concatenate([written[at, parents], token[..., None]], axis=2)
                looked = np.concatenate([looked[at, parents], seen[:, :, None]], axis=2)
                done = done[at, parents] | (token == END)
                if done.all():
                    break
                if beam > 1:
                    state = _rearranged(state, (parents + at * beam).reshape(-1))
        scores = total / _penalty((written > END).sum(axis=2) + 1)
        best = scores.argmax(axis=1)
        return [_ended(written[i, best[i]], looked[i, best[i]]) for i in range(rows)]


def _log_probabilities(logits: npt.NDArray[np.floating], done: npt.NDArray[np.bool_]) -> Floats:
    """Of the next token; what has ended goes on with padding, at no cost."""
    values = np.asarray(logits, np.float64)
    values[..., [PADDING, UNKNOWN, START]] = NEVER
    top = values.max(axis=2, keepdims=True)
    log = values - top - np.log(np.exp(values - top).sum(axis=2, keepdims=True))
    log[done] = NEVER
    log[done, PADDING] = 0.0
    return np.asarray(log)


def _best(
    total: Floats, log: Floats, done: npt.NDArray[np.bool_], length: int
) -> tuple[Floats, npt.NDArray[np.int64], Codes]:
    """The best ``beam`` continuations of each row: their log-probabilities, whose continuation they
    are, and with which token."""
    rows, beam, size = log.shape
    joint = (total[:, :, None] + log).reshape(rows, beam * size)
    order = np.argsort(-joint, axis=1, kind="stable")[:, :beam]
    return np.take_along_axis(joint, order, 1), order // size, (order % size).astype(np.int32)


def _rearranged(state: Tensor, rows: npt.NDArray[np.int64]) -> Tensor:
    """States [layers, rows, units] of other rows."""
    return from_array(np.ascontiguousarray(state.numpy()[:, rows]))


def _penalty(lengths: npt.NDArray[np.integer]) -> Floats:
    return np.asarray(((5.0 + lengths) / 6.0) ** LENGTH_PENALTY)


def _ended(tokens: Codes, looked: Floats) -> tuple[list[int], Floats]:
    """Up to the end that was written, if there is one."""
    ends: Sequence[int] = np.flatnonzero((tokens == END) | (tokens == PADDING)).tolist()
    count = ends[0] if ends else len(tokens)
    return tokens[:count].tolist(), looked[:count]
