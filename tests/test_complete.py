"""No primitive is half there: every declaration has all its parts, everywhere they belong."""

from __future__ import annotations

import re
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest

from chainrule import ops
from chainrule.interpret import interpret
from chainrule.ir.graph import Graph, Node
from chainrule.ir.primitive import Primitive, primitives
from chainrule.ir.types import Array, f64
from compiled import run_native
from gradients import application
from graphs import MAKERS

ROOT = Path(__file__).parent.parent
#: real results from real operands, and yet no derivative
NOT_DIFFERENTIABLE = {"assign"}

#: "input" computes nothing, and "item" takes apart what "scan" computes
APART = {"input", "item"}

every = pytest.mark.parametrize("primitive", primitives().values(), ids=lambda p: p.name)


@every
def test_has_samples(primitive: Primitive) -> None:
    """Several, always the same for one seed, and of awkward sizes."""
    if primitive.name in APART:
        return
    first = list(primitive.samples(np.random.default_rng(0)))
    again = list(primitive.samples(np.random.default_rng(0)))
    assert first
    for a, b in zip(first, again, strict=True):
        assert a.params.keys() == b.params.keys()
        for u, v in zip(a.inputs, b.inputs, strict=True):
            np.testing.assert_array_equal(u, v)


@every
def test_declares_its_derivative(primitive: Primitive) -> None:
    """Where real numbers lead to real numbers there is a rule, unless listed above."""
    if primitive.name in APART:
        return
    real = False
    for sample in primitive.samples(np.random.default_rng(0)):
        if primitive.name in NOT_DIFFERENTIABLE:
            break
        y, xs, _ = application(primitive, sample)
        real |= y.dtype.is_float and bool(xs)
    assert (primitive.vjp is not None) == real


@every
def test_is_exported(primitive: Primitive) -> None:
    name = primitive.name + "_" * (primitive.name in ("not", "and", "or"))
    assert getattr(ops, name) is primitive
    assert name in ops.__all__


@every
def test_is_fuzzed(primitive: Primitive) -> None:
    assert primitive.name in MAKERS or primitive.name == "assign"  # every graph has updates


@every
def test_compiles_to_the_same_numbers(primitive: Primitive) -> None:
    """All samples as one native program, against the reference."""
    inputs: list[Node] = []
    values: list[Array] = []
    results: list[Node] = []
    for sample in primitive.samples(np.random.default_rng(6)):
        if primitive.name == "assign":
            return  # tests of whole steps write states
        y, _, env = application(primitive, sample)
        if any(n.dtype is f64 and n.shape for n in (y, *env)):
            continue  # arrays of doubles are for the interpreter
        inputs += env
        values += env.values()
        results.append(y)
    graph = Graph(tuple(inputs), tuple(results))
    expected, _ = interpret(graph, values)
    found, _ = run_native(graph, values)
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=2e-6, atol=2e-6)


def test_the_table_of_the_architecture_lists_all_primitives() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| ((?:`[a-z_0-9 ]+` ?)+) \|", text, re.MULTILINE)
    listed = [name for row in rows for name in row.replace("`", "").split()]
    assert [n for n in primitives() if n not in listed] == []
    assert f"| {len(primitives())} primitives |" in text
    counts: dict[str, int] = defaultdict(int)
    for name in listed:
        counts[name] += 1
    assert [n for n in primitives() if counts[n] > 1] == []
