"""No primitive is half there: every declaration has all its parts, everywhere they belong."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from chainrule import ops
from chainrule.interpret import interpret
from chainrule.ir.graph import Graph, Node, topological
from chainrule.ir.primitive import Primitive, primitives
from chainrule.ir.types import Array, f64
from compiled import run_native
from gradients import application
from grower import Grower
from makers import MAKERS
from turns import random_turns

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


def kind(value: object) -> str:
    """What is alike of two values of a parameter."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value) if value in (0, 1) else "negative" if value < 0 else "more"
    return repr(value) if value is None or isinstance(value, bool) else type(value).__name__


def features(node: Node) -> Iterator[tuple[object, ...]]:
    """In what ways the primitive of ``node`` is used: types, scalars, parameters, axes."""
    yield tuple(f"{n.dtype.name}{'[]' * (n.ndim > 0)}" for n in node.inputs)
    for name, value in node.params.items():
        listed = value if isinstance(value, tuple) else (value,)
        yield from ((name, kind(v)) for v in listed or ("none at all",))
    for i, operand in enumerate(node.inputs):
        yield ("operand", i, "axes", operand.ndim)
        yield from (("operand", i, operand.ndim, a) for a, n in enumerate(operand.shape) if n > 1)


@cache
def drawn(draws: int = 250) -> dict[str, set[tuple[object, ...]]]:
    """The features of what random graphs are made of."""
    rng, found = np.random.default_rng(0), defaultdict[str, set[tuple[object, ...]]](set)
    for make in MAKERS.values():
        for _ in range(draws):
            for node in topological((make(Grower(rng)),)):
                found[node.op].update(features(node))
    return found


@every
def test_is_fuzzed_in_all_the_ways_of_its_samples(primitive: Primitive) -> None:
    """A fault of groups, dilation or boolean operands is not found by graphs without them."""
    if primitive.name in {*APART, "assign", "scan"}:  # a loop takes whatever its body reads
        return
    sampled = set()
    for sample in primitive.samples(np.random.default_rng(0)):
        y, _, env = application(primitive, sample)
        if not any(n.dtype is f64 and n.shape for n in (y, *env)):
            sampled.update(features(y))
    assert sampled - drawn()[primitive.name] == set()


def test_states_that_lie_otherwise_are_fuzzed() -> None:
    """Stored across, read through each kind of view, given what is turned, a part, or another
    state, and carried by loops that turn what they carry."""
    rng, read, written = np.random.default_rng(0), set(), set()
    counts: Counter[str] = Counter()
    for _ in range(60):
        graph, _ = random_turns(rng, 6)
        states = {n for n in graph.inputs if n.params["kind"] == "state"}
        strides = [n.params["strides"] for n in states]
        counts["across"] += sum(list(own) != sorted(own, reverse=True) for own in strides)
        for node in graph.nodes():
            read.update(
                (node.op, min(node.params.get("step", (1,))))
                for operand in node.inputs if operand in states
            )  # fmt: skip
            if node.op == "scan":
                counts["carried"] += any(
                    n.op == "transpose" and n.inputs[0].op == "input"
                    for n in topological(node.params["body"].outputs)
                )
        for update in graph.updates:
            state, value = update.inputs
            written.add(value.op)
            while value.primitive.movement:
                value = value.inputs[0]
            counts["turned"] += value is state
            counts["exchanged"] += value is not state and value in states
    assert {("transpose", 1), ("reshape", 1), ("slice", 1), ("slice", -2)} <= read
    assert {"transpose", "reshape", "concat", "add", "tanh"} <= written
    assert min(counts[way] for way in ("across", "carried", "turned", "exchanged")) > 3, counts


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
