"""Each rewrite has two tests: the expected graph, and equal numbers without it."""

from __future__ import annotations

import numpy as np
import pytest

from chainrule import ops
from chainrule.interpret import interpret
from chainrule.ir.graph import Graph, Node, constant, full, full_like, topological
from chainrule.ir.types import boolean, f32
from chainrule.passes.canonicalize import canonicalize
from steps import input_node, perceptron_step, step_values

X = input_node("arg", "x", (4, 6))
Y = input_node("arg", "y", (4, 6))
ROW = input_node("arg", "row", (6,))


def spread(node: Node) -> Node:
    return ops.broadcast(node, shape=(4, 6), axes=(1,))


#: rule, expression, operations left over (inputs not counted)
CASES: list[tuple[str, Node, list[str]]] = [
    ("x + 0", X + 0.0, []),
    ("1 * x", 1.0 * X, []),
    ("x / 1", X / 1.0, []),
    ("minus minus x", -ops.neg(X), []),
    ("a + -b", X + (-Y), ["sub"]),
    ("a - -b", X - (-Y), ["add"]),
    ("transpose twice", ops.transpose(ops.transpose(X, perm=(1, 0)), perm=(1, 0)), []),
    ("reshape twice", ops.reshape(ops.reshape(X, shape=(24,)), shape=(2, 12)), ["reshape"]),
    ("reshape back", ops.reshape(ops.reshape(X, shape=(24,)), shape=(4, 6)), []),
    ("cast to itself", ops.cast(X, dtype=f32), []),
    ("slice of all", ops.slice(X, start=(0, 0), stop=(4, 6), step=(1, 1)), []),
    ("fence", ops.fence(X), []),
    ("detour", ops.detour(X, Y), []),
    ("folding", X * ops.broadcast(constant(2.0, f32) * constant(3.0, f32), shape=(4, 6), axes=()),
     ["const", "broadcast", "mul"]),
    ("sum of a broadcast", ops.reduce_sum(spread(ROW), axes=(0,)), ["const", "broadcast", "mul"]),
    ("transposed broadcast", ops.transpose(spread(ROW), perm=(1, 0)), ["broadcast"]),
    ("shared", (X * Y) + (X * Y), ["mul", "add"]),
    ("sum over ones", ops.reduce_sum(ops.reshape(X, shape=(4, 1, 6)), axes=(1,)), []),
    ("select(c, a, a)", ops.select(ops.lt(X, Y), X, X), []),
    ("select(true, a, b)", ops.select(full(1, (4, 6), boolean), X, Y), []),
    ("select(false, a, b)", ops.select(full(0, (4, 6), boolean), X, Y), []),
    ("not not", ops.select(ops.not_(ops.not_(ops.lt(X, Y))), X, Y), ["lt", "select"]),
    ("x - 0", X - 0.0, []),
    ("transpose by nothing", ops.transpose(X, perm=(0, 1)), []),
    ("broadcast to itself", ops.broadcast(X, shape=(4, 6), axes=(0, 1)), []),
    ("broadcast twice", ops.broadcast(spread(ROW), shape=(3, 4, 6), axes=(1, 2)), ["broadcast"]),
    ("reshaped number", ops.reshape(full_like(X, 2.0), shape=(24,)), ["const", "broadcast"]),
    ("pad by nothing", ops.pad(X, constant(0.0, f32), low=(0, 0), high=(0, 0), interior=(0, 0)),
     []),
    ("concat of one", ops.concat(X, axis=0), []),
    ("sum over no axes", ops.reduce_sum(X, axes=()), []),
]  # fmt: skip


@pytest.mark.parametrize(("name", "node", "left"), CASES, ids=[c[0] for c in CASES])
def test_rewrites(name: str, node: Node, left: list[str]) -> None:
    graph = Graph((X, Y, ROW), (node,))
    after = canonicalize(graph)
    found = [n.op for n in topological(after.outputs) if n.op != "input"]
    assert sorted(found) == sorted(left)
    rng = np.random.default_rng(0)
    values = [rng.normal(size=i.shape).astype(np.float32) for i in graph.inputs]
    np.testing.assert_allclose(
        interpret(after, values)[0][0], interpret(graph, values)[0][0], rtol=1e-6
    )


def test_nothing_to_do_is_the_same_graph() -> None:
    graph = canonicalize(perceptron_step((5, 4, 3), 2))
    assert canonicalize(graph) is graph


def test_nan_survives_multiplication_by_zero() -> None:
    """x * 0 is not 0 when x is NaN, so there is no such rule."""
    after = canonicalize(Graph((X,), (X * 0.0,)))
    values = [np.full((4, 6), np.nan, np.float32)]
    assert np.isnan(interpret(after, values)[0][0]).all()


def test_a_whole_step_means_the_same_after_canonicalizing() -> None:
    graph = perceptron_step((7, 9, 10), 5)
    values = step_values(graph)
    after = canonicalize(graph)
    for got, want in zip(interpret(after, values), interpret(graph, values), strict=True):
        for a, b in zip(got, want, strict=True):
            np.testing.assert_allclose(a, b, rtol=2e-5, atol=1e-7)
