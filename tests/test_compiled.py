"""Native code against the interpreter, on random graphs and on their derivatives.

A failing seed can be run alone: ``pytest tests/test_compiled.py -k "[seed]"``.
"""

from __future__ import annotations

import numpy as np
import pytest

from chainrule import ops
from chainrule.autodiff import cotangents
from chainrule.interpret import interpret
from chainrule.ir.graph import Graph, full_like
from chainrule.ir.types import Array, f32, f64
from compiled import run_native
from graphs import random_graph

SEEDS = range(8)


def agree(found: list[Array], graph: Graph, values: list[Array], which: int) -> None:
    """All but reals exactly; reals as near to double precision as single precision gets.

    How near that is depends on the graph: 1 - y * y loses digits when y is near 1, so the
    interpreter's own error in single precision is added to what sums of thousands of terms may
    lose to cancellation.
    """
    single, double = interpret(graph, values)[which], interpret(graph, values, f64)[which]
    real = [i for i, s in enumerate(single) if s.dtype.kind == "f"]
    scales = {i: float(np.abs(double[i]).max(initial=1.0)) for i in real}
    errors = [float(np.abs(single[i] - double[i]).max(initial=0.0)) / scales[i] for i in real]
    allowed = 4 * max(errors, default=0.0) + 1e-5
    for i, (a, s, d) in enumerate(zip(found, single, double, strict=True)):
        if i in scales:
            np.testing.assert_allclose(a, d, rtol=0, atol=allowed * scales[i])
        else:
            np.testing.assert_array_equal(a, s)


def same_bits(found: list[Array], expected: list[Array]) -> None:
    for a, b in zip(found, expected, strict=True):
        assert a.tobytes() == b.tobytes()


@pytest.mark.parametrize(
    ("cpu", "seed", "size"),
    [*(("x86-64", s, 24) for s in SEEDS), *((None, s, 60) for s in range(3))],
)
def test_random_graphs(seed: int, size: int, cpu: str | None) -> None:
    graph, values = random_graph(np.random.default_rng(1000 + seed), size)
    outputs, updates = run_native(graph, values, cpu=cpu)
    agree(outputs, graph, values, 0)
    agree(updates, graph, values, 1)


@pytest.mark.parametrize("seed", SEEDS[1:])
def test_derivatives_of_random_graphs_fused_and_not(seed: int) -> None:
    graph, values = random_graph(np.random.default_rng(2000 + seed), 24)
    ys = [y for y in graph.outputs if y.dtype.is_float]
    xs = [x for x in graph.inputs if x.dtype.is_float]
    slopes = cotangents(ys, [full_like(y, y.size**-0.5) for y in ys], xs)
    graph = Graph(graph.inputs, tuple(g for g in slopes if g is not None))
    fused, _ = run_native(graph, values)
    alone, _ = run_native(graph, values, fusion=False)
    same_bits(fused, alone)
    agree(fused, graph, values, 0)


def test_reshape_of_a_state_that_is_stored_transposed() -> None:
    """Merged axes lie one stride apart, and yet not in row-major order."""
    strides = (1, 75, 15)
    state = ops.input(kind="state", name="s", shape=(15, 5, 5), dtype=f32, strides=strides)
    graph = Graph((state,), (ops.reshape(state, shape=(5, 3, 25)),))
    value = np.arange(375, dtype=np.float32).reshape(15, 5, 5)
    same_bits(run_native(graph, [value])[0], [value.reshape(5, 3, 25)])
