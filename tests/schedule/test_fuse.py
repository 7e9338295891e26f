"""Fusion: the number of nests is what fusion is for, so it is asserted."""

from __future__ import annotations

import math

import numpy as np
import pytest

from chainrule import ops
from chainrule.ir.graph import Graph
from chainrule.passes import optimize
from chainrule.schedule import InputLayout, schedule
from chainrule.schedule.grouping import Waiting
from chainrule.schedule.nest import Product, Program, Reduce
from chainrule.schedule.text import program_text
from chainrule.schedule.tile import shares_columns
from fuzz import Case
from steps import input_node, layerwise_step, perceptron_step


def kinds(program: Program) -> list[str]:
    return [task.nest.name for phase in program.phases for task in phase]


@pytest.mark.parametrize(("sizes", "batch", "nests"), [((30, 32, 16, 1), 32, 13)])
def test_a_step_of_tabular_has_few_nests(sizes: tuple[int, ...], batch: int, nests: int) -> None:
    program = schedule(optimize(perceptron_step(sizes, batch)), InputLayout())
    assert len(kinds(program)) == nests


def test_adam_and_activation_are_epilogues_of_products() -> None:
    program = schedule(optimize(perceptron_step((20, 24, 10), 8)), InputLayout())
    products = [t.nest for p in program.phases for t in p if isinstance(t.nest.source, Product)]
    stores = sorted(len(nest.stores) for nest in products)
    assert stores == [1, 1, 1, 3, 3]  # forward, forward, dX; dW with Adam's three


@pytest.mark.parametrize(("rows", "nests"), [(16, ["dot"]), (256, ["dot", "add"])])
def test_long_formulas_of_large_products_have_nests_of_their_own(
    rows: int, nests: list[str]
) -> None:
    x, w = input_node("arg", "x", (rows, 20)), input_node("state", "w", (20, 64))
    graph = Graph((x, w), (ops.erf(ops.dot(x, w)) + 1.0,))
    assert [n for n in kinds(schedule(optimize(graph), InputLayout())) if n != "fence"] == nests


def test_norms_are_sums_of_what_the_nest_reads_and_stores_anyway() -> None:
    """A step like LAMB's walks over its matrices twice: means, step and both norms; the update."""
    program = schedule(optimize(layerwise_step((128, 160), (0, 1))), InputLayout())
    nests = [task.nest for phase in program.phases for task in phase]
    first, *others = [nest for nest in nests if math.prod(nest.dims) == 128 * 160]
    assert isinstance(first.source, Reduce)
    assert [part.op for part in first.source.parts].count("sum") == 2
    assert sorted(s.access.buffer.kind for s in first.inner) == ["arena", "external"]
    assert sum(len(nest.writes) for nest in others) == 1


def test_statistics_of_columns_are_taken_in_one_walk() -> None:
    x = input_node("arg", "x", (512, 48))
    sums = ops.reduce_sum(x, axes=(0,)), ops.reduce_sum(x * x, axes=(0,))
    program = schedule(optimize(Graph((x,), sums, ())), InputLayout())
    assert len(kinds(program)) == 1


def test_without_fusion_every_value_has_its_nest() -> None:
    graph = optimize(perceptron_step((20, 24, 10), 8))
    fused, alone = schedule(graph, InputLayout()), schedule(graph, InputLayout(), fusion=False)
    assert len(kinds(alone)) > len(kinds(fused))


def test_swapped_states_go_through_a_copy() -> None:
    a, b = input_node("state", "a", (8,)), input_node("state", "b", (8,))
    graph = Graph((a, b), (), (ops.assign(a, b), ops.assign(b, a)))
    program = schedule(optimize(graph), InputLayout())
    written: set[str] = set()
    for phase in program.phases:
        for task in phase:
            stale = {r.buffer.name for r in task.nest.reads} & written
            assert not {"in0", "in1"} & stale
        written |= {w.buffer.name for task in phase for w in task.nest.writes}
    assert {"in0", "in1"} <= written


def test_a_product_is_not_overwritten_while_it_is_read() -> None:
    """dX reads the weights that dW's epilogue updates: it must come in an earlier phase."""
    program = schedule(optimize(perceptron_step((20, 24, 10), 8)), InputLayout())
    weight = "in4"  # the second layer's weight
    reads = [
        n for n, p in enumerate(program.phases) for t in p for r in t.nest.reads
        if r.buffer.name == weight and not any(w.buffer.name == weight for w in t.nest.writes)
    ]  # fmt: skip
    writes = [
        n for n, p in enumerate(program.phases) for t in p for w in t.nest.writes
        if w.buffer.name == weight
    ]  # fmt: skip
    assert len(writes) == 1
    assert max(reads) < writes[0]


