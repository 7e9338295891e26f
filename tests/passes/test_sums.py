"""Factors leave sums, and sums of what is centred vanish."""

from __future__ import annotations

import numpy as np

from chainrule import ops
from chainrule.autodiff import cotangents
from chainrule.interpret import interpret
from chainrule.ir.graph import Graph, Node, constant
from chainrule.ir.types import f32, f64
from chainrule.passes import optimize
from chainrule.passes.canonicalize import canonicalize
from chainrule.passes.sums import simplify_sums
from steps import input_node

SHAPE, AXES = (8, 4, 4, 3), (0, 1, 2)


def row(x: Node) -> Node:
    return ops.broadcast(x, shape=SHAPE, axes=(3,))


def mean(x: Node) -> Node:
    return ops.reduce_sum(x, axes=AXES) * (1 / 128)


def batch_norm() -> Graph:
    """A normalised batch times a weight, plus a bias, and its gradients."""
    x, dy = input_node("arg", "x", SHAPE), input_node("arg", "dy", SHAPE)
    w, b = input_node("state", "w", (3,)), input_node("state", "b", (3,))
    centred = x - row(mean(x))
    scale = w / ops.sqrt(mean(centred * centred) + 1e-5)
    y = centred * row(scale) + row(b)
    gradients = [g for g in cotangents([y], [dy], [x, w, b]) if g is not None]
    return Graph((x, w, b, dy), tuple(gradients))


def sums(graph: Graph) -> int:
    return sum(n.op == "reduce_sum" and n.inputs[0].shape == SHAPE for n in graph.nodes())


def test_batch_normalisation_sums_its_cotangent_twice() -> None:
    graph = canonicalize(batch_norm())
    assert sums(graph) == 5
    # mean and variance forward; dy and dy times the centred batch backward
    assert sums(optimize(graph)) == 4


def test_its_gradients_are_the_same() -> None:
    graph = batch_norm()
    rng = np.random.default_rng(0)
    values = [rng.normal(1, 2, n.shape).astype(np.float32) for n in graph.inputs]
    before, _ = interpret(graph, values, precision=f64)
    after, _ = interpret(simplify_sums(canonicalize(graph)), values, precision=f64)
    for a, b in zip(before, after, strict=True):
        np.testing.assert_allclose(b, a, rtol=1e-10, atol=1e-12)


def test_a_mean_of_something_else_stays() -> None:
    x, y = input_node("arg", "x", SHAPE), input_node("arg", "y", SHAPE)
    for other in (mean(y), mean(x) * 2.0, ops.reduce_max(x, axes=AXES)):
        graph = Graph((x, y), (ops.reduce_sum(x - row(other), axes=AXES),))
        assert sums(simplify_sums(graph)) == sums(graph)


def test_factors_that_move_along_the_sum_stay() -> None:
    x, c = input_node("arg", "x", SHAPE), input_node("arg", "c", (8,))
    wide = ops.broadcast(c, shape=SHAPE, axes=(0,))
    graph = Graph((x, c), (ops.reduce_sum(x * wide, axes=AXES),))
    assert simplify_sums(graph) is graph
    out = ops.reduce_sum(x * wide, axes=(1, 2, 3)) + constant(np.zeros(8), f32)
    (total,) = (n for n in simplify_sums(Graph((x, c), (out,))).nodes() if n.op == "reduce_sum")
    assert total.inputs[0] is x
