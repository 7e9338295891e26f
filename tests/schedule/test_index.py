"""Access maps against NumPy: an array of flat positions, moved, must hold what the map says."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from chainrule import ops
from chainrule.ir.graph import Node
from chainrule.ir.types import row_major
from chainrule.passes.layout import matching_groups, view_strides
from chainrule.schedule.index import Idx, dot_strides, input_index, loops
from steps import input_node


def positions(node: Node, idx: Idx, strides: tuple[int, ...]) -> np.ndarray:
    """The flat position that ``idx`` touches at every point of ``node``."""
    offset = dot_strides(idx, strides, node.ndim)
    result = np.empty(node.shape, int)
    for point in product(*map(range, node.shape)):
        result[point] = offset.const + int(np.dot(offset.coeffs, point))
    return result


X = input_node("arg", "x", (4, 6, 5))
MOVES = {
    "transpose": ops.transpose(X, perm=(2, 0, 1)),
    "broadcast": ops.broadcast(X, shape=(3, 4, 6, 2, 5), axes=(1, 2, 4)),
    "slice": ops.slice(X, start=(3, 1, 0), stop=(-1, 6, 5), step=(-2, 2, 1)),
    "split": ops.reshape(X, shape=(2, 2, 6, 1, 5)),
    "merge of ones": ops.reshape(ops.reshape(X, shape=(4, 1, 6, 5)), shape=(4, 6, 5)),
}


@pytest.mark.parametrize("move", MOVES.values(), ids=MOVES)
def test_movement_reads_what_numpy_reads(move: Node) -> None:
    source = move.inputs[0]
    flat = np.arange(source.size, dtype=np.int32).reshape(source.shape)
    want = move.primitive.reference(flat, **move.params)
    idx = input_index(move, loops(move.ndim), move.ndim)
    assert idx is not None
    np.testing.assert_array_equal(positions(move, idx, row_major(source.shape)), want)


def test_cutting_an_axis_is_not_affine() -> None:
    merged = ops.reshape(X, shape=(24, 5))
    assert input_index(merged, loops(2), 2) is None


def test_view_strides_follow_a_transposed_state() -> None:
    weight = input_node("state", "w", (8, 3), strides=(1, 8))
    assert view_strides(ops.transpose(weight, perm=(1, 0))) == (8, 1)
    assert view_strides(ops.reshape(weight, shape=(24,))) is None
    assert view_strides(ops.reshape(weight, shape=(2, 4, 3))) == (4, 1, 8)


def test_groups_are_the_shortest_that_agree() -> None:
    assert matching_groups((6, 4), (2, 3, 4)) == [([0], [0, 1]), ([1], [2])]
    assert matching_groups((2, 3), (3, 2)) == [([0, 1], [0, 1])]
