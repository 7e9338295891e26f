"""Recurrent networks said once for every peer: sizes, first weights, operations.

A sample is (steps, inputs). Weights are in the order of PyTorch's ``parameters()``: of each layer
W_ih, W_hh, b_ih and b_hh forwards, then backwards; at last weight and bias of the linear layer.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from benchmarks.nets import Array, Linear, Shape, uniform

Cell = Literal["lstm", "gru"]
#: what the linear layer reads: the state after the last step, each step, or their mean
Reading = Literal["last", "each", "mean"]
GATES: dict[Cell, int] = {"lstm": 4, "gru": 3}


@dataclass(frozen=True)
class Recurrent:
    """Recurrent layers and a linear one.

    Where rows differ in length, the shortest has ``shortest`` steps, the longest all ``steps``,
    and each length between is as likely.
    """

    cell: Cell
    inputs: int
    hidden: int
    outputs: int
    steps: int
    reading: Reading = "last"
    layers: int = 1
    both: bool = False  # forwards and backwards
    shortest: int = 0  # 0: every row has all steps

    @property
    def features(self) -> Shape:
        return (self.steps, self.inputs)

    @property
    def scored(self) -> Shape:
        """Axes of a sample along which each place has a target of its own."""
        return (self.steps,) if self.reading == "each" else ()

    @property
    def directions(self) -> int:
        return 2 if self.both else 1

    @property
    def head(self) -> Linear:
        return Linear(self.directions * self.hidden, self.outputs)

    @property
    def widths(self) -> Iterator[int]:
        """What each direction of each layer reads at a step."""
        for layer in range(self.layers):
            width = self.directions * self.hidden if layer else self.inputs
            yield from [width] * self.directions

    def of_steps(self, steps: int) -> Recurrent:
        """The same network over sequences of another length."""
        return replace(self, steps=steps)

    def lengths(self, seed: int, samples: int) -> Array | None:
        """Steps of each row, int32; None where all are full."""
        if not self.shortest:
            return None
        rng = np.random.default_rng(seed)
        return rng.integers(self.shortest, self.steps, samples, np.int32, endpoint=True)

    def weights(self, seed: int) -> list[Array]:
        """Uniform within 1/sqrt(hidden), the linear layer's within 1/sqrt of its inputs."""
        rng = np.random.default_rng(seed)
        rows, bound = GATES[self.cell] * self.hidden, self.hidden**-0.5
        arrays: list[Array] = []
        for width in self.widths:
            for shape in ((rows, width), (rows, self.hidden), (rows,), (rows,)):
                arrays.append(uniform(rng, bound, *shape))
        return arrays + self.head.weights(rng)

    def flops(self, batch: int) -> int:
        """Of one step's products: forward, dW, and dX of all that is not data. Steps beyond a
        row's length do not count.
        """
        steps = (self.shortest + self.steps) / 2 if self.shortest else self.steps
        rows = GATES[self.cell] * self.hidden
        read = sum(self.widths)
        data = self.directions * self.inputs  # has no gradient
        recurred = self.layers * self.directions * self.hidden
        loops = 2 * steps * rows * (3 * (read + recurred) - data)
        places = steps if self.reading == "each" else 1
        return int(batch * (loops + 3 * places * self.head.flops(())))


LSTM = Recurrent("lstm", 16, 128, 1, steps=64)
GRU = Recurrent("gru", 32, 256, 10, steps=128)
SMALL = Recurrent("lstm", 8, 32, 1, steps=200, reading="each")
BOTH = Recurrent("lstm", 40, 96, 10, 50, reading="mean", layers=2, both=True, shortest=10)
