"""The language models in JAX; weights of layers are (in, out)."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from benchmarks.language import Transformer


def norm(x: jax.Array, weight: jax.Array, bias: jax.Array) -> jax.Array:
    centred = x - x.mean(-1, keepdims=True)
    return (
        centred * jax.lax.rsqrt(jnp.square(centred).mean(-1, keepdims=True) + 1e-5) * weight + bias
    )


def apply(model: Transformer, weights: list[jax.Array], tokens: jax.Array) -> jax.Array:
    """Scores [rows, steps, vocabulary]."""
    remaining = iter(weights)
    embedding, positions = next(remaining).T, next(remaining).T
    x = embedding[tokens] + positions
    rows, steps = tokens.shape
    for _ in range(model.layers):
        names = ("qkv", "bqkv", "out", "bout", "up", "bup", "down", "bdown", "w1", "b1", "w2", "b2")
        p = dict(zip(names, remaining, strict=False))
        parts = norm(x, p["w1"], p["b1"]) @ p["qkv"] + p["bqkv"]
        q, k, v = jnp.moveaxis(parts.reshape(rows, steps, 3, model.heads, -1), 2, 0)
        seen = jax.nn.dot_product_attention(q, k, v, is_causal=True)
        x = x + seen.reshape(rows, steps, -1) @ p["out"] + p["bout"]
        wide = jax.nn.gelu(norm(x, p["w2"], p["b2"]) @ p["up"] + p["bup"], approximate=False)
        x = x + wide @ p["down"] + p["bdown"]
    return norm(x, next(remaining), next(remaining)) @ next(remaining)
