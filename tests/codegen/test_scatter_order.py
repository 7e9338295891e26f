"""Of what a scatter puts in one place the last value stays, however its operands lie."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest

from chainrule import ops
from chainrule.interpret import interpret
from chainrule.ir.graph import Graph, Node
from chainrule.ir.types import DType, f32, i32
from compiled import run_native


def lying(name: str, dtype: DType, shape: tuple[int, ...], order: tuple[int, ...]) -> Node:
    """A state whose axes lie in ``order``, the last one in a row."""
    strides, step = [0] * len(shape), 1
    for axis in reversed(order):
        strides[axis] = step
        step *= shape[axis]
    return ops.input(kind="state", name=name, shape=shape, dtype=dtype, strides=tuple(strides))


@pytest.mark.parametrize("order", list(permutations(range(3))))
@pytest.mark.parametrize("turned", [False, True])
def test_the_last_of_equal_indices_stays(order: tuple[int, ...], turned: bool) -> None:
    rng = np.random.default_rng(0)
    x = lying("x", f32, (4, 64), (0, 1))
    table = lying("i", i32, (16, 5), (1, 0) if turned else (0, 1))
    updates = lying("u", f32, (16, 5, 64), order)
    graph = Graph((x, table, updates), (ops.scatter(x, table, updates, axis=0),))
    values = [rng.normal(size=(4, 64)).astype("f4"), rng.integers(0, 4, (16, 5)).astype("i4"),
              rng.normal(size=(16, 5, 64)).astype("f4")]  # fmt: skip
    (expected,), _ = interpret(graph, values)
    (found,), _ = run_native(graph, values)
    np.testing.assert_array_equal(found, expected)
