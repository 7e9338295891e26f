"""The convolutional networks in JAX, channels last (NHWC, HWIO), XLA's own order on processors."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from benchmarks.nets import Array, Conv, Layer, Linear, MaxPool, Mean, Net, Norm, Relu, Residual

ORDERS = {1: ("NWC", "WIO", "NWC"), 2: ("NHWC", "HWIO", "NHWC")}


def channels_last(x: Array) -> Array:
    return x.transpose(0, *range(2, x.ndim), 1)


def parameters(net: Net, arrays: list[Array]) -> list[jax.Array]:
    """Weights as this module wants them, in the same order."""
    remaining = iter(arrays)
    placed = [array for layer in net.layers for array in place(layer, remaining)]
    return [jnp.array(array) for array in placed]


def place(layer: Layer, arrays: Iterator[Array]) -> list[Array]:
    match layer:
        case Conv():
            weight = next(arrays)
            turned = weight.transpose(*range(2, weight.ndim), 1, 0)
            return [turned, next(arrays)] if layer.bias else [turned]
        case Linear(inputs, outputs, pixels):
            cube = next(arrays).reshape(outputs, inputs // pixels, pixels)
            return [cube.transpose(2, 1, 0).reshape(inputs, outputs), next(arrays)]
        case Norm():
            return [next(arrays), next(arrays)]
        case Residual(body, shortcut):
            return [array for inner in body + shortcut for array in place(inner, arrays)]
    return []


def statistics(net: Net) -> list[jax.Array]:
    """Running means and variances before the first step."""

    def of(layers: Sequence[Layer]) -> list[jax.Array]:
        found = []
        for layer in layers:
            if isinstance(layer, Norm):
                found += [jnp.zeros(layer.channels), jnp.ones(layer.channels)]
            elif isinstance(layer, Residual):
                found += of(layer.body + layer.shortcut)
        return found

    return of(net.layers)


def apply(net: Net, weights: list[jax.Array], x: jax.Array) -> tuple[jax.Array, list[jax.Array]]:
    """Logits, and the means and variances of this batch."""
    walk = Walk(weights)
    return walk.through(net.layers, x), walk.seen


def evaluate(
    net: Net, weights: list[jax.Array], running: list[jax.Array], x: jax.Array
) -> jax.Array:
    """Logits by running means and variances."""
    return Walk(weights, running).through(net.layers, x)


class Walk:
    """Takes weights one after another while a batch passes the layers; ``running`` means and
    variances, too, or those of the batch without them.
    """

    def __init__(self, weights: list[jax.Array], running: list[jax.Array] | None = None) -> None:
        self.weights = iter(weights)
        self.running = None if running is None else iter(running)
        self.seen: list[jax.Array] = []

    def through(self, layers: Sequence[Layer], x: jax.Array) -> jax.Array:
        for layer in layers:
            x = self.one(layer, x)
        return x

    def one(self, layer: Layer, x: jax.Array) -> jax.Array:
        spatial = tuple(range(1, x.ndim - 1))
        match layer:
            case Conv():
                return self.convolved(layer, x)
            case Norm():
                return self.normalised(x)
            case Relu():
                return jax.nn.relu(x)
            case MaxPool(size):
                return pooled(x, size)
            case Mean():
                return x.mean(spatial)
            case Linear():
                return x.reshape(len(x), -1) @ next(self.weights) + next(self.weights)
            case Residual(body, shortcut):
                inner = self.through(body, x)
                return jax.nn.relu(inner + self.through(shortcut, x))
        raise NotImplementedError(f"no function for {layer}")

    def convolved(self, layer: Conv, x: jax.Array) -> jax.Array:
        axes = x.ndim - 2
        y = lax.conv_general_dilated(
            x,
            next(self.weights),
            (layer.stride,) * axes,
            [(layer.padding, layer.padding)] * axes,
            dimension_numbers=ORDERS[axes],
            feature_group_count=layer.groups,
        )
        return y + next(self.weights) if layer.bias else y

    def normalised(self, x: jax.Array) -> jax.Array:
        if self.running is None:
            over = tuple(range(x.ndim - 1))
            mean, variance = x.mean(over), x.var(over)
            self.seen += [mean, variance]
        else:
            mean, variance = next(self.running), next(self.running)
        scale = lax.rsqrt(variance + 1e-5) * next(self.weights)
        return (x - mean) * scale + next(self.weights)


def pooled(x: jax.Array, size: int) -> jax.Array:
    """By reshaping, whose gradient XLA computes faster than that of ``reduce_window``."""
    shape: list[Any] = [len(x)]
    for length in x.shape[1:-1]:
        shape += [length // size, size]
    return x.reshape(*shape, x.shape[-1]).max(tuple(range(2, 2 * x.ndim - 3, 2)))
