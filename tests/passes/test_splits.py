"""Rows of parts: what is done with each of them is done as if there were no parts."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

import chainrule.nn.functional as F
from chainrule import nn, ops, optim
from chainrule.frontend import Tensor
from chainrule.frontend.traced import trace_function
from chainrule.interpret import interpret
from chainrule.ir.graph import Graph, Node, constant, topological
from chainrule.ir.types import DType
from chainrule.passes import optimize
from chainrule.passes.splits import sink_splits
from chainrule.schedule import InputLayout, schedule, tile
from chainrule.schedule.nest import Program, nests_of
from chainrule.train import Trainer
from chainrule.train.loop import LoopStepper
from chainrule.train.order import Order
from chainrule.train.parted import PartedStepper
from steps import input_node, relu

PARTS, ROWS = 2, 4
X = input_node("arg", "x", (PARTS * ROWS, 6, 5))
MEANS = input_node("arg", "means", (PARTS, 6))
PLACES = input_node("arg", "places", (PARTS * ROWS,), DType.i32)
ZERO = constant(np.float32(0))


def split(x: Node) -> Node:
    return ops.reshape(x, shape=(PARTS, ROWS, *x.shape[1:]))


def merged(x: Node) -> Node:
    return ops.reshape(x, shape=(x.shape[0] * x.shape[1], *x.shape[2:]))


def one_part(x: Node) -> Node:
    """A product of counts that is the same for all rows of a part, and the same for all parts."""
    part = x.shape[1:]
    counts = [ops.cast(ops.iota(shape=part, axis=a), dtype=x.dtype) for a in (1, 2)]
    turned = ops.transpose(ops.transpose(counts[0], perm=(0, 2, 1)), perm=(0, 2, 1))
    return ops.broadcast(turned * counts[1], shape=x.shape, axes=(1, 2, 3))


WIDTHS = {"low": (0, 0, 1, 0), "high": (0, 0, 2, 1), "interior": (0, 0, 0, 1)}
BACKWARDS = {"start": (0, 0, 1, 4), "stop": (PARTS, ROWS, 6, -1), "step": (1, 1, 2, -1)}
SUNK: dict[str, Callable[[Node], Node]] = {
    "element by element": lambda x: relu(x) * 2.0 + x,
    "with what all rows have": lambda x: x * one_part(x),
    "reshape": lambda x: relu(ops.reshape(x, shape=(PARTS, ROWS, 3, 10))),
    "rows are divided": lambda x: relu(ops.reshape(x, shape=(PARTS, 2, 2, 6, 5))),
    "transpose": lambda x: relu(ops.transpose(x, perm=(0, 1, 3, 2))),
    "broadcast": lambda x: ops.broadcast(x, shape=(PARTS, ROWS, 6, 3, 5), axes=(0, 1, 2, 4)),
    "slice": lambda x: ops.slice(x, **BACKWARDS),
    "pad": lambda x: ops.pad(x, ZERO, **WIDTHS),
    "concat": lambda x: ops.concat(x, relu(x), axis=3),
    "sum": lambda x: ops.reduce_sum(x, axes=(3,)),
    "maximum": lambda x: ops.reduce_max(x, axes=(2,)),
    "gather": lambda x: ops.gather(merged(x), split(PLACES), axis=0) * x,
}


def numbers(graph: Graph) -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    drawn = [rng.standard_normal(node.shape) * 4 for node in graph.inputs]
    return [d.astype(n.dtype.numpy) for d, n in zip(drawn, graph.inputs, strict=True)]


@pytest.mark.parametrize("does", SUNK.values(), ids=SUNK)
def test_what_is_done_row_by_row_is_done_with_all_rows(does: Callable[[Node], Node]) -> None:
    before = Graph((X, PLACES), (merged(does(split(relu(X)))),))
    after = before.with_roots(sink_splits(before.roots, PARTS))
    values = numbers(before)
    np.testing.assert_array_equal(interpret(after, values)[0], interpret(before, values)[0])
    assert not [n for n in topological(after.roots) if n.ndim > 1 and n.shape[0] == PARTS]


STAYS: dict[str, Callable[[Node], Node]] = {
    "sums over rows": lambda x: ops.reduce_sum(x, axes=(1, 2)),
    "statistics": lambda x: x - ops.broadcast(MEANS, shape=x.shape, axes=(0, 2)),
    "rows that differ": lambda x: x * ops.cast(ops.iota(shape=x.shape, axis=1), dtype=x.dtype),
    "other rows": lambda x: ops.slice(x, start=(0, 1, 0, 0), stop=(2, 3, 6, 5), step=(1,) * 4),
    "rows in another order": lambda x: ops.transpose(x, perm=(1, 0, 2, 3)),
    "more rows": lambda x: ops.concat(x, x, axis=1),
    "more parts": lambda x: ops.pad(x, ZERO, **dict.fromkeys(WIDTHS, (1, 0, 0, 0))),
}


@pytest.mark.parametrize("does", STAYS.values(), ids=STAYS)
def test_what_belongs_to_a_part_stays(does: Callable[[Node], Node]) -> None:
    before = Graph((X, MEANS), (relu(does(split(relu(X)))),))
    after = before.with_roots(sink_splits(before.roots, PARTS))
    values = numbers(before)
    np.testing.assert_array_equal(interpret(after, values)[0], interpret(before, values)[0])
    assert [n.op for n in after.nodes()].count("reshape") == 1


def test_what_merges_behind_a_transpose_merges_before() -> None:
    """So weight gradients of all parts read their images where they lie."""
    apart = ops.reshape(split(relu(X)), shape=(PARTS, 2, 2, 6, 5))
    turned = ops.transpose(apart, perm=(2, 3, 0, 1, 4))
    (after,) = sink_splits((ops.reshape(turned, shape=(2, 6, 4, 5)),), PARTS)
    assert [n.op for n in topological([after]) if n.op != "input"][-2:] == ["reshape", "transpose"]
    assert after.inputs[0].shape == (4, 2, 6, 5)


class Images(nn.Module):
    """Convolutions, pooling and padding, and hardly anything else."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Conv2d(1, 16, 3), nn.Conv2d(16, 16, 3, padding=1)
        self.out = nn.Linear(16 * 169, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = F.max_pool2d(F.relu(self.second(F.relu(self.first(x)))), 2)
        return self.out(x.flatten(1))


def program(parts: int) -> Program:
    """A step on 64 images of 28 x 28."""
    model = Images()
    trainer = Trainer(model, "cross_entropy", optim.SGD(model.parameters()), parts=parts)
    source = trainer.read((np.zeros((64, 1, 28, 28), "f"), np.zeros(64, int)))[0]
    trainer.accumulation.begin(Order.of(source.rows, 64, 0, shuffle=True), 0)
    stepper = trainer.stepper
    loop = stepper._whole_loop(parts) if isinstance(stepper, PartedStepper) else stepper
    assert isinstance(loop, LoopStepper)

    def step(*given: Tensor) -> Tensor:
        *data, rows = given
        return loop.recorded(source, tuple(data), rows)

    inputs = (*source.arrays, np.zeros(64, np.int32))
    traced = trace_function(step, inputs, {}, names=[f"in{i}" for i in range(len(inputs))])
    return schedule(optimize(traced.graph), InputLayout())


def test_a_convolutional_step_by_parts_goes_over_memory_as_often_as_the_whole() -> None:
    """What follows a convolution is its epilogue, and nothing is laid out anew for the parts."""
    traffic, products = {}, {}
    for parts in (1, 2, 4):
        nests = list(nests_of(program(parts).phases))
        traffic[parts] = sum(tile.traffic_of(nest) for nest in nests)
        products[parts] = [(n.name, n.dims) for n in nests if n.name == "conv"]
    assert products[1] == products[2] == products[4]
    assert max(traffic.values()) < 1.05 * traffic[1]
