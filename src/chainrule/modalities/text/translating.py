"""Networks that translate: one part reads the source, the other writes, looking at what was read.

source ── embed ──► reader ──► memory ──┐
written ── embed ──► writer ────────────┴──► logits of the next token
"""

from __future__ import annotations

import math
from abc import abstractmethod
from typing import Any

from ... import nn
from ...data.text import PADDING
from ...frontend import Tensor
from ...frontend.operations.creation import zeros
from ...frontend.operations.shaping import cat
from ...nn import functional as F

__all__ = ["RecurrentTranslator", "TransformerTranslator", "TranslationLoss", "Translator"]


class Translator(nn.Module):
    """-log P of each token of translations [rows, T] but the first, given sources [rows, S]: [rows,
    T - 1], 0 for padding. Source and translation share one vocabulary and its vectors."""

    size: int
    head: nn.Linear

    @abstractmethod
    def features(self, source: Tensor, written: Tensor) -> tuple[Tensor, Tensor]:
        """What the layer of scores reads after each token that was ``written`` [rows, length], and
        how much each looked at the tokens of the source [rows, length, S]."""

    def look(self, source: Tensor, written: Tensor) -> tuple[Tensor, Tensor]:
        """The logits [rows, length, size] of the token after each that was ``written``, and how
        much each looked at the tokens of the source."""
        features, weights = self.features(source, written)
        return self.head(features), weights

    def forward(self, source: Tensor, target: Tensor) -> Tensor:
        wanted = target[:, 1:]
        nats = F.linear_cross_entropy(
            self.features(source, target[:, :-1])[0], self.head.weight, wanted,
            linear_bias=self.head.bias, reduction="none",
        )  # fmt: skip
        result: Tensor = nats * (wanted != PADDING).float()
        return result

    @abstractmethod
    def read(self, source: Tensor, length: int) -> Any:
        """The state that `step` begins with: what was read, and room for ``length`` tokens."""

    @abstractmethod
    def step(self, tokens: Tensor, state: Any) -> tuple[Tensor, Any]:
        """The logits [rows, size] after one more token [rows, 1] was written, and the next state,
        rows first."""


def tied(size: int, width: int) -> tuple[nn.Embedding, nn.Linear]:
    """Vectors of tokens, and a layer of scores that shares them."""
    embedding = nn.Embedding(size, width, padding_idx=PADDING)
    nn.init.normal_(embedding.weight, std=1.0 / math.sqrt(width))
    head = nn.Linear(width, size, bias=False)
    head.weight = embedding.weight
    return embedding, head


