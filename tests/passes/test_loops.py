"""What leaves a loop, and what stays in it."""

from __future__ import annotations

import numpy as np

import chainrule as cr
from chainrule.frontend import Traced, trace_function
from chainrule.interpret import interpret
from chainrule.ir.graph import Graph, Node
from chainrule.ir.types import Array
from chainrule.passes import optimize
from chainrule.passes.loops import simplify_loops

STEPS, ROWS, WIDTH = 5, 3, 4
RNG = np.random.default_rng(0)
X = RNG.normal(size=(STEPS, ROWS, WIDTH)).astype(np.float32)
W = RNG.normal(size=(WIDTH, WIDTH)).astype(np.float32) * 0.3
V = RNG.normal(size=(WIDTH, WIDTH)).astype(np.float32) * 0.3


def zero() -> cr.Tensor:
    return cr.zeros(ROWS, WIDTH)


def simplified(function: object, *arrays: Array) -> Graph:
    """The graph of a function with its loops simplified, which computes the same."""
    traced: Traced = trace_function(function, arrays, {})  # type: ignore[arg-type]
    values = list(traced.environment(arrays).values())
    graph = simplify_loops(traced.graph)
    expected, found = interpret(traced.graph, values)[0], interpret(graph, values)[0]
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=2e-5, atol=2e-5)
    return graph


def loops(graph: Graph) -> list[Node]:
    return [n for n in graph.nodes() if n.op == "scan"]


def inside(loop: Node) -> list[str]:
    return [n.op for n in loop.params["body"].nodes() if n.op != "input"]


def outside(graph: Graph) -> list[str]:
    return [n.op for n in graph.nodes()]


def test_products_that_no_carry_reaches_are_computed_before() -> None:
    def f(x: cr.Tensor, w: cr.Tensor, v: cr.Tensor) -> cr.Tensor:
        return cr.scan(lambda h, x: (cr.tanh(x @ v + h @ w), None), zero(), x)[0]

    graph = simplified(f, X, W, V)
    [loop] = loops(graph)
    assert inside(loop).count("dot") == 1
    products = [n for n in graph.nodes() if n.op == "dot"]
    assert [p.shape for p in products] == [(STEPS * ROWS, WIDTH)]


def test_what_is_the_same_in_all_steps_is_computed_once_unless_it_is_cheap() -> None:
    def f(x: cr.Tensor, w: cr.Tensor) -> cr.Tensor:
        return cr.scan(lambda h, x: (h * cr.exp(w) + (w + 1.0) * x, None), w, x)[0]

    graph = simplified(f, X[:, 0], W[0])
    [loop] = loops(graph)
    assert "exp" not in inside(loop)
    assert "exp" in outside(graph)


def test_products_that_no_carry_needs_are_computed_after() -> None:
    def f(x: cr.Tensor, w: cr.Tensor) -> cr.Tensor:
        return cr.scan(lambda h, x: (cr.tanh(h + x), cr.tanh(h + x) @ w), zero(), x)[1]

    graph = simplified(f, X, W)
    [loop] = loops(graph)
    assert "dot" not in inside(loop)
    assert [n.shape for n in graph.nodes() if n.op == "dot"] == [(STEPS * ROWS, WIDTH)]


def gradients(reverse: bool = False) -> Graph:
    def loss(w: cr.Tensor, b: cr.Tensor, x: cr.Tensor) -> cr.Tensor:
        h, ys = cr.scan(lambda h, x: (cr.tanh(h @ w + b + x), h), zero(), x, reverse=reverse)
        return (h * h).sum() + (ys * ys).sum()

    return simplified(cr.grad(loss, argnums=(0, 1)), W, W[0], X)


def test_the_gradient_of_a_weight_is_one_product_after_the_loop() -> None:
    for reverse in (False, True):
        graph = gradients(reverse)
        forward, backward = loops(graph)
        assert forward.params["reverse"] != backward.params["reverse"]
        assert inside(forward).count("dot") == inside(backward).count("dot") == 1
        assert backward.params["carries"] == 1  # no sums are carried
        [product] = [n for n in graph.nodes() if n.op == "dot"]
        assert product.inputs[0].shape == (WIDTH, STEPS * ROWS)


