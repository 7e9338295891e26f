"""Stretches of a long text as a source of batches: a row is a place, from which the step reads."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

import numpy as np
import numpy.typing as npt

from ... import ops
from ...data.text import Codes
from ...frontend import Tensor
from ...frontend.apply import apply
from ...frontend.operations.creation import arange
from ...frontend.random import rand
from ...train.batch_source import MemorySource

__all__ = ["Stretches"]

#: numbers of outputs that one batch of an evaluation may have
EVALUATED = 1 << 23


class Stretches(MemorySource):
    """``count`` stretches of ``length`` + 1 tokens out of ``tokens``: inputs and target alike.

    They lie end to end (the last token of one is the first of the next); or, ``drawn``, each begins
    at random within its share of the text, so that in the end all places are trained on. ``size``
    is that of the vocabulary.
    """

    def __init__(
        self, tokens: Codes, length: int, size: int, count: int = 0, drawn: bool = False
    ) -> None:
        self.arrays: tuple[npt.NDArray[Any], ...] = (np.ascontiguousarray(tokens, np.int32),)
        self.length, self.size, self.drawn = length, size, drawn
        whole = max((len(tokens) - 1) // length, 0)
        self.count = count or whole
        places = max(len(tokens) - length, 1)
        self.stride = max(places // self.count, 1) if drawn else length

    @property
    def rows(self) -> int:
        return self.count

    @property
    def bytes_per_row(self) -> int:
        return 4 * (self.length + 1)

    @property
    def evaluation_rows(self) -> int | None:
        """A power of two."""
        fitting = EVALUATED // (self.length * self.size)
        return 1 << max(0, fitting.bit_length() - 1)

    @property
    def recipe(self) -> Hashable:
        return "stretches", self.length, self.stride, self.drawn

    def take(self, arrays: tuple[Tensor, ...], rows: Tensor) -> tuple[Tensor, ...]:
        """The stretches of ``rows``."""
        (tokens,) = arrays
        begin = rows * self.stride
        if self.drawn and self.stride > 1:
            begin = begin + (rand(rows.shape[0]) * self.stride).int().clamp(max=self.stride - 1)
        places = begin.unsqueeze(1) + arange(self.length + 1)
        cut = apply(ops.gather, tokens, places, axis=0)
        return cut, cut
