"""Backpropagation against derivatives known from calculus and from a textbook network."""

from __future__ import annotations

import numpy as np
import pytest

from chainrule import ops
from chainrule.autodiff import cotangents
from chainrule.errors import GradientError, ShapeError
from chainrule.interpret import evaluate
from chainrule.ir.graph import Location, Node, at, full_like
from chainrule.ir.rewrite import map_nodes
from chainrule.ir.types import Array, f32, f64, i32
from gradients import check, variable
from graphs import random_graph

X, Y = variable("x", (3,), f64), variable("y", (3,), f64)
ENV = {X: np.array([0.5, 1.0, 2.0]), Y: np.array([3.0, -1.0, 0.25])}


def grad(y: Node, *xs: Node, stop: frozenset[Node] = frozenset()) -> list[Node | None]:
    return cotangents([y], [full_like(y, 1.0)], xs, stop)


def value(node: Node | None) -> Array:
    assert node is not None
    return evaluate([node], ENV)[0]


def test_product_and_sum_rule() -> None:
    """d(x y + exp x)/dx = y + exp x, d/dy = x."""
    dx, dy = grad(X * Y + ops.exp(X), X, Y)
    np.testing.assert_allclose(value(dx), ENV[Y] + np.exp(ENV[X]), rtol=1e-15)
    np.testing.assert_array_equal(value(dy), ENV[X])


def test_a_value_used_often_sums_its_cotangents() -> None:
    x3 = X * X * X
    [dx] = grad(x3 + x3 * X, X)
    np.testing.assert_allclose(value(dx), 3 * ENV[X] ** 2 + 4 * ENV[X] ** 3, rtol=1e-15)


def test_all_orders() -> None:
    """The n-th derivative of exp(2x) is 2ⁿ exp(2x)."""
    y: Node | None = ops.exp(2 * X)
    for order in range(1, 6):
        assert y is not None
        [y] = grad(y, X)
        np.testing.assert_allclose(value(y), 2**order * np.exp(2 * ENV[X]), rtol=1e-13)


def test_several_results_add_up() -> None:
    g, h = full_like(X, 2.0), full_like(X, 3.0)
    [dx] = cotangents([X * Y, ops.sqrt(X)], [g, h], [X])
    np.testing.assert_allclose(value(dx), 2 * ENV[Y] + 1.5 / np.sqrt(ENV[X]), rtol=1e-15)


def test_inner_values_have_cotangents_too() -> None:
    inner = ops.exp(X)
    dx, d_inner, dy = grad(inner * Y, X, inner, Y)
    np.testing.assert_array_equal(value(d_inner), ENV[Y])
    np.testing.assert_allclose(value(dx), ENV[Y] * np.exp(ENV[X]), rtol=1e-15)
    np.testing.assert_allclose(value(dy), np.exp(ENV[X]), rtol=1e-15)


def test_the_result_itself() -> None:
    [dy] = grad(X, X)
    np.testing.assert_array_equal(value(dy), [1, 1, 1])


def test_what_has_no_part_in_it_gets_none() -> None:
    index = ops.cast(X, dtype=i32)
    assert grad(ops.exp(X), Y) == [None]
    assert grad(ops.fence(X), X) == [None]
    assert grad(ops.cast(index, dtype=f64), X) == [None]


def test_a_fence_is_a_constant() -> None:
    [dx] = grad(ops.fence(X) * X, X)
    np.testing.assert_array_equal(value(dx), ENV[X])


def test_a_detour_has_the_derivative_of_its_way() -> None:
    [dx, dy] = grad(ops.detour(ops.exp(X), X * Y), X, Y)
    np.testing.assert_array_equal(value(dx), ENV[Y])
    np.testing.assert_array_equal(value(dy), ENV[X])


