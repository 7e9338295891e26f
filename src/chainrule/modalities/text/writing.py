"""Writes translations: greedily, or with a beam of several beginnings."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ... import nn
from ...data.text import END, PADDING, START, UNKNOWN
from ...frontend import no_grad
from ...frontend.apply import from_array
from ...frontend.compiled import compile
from .translating import Translator

__all__ = ["Writer"]

Codes = npt.NDArray[np.int32]

#: rows of one batch, so that one program serves all
BATCH = 64
#: what is never written
UNSAID = [PADDING, UNKNOWN, START]


class Writer:
    """Translates rows of tokens with ``model``, at most ``most`` tokens each; with a ``beam`` of 1,
    the likeliest token is taken in each step."""

    def __init__(self, model: Translator, most: int, beam: int = 1) -> None:
        self.model, self.most, self.beam = model, most, beam
        model.eval()
        self._read, self._write = compile(self._begin), compile(model.step)

    def _begin(self, source: Any) -> Any:
        return self.model.read(source, self.most + 1)

    def _step(self, tokens: Any, state: Any) -> tuple[Any, Any]:
        with no_grad():
            logits, state = self._write(tokens, state)
        scores = np.array(logits.numpy(), np.float64)
        scores[:, UNSAID] = -np.inf
        return scores, state

    def translate(self, sources: Codes) -> list[list[int]]:
        """The tokens of each translation."""
        made: list[list[int]] = []
        for start in range(0, len(sources), BATCH):
            batch = sources[start : start + BATCH]
            filled = np.full((BATCH, sources.shape[1]), PADDING, np.int32)
            filled[:, 0] = END
            filled[: len(batch)] = batch
            made += self._batch(filled)[: len(batch)]
        return made

    def _batch(self, sources: Codes) -> list[list[int]]:
        with no_grad():
            state = self._read(from_array(sources))
        prompts = [[START] for _ in sources]
        if self.beam == 1:
            steps = nn.generate(
                self._step, prompts, state, length=self.most, stop=END, temperature=0.0
            )
            table = np.stack([np.full(len(sources), -1), *steps], axis=1)[:, 1:]
            return [[int(t) for t in row if t > END] for row in table]
        found = nn.beam_search(
            self._step, prompts, state, length=self.most, stop=END, beam=self.beam
        )
        return [[t for t in best.tokens if t > END] for (best,) in found]

    def looks(self, sources: Codes, written: Codes) -> npt.NDArray[np.float32]:
        """How much each token of what was ``written`` looked at those of the sources."""
        with no_grad():
            weights = self.model.look(from_array(sources), from_array(written))[1]
        return np.asarray(weights.numpy())
