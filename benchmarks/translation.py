"""A transformer that translates, said once for every peer: sizes, weights, operations, tokens.

Embeddings times the root of their width, plus waves of positions; layers of an encoder and of a
decoder that norm what they have added, with ReLU between; a layer of scores without bias. Weights
are in the order of PyTorch's ``parameters()``: embeddings of source and target, the encoder, the
decoder, the layer of scores.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from benchmarks.nets import Array, Shape

#: what fills rows behind their length; no token is it
PADDING = 0


@dataclass(frozen=True)
class Seq2Seq:
    """Pairs of texts. Each has from ``shortest`` to ``longest`` tokens, and each length between is
    as likely; rows are padded to the longest.
    """

    shortest: int = 5
    longest: int = 20
    vocabulary: int = 8000
    width: int = 128
    layers: int = 2
    heads: int = 4

    @property
    def features(self) -> Shape:
        return (self.longest,)

    @property
    def scored(self) -> Shape:
        """Each token of the target has one."""
        return (self.longest,)

    @property
    def outputs(self) -> int:
        return self.vocabulary

    def tokens(self, seed: int, samples: int) -> tuple[Array, Array, Array]:
        """Sources and targets without their last token, int32, and targets without their first,
        int64: half of these tokens depend on the source's at the same place.
        """
        rng = np.random.default_rng(seed)
        lengths = rng.integers(self.shortest, self.longest, (2, samples, 1), endpoint=True)
        source = rng.integers(1, self.vocabulary, (samples, self.longest))
        drawn = rng.integers(1, self.vocabulary, (samples, self.longest + 1))
        copied = 1 + 3 * source % (self.vocabulary - 1)
        chained = rng.random(source.shape) < 0.5
        drawn[:, 1:] = np.where(chained, copied, drawn[:, 1:])
        there = np.arange(self.longest) < lengths
        given, wanted = (np.where(there[1], t, PADDING) for t in (drawn[:, :-1], drawn[:, 1:]))
        source = np.where(there[0], source, PADDING)
        return source.astype(np.int32), given.astype(np.int32), wanted.astype(np.int64)

    def waves(self) -> Array:
        """[longest, width]: sines and cosines of each place in turn (Vaswani et al., 2017)."""
        rates = np.exp(np.arange(0, self.width, 2) * (-math.log(10000.0) / self.width))
        angles = np.arange(self.longest)[:, None] * rates
        return np.stack([np.sin(angles), np.cos(angles)], 2).reshape(angles.shape[0], -1)

    def _shapes(self) -> Iterator[Shape]:
        w = self.width
        attention = ((3 * w, w), (3 * w,), (w, w), (w,))
        dense = ((4 * w, w), (4 * w,), (w, 4 * w), (w,))
        yield from [(self.vocabulary, w)] * 2
        for attentions, norms in ((1, 2), (2, 3)):
            for _ in range(self.layers):
                yield from (*attention * attentions, *dense, *((w,), (w,)) * norms)
            yield from ((w,), (w,))
        yield (self.vocabulary, w)

    def weights(self, seed: int) -> list[Array]:
        """Normal with deviation 0.03, float32; biases and the weights of norms, too: there is
        nothing that a wrong order would leave alone.
        """
        rng = np.random.default_rng(seed)
        return [(rng.standard_normal(s) * 0.03 + (len(s) == 1)).astype(np.float32)
                for s in self._shapes()]  # fmt: skip

    def flops(self, batch: int) -> int:
        """Of one step's products: forward, dW and dX. Tokens beyond a row's length, and keys that a
        query may not see, do not count.
        """
        w, span = self.width, self.longest - self.shortest
        mean = (self.shortest + self.longest) / 2
        square = mean**2 + span * (span + 2) / 12
        dense = self.layers * (14 + 14) * w**2 + w * self.vocabulary
        attended = self.layers * 2 * w * (square + (square + mean) / 2 + mean**2)
        return int(6 * batch * (mean * dense + attended))