def test_a_loop_and_its_copy_with_residuals_are_one() -> None:
    traced = trace_function(cr.value_and_grad(_powers), (W,), {})
    assert len(loops(traced.graph)) == 3  # forwards, forwards with residuals, backwards
    assert len(loops(simplify_loops(traced.graph))) == 2


def _powers(w: cr.Tensor) -> cr.Tensor:
    h, ys = cr.scan(lambda h, _: (cr.tanh(h @ w), h), w, None, length=STEPS)
    return h.sum() + ys.sum()


def test_a_gate_is_kept_once() -> None:
    """The gate and its derivative are both made of the tail."""

    def loss(w: cr.Tensor) -> cr.Tensor:
        return cr.scan(lambda h, _: (cr.sigmoid(h @ w), None), w, None, length=STEPS)[0].sum()

    graph = simplified(cr.grad(loss), W)
    forward = loops(graph)[0]
    body = forward.params["body"]
    stacked = body.outputs[forward.params["carries"] :]
    assert {n.op for n in stacked} <= {"tail", "input"}


def test_what_nobody_reads_is_not_carried() -> None:
    def f(x: cr.Tensor) -> cr.Tensor:
        body = lambda c, x: ((c[0] + x, c[1] * x), c[1])  # noqa: E731
        return cr.scan(body, (zero(), zero()), x)[0][0]

    [loop] = loops(simplified(f, X))
    assert loop.params["carries"] == 1
    assert len(loop.params["body"].outputs) == 1


def test_a_loop_that_carries_nothing_on_is_no_loop() -> None:
    def f(x: cr.Tensor) -> cr.Tensor:
        return cr.scan(lambda c, x: (c, (x, c)), zero(), x)[1][0]

    assert loops(simplified(f, X)) == []


def test_counts_are_known_before_the_loop() -> None:
    def f(x: cr.Tensor) -> tuple[cr.Tensor, cr.Tensor, cr.Tensor]:
        def body(c: tuple[cr.Tensor, cr.Tensor], x: cr.Tensor) -> object:
            h, n = c
            return (h + x * n.float(), n + 3), n

        (h, n), ys = cr.scan(body, (zero(), 2), x, reverse=True)
        return h, n, ys

    graph = simplified(f, X)
    [loop] = loops(graph)
    assert loop.params["carries"] == 1


def test_rows_that_repeat_and_numbers_come_in_once_or_not_at_all() -> None:
    def f(x: cr.Tensor, b: cr.Tensor) -> cr.Tensor:
        same = b.unsqueeze(0).expand(STEPS, ROWS, WIDTH)
        ones = cr.ones(STEPS, ROWS, WIDTH)
        body = lambda h, xs: (h * xs[0] + xs[1] + xs[2] + xs[3], None)  # noqa: E731
        return cr.scan(body, zero(), (x, x, same, ones))[0]

    [loop] = loops(simplified(f, X, W[:ROWS]))
    assert loop.params["scanned"] == 1


def test_bodies_are_optimised_as_graphs_are() -> None:
    def f(x: cr.Tensor) -> cr.Tensor:
        return cr.scan(lambda h, x: ((h + x * 1.0) * 1.0 + 0.0, None), zero(), x)[0]

    traced = trace_function(f, (X,), {})
    [loop] = loops(optimize(traced.graph))
    assert inside(loop) == ["add"]


def test_a_sum_over_an_axis_of_each_step_is_one_sum_over_all_rows() -> None:
    graph = gradients()
    sums = [n for n in graph.nodes() if n.op == "reduce_sum" and n.shape == (WIDTH,)]
    assert [n.inputs[0].shape for n in sums] == [(STEPS * ROWS, WIDTH)]


def test_equal_loops_have_one_optimised_body() -> None:
    def layer(x: cr.Tensor, w: cr.Tensor) -> cr.Tensor:
        return cr.scan(lambda h, x: (cr.tanh(x + h @ w),) * 2, zero(), x)[1]

    def f(x: cr.Tensor, w: cr.Tensor, v: cr.Tensor) -> cr.Tensor:
        return layer(layer(layer(x, w), v) + 1.0, w)

    traced = trace_function(f, (X, W, V), {})
    bodies = [loop.params["body"] for loop in loops(optimize(traced.graph))]
    # The last loop's results are read as rows of another array, so that it may lie otherwise.
    assert len(bodies) == 3
    assert bodies[0] is bodies[1]
