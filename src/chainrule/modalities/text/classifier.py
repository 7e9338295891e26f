"""The network for texts with a label: tokens embedded, read by a body, beside other columns.

tokens ── embed ──► vectors ── body ──┐
numbers ──────────────────────────────┼── join ──► outputs
categories ── embed ──────────────────┘
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from ... import nn
from ...data.text import PADDING
from ...frontend import Tensor, no_grad
from ...frontend.operations.creation import eye
from ...frontend.operations.shaping import cat
from .bodies import Body

__all__ = ["Classifier"]

#: of the layer that joins texts and other columns
JOINED = 64
WIDEST = 32


class Classifier(nn.Module):
    """Outputs [rows, outputs] of ``tokens`` int32 [rows, length], then of log-odds [rows, odds],
    numbers and codes of other columns, if there are any: as `Features` holds them."""

    def __init__(
        self,
        features: int,
        width: int,
        body: Body,
        outputs: int,
        *,
        odds: int = 0,
        numeric: int = 0,
        cardinalities: Sequence[int] = (),
    ) -> None:
        super().__init__()
        self.odds, self.numeric, self.coded = odds, numeric, len(cardinalities)
        self.embedding = nn.Embedding(features, width, padding_idx=PADDING)
        scale = 1.0 / math.sqrt(width)
        nn.init.uniform_(self.embedding.weight, -scale, scale)
        self.body = body
        widths = [min(WIDEST, 2 + math.isqrt(count)) for count in cardinalities]
        self.columns = nn.ModuleList(
            [nn.Embedding(count, size) for count, size in zip(cardinalities, widths, strict=True)]
        )
        others = numeric + sum(widths)
        self.join = (
            nn.Sequential(nn.Linear(body.out + others, JOINED), nn.ReLU()) if others else None
        )
        inside = JOINED if others else body.out
        self.head = nn.Linear(inside + odds, outputs)
        if odds:
            with no_grad():
                self.head.weight[:, inside:] = eye(outputs)

    def embed(self, tokens: Tensor) -> Tensor:
        """The vectors of tokens."""
        vectors: Tensor = self.embedding(tokens)
        return vectors

    def read(self, vectors: Tensor, tokens: Tensor, *others: Tensor) -> Tensor:
        """The outputs for the vectors of tokens."""
        there = (tokens != PADDING).float().unsqueeze(2)
        parts = [self.body(vectors, there)]
        if self.numeric:
            parts.append(others[1 if self.odds else 0])
        if self.coded:
            codes = others[-1]
            parts += [embed(codes[:, j]) for j, embed in enumerate(self.columns)]
        joined = cat(parts, 1) if len(parts) > 1 else parts[0]
        if self.join is not None:
            joined = self.join(joined)
        if self.odds:
            joined = cat([joined, others[0]], 1)
        result: Tensor = self.head(joined)
        return result

    def forward(self, tokens: Tensor, *others: Tensor) -> Tensor:
        return self.read(self.embed(tokens), tokens, *others)
