"""Rewriting: what changes, what stays the very same object, and what happens to bad rules."""

from __future__ import annotations

import numpy as np
import pytest

from chainrule import ops
from chainrule.errors import CompileError
from chainrule.interpret import interpret
from chainrule.ir.graph import Graph, Location, Node, at
from chainrule.ir.rewrite import map_nodes, rewrite, with_inputs
from chainrule.ir.text import canonical
from chainrule.ir.types import f32
from gradients import variable
from graphs import random_graph

X = variable("x", (4,), f32)


def drop_log_of_exp(node: Node) -> Node | None:
    """log(exp(x)) -> x"""
    inner = node.inputs[0] if node.op == "log" else None
    return inner.inputs[0] if inner is not None and inner.op == "exp" else None


def spell_neg_as_sub(node: Node) -> Node | None:
    """-x -> 0 - x"""
    return 0 - node.inputs[0] if node.op == "neg" else None


def swap_sides(node: Node) -> Node | None:
    """a + b -> b + a, for ever"""
    return ops.add(*reversed(node.inputs)) if node.op == "add" else None


def test_rules_apply_bottom_up_and_to_their_own_results() -> None:
    deep = ops.log(ops.exp(ops.log(ops.exp(-X))))
    graph = rewrite(Graph((X,), (deep,)), [drop_log_of_exp, spell_neg_as_sub])
    assert canonical(graph) == canonical(Graph((X,), (0 - X,)))


def test_a_value_used_twice_is_rewritten_once() -> None:
    shared = -X
    graph = rewrite(Graph((X,), (shared * shared,)), [spell_neg_as_sub])
    a, b = graph.outputs[0].inputs
    assert a is b
    assert a.op == "sub"


@pytest.mark.parametrize("seed", range(5))
def test_nothing_changed_is_identity(seed: int) -> None:
    graph, _ = random_graph(np.random.default_rng(seed), 50)
    assert rewrite(graph, [drop_log_of_exp]).roots == graph.roots
    assert map_nodes(graph, lambda node: node) is graph


def test_rewriting_keeps_numbers_and_locations() -> None:
    graph, values = random_graph(np.random.default_rng(7), 80)
    changed = rewrite(graph, [drop_log_of_exp, spell_neg_as_sub])
    assert not any(n.op == "neg" for n in changed.nodes())
    for a, b in zip(interpret(graph, values), interpret(changed, values), strict=True):
        for u, v in zip(a, b, strict=True):
            np.testing.assert_array_equal(u, v)
    with at(Location("train.py", 3)):
        node = ops.exp(X)
    assert with_inputs(node, [X * 2]).location == Location("train.py", 3)


def test_map_nodes_leaves_inputs_alone() -> None:
    graph = map_nodes(Graph((X,), (X + 1,)), lambda n: ops.neg(n) if n.op == "add" else n)
    assert graph.inputs == (X,)
    assert graph.outputs[0].op == "neg"


def test_rules_that_go_in_circles_are_named() -> None:
    with pytest.raises(CompileError, match="swap_sides: a \\+ b -> b \\+ a"):
        rewrite(Graph((X,), (X + 1,)), [swap_sides])
