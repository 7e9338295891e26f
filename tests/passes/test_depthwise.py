"""Depthwise convolutions become sums of shifted arrays, with equal numbers."""

from __future__ import annotations

import numpy as np
import pytest

from chainrule import ops
from chainrule.interpret import interpret
from chainrule.ir.graph import Graph
from chainrule.ir.types import Array
from chainrule.passes.depthwise import expand_depthwise
from compiled import run_native
from steps import input_node

CASES = (
    ((6, 7), (3, 3), 5, 1, (1, 1), (1, 1)),
    ((7, 6), (3, 2), 17, 1, (2, 1), (1, 2)),
    ((5, 5), (2, 2), 3, 2, (1, 1), (1, 1)),
    ((9,), (3,), 4, 1, (2,), (2,)),
)


def graph_of(
    sizes: tuple[int, ...], kernel: tuple[int, ...], groups: int, out: int,
    strides: tuple[int, ...], dilation: tuple[int, ...],
) -> tuple[Graph, list[Array]]:  # fmt: skip
    x, w = (
        input_node("arg", "x", (2, *sizes, groups, 1)),
        input_node("arg", "w", (*kernel, groups, 1, out)),
    )
    y = ops.conv(x, w, strides=strides, dilation=dilation)
    dy = input_node("arg", "dy", y.shape)
    dw = ops.conv_wgrad(x, dy, kernel=kernel, strides=strides, dilation=dilation)
    rng = np.random.default_rng(0)
    graph = Graph((x, w, dy), (y, dw))
    return graph, [rng.normal(size=n.shape).astype(np.float32) for n in graph.inputs]


@pytest.mark.parametrize(("sizes", "kernel", "groups", "out", "strides", "dilation"), CASES)
def test_the_numbers_are_the_same(
    sizes: tuple[int, ...], kernel: tuple[int, ...], groups: int, out: int,
    strides: tuple[int, ...], dilation: tuple[int, ...],
) -> None:  # fmt: skip
    graph, values = graph_of(sizes, kernel, groups, out, strides, dilation)
    expanded = expand_depthwise(graph)
    assert all(n.op not in ("conv", "conv_wgrad") for n in expanded.nodes())
    before, _ = interpret(graph, values)
    after, _ = interpret(expanded, values)
    native, _ = run_native(graph, values)
    for a, b, c in zip(before, after, native, strict=True):
        np.testing.assert_allclose(b, a, rtol=1e-5, atol=1e-5)
        np.testing.assert_allclose(c, a, rtol=1e-5, atol=1e-5)


def test_a_single_group_stays_a_product() -> None:
    graph, _ = graph_of((6, 6), (3, 3), 1, 8, (1, 1), (1, 1))
    assert expand_depthwise(graph) is graph
