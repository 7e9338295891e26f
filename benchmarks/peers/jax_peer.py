"""JAX in three forms that train: parameters as a tree of arrays, or as one flat vector; unrolled,
a tree for recurrent networks, of whose loops `UNROLL` steps are written out.

The flat form gives XLA one fused update instead of one per array, which pays for small models.
``call`` is a jitted step with donated state, never waited for until the burst ends; ``loop`` is
``lax.scan`` over many steps, gathering each batch by index inside. ``infer`` is a jitted forward
pass whose weights are constants.
"""

from __future__ import annotations

import os
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.language import Transformer
from benchmarks.nets import Net
from benchmarks.peers import (
    Predictions,
    Session,
    jax_generation,
    jax_language,
    jax_nets,
    jax_recurrent,
    jax_tabular,
    jax_translation,
)
from benchmarks.recurrent import Recurrent
from benchmarks.tabular import RealMLP, TabM
from benchmarks.translation import PADDING, Seq2Seq
from benchmarks.workloads import DECOUPLED_DECAY, MOMENTUM, WEIGHT_DECAY, Mode, Workload

UNROLL = 8

#: a tree of arrays: (parameters, first moment, second moment, count, running statistics); plain
#: momentum has no second moment, networks without batch normalisation have no statistics
State = Any


def loss_from_logits(workload: Workload, z: jax.Array, y: jax.Array) -> jax.Array:
    """Mean loss; the stable forms used by every peer."""
    if workload.loss == "bce_with_logits":
        return jnp.mean(jnp.maximum(z, 0) - z * y + jnp.log1p(jnp.exp(-jnp.abs(z))))
    if workload.loss == "mse":
        return jnp.mean(jnp.square(z - y))
    picked = jnp.take_along_axis(jax.nn.log_softmax(z), y[..., None], axis=-1)
    if workload.loss == "tokens":
        there = y != PADDING
        return -jnp.sum(jnp.where(there, picked[..., 0], 0.0)) / jnp.sum(there)
    return -jnp.mean(picked)


def keep_compiled() -> None:
    """Programs are kept on disk where the benchmark says."""
    if cache := os.environ.get("BENCH_CACHE"):
        jax.config.update("jax_compilation_cache_dir", cache)
        jax.config.update("jax_persistent_cache_min_compile_time_secs", 0)
        jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)


