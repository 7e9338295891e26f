"""Between convolutions no transposes are left, and the numbers are the same."""

from __future__ import annotations

import numpy as np

import chainrule as cr
import chainrule.nn.functional as F
from chainrule import ops, optim
from chainrule.autodiff import cotangents
from chainrule.interpret import interpret
from chainrule.ir.graph import Graph, Node, constant, full
from chainrule.ir.types import f32
from chainrule.nn import models
from chainrule.passes import optimize
from chainrule.passes.canonicalize import canonicalize
from chainrule.passes.transposes import sink_transposes
from chainrule.schedule.realize import view_base
from compiled import run_native
from steps import input_node, relu


def conv2d(x: Node, w: Node) -> Node:
    """3 x 3 with zeros around: x [N, C, H, W], w [O, C, 3, 3], as a layer writes it."""
    last = ops.transpose(x, perm=(0, 2, 3, 1))
    last = ops.reshape(last, shape=(*last.shape[:3], 1, last.shape[3]))
    around = (0, 1, 1, 0, 0)
    padded = ops.pad(last, full(0.0, (), f32), low=around, high=around, interior=(0,) * 5)
    kernel = ops.transpose(w, perm=(2, 3, 1, 0))
    kernel = ops.reshape(kernel, shape=(*kernel.shape[:2], 1, *kernel.shape[2:]))
    y = ops.conv(padded, kernel, strides=(1, 1), dilation=(1, 1))
    return ops.transpose(ops.reshape(y, shape=(*y.shape[:3], y.shape[4])), perm=(0, 3, 1, 2))


def step() -> Graph:
    """Three layers with bias, centring, a residual, pooling and a padded edge, and gradients."""
    x = input_node("arg", "x", (4, 3, 8, 8))
    shapes = ((8, 3, 3, 3), (8, 8, 3, 3), (16, 8, 3, 3))
    weights = [input_node("state", f"w{i}", shape) for i, shape in enumerate(shapes)]
    bias = input_node("state", "b", (8,))
    h = relu(conv2d(x, weights[0]) + ops.broadcast(bias, shape=(4, 8, 8, 8), axes=(1,)))
    mean = ops.reduce_sum(h, axes=(0, 2, 3)) * (1 / 256)
    h = h - ops.broadcast(mean, shape=h.shape, axes=(1,))
    h = relu(conv2d(h, weights[1])) + h
    h = ops.concat(h, ops.slice(h, start=(0, 0, 0, 0), stop=h.shape, step=(1, 1, 1, 1)), axis=1)
    h = ops.slice(h, start=(0, 4, 0, 0), stop=(4, 12, 8, 8), step=(1, 1, 1, 1))
    h = ops.reduce_max(ops.reshape(h, shape=(4, 8, 4, 2, 4, 2)), axes=(3, 5))
    h = relu(conv2d(h, weights[2]))
    loss = ops.reduce_sum(ops.reshape(h, shape=(4, 256)), axes=(0, 1))
    found = cotangents([loss], [constant(1.0, f32)], [*weights, bias])
    gradients = [g for g in found if g is not None]
    return Graph((x, *weights, bias), (loss, *gradients))


def test_only_weights_input_and_flattening_are_transposed() -> None:
    graph = optimize(step())
    weights = set(graph.inputs[1:])
    for node in graph.nodes():
        if node.op == "transpose":
            (source,) = node.inputs
            of_weights = source in weights or node.shape[:2] == (3, 3)  # for y, and turned for dx
            of_gradient = view_base(source).op == "conv_wgrad"
            flattened = node.shape == (4, 16, 4, 4)
            data = source is graph.inputs[0]
            assert of_weights or of_gradient or flattened or data, node


def test_a_step_of_resnet20_transposes_no_activation_between_its_convolutions() -> None:
    """Weights and their gradients have an order of their own; of the activations there are the
    images, and what lies around the last pooling."""
    model = models.resnet20()
    optimizer = optim.SGD(model.parameters(), lr=0.1, momentum=0.9)

    @cr.compile
    def train(x: cr.Tensor, y: cr.Tensor) -> cr.Tensor:
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        return loss

    images, labels = np.zeros((4, 3, 16, 16), np.float32), np.zeros(4, np.int32)
    graph = optimize(train.trace(images, labels).graph)
    found = []
    for node in graph.nodes():
        if node.op == "transpose":
            base = view_base(node.inputs[0])
            weights = base.op == "input" and base.params["kind"] == "state"
            if not weights and base.op not in ("conv_wgrad", "dot"):
                found.append(node.shape)
    assert sorted(found) == [(4, 4, 4, 64), (4, 16, 16, 3), (64, 4)]


def test_the_numbers_are_the_same() -> None:
    graph = step()
    rng = np.random.default_rng(0)
    values = [rng.normal(size=n.shape).astype(np.float32) for n in graph.inputs]
    before, _ = interpret(graph, values)
    after, _ = interpret(sink_transposes(canonicalize(graph)), values)
    native, _ = run_native(graph, values)
    for a, b, c in zip(before, after, native, strict=True):
        np.testing.assert_allclose(b, a, rtol=1e-6, atol=1e-6 * np.abs(a).max())
        np.testing.assert_allclose(c, a, rtol=1e-5, atol=1e-6 * np.abs(a).max())


def test_a_broadcast_keeps_the_order_of_what_it_repeats() -> None:
    """A mask over the windows of a pooling lies channels-last as the image does."""
    x, w = input_node("arg", "x", (2, 3, 4, 6)), input_node("state", "w", (5, 3, 3, 3))
    h = conv2d(x, w)
    pooled = ops.reduce_max(ops.reshape(h, shape=(2, 5, 2, 2, 3, 2)), axes=(3, 5))
    wide = ops.broadcast(pooled, shape=(2, 5, 2, 2, 3, 2), axes=(0, 1, 2, 4))
    graph = Graph((x, w), (ops.reshape(wide, shape=(2, 5, 4, 6)) - h,))
    after = sink_transposes(canonicalize(graph))
    (spread,) = (n for n in after.nodes() if n.op == "broadcast" and n.ndim == 6)
    assert spread.shape == (2, 2, 2, 3, 2, 5)
    rng = np.random.default_rng(0)
    values = [rng.normal(size=n.shape).astype(np.float32) for n in graph.inputs]
    np.testing.assert_array_equal(interpret(after, values)[0][0], interpret(graph, values)[0][0])
