"""Each rewrite has two tests: the expected graph, and equal numbers without it."""

from __future__ import annotations

import numpy as np
import pytest

from chainrule import ops
from chainrule.interpret import interpret
from chainrule.ir.graph import Graph, Node, bind, constant, full_like, topological
from chainrule.ir.types import f32, i32
from chainrule.passes.canonicalize import canonicalize
from chainrule.passes.reductions import split_reductions
from chainrule.passes.stabilize import stabilize
from steps import door, perceptron_step, relu, step_values

X = door("arg", "x", (4, 6))
Y = door("arg", "y", (4, 6))
ROW = door("arg", "row", (6,))


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
    ("folding", X * (constant(2.0, f32) * constant(3.0, f32)).inputs[0].params["value"].item(),
     ["const", "broadcast", "mul"]),
    ("sum of a broadcast", ops.reduce_sum(spread(ROW), axes=(0,)), ["const", "broadcast", "mul"]),
    ("transposed broadcast", ops.transpose(spread(ROW), perm=(1, 0)), ["broadcast"]),
    ("shared", (X * Y) + (X * Y), ["mul", "add"]),
    ("sum over ones", ops.reduce_sum(ops.reshape(X, shape=(4, 1, 6)), axes=(1,)), []),
    ("select(c, a, a)", ops.select(ops.lt(X, Y), X, X), []),
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


@pytest.mark.parametrize("shape", [(20000,), (3, 9000), (9000, 3), (100, 200, 2), (2, 5, 8193)])
@pytest.mark.parametrize("op", ["reduce_sum", "reduce_max"])
def test_long_reductions_are_cut_by_shape(shape: tuple[int, ...], op: str) -> None:
    x = door("arg", "x", shape)
    axes = tuple(a for a, extent in enumerate(shape) if extent > 3)
    graph = Graph((x,), (bind(op, x, axes=axes),))
    after = split_reductions(graph)
    for node in topological(after.outputs):
        if node.op == op:
            extents = [node.inputs[0].shape[a] for a in node.params["axes"]]
            assert np.prod(extents) <= 8192
    value = np.random.default_rng(2).normal(size=shape).astype(np.float32)
    got = interpret(after, [value])[0][0]
    np.testing.assert_allclose(got, interpret(graph, [value])[0][0], rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize(
    ("shape", "partial"),
    [((8, 12, 15, 4), (8, 4)), ((32, 64, 3), (32, 3)), ((500, 2, 3), None), ((4, 9, 9, 2), None)],
)
def test_statistics_of_channels_have_a_partial_result_for_each_image(
    shape: tuple[int, ...], partial: tuple[int, ...] | None
) -> None:
    x = door("arg", "x", shape)
    axes = tuple(range(len(shape) - 1))
    graph = Graph((x,), (bind("reduce_sum", x, axes=axes),))
    after = split_reductions(graph)
    inner = after.outputs[0].inputs[0]
    assert (inner.shape if inner.op == "reduce_sum" else None) == partial
    value = np.random.default_rng(2).normal(size=shape).astype(np.float32)
    got = interpret(after, [value])[0][0]
    np.testing.assert_allclose(got, interpret(graph, [value])[0][0], rtol=1e-4, atol=1e-4)


def test_the_largest_of_many_integers() -> None:
    x = door("arg", "x", (9000,), i32)
    value = -np.arange(1, 9001, dtype=np.int32)
    after = split_reductions(Graph((x,), (bind("reduce_max", x, axes=(0,)),)))
    assert interpret(after, [value])[0][0] == -1


def test_a_whole_step_means_the_same_after_canonicalizing() -> None:
    graph = perceptron_step((7, 9, 10), 5)
    values = step_values(graph)
    after = stabilize(canonicalize(graph))
    for got, want in zip(interpret(after, values), interpret(graph, values), strict=True):
        for a, b in zip(got, want, strict=True):
            np.testing.assert_allclose(a, b, rtol=2e-5, atol=1e-7)
