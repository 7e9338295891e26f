"""The whole way in a few seconds: run this after every change, and everything before a commit.

One test for each level, from a primitive to a step of training in native code.
"""

from __future__ import annotations

import numpy as np

from chainrule.interpret import interpret
from chainrule.ir.graph import Graph
from chainrule.ir.parse import parse
from chainrule.ir.primitive import primitives
from chainrule.ir.text import to_text
from chainrule.ir.types import f32, f64
from chainrule.ir.verify import verify
from chainrule.passes import optimize
from compiled import run_native
from gradients import application, check_primitive
from graphs import random_graph
from steps import perceptron_step, step_values

#: whose derivatives are not those of their values
APART = {"fence", "detour", "item"}


def test_every_primitive_computes_and_differentiates() -> None:
    checked = set()
    for primitive in primitives().values():
        # Of its own, so that samples stay what they are when another primitive gets more.
        rng = np.random.default_rng(list(primitive.name.encode()))
        for sample in primitive.samples(rng) if primitive.name != "assign" else ():
            y, xs, env = application(primitive, sample)
            [value], _ = interpret(Graph(tuple(env), (y,)), list(env.values()))
            assert (value.shape, value.dtype) == (y.shape, y.dtype.numpy)
            if primitive.vjp is not None and xs and y.dtype.is_float and y.op not in APART:
                check_primitive(primitive, sample, rng)
                checked.add(primitive.name)
    assert checked == {p.name for p in primitives().values() if p.vjp is not None} - APART


def test_random_graphs_survive_text_passes_and_compilation() -> None:
    for seed in range(3):
        graph, values = random_graph(np.random.default_rng(seed), 50)
        verify(graph, "trace")
        graph = parse(to_text(graph))
        expected = interpret(graph, values)
        for found in (interpret(optimize(graph), values), run_native(graph, values)):
            for ours, theirs in zip(found, expected, strict=True):
                for a, b in zip(ours, theirs, strict=True):
                    np.testing.assert_allclose(a, b, rtol=2e-5, atol=2e-4)


def test_a_network_learns_the_same_in_native_code() -> None:
    """Ten steps of the interpreter in double and of native code in single, from one start."""
    graph = perceptron_step((5, 7, 3), 6)
    start = step_values(graph)
    start[1] = start[1] % 3
    names = [n.params["name"] for n in graph.inputs]
    states = [names.index(u.inputs[0].params["name"]) for u in graph.updates]
    losses: dict[str, list[float]] = {"native": [], "double": []}
    for way in losses:
        values = list(start)
        for _ in range(10):
            if way == "native":
                outputs, updates = run_native(graph, values)
            else:
                outputs, updates = interpret(graph, values, f64)
            for place, value in zip(states, updates, strict=True):
                values[place] = value
            losses[way].append(float(outputs[0]))
    np.testing.assert_allclose(losses["native"], losses["double"], rtol=1e-5)
    assert losses["native"][-1] < losses["native"][0]
    assert graph.outputs[0].dtype is f32
