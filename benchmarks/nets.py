"""Convolutional networks said once for every peer: layers, first weights, operations.

Shapes are those of one sample, channels first: (channels, L) or (channels, H, W). Weights are in
the order in which PyTorch's ``parameters()`` gives them: each layer's weight, then its bias; the
body of a residual block before its shortcut.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.generic]
Shape = tuple[int, ...]


@dataclass(frozen=True)
class Layer:
    """One that has no weights and leaves shapes alone."""

    def weights(self, rng: np.random.Generator) -> list[Array]:
        """First values, float32."""
        return []

    def result(self, shape: Shape) -> Shape:
        """Shape of what comes out."""
        return shape

    def flops(self, shape: Shape) -> int:
        """Operations of the products for one sample, forward."""
        return 0

    def statistics(self, rng: np.random.Generator) -> list[Array]:
        """A mean and a variance of each channel for every batch normalisation inside."""
        return []


def uniform(rng: np.random.Generator, bound: float, *shape: int) -> Array:
    return ((rng.random(shape) * 2 - 1) * bound).astype(np.float32)


@dataclass(frozen=True)
class Conv(Layer):
    """Kernel, stride and padding are the same along every axis of the image."""

    inputs: int
    outputs: int
    kernel: int
    stride: int = 1
    padding: int = 0
    groups: int = 1
    bias: bool = True
    axes: int = 2

    def weights(self, rng: np.random.Generator) -> list[Array]:
        shape = (self.outputs, self.inputs // self.groups, *[self.kernel] * self.axes)
        bound = math.prod(shape[1:]) ** -0.5
        bias = [uniform(rng, bound, self.outputs)] if self.bias else []
        return [uniform(rng, bound, *shape), *bias]

    def result(self, shape: Shape) -> Shape:
        over = 2 * self.padding - self.kernel
        return (self.outputs, *((size + over) // self.stride + 1 for size in shape[1:]))

    def flops(self, shape: Shape) -> int:
        each = self.inputs // self.groups * math.prod([self.kernel] * self.axes)
        return 2 * each * math.prod(self.result(shape))


@dataclass(frozen=True)
class Norm(Layer):
    """Batch normalisation with running statistics."""

    channels: int

    def weights(self, rng: np.random.Generator) -> list[Array]:
        return [np.ones(self.channels, np.float32), np.zeros(self.channels, np.float32)]

    def statistics(self, rng: np.random.Generator) -> list[Array]:
        mean, variance = uniform(rng, 0.2, self.channels), uniform(rng, 0.5, self.channels)
        return [mean, 1 + variance]


@dataclass(frozen=True)
class Relu(Layer):
    """max(x, 0)."""


@dataclass(frozen=True)
class MaxPool(Layer):
    """Windows side by side."""

    size: int

    def result(self, shape: Shape) -> Shape:
        return (shape[0], *(size // self.size for size in shape[1:]))


@dataclass(frozen=True)
class Mean(Layer):
    """Mean over the image: one number for each channel."""

    def result(self, shape: Shape) -> Shape:
        return shape[:1]


@dataclass(frozen=True)
class Linear(Layer):
    """Of ``pixels`` times some channels, flattened channels first; ``pixels`` is 1 elsewhere."""

    inputs: int
    outputs: int
    pixels: int = 1

    def weights(self, rng: np.random.Generator) -> list[Array]:
        bound = self.inputs**-0.5
        return [uniform(rng, bound, self.outputs, self.inputs), uniform(rng, bound, self.outputs)]

    def result(self, shape: Shape) -> Shape:
        return (self.outputs,)

    def flops(self, shape: Shape) -> int:
        return 2 * self.inputs * self.outputs


@dataclass(frozen=True)
class Residual(Layer):
    """relu(body(x) + shortcut(x)); an empty shortcut is x."""

    body: tuple[Layer, ...]
    shortcut: tuple[Layer, ...] = ()

    def weights(self, rng: np.random.Generator) -> list[Array]:
        return [array for layer in self.body + self.shortcut for array in layer.weights(rng)]

    def statistics(self, rng: np.random.Generator) -> list[Array]:
        return [array for layer in self.body + self.shortcut for array in layer.statistics(rng)]

    def result(self, shape: Shape) -> Shape:
        return through(self.body, shape)[0]

    def flops(self, shape: Shape) -> int:
        return through(self.body, shape)[1] + through(self.shortcut, shape)[1]


def through(layers: Sequence[Layer], shape: Shape) -> tuple[Shape, int]:
    """Shape after these layers and the operations inside."""
    total = 0
    for layer in layers:
        total += layer.flops(shape)
        shape = layer.result(shape)
    return shape, total


@dataclass(frozen=True)
class Net:
    """Layers over samples of one shape."""

    features: Shape
    layers: tuple[Layer, ...]

    @property
    def axes(self) -> int:
        """1 for signals, 2 for images."""
        return len(self.features) - 1

    @property
    def scored(self) -> Shape:
        """None: a sample has one target."""
        return ()

    @property
    def outputs(self) -> int:
        return through(self.layers, self.features)[0][0]

    def weights(self, seed: int) -> list[Array]:
        rng = np.random.default_rng(seed)
        return [array for layer in self.layers for array in layer.weights(rng)]

    def statistics(self, seed: int) -> list[Array]:
        """Running means and variances as if after training, in the order of the layers."""
        rng = np.random.default_rng(seed)
        return [array for layer in self.layers for array in layer.statistics(rng)]

    def forward_flops(self, batch: int) -> int:
        """Of the forward pass's products."""
        return batch * through(self.layers, self.features)[1]

    def flops(self, batch: int) -> int:
        """Of one step's products: forward, dW, and dX of all layers but the first."""
        first = self.layers[0].flops(self.features)
        return 3 * self.forward_flops(batch) - batch * first