def test_stop_ends_the_sweep_but_collects() -> None:
    inner = X * Y
    dx, d_inner = grad(inner * inner + X, X, inner, stop=frozenset({inner}))
    np.testing.assert_array_equal(value(dx), [1, 1, 1])
    np.testing.assert_array_equal(value(d_inner), 2 * ENV[X] * ENV[Y])


def test_no_derivative_is_an_error_that_names_the_line() -> None:
    state = ops.input(kind="state", name="w", shape=(3,), dtype=f64, strides=(1,))
    with at(Location("train.py", 9)):
        written = ops.assign(state, X * 2)
    with pytest.raises(GradientError, match=r"`assign` has no derivative(.|\n)*train\.py:9"):
        grad(written, X)
    assert grad(written * Y, Y) != [None]  # only when it is needed


def test_cotangents_must_have_the_type_of_their_value() -> None:
    with pytest.raises(ShapeError, match="cotangent of"):
        cotangents([X], [full_like(variable("z", (3,), f32), 1.0)], [X])
    with pytest.raises(ShapeError, match="cotangent of"):
        cotangents([X], [full_like(variable("z", (2,), f64), 1.0)], [X])


def test_derivatives_belong_to_the_line_they_differentiate() -> None:
    with at(Location("model.py", 1)):
        inner = ops.tanh(X)
    with at(Location("model.py", 2)):
        y = ops.reduce_sum(inner, axes=(0,))
    [dx] = grad(y, X)
    assert dx is not None
    assert dx.location == Location("model.py", 1)
    assert dx.inputs[0].location == Location("model.py", 2)


def test_backpropagation_through_two_layers() -> None:
    """The four equations of the textbook, in matrices.

    Z1 = X W1 + b1, A = tanh(Z1), P = A W2, L = |P - T|² / 2;
    dP = P - T, dW2 = Aᵀ dP, dZ1 = (dP W2ᵀ) (1 - A²), dW1 = Xᵀ dZ1, db1 = sum of the rows of dZ1.
    """
    rng = np.random.default_rng(0)
    shapes = {"x": (5, 3), "w1": (3, 7), "b1": (7,), "w2": (7, 2), "t": (5, 2)}
    nodes = {name: variable(name, shape, f64) for name, shape in shapes.items()}
    v = {name: rng.normal(size=shape) for name, shape in shapes.items()}
    hidden = ops.dot(nodes["x"], nodes["w1"])
    a = ops.tanh(hidden + ops.broadcast(nodes["b1"], shape=(5, 7), axes=(1,)))
    error = ops.dot(a, nodes["w2"]) - nodes["t"]
    loss = ops.reduce_sum(error * error, axes=(0, 1)) * 0.5

    dW1, db1, dW2 = evaluate(
        [g for g in grad(loss, nodes["w1"], nodes["b1"], nodes["w2"]) if g is not None],
        {nodes[n]: v[n] for n in shapes},
    )
    A = np.tanh(v["x"] @ v["w1"] + v["b1"])
    dP = A @ v["w2"] - v["t"]
    dZ1 = (dP @ v["w2"].T) * (1 - A * A)
    np.testing.assert_allclose(dW2, A.T @ dP, rtol=1e-12)
    np.testing.assert_allclose(dW1, v["x"].T @ dZ1, rtol=1e-12)
    np.testing.assert_allclose(db1, dZ1.sum(0), rtol=1e-12)


@pytest.mark.parametrize("seed", range(10))
def test_random_graphs_agree_with_differences(seed: int) -> None:
    """All real results of a random graph with respect to all its real inputs.

    Fences are taken out: differences pass through them.
    """
    graph, values = random_graph(np.random.default_rng(seed), 60)
    graph = map_nodes(graph, lambda n: n.inputs[0] if n.op in ("fence", "detour") else n)
    ys = [y for y in graph.outputs if y.dtype.is_float]
    xs = [x for x in graph.inputs if x.dtype.is_float]
    check(ys, xs, dict(zip(graph.inputs, values, strict=True)), np.random.default_rng(seed))
