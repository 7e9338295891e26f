"""The verifier finds defects that are planted, and says where."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from chainrule import ops
from chainrule.errors import VerifyError
from chainrule.ir.graph import Graph, Location, Node, at, constant, full
from chainrule.ir.types import DType, f32, f64, i32
from chainrule.ir.verify import STAGES, verify
from gradients import variable
from graphs import random_graph

X = variable("x", (2, 3), f32)
STATE = ops.input(kind="state", name="w", shape=(2, 3), dtype=f32, strides=(3, 1))


def changed(node: Node, **fields: Any) -> Node:
    """``node`` with other fields, past all checks."""
    names = ("primitive", "inputs", "params", "shape", "dtype", "location")
    return Node(**{n: fields.get(n, getattr(node, n)) for n in names})


def outputs(*nodes: Node) -> Graph:
    return Graph((X, STATE), nodes)


def unknown_primitive() -> Graph:
    stranger = object.__new__(type(ops.neg))
    object.__setattr__(stranger, "name", "stranger")
    return outputs(changed(ops.neg(X), primitive=stranger))


def writeable_constant() -> Graph:
    node = constant(1.0, f32)
    return outputs(changed(node, params={"value": np.array(1.0, np.float32)}))


def wide_array() -> Graph:
    return outputs(ops.cast(X, dtype=f64))


ASSIGN = ops.assign(STATE, ops.exp(X))
DEFECTS: dict[str, tuple[Callable[[], Graph], str]] = {
    "unknown primitive": (unknown_primitive, "`stranger` is not declared"),
    "wrong shape": (lambda: outputs(changed(ops.neg(X), shape=(3, 2))), r"says f32\[2,3\]"),
    "wrong dtype": (lambda: outputs(changed(ops.neg(X), dtype=i32)), r"says f32\[2,3\]"),
    "wrong inputs": (
        lambda: outputs(changed(X + X, inputs=(X, ops.transpose(X, perm=(1, 0))))),
        "refuses its inputs: `add` needs equal shapes",
    ),
    "missing input": (lambda: outputs(changed(X + X, inputs=(X,))), "refuses its inputs"),
    "missing param": (
        lambda: outputs(changed(ops.reduce_sum(X, axes=(0,)), params={})),
        "refuses its inputs",
    ),
    "list param": (
        lambda: outputs(changed(ops.reduce_sum(X, axes=(0,)), params={"axes": [0]})),
        "no plain value",
    ),
    "numpy param": (
        lambda: outputs(changed(ops.reduce_sum(X, axes=(0,)), params={"axes": (np.int64(0),)})),
        "no plain value",
    ),
    "numpy shape": (
        lambda: outputs(changed(ops.neg(X), shape=(np.int64(2), 3))),
        "not a tuple of Python integers",
    ),
    "writeable constant": (writeable_constant, "read-only"),
    "undeclared input": (lambda: Graph((), (ops.neg(X),)), "'x' is used but not declared"),
    "input twice": (lambda: Graph((X, X), (X,)), "twice"),
    "input that is none": (lambda: Graph((ops.neg(X),), ()), "is none|not declared"),
    "assign as output": (lambda: Graph((X, STATE), (ASSIGN,)), "among the outputs"),
    "assign read": (lambda: outputs(ops.neg(ASSIGN)), "result of an assign"),
    "update that is none": (lambda: Graph((X, STATE), (), (X,)), "is no assign"),
    "state twice": (
        lambda: Graph((X, STATE), (), (ASSIGN, ops.assign(STATE, X))),
        "'w' is assigned twice",
    ),
    "assign to an argument": (
        lambda: Graph((X, STATE), (), (changed(ASSIGN, inputs=(X, X)),)),
        "which is no state",
    ),
}


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("name", DEFECTS)
def test_planted_defects_are_found(name: str, stage: str) -> None:
    plant, says = DEFECTS[name]
    with pytest.raises(VerifyError, match=says) as caught:
        verify(plant(), stage)
    assert f"stage `{stage}`" in str(caught.value)


def test_arrays_of_doubles_are_for_the_interpreter() -> None:
    verify(wide_array(), "trace")
    with pytest.raises(VerifyError, match="interpreter only"):
        verify(wide_array(), "graph")


def test_the_error_names_node_and_line() -> None:
    with at(Location("train.py", 31)):
        bad = changed(ops.mul(X, full(2.0, (2, 3), f32)), dtype=DType.i32)
    bad = changed(bad, location=Location("train.py", 31))
    with pytest.raises(VerifyError) as caught:
        verify(outputs(ops.exp(X), bad), "graph")
    message = str(caught.value)
    assert "%5 = mul(%0, %4) : i32[2,3]" in message
    assert "where: train.py:31" in message


@pytest.mark.parametrize("seed", range(10))
def test_random_graphs_are_legal(seed: int) -> None:
    graph, _ = random_graph(np.random.default_rng(seed), 80)
    for stage in STAGES:
        verify(graph, stage)
