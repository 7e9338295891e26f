"""JAX writes texts in one program: prompts at once, then a ``lax.scan`` over tokens, which carries
keys and values along. Weights are constants.
"""

from __future__ import annotations

import functools
from typing import Any

import jax
import jax.numpy as jnp

from benchmarks.language import Transformer
from benchmarks.peers import Predictions
from benchmarks.peers.jax_language import norm
from benchmarks.workloads import Workload

NAMES = ("qkv", "bqkv", "out", "bout", "up", "bup", "down", "bdown", "w1", "b1", "w2", "b2")


def following(
    model: Transformer, weights: list[jax.Array], caches: Any, tokens: jax.Array, start: Any
) -> tuple[Any, jax.Array]:
    """What is kept after tokens [rows, steps] from ``start`` on, and the likeliest next [rows]."""
    remaining = iter(weights)
    rows, steps = tokens.shape
    places = start + jnp.arange(steps)
    x = next(remaining).T[tokens] + next(remaining).T[places]
    read = jnp.arange(model.context) <= places[:, None]
    kept = []
    for keys, values in caches:
        p = dict(zip(NAMES, remaining, strict=False))
        parts = norm(x, p["w1"], p["b1"]) @ p["qkv"] + p["bqkv"]
        q, k, v = jnp.moveaxis(parts.reshape(rows, steps, 3, model.heads, -1), 2, 0)
        keys = jax.lax.dynamic_update_slice_in_dim(keys, k, start, 1)
        values = jax.lax.dynamic_update_slice_in_dim(values, v, start, 1)
        kept.append((keys, values))
        seen = jax.nn.dot_product_attention(q, keys, values, mask=read[None, None])
        x = x + seen.reshape(rows, steps, -1) @ p["out"] + p["bout"]
        wide = jax.nn.gelu(norm(x, p["w2"], p["b2"]) @ p["up"] + p["bup"], approximate=False)
        x = x + wide @ p["down"] + p["bdown"]
    scores = norm(x[:, -1], next(remaining), next(remaining)) @ next(remaining)
    return kept, scores.argmax(-1)


def predictions(workload: Workload) -> Predictions:
    model = workload.model
    assert isinstance(model, Transformer)
    weights = [jnp.asarray(a.T) for a in workload.weights()]
    step = functools.partial(following, model, weights)
    shape = workload.batch, model.context, model.heads, model.width // model.heads

    @jax.jit
    def predict(prompts: jax.Array) -> jax.Array:
        """The tokens made, [rows, context - prompt]."""
        caches = [(jnp.zeros(shape), jnp.zeros(shape)) for _ in range(model.layers)]
        caches, first = step(caches, prompts, 0)

        def one(carry: Any, start: jax.Array) -> tuple[Any, jax.Array]:
            kept, token = step(carry[0], carry[1][:, None], start)
            return (kept, token), token

        places = jnp.arange(model.prompt, model.context - 1)
        _, others = jax.lax.scan(one, (caches, first), places)
        return jnp.concatenate([first[:, None], others.T], 1)

    batches = [jnp.asarray(x) for x in workload.inputs()]
    return Predictions(lambda prompts: predict(prompts).block_until_ready(), batches)
