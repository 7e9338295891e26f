"""The recurrent networks in JAX: cells in ``lax.scan``, what does not depend on the state outside.

Beyond a row's length its state stays, so that backwards it starts with its own last step.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import jax
import jax.numpy as jnp
from jax import lax

from benchmarks.recurrent import Recurrent

State = tuple[jax.Array, ...]
Step = Callable[[jax.Array, State, jax.Array, jax.Array], State]


def lstm_step(given: jax.Array, state: State, hh: jax.Array, bias: jax.Array) -> State:
    h, c = state
    i, f, g, o = jnp.split(given + h @ hh, 4, 1)
    c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
    return jax.nn.sigmoid(o) * jnp.tanh(c), c


def gru_step(given: jax.Array, state: State, hh: jax.Array, bias: jax.Array) -> State:
    (h,) = state
    given_r, given_z, given_n = jnp.split(given, 3, 1)
    r, z, n = jnp.split(h @ hh + bias, 3, 1)
    n = jnp.tanh(given_n + jax.nn.sigmoid(given_r + r) * n)
    return (n + jax.nn.sigmoid(given_z + z) * (h - n),)


STEPS: dict[str, tuple[Step, int]] = {"lstm": (lstm_step, 2), "gru": (gru_step, 1)}


def apply(
    model: Recurrent, weights: list[jax.Array], *inputs: jax.Array, unroll: int = 1
) -> jax.Array:
    """Outputs for x [rows, steps, inputs] and perhaps lengths [rows]; ``unroll`` steps of a loop
    are one of the compiled program's.
    """
    x, lengths = inputs[0], inputs[1] if len(inputs) > 1 else None
    remaining = iter(weights)
    y = x.swapaxes(0, 1)
    for layer in range(model.layers):
        outputs = model.reading != "last" or layer + 1 < model.layers
        parts = [
            direction(model, y, remaining, lengths, outputs, backwards, unroll)
            for backwards in (False, True)[: model.directions]
        ]
        y = jnp.concatenate([part for part, _ in parts], 2) if model.both else parts[0][0]
    if model.reading == "last":
        y = parts[-1][1]
    elif model.reading == "each":
        y = y.swapaxes(0, 1)
    elif lengths is not None:
        y = y.sum(0) / lengths[:, None]
    return y @ next(remaining) + next(remaining)


def direction(
    model: Recurrent,
    x: jax.Array,
    weights: Iterator[jax.Array],
    lengths: jax.Array | None,
    outputs: bool,
    backwards: bool,
    unroll: int,
) -> tuple[jax.Array, jax.Array]:
    """Outputs [steps, rows, hidden], if wanted, and the last one, for x [steps, rows, ...]."""
    ih, hh, bias_ih, bias_hh = (next(weights) for _ in range(4))
    step, states = STEPS[model.cell]
    given = x @ ih + (bias_ih + bias_hh if model.cell == "lstm" else bias_ih)
    zeros = (jnp.zeros((x.shape[1], model.hidden)),) * states

    def body(state: State, row: tuple[jax.Array, jax.Array]) -> tuple[State, jax.Array | None]:
        given, t = row
        new = step(given, state, hh, bias_hh)
        if lengths is None:
            return new, new[0] if outputs else None
        inside = (t < lengths)[:, None]
        kept = tuple(jnp.where(inside, n, s) for n, s in zip(new, state, strict=True))
        return kept, jnp.where(inside, new[0], 0.0)

    rows = (given, jnp.arange(len(x)))
    last, y = lax.scan(body, zeros, rows, reverse=backwards, unroll=unroll)
    return y, last[0]
