"""Whole training steps as graphs, written in primitives: what tests of passes and schedules eat."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np

from chainrule import ops
from chainrule.autodiff import cotangents
from chainrule.ir.graph import Graph, Node, constant, full_like
from chainrule.ir.types import Array, DType, Shape, f32, f64, i32


def input_node(kind: str, name: str, shape: Shape, dtype: DType = f32, strides: Shape = ()) -> Node:
    """An input of a graph, row-major unless ``strides`` say otherwise."""
    if not strides:
        strides = tuple(int(np.prod(shape[a + 1 :])) for a in range(len(shape)))
    return ops.input(kind=kind, name=name, shape=shape, dtype=dtype, strides=strides)


def relu(x: Node) -> Node:
    """max(x, 0), NaN kept."""
    zero = full_like(x, 0.0)
    return ops.select(ops.le(x, zero), zero, x)


def cross_entropy(logits: Node, labels: Node) -> Node:
    """Mean of -log softmax(logits)[label]."""
    batch, _classes = logits.shape
    shape = logits.shape
    top = ops.fence(ops.broadcast(ops.reduce_max(logits, axes=(1,)), shape=shape, axes=(0,)))
    shifted = logits - top
    total = ops.log(ops.reduce_sum(ops.exp(shifted), axes=(1,)))
    log_p = shifted - ops.broadcast(total, shape=shape, axes=(0,))
    hit = ops.eq(ops.iota(shape=shape, axis=1), ops.broadcast(labels, shape=shape, axes=(0,)))
    picked = ops.select(hit, log_p, full_like(log_p, 0.0))
    return -(ops.reduce_sum(picked, axes=(0, 1)) * (1.0 / batch))


def binary_cross_entropy(logits: Node, labels: Node) -> Node:
    """Mean of softplus(z) - z y, with softplus(z) = relu(z) + log1p(exp(-|z|))."""
    z = ops.reshape(logits, shape=labels.shape)
    each = relu(z) - z * labels + ops.log1p(ops.exp(-ops.max(z, -z)))
    return ops.reduce_sum(each, axes=(0,)) * (1.0 / labels.size)


def adam(p: Node, g: Node, slots: Sequence[Node], lr: Node, c2: Node) -> list[Node]:
    """Updates of a parameter and its two moments."""
    m, v = slots
    m_new = m * 0.9 + g * 0.1
    v_new = v * 0.999 + g * g * 0.001
    scale = ops.broadcast(ops.cast(c2, dtype=f32), shape=p.shape, axes=())
    rate = ops.broadcast(ops.cast(lr, dtype=f32), shape=p.shape, axes=())
    p_new = p - rate * m_new / (ops.sqrt(v_new) * scale + 1e-8)
    return [ops.assign(p, p_new), ops.assign(m, m_new), ops.assign(v, v_new)]


def perceptron_step(sizes: Sequence[int], batch: int) -> Graph:
    """One Adam step of a multi-layer perceptron; one output means binary classification."""
    binary = sizes[-1] == 1
    x = input_node("arg", "x", (batch, sizes[0]))
    y = input_node("arg", "y", (batch,), f32 if binary else i32)
    lr, c2 = input_node("scalar", "lr", (), f64), input_node("scalar", "c2", (), f64)
    params: list[Node] = []
    h = x
    for layer, (fan_in, fan_out) in enumerate(itertools.pairwise(sizes)):
        weight = input_node("state", f"{layer}.weight", (fan_out, fan_in), f32, (1, fan_out))
        bias = input_node("state", f"{layer}.bias", (fan_out,))
        params += [weight, bias]
        z = ops.dot(h, ops.transpose(weight, perm=(1, 0)))
        z = z + ops.broadcast(bias, shape=z.shape, axes=(1,))
        h = relu(z) if layer < len(sizes) - 2 else z
    loss = binary_cross_entropy(h, y) if binary else cross_entropy(h, y)
    grads = cotangents([loss], [constant(1.0, f32)], params)
    slots: list[Node] = []
    updates: list[Node] = []
    for p, g in zip(params, grads, strict=True):
        assert g is not None
        strides = p.params["strides"]
        pair = [input_node("state", f"{p.params['name']}.{s}", p.shape, f32, strides) for s in "mv"]
        slots += pair
        updates += adam(p, g, pair, lr, c2)
    return Graph((x, y, *params, *slots, lr, c2), (loss,), tuple(updates))


def layerwise_step(shape: tuple[int, int], order: tuple[int, int]) -> Graph:
    """Two updates that need the norm of a step, as LAMB's does; ``order``: the axes in memory."""
    size, (rows, columns) = shape[0] * shape[1], shape
    strides = (columns, 1) if order == (0, 1) else (1, rows)
    p, g, m = (input_node("state", name, shape, strides=strides) for name in "pgm")
    mean = m * 0.9 + g * 0.1
    step = ops.sqrt(mean * mean + 1.0) * g + p * 0.01

    def length(x: Node) -> Node:
        along = ops.transpose(x * x, perm=order)
        return ops.sqrt(ops.reduce_sum(along, axes=(0, 1)) * (1 / size))

    ratio = length(p) / length(step)
    new = p - ops.broadcast(ratio, shape=shape, axes=()) * step
    top = ops.reduce_max(step, axes=(1,))
    return Graph((p, g, m), (top,), (ops.assign(p, new), ops.assign(m, mean)))


def step_values(graph: Graph, seed: int = 0) -> list[Array]:
    """Sensible values for the inputs of `perceptron_step`, states in their physical order."""
    rng = np.random.default_rng(seed)
    values: list[Array] = []
    for node in graph.inputs:
        name = node.params["name"]
        if node.dtype is i32:
            value = rng.integers(0, 10, node.shape).astype(np.int32)
        elif name == "y":
            value = rng.integers(0, 2, node.shape).astype(np.float32)
        elif node.dtype is f64:
            value = np.array({"lr": 1e-3, "c2": 31.6}[name])
        elif name.endswith((".m", ".v")):
            value = np.abs(rng.normal(0, 0.01, node.shape)).astype(np.float32)
        else:
            scale = 1.0 if name == "x" else 0.1
            value = rng.normal(0, scale, node.shape).astype(np.float32)
        values.append(value)
    return values
