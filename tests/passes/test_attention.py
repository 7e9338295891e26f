"""Attention in tiles: the same numbers, nothing of queries x keys elements, nothing unseen."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule import ops
from chainrule.autodiff import cotangents
from chainrule.errors import VerifyError
from chainrule.frontend import trace_function
from chainrule.frontend.apply import apply
from chainrule.interpret import evaluate, interpret
from chainrule.ir.graph import Graph
from chainrule.ir.types import Array, f32, f64, i32, u32
from chainrule.ops.bodies import placeholder
from chainrule.passes import attention, optimize
from chainrule.schedule import InputLayout, schedule
from chainrule.schedule.nest import Loop, Program
from chainrule.schedule.simulate import simulate_program
from chainrule.schedule.verify import verify_program
from compiled import run_native
from schedule.test_meaning import run as run_simulated

HOW: dict[str, Any] = {"scale": 0.6, "masked": 0, "keep": 1.0}
#: heads, queries, keys, width of queries and of values
SIZES = (
    (2, 8, 8, 3, 3),  # whole tiles
    (1, 7, 7, 2, 5),  # one tile with a rest
    (2, 13, 13, 3, 2),  # several
    (1, 12, 5, 3, 3),  # more queries than keys
    (2, 5, 14, 2, 2),  # fewer
    (2, 4, 3, 2, 3),  # one tile for all, of other sizes
    (2, 2, 4, 3, 2),
    (1, 1, 9, 1, 1),
    (3, 9, 1, 2, 1),
)


def drawn(heads: int, rows: int, columns: int, width: int, wide: int) -> list[Array]:
    rng = np.random.default_rng(rows * 100 + columns)
    shapes = [(heads, rows, width), (heads, columns, width), (heads, columns, wide)]
    return [rng.normal(size=shape).astype(np.float32) for shape in (*shapes, (heads, rows, wide))]


def extras_of(arrays: list[Array], masked: int, keep: float) -> list[Array]:
    """A mask that hides some keys, and all of the last head; a key and a count."""
    rng = np.random.default_rng(3)
    extras: list[Array] = []
    if masked:
        mask = rng.normal(size=arrays[1].shape[:2]).astype(np.float32)
        mask[rng.random(mask.shape) < 0.3], mask[-1] = -np.inf, -np.inf
        extras.append(mask)
    if keep < 1:
        extras += [np.array([11, 5], np.uint32), np.array(9, np.uint32)]
    return extras


def with_derivatives(
    arrays: list[Array], causal: int, masked: int = 0, keep: float = 1.0
) -> tuple[Graph, list[Array]]:
    """Attention of q, k, v, and their cotangents for that of the result; all inputs."""
    arrays = [*arrays, *extras_of(arrays, masked, keep)]
    dtypes = {"f": f32, "u": u32}
    inputs = [placeholder(f"x{i}", a.shape, dtypes[a.dtype.kind]) for i, a in enumerate(arrays)]
    q, k, v, g, *extras = inputs
    how = HOW | {"causal": causal, "masked": masked, "keep": keep}
    y = ops.attention(q, k, v, *extras, **how)
    back = cotangents([y], [g], [q, k, v, *extras[:masked]])
    assert all(back)
    return Graph(tuple(inputs), (y, *(c for c in back if c is not None))), arrays


@pytest.fixture
def small_tiles(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attention, "TILE", 4)
    monkeypatch.setattr(attention, "SMALLEST", 3)


def loops_of(program: Program) -> list[Loop]:
    return [t.nest for phase in program.phases for t in phase if isinstance(t.nest, Loop)]


@pytest.mark.usefixtures("small_tiles")
@pytest.mark.parametrize(("masked", "keep"), [(0, 1.0), (1, 1.0), (0, 0.5), (1, 0.75)])
@pytest.mark.parametrize("causal", [0, 1])
@pytest.mark.parametrize("sizes", SIZES, ids=str)
def test_tiles_mean_the_whole(
    sizes: tuple[int, int, int, int, int], causal: int, masked: int, keep: float
) -> None:
    graph, arrays = with_derivatives(drawn(*sizes), causal, masked, keep)
    program = schedule(optimize(graph), InputLayout())
    found = [np.zeros(n.shape, np.float32) for n in graph.outputs]
    flat = [a.reshape(-1).copy() for a in arrays] + [a.reshape(-1) for a in found]
    simulate_program(program, flat)
    expected = evaluate(graph.outputs, dict(zip(graph.inputs, arrays, strict=True)), f64)
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=2e-5, atol=2e-5)
    loops = loops_of(program)
    # forward, then along the keys and along the queries, or both at once
    assert len(loops) == (2 if max(sizes[1:3]) <= 4 else 3)
    assert all(loop.shared and loop.trips == sizes[0] for loop in loops)


def test_no_array_has_queries_x_keys_elements() -> None:
    """So memory is linear in the context."""

    def bytes_of(length: int) -> int:
        graph, _ = with_derivatives(drawn(2, length, length, 8, 8), 1, 1, 0.5)
        return schedule(optimize(graph), InputLayout()).arena_bytes

    few, many = bytes_of(512), bytes_of(2048)
    assert many < 4.2 * few
    assert many < 2 * 2048 * 2048


def test_program_and_its_kernels_do_not_grow_with_the_context() -> None:
    def nodes(graph: Graph) -> int:
        inner = [n.params["body"] for n in graph.nodes() if n.op == "scan"]
        return len(graph.nodes()) + sum(map(nodes, inner))

    few, many = (
        nodes(optimize(with_derivatives(drawn(1, length, length, 8, 8), 1, 1, 0.5)[0]))
        for length in (128, 1024)
    )
    assert few == many


@pytest.mark.parametrize("sizes", [(5, 100, 100, 8, 8), (3, 70, 130, 16, 5)], ids=str)
@pytest.mark.parametrize(("causal", "masked", "keep"), [(0, 0, 0.9), (1, 0, 1.0), (0, 1, 1.0)])
def test_native_code_gives_the_same_bits_for_any_number_of_threads(
    sizes: tuple[int, int, int, int, int], causal: int, masked: int, keep: float
) -> None:
    graph, arrays = with_derivatives(drawn(*sizes), causal, masked, keep)
    how = HOW | {"causal": causal, "masked": masked, "keep": keep}

    def loss(
        q: cr.Tensor, k: cr.Tensor, v: cr.Tensor, g: cr.Tensor, *extras: cr.Tensor
    ) -> cr.Tensor:
        return (apply(ops.attention, q, k, v, *extras, **how) * g).sum()

    results = []
    for threads in (1, 2, 3):
        cr.set_num_threads(threads)
        step = cr.compile(cr.grad(loss, (0, 1, 2, 4)[: 3 + masked]))
        results.append([np.asarray(r) for r in step(*arrays)])
    expected = evaluate(graph.outputs[1:], dict(zip(graph.inputs, arrays, strict=True)), f64)
    for other in results[1:]:
        for a, b in zip(results[0], other, strict=True):
            np.testing.assert_array_equal(a, b)
    for a, b in zip(results[0], expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)


def test_later_tokens_change_no_bit() -> None:
    q, k, v, _ = drawn(2, 150, 150, 8, 8)
    attend = cr.compile(lambda q, k, v: apply(ops.attention, q, k, v, causal=1, **HOW))
    before = np.asarray(attend(q, k, v))
    for x in (q, k, v):
        x[:, 101:] = 7.0
    after = np.asarray(attend(q, k, v))
    np.testing.assert_array_equal(before[:, :101], after[:, :101])
    assert not np.array_equal(before[:, 101:], after[:, 101:])


# ----------------------------------------------------------------- what keeps loops in order


@pytest.mark.parametrize("reverse", [0, 1])
@pytest.mark.parametrize("limit", [0, 1, 2, 3, 5, 9])
def test_a_limited_loop_makes_so_many_steps(limit: int, reverse: int) -> None:
    h, n, x = placeholder("h", (7,), f32), placeholder("n", (), i32), placeholder("x", (7,), f32)
    body = Graph((h, x, n), (h * 0.5 + x,))
    rows = placeholder("rows", (5, 7), f32)
    how = {"segment": 0, "tiled": 1, "limited": 1, "reverse": reverse}
    loop = ops.scan(h, rows, n, body=body, length=5, carries=1, scanned=1, **how)
    graph = Graph((h, rows, n), (ops.item(loop, index=0),))
    rng = np.random.default_rng(0)
    first, each = (rng.normal(size=shape).astype(np.float32) for shape in ((7,), (5, 7)))
    expected = first
    for row in (each[::-1] if reverse else each)[:limit]:
        expected = expected * np.float32(0.5) + row
    values = [first, each, np.array(limit, np.int32)]
    [simulated], _ = run_simulated(graph, values, fusion=True)
    [native], _ = run_native(graph, values)
    for found in (interpret(graph, values)[0][0], simulated, native):
        np.testing.assert_array_equal(found, expected)


def test_the_proof_refuses_trips_that_share_what_they_write() -> None:
    """A value of all heads, written in each trip: threads would not know whose it is."""
    program = schedule(optimize(with_derivatives(drawn(2, 8, 8, 3, 3), 1)[0]), InputLayout())
    verify_program(program)
    loop = loops_of(program)[0]
    written = next(a.buffer for t in loop.tasks for a in t.nest.writes if a.buffer.private)
    object.__setattr__(written, "stride", 0)
    with pytest.raises(VerifyError, match="trips of a loop"):
        verify_program(program)


def test_heads_are_copied_once_for_all_loops() -> None:
    """[batch, steps, heads, width] is laid out by heads once for the way there and back."""

    def loss(x: cr.Tensor, g: cr.Tensor) -> cr.Tensor:
        q, k, v = (cr.tanh(x * n) for n in (1.0, 2.0, 3.0))
        heads = [t.reshape(2, 8, 3, 4).transpose(1, 2).reshape(6, 8, 4) for t in (q, k, v)]
        return (apply(ops.attention, *heads, causal=1, **HOW) * g).sum()

    arrays = np.ones((2, 8, 12), np.float32), np.ones((6, 8, 4), np.float32)
    graph = optimize(trace_function(cr.grad(loss), arrays, {}).graph)
    loops = [n for n in graph.nodes() if n.op == "scan"]
    copied = [n.inputs[0] for n in graph.nodes() if n.op == "fence"]
    assert len(loops) == 2
    assert len(copied) == len(set(copied))
    forward, backward = ({i.inputs[0] for i in loop.inputs if i.op == "reshape"} for loop in loops)
    assert len(forward) == 3
    assert forward <= backward
