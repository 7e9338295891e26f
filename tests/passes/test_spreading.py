"""Layers on rows of several axes: their products take these axes, and nothing is read between."""

from __future__ import annotations

import numpy as np

from chainrule import ops
from chainrule.autodiff import cotangents
from chainrule.interpret import interpret
from chainrule.ir.graph import Graph, Node, constant
from chainrule.ir.types import f32
from chainrule.passes import optimize
from chainrule.passes.spreading import spread_rows
from chainrule.schedule import InputLayout, schedule
from chainrule.schedule.nest import Product
from compiled import run_native
from steps import input_node, relu

X = input_node("arg", "x", (3, 40, 20))
W = input_node("state", "w", (20, 24))
B = input_node("state", "b", (24,))
ROWS = (120, 24)


def layer(x: Node) -> Node:
    """x w + b over merged rows, as a layer writes it."""
    product = ops.dot(ops.reshape(x, shape=(120, 20)), W)
    return product + ops.broadcast(B, shape=ROWS, axes=(1,))


def split(x: Node) -> Node:
    return ops.reshape(x, shape=(3, 40, 24))


def numbers(graph: Graph) -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    return [rng.standard_normal(node.shape, np.float32) for node in graph.inputs]


def test_a_product_takes_the_axes_of_its_readers_through_its_bias() -> None:
    graph = Graph((X, W, B), (relu(split(layer(X))),))
    after = spread_rows(graph)
    (product,) = (n for n in after.nodes() if n.op == "dot")
    assert product.shape == (3, 40, 24)
    assert product.inputs[0] is X
    assert not [n for n in after.nodes() if n.op == "reshape"]
    values = numbers(graph)
    (want,), _ = interpret(graph, values)
    (got,), _ = interpret(after, values)
    np.testing.assert_allclose(got, want, rtol=1e-4, atol=1e-5)  # BLAS, in another order
    program = schedule(optimize(graph), InputLayout())
    (task,) = (task for phase in program.phases for task in phase)
    assert isinstance(task.nest.source, Product)
    assert task.nest.dims == (120, 24, 20)


def test_a_product_that_is_read_in_two_ways_stays() -> None:
    y = layer(X)
    for other in (y, ops.reshape(y, shape=(4, 30, 24)), ops.reduce_sum(y, axes=(0,))):
        graph = Graph((X, W, B), (split(y), other))
        assert all(n.ndim == 2 for n in spread_rows(graph).nodes() if n.op == "dot")


def test_what_a_product_reads_keeps_its_shape() -> None:
    """Whatever the product of it is read in, also where the sizes happen to be the same."""
    square, rows = input_node("arg", "s", (24, 24)), input_node("arg", "r", (24, 24))
    for left, right in (
        (relu(rows), square),
        (rows, relu(square)),
        (ops.dot(rows, square), square),
    ):
        out = ops.reshape(ops.dot(left, right), shape=(4, 6, 24))
        graph = Graph((square, rows), (out,))
        values = numbers(graph)
        (want,), _ = interpret(graph, values)
        (got,), _ = run_native(graph, values)
        np.testing.assert_allclose(got, want, rtol=1e-4, atol=1e-4)


def test_a_network_and_its_gradients_have_the_same_bits_without_the_pass() -> None:
    second = input_node("state", "v", (24, 20))
    hidden = ops.erf(split(layer(X)))
    out = ops.dot(ops.reshape(hidden, shape=ROWS), second)
    y = X + ops.reshape(out, shape=X.shape)
    loss = ops.reduce_sum(y * y, axes=(0, 1, 2))
    found = cotangents([loss], [constant(1.0, f32)], [X, W, B, second])
    graph = Graph((X, W, B, second), (loss, *(g for g in found if g is not None)))
    values = numbers(graph)
    with_it, _ = run_native(graph, values)
    without, _ = run_native(graph, values, exclude=frozenset({"spreading"}))
    assert len(with_it) == 5
    for a, b in zip(with_it, without, strict=True):
        np.testing.assert_array_equal(a, b)