class RecurrentTranslator(Translator):
    """Gated recurrent units with multiplicative attention (Luong et al., 2015)::

    a = softmax(h W m),   c = sum of a m,   tanh(V [c, h])  ──►  logits
    """

    def __init__(
        self, size: int, length: int, *, width: int, hidden: int, layers: int, dropout: float
    ) -> None:
        super().__init__()
        self.size, self.layers, self.hidden = size, layers, hidden
        between = dropout if layers > 1 else 0.0
        self.embedding, self.head = tied(size, width)
        self.reader = nn.GRU(
            width, hidden, layers, batch_first=True, dropout=between, bidirectional=True
        )
        self.bridge = nn.Linear(2 * hidden, hidden)
        self.writer = nn.GRU(width, hidden, layers, batch_first=True, dropout=between)
        self.attention = nn.MultiplicativeAttention(hidden, 2 * hidden, batch_first=True)
        self.mix = nn.Linear(3 * hidden, width)
        self.dropout = nn.Dropout(dropout)

    def _read(self, source: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The first state, the memory [rows, S, 2 hidden], and the length of each source."""
        lengths = (source != PADDING).float().sum(1).int()
        memory, last = self.reader(self.dropout(self.embedding(source)), lengths=lengths)
        rows = source.shape[0]
        # The last states of both directions, layer by layer.
        both = last.reshape(self.layers, 2, rows, self.hidden).permute(0, 2, 1, 3)
        state = self.bridge(both.reshape(self.layers, rows, 2 * self.hidden)).tanh()
        return state, memory, lengths

    def _mixed(self, states: Tensor, memory: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        context, weights = self.attention(states, memory, lengths=lengths)
        mixed: Tensor = self.dropout(self.mix(cat([context, states], 2)).tanh())
        return mixed, weights

    def features(self, source: Tensor, written: Tensor) -> tuple[Tensor, Tensor]:
        state, memory, lengths = self._read(source)
        states, _ = self.writer(self.dropout(self.embedding(written)), state)
        return self._mixed(states, memory, lengths)

    def read(self, source: Tensor, length: int) -> Any:
        state, memory, lengths = self._read(source)
        return state.permute(1, 0, 2), memory, lengths

    def step(self, tokens: Tensor, state: Any) -> tuple[Tensor, Any]:
        own, memory, lengths = state
        states, following = self.writer(self.embedding(tokens), own.permute(1, 0, 2))
        mixed, _ = self._mixed(states, memory, lengths)
        return self.head(mixed[:, -1]), (following.permute(1, 0, 2), memory, lengths)


class TransformerTranslator(Translator):
    """An encoder and a decoder of ``layers`` each, pre-norm (Vaswani et al., 2017)."""

    def __init__(
        self, size: int, length: int, *, width: int, layers: int, heads: int, dropout: float
    ) -> None:
        super().__init__()
        self.size, self.scale = size, math.sqrt(width)
        self.embedding, self.head = tied(size, width)
        # A text of so many tokens, between a start and an end.
        self.positions = nn.SinusoidalPositions(length + 2, width, batch_first=True)
        options: dict[str, Any] = {"batch_first": True, "norm_first": True}
        encoder = nn.TransformerEncoderLayer(width, heads, 4 * width, dropout, **options)
        decoder = nn.TransformerDecoderLayer(width, heads, 4 * width, dropout, **options)
        self.encoder = nn.TransformerEncoder(encoder, layers, nn.LayerNorm(width))
        self.decoder = nn.TransformerDecoder(decoder, layers, nn.LayerNorm(width))
        self.encoder.reset_parameters()
        self.decoder.reset_parameters()
        self.dropout = nn.Dropout(dropout)

    def _embedded(self, tokens: Tensor, offset: Any = 0) -> Tensor:
        placed = self.positions(self.embedding(tokens) * self.scale, offset)
        dropped: Tensor = self.dropout(placed)
        return dropped

    def _read(self, source: Tensor) -> tuple[Tensor, Tensor]:
        hidden = source == PADDING
        return self.encoder(self._embedded(source), src_key_padding_mask=hidden), hidden

    def features(self, source: Tensor, written: Tensor) -> tuple[Tensor, Tensor]:
        memory, hidden = self._read(source)
        states: Tensor = self.decoder(
            self._embedded(written), memory, memory_key_padding_mask=hidden, tgt_is_causal=True
        )
        # What the last layer would look at next: its own heads, asked with what came out.
        last = self.decoder.layers[-1].multihead_attn
        weights: Tensor = last(states, memory, memory, hidden)[1]
        return states, weights

    def read(self, source: Tensor, length: int) -> Any:
        memory, hidden = self._read(source)
        return zeros((), dtype="int32"), self.decoder.new_cache(memory, length), hidden

    def step(self, tokens: Tensor, state: Any) -> tuple[Tensor, Any]:
        position, cache, hidden = state
        states, cache = self.decoder.with_cache(
            self._embedded(tokens, position), cache, position, hidden
        )
        return self.head(states[:, -1]), (position + 1, cache, hidden)


class TranslationLoss(nn.Module):
    """The mean over all tokens of what `Translator` gives, in nats."""

    def forward(self, outputs: Tensor, target: Any) -> Tensor:
        """A 0-d Tensor."""
        count = (target[:, 1:] != PADDING).float().sum().clamp(min=1.0)
        loss: Tensor = outputs.sum() / count
        return loss
