"""Language models said once for every peer: sizes, first weights, operations, tokens.

Blocks are pre-norm: causal attention, then a network four times as wide with GELU. Weights are in
this order: embeddings of tokens and positions; of each block those of queries, keys and values in
one, of the output, of the network's two layers and of its two norms, weight and bias each; those of
the last norm; the layer of scores, which has no bias.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from benchmarks.nets import Array, Shape


@dataclass(frozen=True)
class Transformer:
    """A decoder over ``context`` tokens of a vocabulary."""

    context: int
    vocabulary: int = 65
    width: int = 128
    layers: int = 4
    heads: int = 4

    @property
    def features(self) -> Shape:
        return (self.context,)

    @property
    def scored(self) -> Shape:
        """Each token has a target of its own."""
        return (self.context,)

    @property
    def outputs(self) -> int:
        return self.vocabulary

    def tokens(self, seed: int, samples: int) -> tuple[Array, Array]:
        """Rows of tokens and of those that follow, int32 and int64: half of them depend on the one
        before, the others on nothing.
        """
        rng = np.random.default_rng(seed)
        drawn = rng.integers(0, self.vocabulary, (samples, self.context + 1))
        chained = rng.random(drawn.shape) < 0.5
        for t in range(1, self.context + 1):
            following = (3 * drawn[:, t - 1] + 1) % self.vocabulary
            drawn[:, t] = np.where(chained[:, t], following, drawn[:, t])
        return drawn[:, :-1].astype(np.int32), drawn[:, 1:].astype(np.int64)

    def _shapes(self) -> Iterator[tuple[Shape, float]]:
        """Shape and deviation of each weight; 0 for biases, 1 for the weights of norms."""
        w, small = self.width, 0.02 / math.sqrt(2 * self.layers)
        yield from (((self.vocabulary, w), 0.02), ((self.context, w), 0.02))
        for _ in range(self.layers):
            yield from (((3 * w, w), 0.02), ((3 * w,), 0.0), ((w, w), small), ((w,), 0.0))
            yield from (((4 * w, w), 0.02), ((4 * w,), 0.0), ((w, 4 * w), small), ((w,), 0.0))
            yield from (((w,), 1.0), ((w,), 0.0), ((w,), 1.0), ((w,), 0.0))
        yield from (((w,), 1.0), ((w,), 0.0), ((self.vocabulary, w), 0.02))

    def weights(self, seed: int) -> list[Array]:
        """Normal, float32; biases 0, weights of norms 1."""
        rng = np.random.default_rng(seed)
        return [
            (rng.standard_normal(s) * d if len(s) > 1 else np.full(s, d)).astype(np.float32)
            for s, d in self._shapes()
        ]

    @property
    def prompt(self) -> int:
        """Tokens that stand before those that are made; these fill the context."""
        return self.context // 4

    def forward_flops(self, batch: int) -> int:
        """Of the products of a text: each token but the last is read once."""
        return self.flops(batch) // 3

    def flops(self, batch: int) -> int:
        """Of one step's products: forward, dW and dX. Of attention what is seen alone counts, and
        nothing that is computed twice.
        """
        dense = self.layers * 12 * self.width**2 + self.width * self.vocabulary
        seen = self.context * (self.context + 1) // 2
        attended = self.layers * 2 * self.width * seen
        return 6 * batch * (self.context * dense + attended)
