"""Chains: which nests are one, and that no number depends on it."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from chainrule import ops
from chainrule.autodiff import cotangents
from chainrule.driver import Options, load
from chainrule.ir.graph import Graph, Node, constant
from chainrule.ir.types import Array, f32
from chainrule.passes import optimize
from chainrule.runtime.processors import get_num_threads, set_num_threads
from chainrule.schedule import InputLayout, chains, schedule
from chainrule.schedule.nest import Program, Task
from steps import input_node, relu

BATCH, SIZE, CHANNELS = 21, 20, 16


@pytest.fixture
def threads() -> Iterator[None]:
    before = get_num_threads()
    yield
    set_num_threads(before)


def convolution(x: Node, kernel: Node) -> Node:
    return relu(ops.conv(x, kernel, strides=(1, 1), dilation=(1, 1)))


def features() -> tuple[Node, list[Node], Node]:
    """Images, two kernels, and what two convolutions make of the images."""
    x = input_node("arg", "x", (BATCH, SIZE, SIZE, 1, CHANNELS))
    kernels = [input_node("arg", f"w{i}", (3, 3, 1, CHANNELS, CHANNELS)) for i in range(2)]
    return x, kernels, convolution(convolution(x, kernels[0]), kernels[1])


def forward() -> Graph:
    x, kernels, y = features()
    return Graph((x, *kernels), (ops.reduce_sum(y, axes=(1, 2, 3)),), ())


def training() -> Graph:
    x, kernels, y = features()
    loss = ops.reduce_sum(y * y, axes=(0, 1, 2, 3, 4))
    found = cotangents([loss], [constant(1.0, f32)], kernels)
    return Graph((x, *kernels), (loss, *[g for g in found if g is not None]), ())


def values() -> list[Array]:
    rng = np.random.default_rng(5)
    kernels = [rng.normal(0, 0.1, (3, 3, 1, CHANNELS, CHANNELS)) for _ in range(2)]
    x = rng.standard_normal((BATCH, SIZE, SIZE, 1, CHANNELS))
    return [a.astype(np.float32) for a in (x, *kernels)]


def tasks(program: Program) -> list[Task]:
    return [task for phase in program.phases for task in phase]


def test_layers_of_one_image_follow_one_another() -> None:
    program = schedule(optimize(forward()), InputLayout())
    (chain,) = {task.chain for task in tasks(program) if task.chain}
    assert [t.nest.name for t in tasks(program)] == ["conv", "conv", "reduce_sum"]
    assert all(task.chain is chain for task in tasks(program))
    assert chain.pieces == BATCH
    assert chain.block < BATCH
    between = [18 * 18 * CHANNELS, 16 * 16 * CHANNELS]
    assert sorted(chain.local.values(), reverse=True) == between


def test_an_image_that_needs_its_neighbour_waits_for_all() -> None:
    x, kernels, _ = features()
    y = convolution(x, kernels[0])
    shifted = ops.slice(y, start=(1, 0, 0, 0, 0), stop=(BATCH, *y.shape[1:]), step=(1, 1, 1, 1, 1))
    z = convolution(shifted, kernels[1])
    program = schedule(optimize(Graph((x, *kernels), (z,), ())), InputLayout())
    assert not [task for task in tasks(program) if task.chain]
    assert len([phase for phase in program.phases if phase]) == 2


@pytest.mark.usefixtures("threads")
@pytest.mark.parametrize("graph", [forward(), training()], ids=["forward", "training"])
def test_chains_and_threads_change_no_bit(graph: Graph, monkeypatch: pytest.MonkeyPatch) -> None:
    assert any(task.chain for task in tasks(schedule(optimize(graph), InputLayout())))
    fresh = Options(use_cache=False)
    found = []
    chained = load(graph, [], options=fresh)
    for count in (1, 2, 3, 7):
        set_num_threads(count)
        found += [chained(*values(), scalars=[]) for _ in range(2)]
    monkeypatch.setattr(chains, "FEWEST", BATCH + 1)
    assert not any(task.chain for task in tasks(schedule(optimize(graph), InputLayout())))
    want = load(graph, [], options=fresh)(*values(), scalars=[])
    for got in found:
        for a, b in zip(got, want, strict=True):
            np.testing.assert_array_equal(a, b)
