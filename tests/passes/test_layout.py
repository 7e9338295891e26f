"""Operands of products: a copy where one cannot be read in place, and nowhere else."""

from __future__ import annotations

import numpy as np
import pytest

from chainrule import ops
from chainrule.interpret import interpret
from chainrule.ir.graph import Graph, Node, full
from chainrule.ir.types import f32
from chainrule.passes.layout import materialize_operands
from steps import input_node

A = input_node("arg", "a", (5, 7))
#: (3, 7) in row-major order, and the same stored the other way round, as layers store weights
ROWS = input_node("state", "rows", (3, 7))
COLUMNS = input_node("state", "columns", (3, 7), strides=(1, 3))


def turned(x: Node) -> Node:
    return ops.transpose(x, perm=(1, 0))


def same_numbers(graph: Graph, after: Graph) -> None:
    rng = np.random.default_rng(0)
    values = [rng.normal(size=n.shape).astype(np.float32) for n in graph.inputs]
    for got, want in zip(interpret(after, values), interpret(graph, values), strict=True):
        for a, b in zip(got, want, strict=True):
            np.testing.assert_array_equal(a, b)


def test_what_is_the_same_for_all_of_a_batch_is_copied_once() -> None:
    x = input_node("arg", "x", (3, 5, 7))
    shared = ops.broadcast(turned(ROWS), shape=(3, 7, 3), axes=(1, 2))
    after = materialize_operands(Graph((x, ROWS), (ops.dot(x, shared),)))
    (fence,) = (n for n in after.nodes() if n.op == "fence")
    assert fence.shape == (7, 3)


@pytest.mark.parametrize(
    ("product", "copied"),
    [
        (ops.dot(A, turned(COLUMNS)), []),
        (ops.dot(A, turned(ROWS)), ["transpose"]),
        (ops.dot(turned(turned(A)), turned(COLUMNS)), []),
        (ops.dot(COLUMNS, turned(A)), ["transpose"]),
        (ops.dot(A, full(2.0, (7, 4), f32)), ["broadcast"]),
    ],
)
def test_only_the_right_operand_is_copied_if_its_rows_are_scattered(
    product: Node, copied: list[str]
) -> None:
    graph = Graph((A, ROWS, COLUMNS), (product,))
    after = materialize_operands(graph)
    fences = [n for n in after.nodes() if n.op == "fence"]
    assert [f.inputs[0].op for f in fences] == copied
    assert all(f is after.outputs[0].inputs[1] for f in fences)
    same_numbers(graph, after)


def test_two_products_share_a_copy() -> None:
    right = turned(ROWS)
    graph = Graph((A, ROWS), (ops.dot(A, right), ops.dot(-A, right)))
    after = materialize_operands(graph)
    assert [n.op for n in after.nodes()].count("fence") == 1
    same_numbers(graph, after)


def test_states_that_trade_places_are_copied_first() -> None:
    graph = Graph((ROWS, COLUMNS), (), (ops.assign(ROWS, COLUMNS), ops.assign(COLUMNS, ROWS)))
    after = materialize_operands(graph)
    assert [u.inputs[1].op for u in after.updates] == ["fence", "fence"]
    same_numbers(graph, after)


def test_merged_axes_of_a_scattered_state_are_copied() -> None:
    graph = Graph((COLUMNS,), (ops.reshape(COLUMNS, shape=(21,)),))
    after = materialize_operands(graph)
    assert after.outputs[0].inputs[0].op == "fence"
    same_numbers(graph, after)
