"""Sums along a tree: inside of products, or written out."""

from __future__ import annotations

import numpy as np
import pytest

from chainrule import ops
from chainrule.interpret import interpret
from chainrule.ir.graph import Graph, Node
from chainrule.passes.trees import LONGEST, place_trees
from compiled import run_native
from steps import input_node

PARTS, ROWS = 4, 10
X = input_node("arg", "x", (PARTS * ROWS, 6))
G = input_node("arg", "g", (PARTS * ROWS, 20))
LONG = input_node("arg", "l", (2 * (LONGEST + 1), 6))


def gradients(x: Node, g: Node, parts: int = PARTS) -> Node:
    """That of a matrix, for each part."""
    apart = [ops.reshape(a, shape=(parts, a.shape[0] // parts, a.shape[1])) for a in (x, g)]
    return ops.dot(ops.transpose(apart[0], perm=(0, 2, 1)), apart[1])


def numbers(graph: Graph) -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    return [rng.standard_normal(node.shape, np.float32) for node in graph.inputs]


def test_gradients_of_parts_are_summed_in_their_product() -> None:
    """To the bits of the sum of products, turned or not; the rows are read where they lie."""
    each = gradients(X, G)
    turned = ops.transpose(each, perm=(0, 2, 1))
    graph = Graph((X, G), (ops.tree_sum(turned),))
    after = place_trees(graph)
    assert [n.op for n in after.nodes() if n.op != "input"] == [
        "transpose",
        "dot_tree",
        "transpose",
    ]
    values = numbers(graph)
    alone = [run_native(Graph((X, G), (gradients(X, G),)), values)[0][0]]
    want = (alone[0][0] + alone[0][1]) + (alone[0][2] + alone[0][3])
    np.testing.assert_array_equal(run_native(graph, values)[0][0], want.T)
    np.testing.assert_allclose(interpret(after, values)[0][0], want.T, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    "outputs",
    [
        (ops.tree_sum(X),),
        (ops.tree_sum(ops.reshape(gradients(X, G), shape=(PARTS, 120))),),
        (ops.tree_sum(gradients(X, G)), ops.reduce_sum(gradients(X, G), axes=(1,))),
        (ops.tree_sum(ops.transpose(gradients(X, G), perm=(1, 0, 2))),),
        (ops.tree_sum(gradients(LONG, LONG, 2)),),
    ],
    ids=["an array", "reshaped", "read elsewhere", "not over parts", "long"],
)
def test_other_sums_are_written_out(outputs: tuple[Node, ...]) -> None:
    shared = gradients(X, G)
    if len(outputs) > 1:
        outputs = ops.tree_sum(shared), shared
    graph = Graph((X, G, LONG), outputs)
    after = place_trees(graph)
    assert after.ops.isdisjoint({"tree_sum", "dot_tree"})
    values = numbers(graph)
    for got, want in zip(interpret(after, values)[0], interpret(graph, values)[0], strict=True):
        np.testing.assert_array_equal(got, want)