def test_a_narrow_weight_gradient_has_its_vectors_along_the_rows() -> None:
    program = schedule(optimize(perceptron_step((20, 24, 10), 8)), InputLayout())
    products = [t.nest for p in program.phases for t in p if isinstance(t.nest.source, Product)]
    gradients = [nest.dims[:2] for nest in products if len(nest.stores) == 3]
    assert sorted(gradients) == [(10, 24), (20, 24)]  # not 24 x 10: ten cannot fill a vector


@pytest.mark.parametrize(("steps", "dims"), [(64, (512, 20)), (2048, (20, 512))])
def test_long_sums_do_not_leave_lanes_idle_to_store_in_order(
    steps: int, dims: tuple[int, int]
) -> None:
    """Twenty columns of a weight [512, 20] are two vectors, of which a third would be idle."""
    g, x = input_node("arg", "g", (steps, 512)), input_node("arg", "x", (steps, 20))
    w = input_node("state", "w", (20, 512), strides=(1, 20))
    dw = ops.dot(ops.transpose(x, perm=(1, 0)), g)
    program = schedule(optimize(Graph((g, x, w), (), (ops.assign(w, w - dw),))), InputLayout())
    (nest,) = (t.nest for p in program.phases for t in p if isinstance(t.nest.source, Product))
    assert nest.dims[:2] == dims


def test_threads_share_the_columns_of_wide_products_and_the_rows_of_tall_ones() -> None:
    assert shares_columns(128, 512)
    assert not shares_columns(784, 512)
    assert not shares_columns(128, 10)


def test_single_places_of_many_images_are_the_rows_of_one_product() -> None:
    x, w = input_node("arg", "x", (32, 1, 1, 1, 48)), input_node("arg", "w", (1, 1, 1, 48, 40))
    graph = Graph((x, w), (ops.conv(x, w, strides=(1, 1), dilation=(1, 1)),))
    (nest,) = (t.nest for p in schedule(optimize(graph), InputLayout()).phases for t in p)
    assert nest.dims == (32, 40, 48)


def test_what_is_flattened_for_a_product_is_copied_once() -> None:
    x, w = input_node("arg", "x", (32, 6, 6, 24)), input_node("arg", "w", (864, 32))
    flat = ops.reshape(ops.transpose(x, perm=(0, 3, 1, 2)), shape=(32, 864))
    graph = Graph((x, w), (ops.dot(flat, w), ops.dot(ops.exp(flat), w)))
    assert sorted(kinds(schedule(optimize(graph), InputLayout()))) == ["dot", "dot", "exp", "fence"]


def test_the_loops_of_a_map_follow_most_of_its_arrays() -> None:
    """Four are read along their channels; one is written across them."""
    x = input_node("arg", "x", (8, 20, 20, 32))
    corners = [
        ops.slice(x, start=(0, i, j, 0), stop=(8, 20, 20, 32), step=(1, 2, 2, 1))
        for i in (0, 1)
        for j in (0, 1)
    ]
    largest = ops.max(ops.max(corners[0], corners[1]), ops.max(corners[2], corners[3]))
    graph = Graph((x,), (ops.transpose(largest, perm=(0, 3, 1, 2)),))
    (nest,) = (t.nest for p in schedule(optimize(graph), InputLayout()).phases for t in p)
    assert nest.dims[nest.vector] == 32


@pytest.mark.parametrize("seed", [18, 26])
def test_a_program_depends_on_nothing_but_its_graph(seed: int) -> None:
    """Not on where in memory its nodes happen to lie, by which sets order them."""
    graphs = [Case(seed).graph()[0] for _ in range(12)]
    texts = {program_text(schedule(optimize(graph), InputLayout())) for graph in graphs}
    assert len(texts) == 1


def test_who_waits_for_whom_is_what_a_search_finds() -> None:
    rng = np.random.default_rng(5)
    waiting = Waiting()
    numbers = [waiting.begin() for _ in range(40)]
    direct: dict[int, set[int]] = {n: set() for n in numbers}
    ranks = rng.permutation(40)  # those begun first may wait for those begun last
    for a, b in rng.integers(0, 40, (90, 2)).tolist():
        number, other = (a, b) if ranks[a] >= ranks[b] else (b, a)
        waiting.wait(number, other)
        direct[number].add(other)
    for number in numbers:
        found, stack = set[int](), [number]
        while stack:
            more = direct[stack.pop()] - found
            found |= more
            stack += more
        found.discard(number)
        assert {other for other in numbers if waiting.waits(number, other)} == found
