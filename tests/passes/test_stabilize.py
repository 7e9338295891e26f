"""Formulas with more digits or fewer values: the expected graph, and equal numbers."""

from __future__ import annotations

import numpy as np

from chainrule import ops
from chainrule.interpret import interpret
from chainrule.ir.graph import Graph, bind, full_like, topological
from chainrule.passes.canonicalize import canonicalize
from chainrule.passes.stabilize import stabilize
from steps import input_node, perceptron_step, relu, step_values

X = input_node("arg", "x", (4, 6))
Y = input_node("arg", "y", (4, 6))


def test_the_mask_of_relu_is_read_from_its_output() -> None:
    z = X * Y
    mask = ops.le(z, full_like(z, 0.0))
    graph = Graph((X, Y), (relu(z), ops.select(mask, full_like(z, 0.0), Y)))
    after = stabilize(canonicalize(graph))
    masks = [n for n in topological(after.outputs) if n.op == "le"]
    assert [m.inputs[0].op for m in masks] == ["mul", "select"]
    rng = np.random.default_rng(1)
    values = [rng.normal(size=(4, 6)).astype(np.float32) for _ in range(2)]
    for a, b in zip(interpret(after, values)[0], interpret(graph, values)[0], strict=True):
        np.testing.assert_array_equal(a, b)


def test_log_of_one_plus_keeps_its_digits() -> None:
    graph = Graph((X,), (bind("log", X + 1.0),))
    after = stabilize(canonicalize(graph))
    tiny = [np.full((4, 6), 1e-10, np.float32)]
    np.testing.assert_allclose(interpret(after, tiny)[0][0], 1e-10, rtol=1e-6)


def test_a_whole_step_means_the_same_after_stabilizing() -> None:
    graph = perceptron_step((7, 9, 10), 5)
    values = step_values(graph)
    after = stabilize(canonicalize(graph))
    for got, want in zip(interpret(after, values), interpret(graph, values), strict=True):
        for a, b in zip(got, want, strict=True):
            np.testing.assert_allclose(a, b, rtol=2e-5, atol=1e-7)
