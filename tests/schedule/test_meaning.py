"""A schedule means what its graph means: simulated programs against the interpreter."""

from __future__ import annotations

import numpy as np
import pytest

from chainrule.interpret import interpret
from chainrule.ir.graph import Graph
from chainrule.ir.types import Array
from chainrule.passes import optimize
from chainrule.schedule import InputLayout, schedule
from chainrule.schedule.simulate import simulate_program
from graphs import random_graph
from joins import random_joins
from steps import layerwise_step, perceptron_step, step_values


def physical(value: Array, strides: tuple[int, ...]) -> Array:
    """``value`` as it lies in memory with ``strides``."""
    order = sorted(range(value.ndim), key=lambda a: -strides[a])
    return np.ascontiguousarray(value.transpose(order)).reshape(-1).copy()


def logical(flat: Array, shape: tuple[int, ...], strides: tuple[int, ...]) -> Array:
    """The array of ``shape`` that lies in ``flat`` with ``strides``."""
    order = sorted(range(len(shape)), key=lambda a: -strides[a])
    return flat.reshape([shape[a] for a in order]).transpose(np.argsort(order))


def run(graph: Graph, values: list[Array], *, fusion: bool) -> tuple[list[Array], list[Array]]:
    """Outputs and updated states of the simulated program."""
    program = schedule(optimize(graph), InputLayout(), fusion=fusion)
    memory = [
        physical(np.asarray(v), n.params["strides"])
        for n, v in zip(graph.inputs, values, strict=True)
    ]
    outputs = [np.zeros(n.size, n.dtype.numpy) for n in graph.outputs]
    simulate_program(program, [*memory, *outputs])
    place = {node: i for i, node in enumerate(graph.inputs)}
    updates = []
    for update in graph.updates:
        state = update.inputs[0]
        updates.append(logical(memory[place[state]], state.shape, state.params["strides"]))
    results = [o.reshape(n.shape) for o, n in zip(outputs, graph.outputs, strict=True)]
    return results, updates


def close(got: list[Array], want: list[Array]) -> None:
    for a, b in zip(got, want, strict=True):
        if np.asarray(b).dtype.kind == "f":
            scale = float(np.max(np.abs(b), initial=1.0))
            np.testing.assert_allclose(a, b, rtol=2e-5, atol=2e-6 * scale)
        else:
            np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("seed", range(24))
def test_random_graphs(seed: int) -> None:
    graph, values = random_graph(np.random.default_rng(seed), 40)
    want = interpret(graph, values)
    fused = run(graph, values, fusion=True)
    close(fused[0], want[0])
    close(fused[1], want[1])
    alone = run(graph, values, fusion=False)
    for a, b in zip([*fused[0], *fused[1]], [*alone[0], *alone[1]], strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("seed", range(16))
def test_random_joins(seed: int) -> None:
    graph, values = random_joins(np.random.default_rng(seed), 8)
    want = interpret(graph, values)
    fused, alone = run(graph, values, fusion=True), run(graph, values, fusion=False)
    for kind in range(2):
        close(fused[kind], want[kind])
        for a, b in zip(fused[kind], alone[kind], strict=True):
            np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
@pytest.mark.parametrize("shape", [(128, 136), (240, 70), (17, 1000)])
def test_norms_of_what_is_stored(shape: tuple[int, int], order: tuple[int, int]) -> None:
    graph = layerwise_step(shape, order)
    rng = np.random.default_rng(1)
    values: list[Array] = [rng.standard_normal(shape).astype(np.float32) for _ in range(3)]
    fused, alone = run(graph, values, fusion=True), run(graph, values, fusion=False)
    want = interpret(graph, values)
    for kind in range(2):
        close(fused[kind], want[kind])
        for a, b in zip(fused[kind], alone[kind], strict=True):
            np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("seed", range(40, 52))
def test_random_graphs_with_maps_inside_of_short_reductions(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chainrule.schedule.fuse.SMALL", 0)
    monkeypatch.setattr("chainrule.schedule.fuse.SHORTEST_ROW", 2)
    monkeypatch.setattr("chainrule.schedule.fuse.FEWEST_ROWS", 1)
    graph, values = random_graph(np.random.default_rng(seed), 60)
    fused, alone = run(graph, values, fusion=True), run(graph, values, fusion=False)
    for a, b in zip([*fused[0], *fused[1]], [*alone[0], *alone[1]], strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("sizes", [(5, 7, 3), (6, 8, 4, 1), (9, 10)])
def test_training_steps(sizes: tuple[int, ...]) -> None:
    graph = perceptron_step(sizes, 6)
    values = step_values(graph)
    if sizes[-1] > 1:
        values[1] = values[1] % sizes[-1]
    want = interpret(graph, values)
    got = run(graph, values, fusion=True)
    close(got[0], want[0])
    close(got[1], want[1])
