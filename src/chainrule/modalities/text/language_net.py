"""Networks that continue a text.

tokens ── embed ──► body, which looks back only ──► logits of the next token
"""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

from ... import nn
from ...frontend import Tensor
from ...frontend.operations.creation import zeros
from ...nn import functional as F
from ...nn.models import GPT

__all__ = ["GPTLanguage", "LanguageLoss", "LanguageNet", "RecurrentLanguage"]


class LanguageNet(nn.Module):
    """-log P of each token of stretches [rows, length + 1] but the first: [rows, length].

    ``context`` is how many tokens it can look back; None for any number.
    """

    size: int
    context: int | None

    @abstractmethod
    def features(self, tokens: Tensor) -> Tensor:
        """What the layer of scores reads after each of ``tokens`` [rows, length]."""

    @abstractmethod
    def scoring(self) -> nn.Linear:
        """The layer of scores."""

    @abstractmethod
    def new_state(self, rows: int) -> Any:
        """The state before the first token, for `step`."""

    @abstractmethod
    def step(self, tokens: Tensor, state: Any) -> tuple[Tensor, Any]:
        """The logits [rows, size] after one more token [rows, 1], and the next state."""

    def forward(self, stretches: Tensor) -> Tensor:
        head = self.scoring()
        return F.linear_cross_entropy(
            self.features(stretches[:, :-1]), head.weight, stretches[:, 1:],
            linear_bias=head.bias, reduction="none",
        )  # fmt: skip

    def logits(self, tokens: Tensor) -> Tensor:
        """Of the token after each of ``tokens`` [rows, length]: [rows, length, size]."""
        result: Tensor = self.scoring()(self.features(tokens))
        return result


class GPTLanguage(LanguageNet):
    """`models.GPT`: attention to what came before."""

    def __init__(
        self, size: int, length: int, *, width: int, layers: int, heads: int, dropout: float
    ) -> None:
        super().__init__()
        self.size, self.context = size, max(length, 2)
        self.gpt = GPT(size, self.context, width, layers, heads, dropout)

    def features(self, tokens: Tensor) -> Tensor:
        return self.gpt.features(tokens)

    def scoring(self) -> nn.Linear:
        return self.gpt.head

    def new_state(self, rows: int) -> Any:
        return self.gpt.new_state(rows)

    def step(self, tokens: Tensor, state: Any) -> tuple[Tensor, Any]:
        return self.gpt.step(tokens, state)


class RecurrentLanguage(LanguageNet):
    """Gated recurrent units, which carry on whatever the length."""

    context = None

    def __init__(
        self, size: int, length: int, *, width: int, hidden: int, layers: int, dropout: float
    ) -> None:
        super().__init__()
        self.size, self.layers, self.hidden = size, layers, hidden
        self.embedding = nn.Embedding(size, width)
        between = dropout if layers > 1 else 0.0
        self.gru = nn.GRU(width, hidden, layers, batch_first=True, dropout=between)
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(hidden, size)

    def features(self, tokens: Tensor) -> Tensor:
        outputs, _ = self.gru(self.dropout(self.embedding(tokens)))
        result: Tensor = self.dropout(outputs)
        return result

    def scoring(self) -> nn.Linear:
        return self.head

    def new_state(self, rows: int) -> Any:
        return zeros(rows, self.layers, self.hidden)

    def step(self, tokens: Tensor, state: Any) -> tuple[Tensor, Any]:
        outputs, following = self.gru(self.embedding(tokens), state.permute(1, 0, 2))
        return self.head(outputs[:, -1]), following.permute(1, 0, 2)


class LanguageLoss(nn.Module):
    """The mean of what `LanguageNet` gives, in nats per token."""

    def forward(self, outputs: Tensor, target: Any) -> Tensor:
        """A 0-d Tensor."""
        loss: Tensor = outputs.mean()
        return loss
