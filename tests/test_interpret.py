"""The interpreter: order of effects, precision, what it is given and gives back."""

from __future__ import annotations

import math
from itertools import chain

import numpy as np
import pytest

from chainrule import ops
from chainrule.errors import ShapeError
from chainrule.interpret import evaluate, interpret
from chainrule.ir.graph import Graph, constant
from chainrule.ir.types import f32, f64, i32
from gradients import variable
from graphs import random_graph

X = variable("x", (3,), f32)


def test_states_are_read_before_they_are_written() -> None:
    a, b = (
        ops.input(kind="state", name=n, shape=(2,), dtype=f32, strides=(1,)) for n in ("a", "b")
    )
    graph = Graph((a, b), (a - b,), (ops.assign(a, b), ops.assign(b, a + b)))
    values = [np.float32([1, 2]), np.float32([10, 20])]
    outputs, updates = interpret(graph, values)
    np.testing.assert_array_equal(outputs, [[-9, -18]])
    np.testing.assert_array_equal(updates, [[10, 20], [11, 22]])
    np.testing.assert_array_equal(values, [[1, 2], [10, 20]])


def test_a_network_by_hand() -> None:
    """One sigmoid neuron: z = w·x + b, y = 1 / (1 + exp(-z))."""
    w, x = variable("w", (1, 3), f64), variable("x", (3, 1), f64)
    y = 1 / (1 + ops.exp(-(ops.dot(w, x) + 0.5)))
    [[value]] = evaluate([y], {w: np.array([[0.1, -0.2, 0.3]]), x: np.array([[1.0], [2.0], [3.0]])})
    assert value == pytest.approx(1 / (1 + math.exp(-1.1)), rel=1e-15)


def test_single_precision_stays_single() -> None:
    [y] = evaluate([ops.exp(X) / 3], {X: np.float32([0, 1, 2])})
    assert y.dtype == np.float32


def test_double_precision_widens_inputs_constants_and_casts() -> None:
    count = variable("i", (3,), i32)
    y = X / 3 + ops.cast(count, dtype=f32) * 0.1
    values = {X: np.float32([1, 2, 3]), count: np.int32([1, 2, 3])}
    [wide] = evaluate([y], values, f64)
    assert wide.dtype == np.float64
    tenth = float(np.float32(0.1))  # the constant was rounded when the graph was made
    np.testing.assert_allclose(wide, np.array([1, 2, 3]) * (1 / 3 + tenth), rtol=1e-15)
    [index] = evaluate([count], values, f64)
    assert index.dtype == np.int32


def test_known_values_are_taken_as_they_are() -> None:
    """What is known is not computed, and what only it needs is not asked for."""
    inner = ops.exp(X)
    [y] = evaluate([inner * 2], {inner: np.float32([1, 2, 3])})
    np.testing.assert_array_equal(y, [2, 4, 6])


def test_constants_need_no_inputs() -> None:
    outputs, updates = interpret(Graph((), (constant([1.0, 2.0], f32) + 1,)), [])
    np.testing.assert_array_equal(outputs, [[2, 3]])
    assert updates == []


def test_values_must_fit() -> None:
    graph = Graph((X,), (X,))
    with pytest.raises(ShapeError, match=r"'x' has shape \(3,\), got a value of shape \(4,\)"):
        interpret(graph, [np.zeros(4, np.float32)])
    with pytest.raises(ShapeError, match="expected 1 input, got 2"):
        interpret(graph, [np.zeros(3, np.float32)] * 2)


@pytest.mark.parametrize("seed", range(20))
def test_random_graphs_agree_in_single_and_double(seed: int) -> None:
    graph, values = random_graph(np.random.default_rng(seed), 80)
    single, double = interpret(graph, values), interpret(graph, values, f64)
    for node, a, b in zip(graph.roots, chain(*single), chain(*double), strict=True):
        assert a.shape == node.shape
        assert a.dtype == node.dtype.numpy
        if node.dtype.is_float:
            np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-4)
        else:
            np.testing.assert_array_equal(a, b)
