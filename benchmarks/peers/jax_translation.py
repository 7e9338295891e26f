"""The transformer that translates in JAX; weights of layers are (in, out)."""

from __future__ import annotations

import math
from collections.abc import Iterator

import jax
import jax.numpy as jnp

from benchmarks.peers.jax_language import norm
from benchmarks.translation import PADDING, Seq2Seq

#: what attention takes: weight and bias of queries, keys and values in one, and of the output
Four = tuple[jax.Array, ...]


def attend(
    heads: int, p: Four, x: jax.Array, memory: jax.Array, there: jax.Array, causal: bool
) -> jax.Array:
    """What x sees of the steps of memory that are there, [rows, steps]."""
    width = x.shape[-1]
    if x is memory:
        q, k, v = jnp.split(x @ p[0] + p[1], 3, -1)
    else:
        q = x @ p[0][:, :width] + p[1][:width]
        k, v = jnp.split(memory @ p[0][:, width:] + p[1][width:], 2, -1)
    q, k, v = (a.reshape(*a.shape[:2], heads, -1) for a in (q, k, v))
    mask = there[:, None, None, :]
    seen = jax.nn.dot_product_attention(q, k, v, mask=mask, is_causal=causal)
    return seen.reshape(x.shape) @ p[2] + p[3]


def layer(
    model: Seq2Seq, remaining: Iterator[jax.Array], x: jax.Array, there: jax.Array,
    memory: jax.Array | None = None, known: jax.Array | None = None,
) -> jax.Array:  # fmt: skip
    """One layer of the encoder, or, with a memory, of the decoder."""

    def take(count: int) -> Four:
        return tuple(next(remaining) for _ in range(count))

    decodes = memory is not None
    own, other, (up, bup, down, bdown) = take(4), take(4 * decodes), take(4)
    norms = [take(2) for _ in range(2 + decodes)]
    x = norm(x + attend(model.heads, own, x, x, there, decodes), *norms[0])
    if memory is not None and known is not None:
        x = norm(x + attend(model.heads, other, x, memory, known, False), *norms[1])
    return norm(x + jax.nn.relu(x @ up + bup) @ down + bdown, *norms[-1])


def apply(
    model: Seq2Seq, weights: list[jax.Array], source: jax.Array, target: jax.Array
) -> jax.Array:
    """Scores [rows, steps, vocabulary]."""
    remaining = iter(weights)
    tables = next(remaining).T, next(remaining).T
    waves, scale = jnp.asarray(model.waves(), jnp.float32), math.sqrt(model.width)
    x, y = (t[tokens] * scale + waves for t, tokens in zip(tables, (source, target), strict=True))
    known, there = source != PADDING, target != PADDING
    for _ in range(model.layers):
        x = layer(model, remaining, x, known)
    x = norm(x, next(remaining), next(remaining))
    for _ in range(model.layers):
        y = layer(model, remaining, y, there, x, known)
    return norm(y, next(remaining), next(remaining)) @ next(remaining)
