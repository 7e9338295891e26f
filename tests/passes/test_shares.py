"""Weight gradients cut into shares of the images have the same numbers, nearly, and more groups."""

from __future__ import annotations

import numpy as np
import pytest

from chainrule import ops
from chainrule.interpret import interpret
from chainrule.ir.graph import Graph, Node
from chainrule.passes.shares import share_gradients
from steps import input_node


def gradient(images: int, *, channels: int = 3, groups: int = 1, size: int = 12) -> Graph:
    """The weight gradient of a 3 x 2 convolution."""
    x = input_node("arg", "x", (images, size, size, groups, channels))
    dy = input_node("arg", "dy", (images, size - 2, size - 1, groups, 4))
    return Graph((x, dy), (ops.conv_wgrad(x, dy, kernel=(3, 2), strides=(1, 1), dilation=(1, 1)),))


def products(graph: Graph) -> list[Node]:
    return [n for n in graph.nodes() if n.op == "conv_wgrad"]


@pytest.mark.parametrize(("images", "shares"), [(8, 8), (32, 8), (18, 9), (33, 11), (16, 8)])
def test_shares_add_up(images: int, shares: int) -> None:
    graph = gradient(images)
    shared = share_gradients(graph)
    (product,) = products(shared)
    assert product.shape[0] == shares
    rng = np.random.default_rng(images)
    values = [rng.normal(size=n.shape).astype(np.float32) for n in graph.inputs]
    (expected,), _ = interpret(graph, values)
    (found,), _ = interpret(shared, values)
    assert found.shape == expected.shape
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    "graph",
    [gradient(7), gradient(34), gradient(32, groups=2), gradient(8, channels=64, size=4)],
    ids=["few images", "no even shares", "groups", "as large as its operands"],
)
def test_what_is_left_whole(graph: Graph) -> None:
    assert share_gradients(graph) is graph
