"""Convolutions of spread arrays are taken apart into ones without zeros, with equal numbers."""

from __future__ import annotations

import numpy as np
import pytest

from chainrule import ops
from chainrule.interpret import interpret
from chainrule.ir.graph import Graph, full
from chainrule.ir.types import f32
from chainrule.passes.strided import skip_zeros
from steps import input_node

# sizes of the spread array, kernel, strides of the zeros, dilation, padding low and high
CASES = (
    ((4, 4), (3, 3), (2, 2), (1, 1), 1, 2),
    ((4, 5), (1, 1), (2, 2), (1, 1), 0, 1),
    ((3, 3), (2, 4), (3, 2), (1, 1), 3, 3),
    ((4, 4), (3, 3), (2, 1), (2, 2), 4, 3),
    ((5, 4), (5, 3), (2, 2), (1, 3), 6, 7),
    ((3,), (2,), (4,), (1,), 3, 1),
)


@pytest.mark.parametrize("extra", [0, 1], ids=["even", "odd"])
@pytest.mark.parametrize(("sizes", "kernel", "steps", "dilation", "low", "high"), CASES)
def test_the_numbers_are_the_same_without_the_zeros(
    sizes: tuple[int, ...],
    kernel: tuple[int, ...],
    steps: tuple[int, ...],
    dilation: tuple[int, ...],
    low: int,
    high: int,
    extra: int,
) -> None:
    count = len(sizes)
    x, w = input_node("arg", "x", (2, *sizes, 1, 3)), input_node("arg", "w", (*kernel, 1, 3, 4))
    lengths = [low + (n - 1) * s + 1 + high for n, s in zip(sizes, steps, strict=True)]
    out = [n - (k - 1) * d for n, k, d in zip(lengths, kernel, dilation, strict=True)]
    more = [-p % s + extra for p, s in zip(out, steps, strict=True)]
    spread = ops.pad(
        x, full(0.0, (), f32),
        low=(0, *[low] * count, 0, 0),
        high=(0, *(high + m for m in more), 0, 0),
        interior=(0, *(s - 1 for s in steps), 0, 0),
    )  # fmt: skip
    y = ops.conv(spread, w, strides=(1,) * count, dilation=dilation)
    graph = Graph((x, w), (y,))
    apart = skip_zeros(graph)
    assert all(not any(n.params["interior"]) for n in apart.nodes() if n.op == "pad")
    rng = np.random.default_rng(0)
    values = [rng.normal(size=n.shape).astype(np.float32) for n in graph.inputs]
    (before,), _ = interpret(graph, values)
    (after,), _ = interpret(apart, values)
    np.testing.assert_allclose(after, before, rtol=1e-5, atol=1e-5)


def test_without_zeros_between_nothing_changes() -> None:
    x, w = input_node("arg", "x", (1, 4, 1, 3)), input_node("arg", "w", (3, 1, 3, 4))
    edge = (0, 2, 0, 0)
    padded = ops.pad(x, full(0.0, (), f32), low=edge, high=edge, interior=(0,) * 4)
    graph = Graph((x, w), (ops.conv(padded, w, strides=(1,), dilation=(1,)),))
    assert skip_zeros(graph) is graph
