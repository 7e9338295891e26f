"""Printing and parsing are inverse to each other, to the last bit."""

from __future__ import annotations

import numpy as np
import pytest

from chainrule import ops
from chainrule.interpret import interpret
from chainrule.ir.graph import Graph, Location, at, constant
from chainrule.ir.parse import parse
from chainrule.ir.text import canonical, to_text
from chainrule.ir.types import Array, DType, f32
from gradients import variable
from graphs import random_graph


def test_a_graph_as_text() -> None:
    with at(Location("fit.py", 12)):
        x = variable("x", (2, 3), f32)
        y = ops.reduce_sum(x * 0.5, axes=(1,))
    state = ops.input(kind="state", name="w", shape=(2,), dtype=f32, strides=(1,))
    graph = Graph((x, state), (y,), (ops.assign(state, y),))
    expected = """\
%0 = input() {dtype=f32, kind="arg", name="x", shape=(2, 3), strides=(3, 1)} : f32[2,3] @ fit.py:12
%1 = input() {dtype=f32, kind="state", name="w", shape=(2), strides=(1)} : f32[2]
%2 = const() {value=f32[]<0.5>} : f32[] @ fit.py:12
%3 = broadcast(%2) {axes=(), shape=(2, 3)} : f32[2,3] @ fit.py:12
%4 = mul(%0, %3) : f32[2,3] @ fit.py:12
%5 = reduce_sum(%4) {axes=(1)} : f32[2] @ fit.py:12
%6 = assign(%1, %5) : f32[2] @ fit.py:12
inputs %0, %1
outputs %5
updates %6
"""
    assert to_text(graph) == expected
    assert to_text(parse(expected)) == expected
    assert canonical(graph) == expected.replace(" @ fit.py:12", "")
    assert canonical(parse(expected)) == canonical(graph)


@pytest.mark.parametrize("seed", range(20))
def test_random_graphs_round_trip(seed: int) -> None:
    graph, values = random_graph(np.random.default_rng(seed), 60)
    text = to_text(graph)
    again = parse(text)
    assert to_text(again) == text
    for a, b in zip(interpret(graph, values), interpret(again, values), strict=True):
        for u, v in zip(a, b, strict=True):
            np.testing.assert_array_equal(u, v)


AWKWARD: list[Array] = [
    np.array([0.1, -0.0, 1e-45, 3.4e38, np.inf, -np.inf], np.float32),
    np.array(np.nextafter(1.0, 2.0)),
    np.array([0x7FC00001, 0xFFC00000, 0x7F800001], np.uint32).view(np.float32),  # three NaNs
    np.array([], np.float32),
    np.zeros((0, 3), np.int32),
    np.array([[-(2**31), 2**31 - 1]], np.int32),
    np.array([-(2**15), 2**15 - 1], np.int16),
    np.array([2**32 - 1], np.uint32),
    np.array(True),
    np.arange(100, dtype=np.uint8).reshape(4, 25),
    np.random.default_rng(0).random(65) < 0.5,
    np.random.default_rng(0).normal(size=(5, 33)),
]


@pytest.mark.parametrize("value", AWKWARD, ids=lambda v: f"{v.dtype}{v.shape}")
def test_constants_keep_every_bit(value: Array) -> None:
    [node] = parse(to_text(Graph((), (constant(value),)))).outputs
    assert node.params["value"].tobytes() == value.tobytes()
    assert (node.shape, node.dtype) == (value.shape, DType.of(value.dtype))
    assert not node.params["value"].flags.writeable


def test_names_and_files_may_hold_anything() -> None:
    with at(Location("my dir/@ a:b.py", 3)):
        x = ops.input(kind="arg", name='a "b", {c}\n', shape=(), dtype=f32, strides=())
    [again] = parse(to_text(Graph((x,), (x,)))).inputs
    assert again.params["name"] == 'a "b", {c}\n'
    assert again.location == Location("my dir/@ a:b.py", 3)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("%1 = iota() {axis=0, shape=(2)} : i32[2]", "here %0"),
        ("%0 = iota() {axis=0, shape=(2)} : i32[3]", r"has type i32\[2\]"),
        ("%0 = neg(%7) : f32[2]", "%7 is not defined"),
        ("%0 = iota() {axis=?} : i32[2]", "column 19"),
        ("%0 = iota( : i32[2]", "line 1, column 12"),
        ("%0 = what() : i32[2]", "unknown primitive `what`"),
        ("%0 = iota() {axis=0} : i32[2]", "line 1: iota.*shape"),
        ("roots %0", "a node, inputs, outputs or updates"),
    ],
)
def test_what_is_no_graph_is_refused(text: str, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        parse(text)
