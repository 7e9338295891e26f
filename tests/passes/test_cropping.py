"""Cut-off results are not computed, and the rest is the same."""

from __future__ import annotations

import numpy as np
import pytest

from chainrule import ops
from chainrule.interpret import interpret
from chainrule.ir.graph import Graph, Node, full
from chainrule.ir.types import f32
from chainrule.passes.cropping import crop
from steps import input_node


def cropped(strides: tuple[int, int], cut: int, low: int) -> Graph:
    x = input_node("arg", "x", (2, 6, 7, 1, 3))
    w = input_node("arg", "w", (3, 2, 1, 3, 4))
    edge = (0, low, low, 0, 0)
    padded = ops.pad(x, full(0.0, (), f32), low=edge, high=edge, interior=(0,) * 5)
    y = ops.conv(padded, w, strides=strides, dilation=(1, 2))
    stop = (2, y.shape[1] - cut, y.shape[2] - cut, 1, 4)
    part = ops.slice(y, start=(0, cut, cut, 0, 0), stop=stop, step=(1,) * 5)
    return Graph((x, w), (part,))


def the(op: str, graph: Graph) -> Node:
    (found,) = (n for n in graph.nodes() if n.op == op)
    return found


@pytest.mark.parametrize(
    ("strides", "cut", "low"), [((1, 1), 1, 2), ((2, 1), 1, 2), ((1, 2), 1, 1)]
)
def test_the_convolution_gets_smaller(strides: tuple[int, int], cut: int, low: int) -> None:
    graph = cropped(strides, cut, low)
    after = crop(graph)
    assert the("conv", after).shape == graph.outputs[0].shape
    rng = np.random.default_rng(0)
    values = [rng.normal(size=n.shape).astype(np.float32) for n in graph.inputs]
    (before,), _ = interpret(graph, values)
    (now,), _ = interpret(after, values)
    np.testing.assert_array_equal(now, before)


def test_padding_that_nobody_sees_is_left_out() -> None:
    after = crop(cropped((1, 1), 1, 2))
    assert the("pad", after).params["low"] == (0, 1, 1, 0, 0)
    assert all(n.op != "slice" for n in after.nodes())


def test_channels_and_steps_are_left_alone() -> None:
    x, w = input_node("arg", "x", (2, 6, 7, 1, 3)), input_node("arg", "w", (3, 2, 1, 3, 4))
    y = ops.conv(x, w, strides=(1, 1), dilation=(1, 1))
    rng = np.random.default_rng(0)
    for stop, step in (((2, 4, 6, 1, 2), (1,) * 5), ((2, 4, 6, 1, 4), (1, 2, 1, 1, 1))):
        graph = Graph((x, w), (ops.slice(y, start=(0,) * 5, stop=stop, step=step),))
        after = crop(graph)
        assert the("conv", after).shape == y.shape
        values = [rng.normal(size=n.shape).astype(np.float32) for n in graph.inputs]
        got, want = (interpret(g, values)[0][0] for g in (after, graph))
        np.testing.assert_array_equal(got, want)


def test_unit_axes_between_do_not_hide_the_convolution() -> None:
    x, w = input_node("arg", "x", (2, 8, 9, 1, 3)), input_node("arg", "w", (3, 3, 1, 3, 4))
    y = ops.reshape(ops.conv(x, w, strides=(1, 1), dilation=(1, 1)), shape=(2, 6, 7, 4))
    graph = Graph((x, w), (ops.slice(y, start=(0, 1, 1, 0), stop=(2, 5, 6, 4), step=(1,) * 4),))
    after = crop(graph)
    assert the("conv", after).shape == (2, 4, 5, 1, 4)
    rng = np.random.default_rng(0)
    values = [rng.normal(size=n.shape).astype(np.float32) for n in graph.inputs]
    np.testing.assert_array_equal(interpret(after, values)[0][0], interpret(graph, values)[0][0])
