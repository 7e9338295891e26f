"""The networks for tables in JAX."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from benchmarks.nets import Array
from benchmarks.tabular import RealMLP, TabM


def parameters(model: RealMLP | TabM, arrays: list[Array]) -> list[jax.Array]:
    """Weights as this module wants them; of RealMLP without the axis of its one member."""
    return [jnp.array(a[0] if isinstance(model, RealMLP) else a) for a in arrays]


def apply(model: RealMLP | TabM, parameters: list[jax.Array], x: jax.Array) -> jax.Array:
    """Scores [rows, classes], or [rows, members, classes]."""
    return waves(model, parameters, x) if isinstance(model, RealMLP) else members(parameters, x)


def waves(model: RealMLP, parameters: list[jax.Array], x: jax.Array) -> jax.Array:
    """RealMLP."""
    frequency, phase, weight, bias, scale, *rest = parameters  # the scale is [1, width]
    layers, activations = rest[: 2 * len(model.pairs)], rest[2 * len(model.pairs) :]
    waves = jnp.cos(x.T[..., None] * (2 * jnp.pi * frequency) + phase)
    embedded = (waves @ weight + bias).transpose(1, 0, 2).reshape(len(x), -1)
    h = jnp.concatenate([x, embedded], 1) * scale
    for i, activation in enumerate(activations):
        h = product(h, layers, i)
        h = h + activation * (jax.nn.selu(h) - h)
    return product(h, layers, len(activations))


def product(h: jax.Array, layers: list[jax.Array], i: int) -> jax.Array:
    weight, bias = layers[2 * i : 2 * i + 2]
    return h @ weight * len(weight) ** -0.5 + bias


def members(parameters: list[jax.Array], x: jax.Array) -> jax.Array:
    """TabM."""
    *hidden, head, bias = parameters
    h = x[None]
    for i in range(0, len(hidden), 4):
        weight, before, after, shift = hidden[i : i + 4]
        h = jax.nn.relu((h * before[:, None]) @ weight * after[:, None] + shift[:, None])
    return (h @ head + bias[:, None]).transpose(1, 0, 2)
