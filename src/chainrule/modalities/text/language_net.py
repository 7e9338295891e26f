"""Networks that continue a text.

tokens ── embed ──► body, which looks back only ──► logits of the next token
"""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

from ... import nn
from ...frontend import Tensor
from ...nn import functional as F

__all__ = ["LanguageLoss", "LanguageNet", "RecurrentLanguage"]


class LanguageNet(nn.Module):
    """-log P of each token of stretches [rows, length + 1] but the first: [rows, length]."""

    size: int

    @abstractmethod
    def logits(self, tokens: Tensor) -> Tensor:
        """Of the token after each of ``tokens`` [rows, length]: [rows, length, size]."""

    def forward(self, stretches: Tensor) -> Tensor:
        logits = self.logits(stretches[:, :-1])
        rows, length = logits.shape[:2]
        nats: Tensor = F.cross_entropy(
            logits.reshape(rows * length, self.size), stretches[:, 1:].reshape(-1),
            reduction="none",
        )  # fmt: skip
        return nats.reshape(rows, length)


class RecurrentLanguage(LanguageNet):
    """Gated recurrent units."""

    def __init__(self, size: int, width: int, *, hidden: int, layers: int, dropout: float) -> None:
        super().__init__()
        self.size, self.layers, self.hidden = size, layers, hidden
        self.embedding = nn.Embedding(size, width)
        between = dropout if layers > 1 else 0.0
        self.gru = nn.GRU(width, hidden, layers, batch_first=True, dropout=between)
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(hidden, size)

    def logits(self, tokens: Tensor) -> Tensor:
        outputs, _ = self.gru(self.dropout(self.embedding(tokens)))
        result: Tensor = self.head(self.dropout(outputs))
        return result

    def step(self, token: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """The logits [rows, size] after one more ``token`` [rows, 1], and the next state."""
        outputs, following = self.gru(self.embedding(token), state)
        return self.head(outputs[:, 0]), following


class LanguageLoss(nn.Module):
    """The mean of what `LanguageNet` gives, in nats per token."""

    def forward(self, outputs: Tensor, target: Any) -> Tensor:
        """A 0-d Tensor."""
        loss: Tensor = outputs.mean()
        return loss