class JaxSession:
    """The state lives in ``self.state`` and is donated to every call."""

    def __init__(self, workload: Workload, form: str, mode: Mode) -> None:
        self.workload, self.flat, self.mode = workload, form == "flat", mode
        self.unroll = UNROLL if form == "unrolled" else 1
        *inputs, y = workload.data()
        if isinstance(workload.model, Net):
            inputs = [jax_nets.channels_last(x) for x in inputs]
        y = y.astype(np.int32) if y.dtype == np.int64 else y
        self.data = [jnp.asarray(array) for array in (*inputs, y)]
        epochs = max(1, workload.loop_steps // workload.steps_per_epoch)
        order = workload.order(epochs)
        self.order = jnp.asarray(order)
        self.batches = [
            [jnp.asarray(array[rows]) for array in (*inputs, y)]
            for rows in order[: workload.steps_per_epoch]
        ]
        self.step = jax.jit(self.train, donate_argnums=0)
        self.scan = jax.jit(self.train_many, donate_argnums=0)
        self.reset()

    def layers(self, parameters: Any) -> list[tuple[jax.Array, jax.Array]]:
        """(weight of shape (in, out), bias) per layer, cut from the vector in the flat form."""
        if not self.flat:
            return list(zip(parameters[::2], parameters[1::2], strict=True))
        layers, start = [], 0
        for fan_in, fan_out in self.workload.dense.pairs:
            middle, end = start + fan_in * fan_out, start + fan_in * fan_out + fan_out
            weight = parameters[start:middle].reshape(fan_in, fan_out)
            layers.append((weight, parameters[middle:end]))
            start = end
        return layers

    def logits(self, parameters: Any, *inputs: jax.Array) -> tuple[jax.Array, list[jax.Array]]:
        """And the batch's statistics."""
        model, x = self.workload.model, inputs[0]
        if isinstance(model, Net):
            return jax_nets.apply(model, parameters, x)
        if isinstance(model, Recurrent):
            return jax_recurrent.apply(model, parameters, *inputs, unroll=self.unroll), []
        if isinstance(model, Transformer):
            return jax_language.apply(model, parameters, x), []
        if isinstance(model, Seq2Seq):
            return jax_translation.apply(model, parameters, *inputs), []
        if isinstance(model, RealMLP | TabM):
            return jax_tabular.apply(model, parameters, x), []
        *hidden, (last, bias) = self.layers(parameters)
        for w, b in hidden:
            x = jax.nn.relu(x @ w + b)
        return x @ last + bias, []

    def objective(self, parameters: Any, *batch: jax.Array) -> tuple[jax.Array, Any]:
        *inputs, y = batch
        z, statistics = self.logits(parameters, *inputs)
        return loss_from_logits(self.workload, z, y), statistics

    def train(self, state: State, *batch: jax.Array) -> tuple[State, jax.Array]:
        parameters, first, second, count, running = state
        gradient = jax.value_and_grad(self.objective, has_aux=True)
        (loss, seen), gradients = gradient(parameters, *batch)
        running = jax.tree.map(lambda r, s: 0.9 * r + 0.1 * s, running, seen)
        update = self.sgd if self.workload.optimizer == "sgd" else self.adam
        return (*update(parameters, first, second, count + 1, gradients), running), loss

    def adam(self, parameters: Any, first: Any, second: Any, count: Any, gradients: Any) -> State:
        rate = self.workload.lr / (1 - 0.9**count)
        scale = jax.lax.rsqrt(1 - 0.999**count)
        each = jax.tree.map
        first = each(lambda m, g: 0.9 * m + 0.1 * g, first, gradients)
        second = each(lambda v, g: 0.999 * v + 0.001 * g * g, second, gradients)
        if self.workload.optimizer == "adamw":
            kept = 1 - self.workload.lr * DECOUPLED_DECAY
            parameters = each(lambda p: kept * p, parameters)
        parameters = each(
            lambda p, m, v: p - rate * m / (jnp.sqrt(v) * scale + 1e-8), parameters, first, second
        )
        return parameters, first, second, count

    def sgd(self, parameters: Any, first: Any, second: Any, count: Any, gradients: Any) -> State:
        each, lr = jax.tree.map, self.workload.lr
        first = each(
            lambda m, g, p: MOMENTUM * m + g + WEIGHT_DECAY * p, first, gradients, parameters
        )
        return each(lambda p, m: p - lr * m, parameters, first), first, second, count

    def train_many(
        self, state: State, data: list[jax.Array], order: jax.Array
    ) -> tuple[State, jax.Array]:
        def step(state: State, rows: jax.Array) -> tuple[State, jax.Array]:
            return self.train(state, *(array[rows] for array in data))

        return jax.lax.scan(step, state, order)

    def reset(self) -> None:
        model, arrays = self.workload.model, self.workload.weights()
        running = []
        if isinstance(model, Net):
            parameters: Any = jax_nets.parameters(model, arrays)
            running = jax_nets.statistics(model)
        elif isinstance(model, RealMLP | TabM):
            parameters = jax_tabular.parameters(model, arrays)
        else:
            parameters = [jnp.array(a.T) for a in arrays]
        if self.flat:
            parameters = jnp.concatenate([a.ravel() for a in parameters])
        zeros = jax.tree.map(jnp.zeros_like, parameters)
        twice = self.workload.optimizer != "sgd"
        again = jax.tree.map(jnp.zeros_like, parameters) if twice else None
        state = (parameters, zeros, again, jnp.float32(0), running)
        self.state = jax.block_until_ready(state)

    def run(self, steps: int) -> None:
        state = self.state
        if self.mode == "call":
            step, batches = self.step, self.batches
            for i in range(steps):
                state, _ = step(state, *batches[i % len(batches)])
        else:
            for _ in range(max(1, steps // len(self.order))):
                state, _ = self.scan(state, self.data, self.order)
        self.state = jax.block_until_ready(state)

    def answers(self, steps: int) -> list[float]:
        self.reset()
        if self.mode == "loop":
            self.state, losses = self.scan(self.state, self.data, self.order)
            return [float(v) for v in losses[:steps]]
        found = []
        for batch in self.batches[:steps]:
            self.state, loss = self.step(self.state, *batch)
            found.append(float(loss))
        return found


def predictions(workload: Workload) -> Predictions:
    net, weights = workload.net, jax_nets.parameters(workload.net, workload.weights())
    statistics = [jnp.asarray(array) for array in workload.statistics()]
    predict = jax.jit(lambda x: jax_nets.evaluate(net, weights, statistics, x))
    batches = [jnp.asarray(jax_nets.channels_last(x)) for x in workload.inputs()]
    return Predictions(lambda x: predict(x).block_until_ready(), batches)


def open_session(workload: Workload, form: str, mode: Mode) -> Session:
    keep_compiled()
    if isinstance(workload.model, Transformer) and mode == "infer":
        return jax_generation.predictions(workload)
    if mode == "infer":
        return predictions(workload)
    return JaxSession(workload, form, mode)
