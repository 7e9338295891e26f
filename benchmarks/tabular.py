"""Networks for tables said once for every peer: sizes, first weights, operations.

Dropout is left out, because no two peers draw the same. A sample is a row of numbers; the weights
of members lie along the first axis.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from benchmarks.nets import Array, Shape


@dataclass(frozen=True)
class RealMLP:
    """Waves of each number, a learned scale, layers in NTK form with learned activations (SELU).

    Weights: frequency [F, 1, H], phase [F, 1, H], weight [F, H, E] and bias [F, 1, E] of the waves;
    the scale; weight [in, out] and bias of each layer; the activations. All are those of one
    member, along a first axis of length 1.
    """

    inputs: int = 20
    frequencies: int = 16
    embedded: int = 3
    hidden: tuple[int, ...] = (256, 256, 256)
    outputs: int = 10

    @property
    def features(self) -> Shape:
        return (self.inputs,)

    @property
    def scored(self) -> Shape:
        return ()

    @property
    def width(self) -> int:
        """Of what the first layer reads."""
        return self.inputs * (1 + self.embedded)

    @property
    def pairs(self) -> list[tuple[int, int]]:
        """(inputs, outputs) of each layer."""
        return list(pairwise((self.width, *self.hidden, self.outputs)))

    def weights(self, seed: int) -> list[Array]:
        rng = np.random.default_rng(seed)
        waves, bound = (self.inputs, 1, self.frequencies), self.frequencies**-0.5
        arrays = [
            0.1 * rng.standard_normal(waves),
            rng.uniform(-np.pi, np.pi, waves),
            rng.uniform(-bound, bound, (self.inputs, self.frequencies, self.embedded)),
            rng.uniform(-bound, bound, (self.inputs, 1, self.embedded)),
            np.ones((1, self.width)),
        ]
        for fan_in, fan_out in self.pairs:
            arrays += [rng.standard_normal((fan_in, fan_out)), rng.standard_normal(fan_out)]
        arrays += [np.ones((1, width)) for width in self.hidden]
        return [array.astype(np.float32)[None] for array in arrays]

    def flops(self, batch: int) -> int:
        """Of one step's products; what the first layer reads is learned, too."""
        waves = self.inputs * self.frequencies * self.embedded
        return 3 * 2 * batch * (waves + sum(a * b for a, b in self.pairs))


@dataclass(frozen=True)
class TabM:
    """Members that share the weights of the hidden layers but for scales, each with its own head.

    Weights: of each hidden layer W [in, out], the scales before [K, in] and after it [K, out], and
    biases [K, out]; of the heads [K, in, out] and [K, out]. The activations are ReLU.
    """

    inputs: int = 20
    members: int = 32
    hidden: tuple[int, ...] = (512, 512, 512)
    outputs: int = 10

    @property
    def features(self) -> Shape:
        return (self.inputs,)

    @property
    def scored(self) -> Shape:
        return ()

    @property
    def pairs(self) -> list[tuple[int, int]]:
        """(inputs, outputs) of each hidden layer."""
        return list(pairwise((self.inputs, *self.hidden)))

    def weights(self, seed: int) -> list[Array]:
        rng = np.random.default_rng(seed)
        arrays: list[Array] = []
        for i, (fan_in, fan_out) in enumerate(self.pairs):
            bound, before = fan_in**-0.5, (self.members, fan_in)
            arrays += [
                rng.uniform(-bound, bound, (fan_in, fan_out)),
                np.ones(before) if i else rng.choice((-1.0, 1.0), before),
                np.ones((self.members, fan_out)),
                np.tile(rng.uniform(-bound, bound, fan_out), (self.members, 1)),
            ]
        last = self.hidden[-1]
        bound = last**-0.5
        arrays.append(rng.uniform(-bound, bound, (self.members, last, self.outputs)))
        arrays.append(rng.uniform(-bound, bound, (self.members, self.outputs)))
        return [array.astype(np.float32) for array in arrays]

    def flops(self, batch: int) -> int:
        """Of one step's products; the scales of the inputs are learned, too."""
        products = sum(a * b for a, b in self.pairs) + self.hidden[-1] * self.outputs
        return 3 * 2 * batch * self.members * products
