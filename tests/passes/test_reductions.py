"""Long reductions in blocks: where they are cut, and the same numbers."""

from __future__ import annotations

import numpy as np
import pytest

from chainrule.interpret import interpret
from chainrule.ir.graph import Graph, bind, topological
from chainrule.ir.types import i32
from chainrule.passes.reductions import split_reductions
from steps import input_node


@pytest.mark.parametrize("shape", [(20000,), (3, 9000), (9000, 3), (100, 200, 2), (2, 5, 8193)])
@pytest.mark.parametrize("op", ["reduce_sum", "reduce_max"])
def test_long_reductions_are_cut_by_shape(shape: tuple[int, ...], op: str) -> None:
    x = input_node("arg", "x", shape)
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
    x = input_node("arg", "x", shape)
    axes = tuple(range(len(shape) - 1))
    graph = Graph((x,), (bind("reduce_sum", x, axes=axes),))
    after = split_reductions(graph)
    inner = after.outputs[0].inputs[0]
    assert (inner.shape if inner.op == "reduce_sum" else None) == partial
    value = np.random.default_rng(2).normal(size=shape).astype(np.float32)
    got = interpret(after, [value])[0][0]
    np.testing.assert_allclose(got, interpret(graph, [value])[0][0], rtol=1e-4, atol=1e-4)


def test_the_largest_of_many_integers() -> None:
    x = input_node("arg", "x", (9000,), i32)
    value = -np.arange(1, 9001, dtype=np.int32)
    after = split_reductions(Graph((x,), (bind("reduce_max", x, axes=(0,)),)))
    assert interpret(after, [value])[0][0] == -1