def normed(inputs: int, outputs: int, kernel: int, stride: int = 1, groups: int = 1) -> list[Layer]:
    """Convolution without bias that keeps the size at stride 1, and batch normalisation."""
    conv = Conv(inputs, outputs, kernel, stride, kernel // 2, groups, bias=False)
    return [conv, Norm(outputs)]


def block(inputs: int, outputs: int, stride: int) -> Residual:
    body = [*normed(inputs, outputs, 3, stride), Relu(), *normed(outputs, outputs, 3)]
    same = stride == 1 and inputs == outputs
    shortcut = [Conv(inputs, outputs, 1, stride, bias=False), Norm(outputs)]
    return Residual(tuple(body), () if same else tuple(shortcut))


def resnet20() -> Net:
    """Three stages of three blocks for images of CIFAR (He et al., 2015, section 4.2)."""
    layers: list[Layer] = [*normed(3, 16, 3), Relu()]
    before = 16
    for stage, width in enumerate((16, 32, 64)):
        for number in range(3):
            layers.append(block(before, width, 2 if stage and not number else 1))
            before = width
    return Net((3, 32, 32), (*layers, Mean(), Linear(64, 10)))


#: channels and stride of each separable convolution (Howard et al., 2017, table 1)
SEPARABLE = [(64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2)] + [(512, 1)] * 5
SEPARABLE += [(1024, 2), (1024, 1)]


def mobilenet() -> Net:
    """Half of MobileNet's channels over small images: the first stride is 1."""
    layers: list[Layer] = [*normed(3, 16, 3), Relu()]
    before = 16
    for width, stride in SEPARABLE:
        layers += [*normed(before, before, 3, stride, groups=before), Relu()]
        layers += [*normed(before, width // 2, 1), Relu()]
        before = width // 2
    return Net((3, 32, 32), (*layers, Mean(), Linear(before, 10)))


CNN = Net(
    (1, 28, 28),
    (
        *(Conv(1, 32, 3), Relu(), Conv(32, 64, 3), Relu(), MaxPool(2)),
        *(Linear(64 * 144, 128, pixels=144), Relu(), Linear(128, 10)),
    ),
)
ODD = Net(
    (3, 45, 37),
    (
        *(Conv(3, 30, 5, 2), Relu(), Conv(30, 30, 5, 2, 2), Relu(), Conv(30, 30, 5, 2, 2), Relu()),
        Linear(30 * 6 * 5, 10, pixels=6 * 5),
    ),
)
SIGNALS = Net(
    (1, 1000),
    (
        *(Conv(1, 32, 7, padding=3, axes=1), Relu(), MaxPool(4)),
        *(Conv(32, 64, 5, padding=2, axes=1), Relu(), MaxPool(2)),
        *(Conv(64, 64, 3, padding=1, axes=1), Relu(), Mean(), Linear(64, 10)),
    ),
)
