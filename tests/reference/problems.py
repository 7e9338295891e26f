"""The two training problems behind ``curves.json``, made again from their seeds with NumPy alone.

Only the losses are stored. Weights, data and batch order come from the raw 64-bit words of
``numpy.random.PCG64(seed)``, whose stream NumPy keeps for ever (the methods of ``Generator`` may
change between releases), and from element-wise float64 arithmetic rounded once to float32: so
every machine gets the same bits.

    uniform   u = (word >> 11) * 2**-53, row-major
    features  x = 2 sqrt(3) (u - 1/2) + shift * (2 sqrt(3) (u' - 1/2))[class]
    classes   floor(outputs * u), at least two
    weights   (2 u - 1) / sqrt(fan_in), shape (out, in), then the bias of the same layer
    order     each epoch the stable argsort of ``rows`` words; a short last batch is dropped
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

FOLDER = Path(__file__).resolve().parent


def load(family: str) -> dict[str, Any]:
    """The numbers of one family: ``load("activations")`` reads ``activations.json``."""
    return dict(json.loads((FOLDER / f"{family}.json").read_text()))


class Words:
    """A stream of raw words as uniforms and permutations."""

    def __init__(self, seed: int) -> None:
        self._bits = np.random.PCG64(seed)

    def uniform(self, *shape: int) -> NDArray[np.float64]:
        """float64 in [0, 1)."""
        words: NDArray[np.uint64] = self._bits.random_raw(int(np.prod(shape)))
        top: NDArray[np.float64] = (words >> np.uint64(11)).astype(np.float64) * 2.0**-53
        return top.reshape(shape)

    def unit(self, *shape: int) -> NDArray[np.float64]:
        """Uniform with mean 0 and variance 1."""
        return 2 * 3.0**0.5 * (self.uniform(*shape) - 0.5)

    def permutation(self, count: int) -> NDArray[np.int64]:
        words: NDArray[np.uint64] = self._bits.random_raw(count)
        return np.argsort(words, kind="stable")


@dataclass(frozen=True)
class Problem:
    """A fully connected network with ReLU, trained by Adam (lr 1e-3, PyTorch's other defaults).

    One output means binary cross-entropy on logits with float32 targets of shape (batch, 1); more
    mean cross-entropy with int64 targets of shape (batch,). Both are averaged over the batch.
    """

    name: str
    widths: tuple[int, ...]
    rows: int
    batch: int
    seed: int
    shift: float
    lr: float = 1e-3
    steps: int = 100

    def data(self) -> tuple[NDArray[np.float32], NDArray[Any]]:
        """Features (rows, widths[0]) float32 and targets."""
        words = Words(self.seed)
        outputs = self.widths[-1]
        classes = np.floor(max(outputs, 2) * words.uniform(self.rows)).astype(np.int64)
        centers = self.shift * words.unit(max(outputs, 2), self.widths[0])
        x = (words.unit(self.rows, self.widths[0]) + centers[classes]).astype(np.float32)
        return x, classes.astype(np.float32)[:, None] if outputs == 1 else classes

    def weights(self) -> list[tuple[NDArray[np.float32], NDArray[np.float32]]]:
        """(weight (out, in), bias (out,)) of each layer."""
        words = Words(self.seed + 1)
        layers = []
        for fan_in, fan_out in zip(self.widths, self.widths[1:], strict=False):
            weight = (2 * words.uniform(fan_out, fan_in) - 1) / fan_in**0.5
            bias = (2 * words.uniform(fan_out) - 1) / fan_in**0.5
            layers.append((weight.astype(np.float32), bias.astype(np.float32)))
        return layers

    def batches(self) -> Iterator[NDArray[np.int64]]:
        """Row indices of each of the ``steps`` batches."""
        words, done = Words(self.seed + 2), 0
        while True:
            order = words.permutation(self.rows)
            for start in range(0, self.rows - self.batch + 1, self.batch):
                if done == self.steps:
                    return
                yield order[start : start + self.batch]
                done += 1

    def digest(self) -> str:
        """SHA-256 of data, weights and batches: equal bits or another number."""
        arrays: list[NDArray[Any]] = [*self.data(), *self.batches()]
        arrays += [array for layer in self.weights() for array in layer]
        total = hashlib.sha256()
        for array in arrays:
            total.update(np.ascontiguousarray(array).tobytes())
        return total.hexdigest()

    def hidden_permutations(self, seed: int) -> list[NDArray[np.int64]]:
        """A new order of the units of each hidden layer."""
        words = Words(seed)
        return [words.permutation(width) for width in self.widths[1:-1]]


PROBLEMS = {
    p.name: p
    for p in (
        Problem("tabular", (30, 32, 16, 1), rows=569, batch=32, seed=101, shift=0.3),
        Problem("mlp", (784, 512, 256, 10), rows=8192, batch=128, seed=378, shift=0.1),
    )
}
