"""Networks that translate: one part reads the source, the other writes, looking at what was read.

source ── embed ──► units in both directions ──► memory ──┐
written ── embed ──► units ──► looks at the memory ───────┴──► logits of the next token
"""

from __future__ import annotations

import math
from abc import abstractmethod
from typing import Any

from ... import nn
from ...data.text import PADDING
from ...frontend import Tensor
from ...frontend.operations.products import matmul
from ...frontend.operations.shaping import cat
from ...nn import functional as F

__all__ = ["RecurrentTranslator", "TranslationLoss", "Translator"]

NEVER = -1e4


class Translator(nn.Module):
    """-log P of each token of translations [rows, T] but the first, given sources [rows, S]: [rows,
    T - 1], 0 for padding."""

    size: int

    @abstractmethod
    def logits(self, source: Tensor, written: Tensor) -> Tensor:
        """Of the token after each that was ``written`` [rows, length]: [rows, length, size]."""

    def forward(self, source: Tensor, target: Tensor) -> Tensor:
        logits = self.logits(source, target[:, :-1])
        rows, length = logits.shape[:2]
        wanted = target[:, 1:]
        nats = F.cross_entropy(
            logits.reshape(rows * length, self.size), wanted.reshape(-1), reduction="none"
        )
        result: Tensor = nats.reshape(rows, length) * (wanted != PADDING).float()
        return result

    @abstractmethod
    def read(self, source: Tensor) -> tuple[Tensor, ...]:
        """What `write` needs of sources [rows, S]; the first Tensors change from step to step."""

    @abstractmethod
    def write(self, token: Tensor, *memory: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """One more ``token`` [rows, 1]: the logits [rows, size] of the next one, how much each
        token of the source was looked at [rows, S], and the next state: the first of memory."""


class RecurrentTranslator(Translator):
    """Gated recurrent units with multiplicative attention (Luong et al., 2015)::

    a = softmax(h W m),   c = sum of a m,   tanh(V [c, h])  ──►  logits
    """

    def __init__(self, size: int, width: int, *, hidden: int, layers: int, dropout: float) -> None:
        super().__init__()
        self.size, self.layers, self.hidden = size, layers, hidden
        between = dropout if layers > 1 else 0.0
        self.embedding = nn.Embedding(size, width, padding_idx=PADDING)
        nn.init.uniform_(self.embedding.weight, -1 / math.sqrt(width), 1 / math.sqrt(width))
        self.reader = nn.GRU(
            width, hidden, layers, batch_first=True, dropout=between, bidirectional=True
        )
        self.bridge = nn.Linear(2 * hidden, hidden)
        self.writer = nn.GRU(width, hidden, layers, batch_first=True, dropout=between)
        self.query = nn.Linear(hidden, 2 * hidden, bias=False)
        self.mix = nn.Linear(3 * hidden, width)
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(width, size)
        self.head.weight = self.embedding.weight

    def read(self, source: Tensor) -> tuple[Tensor, ...]:
        """The first state, the memory [rows, S, 2 hidden], and which tokens are padding."""
        there = (source != PADDING).float()
        vectors = self.dropout(self.embedding(source))
        memory, last = self.reader(vectors, lengths=there.sum(1).int())
        rows = source.shape[0]
        # The last states of both directions, layer by layer.
        both = last.reshape(self.layers, 2, rows, self.hidden).permute(0, 2, 1, 3)
        state = self.bridge(both.reshape(self.layers, rows, 2 * self.hidden)).tanh()
        return state, memory, there

    def _look(self, states: Tensor, memory: Tensor, there: Tensor) -> tuple[Tensor, Tensor]:
        """The logits [rows, length, size] of states, and what they looked at."""
        scores = matmul(self.query(states), memory.permute(0, 2, 1))
        scores = scores / math.sqrt(memory.shape[2]) + (1.0 - there).unsqueeze(1) * NEVER
        weights = F.softmax(scores, 2)
        context = matmul(weights, memory)
        mixed = self.mix(cat([context, states], 2)).tanh()
        return self.head(self.dropout(mixed)), weights

    def logits(self, source: Tensor, written: Tensor) -> Tensor:
        state, memory, there = self.read(source)
        states, _ = self.writer(self.dropout(self.embedding(written)), state)
        return self._look(states, memory, there)[0]

    def write(self, token: Tensor, *memory: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        state, read, there = memory
        states, following = self.writer(self.embedding(token), state)
        logits, weights = self._look(states, read, there)
        return logits[:, 0], weights[:, 0], following


class TranslationLoss(nn.Module):
    """The mean over all tokens of what `Translator` gives, in nats."""

    def forward(self, outputs: Tensor, target: Any) -> Tensor:
        """A 0-d Tensor."""
        count = (target[:, 1:] != PADDING).float().sum().clamp(min=1.0)
        loss: Tensor = outputs.sum() / count
        return loss
