"""Padded pieces that lie side by side are joined; the sum stays the same."""

from __future__ import annotations

import numpy as np
import pytest

from chainrule import ops
from chainrule.interpret import interpret
from chainrule.ir.graph import Graph, Node, constant
from chainrule.ir.types import f32, f64
from chainrule.passes.joins import join_pieces
from steps import input_node

WHOLE = 9
#: low, high and operand of each padded term
Cut = tuple[int, int, str]


def padded(x: Node, low: int, high: int) -> Node:
    cut = ops.slice(x, start=(0, 0), stop=(2, WHOLE - low - high), step=(1, 1))
    zero = constant(0.0, f32)
    return ops.pad(cut, zero, low=(0, low), high=(0, high), interior=(0, 0))


def sum_of(cuts: list[Cut]) -> Graph:
    xs = {name: input_node("arg", name, (2, WHOLE)) for name in "abc"}
    total: Node | None = None
    for low, high, name in cuts:
        term = padded(xs[name], low, high)
        total = term if total is None else total + term
    assert total is not None
    return Graph(tuple(xs.values()), (total,))


def ops_of(graph: Graph) -> list[str]:
    return [n.op for n in graph.nodes()]


def test_pieces_of_a_whole_become_one_array() -> None:
    graph = join_pieces(sum_of([(0, 6, "a"), (3, 3, "b"), (6, 0, "c")]))
    assert "pad" not in ops_of(graph)
    assert "add" not in ops_of(graph)
    assert ops_of(graph).count("concat") == 1


@pytest.mark.parametrize(
    "cuts",
    [
        [(0, 6, "a"), (3, 3, "b"), (6, 0, "c")],
        [(6, 0, "c"), (0, 6, "a"), (3, 3, "b")],
        [(3, 3, "a"), (0, 6, "b")],
        [(0, 4, "a"), (4, 4, "b"), (6, 0, "c")],
        # the same piece twice, and pieces that meet
        [(0, 6, "a"), (0, 6, "a"), (3, 3, "b")],
        [(0, 6, "a"), (3, 3, "b"), (3, 3, "b"), (6, 0, "c"), (6, 0, "c")],
        [(0, 3, "a"), (3, 3, "b"), (6, 0, "c"), (0, 6, "c")],
    ],
)
def test_the_sum_is_the_same(cuts: list[Cut]) -> None:
    graph = sum_of(cuts)
    values = list(np.random.default_rng(0).normal(size=(3, 2, WHOLE)))
    [before], _ = interpret(graph, values, precision=f64)
    [after], _ = interpret(join_pieces(graph), values, precision=f64)
    np.testing.assert_allclose(after, before, rtol=1e-12)
