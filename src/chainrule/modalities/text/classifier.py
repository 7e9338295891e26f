"""The network for texts with a label: tokens embedded, read by a body, beside other columns.

tokens ── embed ──► vectors ── body ──┐
numbers ──────────────────────────────┼── join ──► outputs
categories ── embed ──────────────────┘

Log-odds by naive Bayes, and bodies that weigh them, go to the outputs directly.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from ... import nn
from ...data.text import PADDING
from ...frontend import Tensor, no_grad
from ...frontend.apply import from_array
from ...frontend.operations.creation import eye
from ...frontend.operations.shaping import cat
from .bodies import Body

__all__ = ["Classifier"]

#: of the layer that joins texts and other columns
JOINED = 64
WIDEST = 32


class Ratios(nn.Module):
    """Vectors of features that naive Bayes gives: their log-ratios [features, columns], each times
    a weight, which is 1 at first."""

    ratios: Tensor

    def __init__(self, ratios: npt.NDArray[np.floating]) -> None:
        super().__init__()
        known = ratios.astype(np.float32)
        known[PADDING] = 0.0
        self.register_buffer("ratios", from_array(known), persistent=False)
        self.weights = nn.Embedding(*known.shape)
        nn.init.ones_(self.weights.weight)

    def forward(self, tokens: Tensor) -> Tensor:
        result: Tensor = self.weights(tokens) * nn.functional.embedding(tokens, self.ratios)
        return result


class Classifier(nn.Module):
    """Outputs [rows, outputs] of ``tokens`` int32 [rows, length], then of log-odds [rows, odds],
    numbers and codes of other columns, if there are any: as `Features` holds them. With ``ratios``
    [features, outputs] the vectors of tokens are `Ratios`, and what the body makes of them goes to
    the outputs directly."""

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
        ratios: npt.NDArray[np.floating] | None = None,
    ) -> None:
        super().__init__()
        self.odds, self.numeric, self.coded = odds, numeric, len(cardinalities)
        self.embedding: nn.Module
        if ratios is None:
            self.embedding = nn.Embedding(features, width, padding_idx=PADDING)
            scale = 1.0 / math.sqrt(width)
            nn.init.uniform_(self.embedding.weight, -scale, scale)
        else:
            self.embedding = Ratios(ratios)
        self.body, self.direct = body, ratios is not None
        widths = [min(WIDEST, 2 + math.isqrt(count)) for count in cardinalities]
        self.columns = nn.ModuleList(
            [nn.Embedding(count, size) for count, size in zip(cardinalities, widths, strict=True)]
        )
        others, read = numeric + sum(widths), 0 if self.direct else body.out
        self.join = nn.Sequential(nn.Linear(read + others, JOINED), nn.ReLU()) if others else None
        inside, self.outputs = JOINED if others else read, outputs
        # Another weight for what is weighed would only grow: of their own texts, ratios are sure.
        self.head = nn.Linear(inside + odds, outputs) if inside else None
        if odds and self.head is not None:
            with no_grad():
                self.head.weight[:, inside:] = eye(outputs)

    def embed(self, tokens: Tensor) -> Tensor:
        """The vectors of tokens."""
        vectors: Tensor = self.embedding(tokens)
        return vectors

    def read(self, vectors: Tensor, tokens: Tensor, *others: Tensor) -> Tensor:
        """The outputs for the vectors of tokens."""
        there = (tokens != PADDING).float().unsqueeze(2)
        text: Tensor = self.body(vectors, there)
        parts = [] if self.direct else [text]
        if self.numeric:
            parts.append(others[1 if self.odds else 0])
        if self.coded:
            codes = others[-1]
            parts += [embed(codes[:, j]) for j, embed in enumerate(self.columns)]
        if self.join is not None:
            parts = [self.join(cat(parts, 1))]
        if self.odds:
            parts.append(others[0])
        if self.head is None:
            return text
        result: Tensor = self.head(cat(parts, 1) if len(parts) > 1 else parts[0])
        if self.direct:
            result = result + text
        return result

    def forward(self, tokens: Tensor, *others: Tensor) -> Tensor:
        return self.read(self.embed(tokens), tokens, *others)
