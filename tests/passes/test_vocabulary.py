"""Cross entropy by blocks of rows and groups of classes: the same numbers, never all scores."""

from __future__ import annotations

import numpy as np
import pytest

import chainrule as cr
from chainrule import ops
from chainrule.autodiff import cotangents
from chainrule.frontend.apply import apply
from chainrule.interpret import evaluate
from chainrule.ir.graph import Graph, Node
from chainrule.ir.types import Array, f32, f64, i32
from chainrule.ops.bodies import placeholder
from chainrule.passes import optimize, vocabulary
from chainrule.schedule import InputLayout, schedule
from chainrule.schedule.simulate import simulate_program

#: rows, width, classes
SIZES = ((8, 3, 5), (10, 2, 7), (12, 4, 3), (4, 3, 6), (1, 1, 1), (7, 5, 2))


def drawn(rows: int, width: int, classes: int) -> list[Array]:
    """x, w, b, classes of which one does not exist, and factors."""
    rng = np.random.default_rng(rows * 10 + width)
    shapes = (rows, width), (classes, width), (classes,)
    x, w, b = (rng.normal(size=shape).astype(np.float32) for shape in shapes)
    target = rng.integers(0, classes, rows).astype(np.int32)
    target[rows // 2 : rows // 2 + (rows > 1)] = -100
    return [x, w, b, target, rng.normal(size=rows).astype(np.float32)]


def with_derivatives(
    arrays: list[Array],
    smoothing: float,
    wanted: tuple[int, ...] = (0, 1, 2),
) -> Graph:
    """The losses, and the cotangents of x, w and b that are wanted."""
    inputs = tuple(
        placeholder(name, a.shape, i32 if a.dtype == np.int32 else f32)
        for name, a in zip("xwbtg", arrays, strict=True)
    )
    losses = ops.cross_entropy(*inputs[:4], smoothing=smoothing)
    of = [inputs[i] for i in wanted]
    back = cotangents([losses], [inputs[4]], of)
    return Graph(inputs, (losses, *(c for c in back if c is not None)))


@pytest.fixture
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vocabulary, "ROWS", 4)
    monkeypatch.setattr(vocabulary, "CLASSES", 3)


def loops_of(graph: Graph) -> list[Node]:
    return [n for n in optimize(graph).nodes() if n.op == "scan"]


def check(graph: Graph, arrays: list[Array]) -> None:
    """Simulated nests against the oracle in double precision."""
    program = schedule(optimize(graph), InputLayout())
    found = [np.zeros(n.shape, np.float32) for n in graph.outputs]
    flat = [a.reshape(-1).copy() for a in arrays] + [a.reshape(-1) for a in found]
    simulate_program(program, flat)
    expected = evaluate(graph.outputs, dict(zip(graph.inputs, arrays, strict=True)), f64)
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=2e-5, atol=2e-5)


@pytest.mark.usefixtures("small_pieces")
@pytest.mark.parametrize("smoothing", [0.0, 0.2])
@pytest.mark.parametrize("sizes", SIZES, ids=str)
def test_pieces_mean_the_whole(sizes: tuple[int, int, int], smoothing: float) -> None:
    arrays = drawn(*sizes)
    graph = with_derivatives(arrays, smoothing)
    check(graph, arrays)
    assert len(loops_of(graph)) == 2  # forward and backward


@pytest.mark.usefixtures("small_pieces")
@pytest.mark.parametrize("wanted", [(), (0,), (1,), (2,), (0, 2)], ids=str)
def test_what_nobody_asks_for_is_not_computed(wanted: tuple[int, ...]) -> None:
    arrays = drawn(8, 3, 5)
    graph = with_derivatives(arrays, 0.0, wanted=wanted)
    check(graph, arrays)
    forward, *backward = loops_of(graph)
    assert products(forward) == 1
    assert [products(loop) for loop in backward] == [1 + (0 in wanted) + (1 in wanted)] * bool(
        wanted
    )


def products(loop: Node) -> int:
    inside = loop.params["body"].nodes()
    return sum(n.op == "dot" for n in inside) + sum(products(n) for n in inside if n.op == "scan")


@pytest.mark.usefixtures("small_pieces")
def test_two_layers_of_scores_take_loops_of_their_own() -> None:
    one, two = drawn(8, 3, 5), drawn(8, 3, 6)
    graphs = with_derivatives(one, 0.0), with_derivatives(two, 0.1)
    both = Graph((*graphs[0].inputs, *graphs[1].inputs), (*graphs[0].outputs, *graphs[1].outputs))
    check(both, one + two)
    assert len(loops_of(both)) == 4


def test_memory_is_that_of_the_weights_however_many_rows() -> None:
    def bytes_of(rows: int) -> int:
        graph = with_derivatives(drawn(rows, 4, 1000), 0.0)
        return schedule(optimize(graph), InputLayout()).arena_bytes

    few, many = bytes_of(512), bytes_of(4096)
    assert many < few + 4096 * 1000  # a byte for each score, of which each would take four


def test_native_code_gives_the_same_bits_for_any_number_of_threads() -> None:
    arrays = drawn(300, 24, 100)

    def loss(x: cr.Tensor, w: cr.Tensor, b: cr.Tensor, t: cr.Tensor, g: cr.Tensor) -> cr.Tensor:
        return (apply(ops.cross_entropy, x, w, b, t, smoothing=0.1) * g).sum()

    results = []
    for threads in (1, 2, 3):
        cr.set_num_threads(threads)
        step = cr.compile(cr.grad(loss, (0, 1, 2)))
        results.append([np.asarray(r) for r in step(*arrays)])
    graph = with_derivatives(arrays, 0.1)
    expected = evaluate(graph.outputs[1:], dict(zip(graph.inputs, arrays, strict=True)), f64)
    for other in results[1:]:
        for a, b in zip(results[0], other, strict=True):
            np.testing.assert_array_equal(a, b)
    for a, b in zip(results[0], expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)
