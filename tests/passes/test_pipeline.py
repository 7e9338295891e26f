"""Passes run where they have something to do, in their order."""

from __future__ import annotations

import pytest

from chainrule import ops
from chainrule.errors import VerifyError
from chainrule.ir.graph import Graph, full
from chainrule.ir.types import f32, f64
from chainrule.passes import PIPELINE, Pass, optimize
from steps import input_node


def plain() -> Graph:
    """Two transposes that could be one, and a padding of which nobody sees a part."""
    x = input_node("arg", "x", (3, 4))
    turned = ops.transpose(ops.exp(ops.transpose(x, perm=(1, 0))), perm=(1, 0))
    wide = ops.pad(turned, full(0.0, (), f32), low=(1, 1), high=(0, 0), interior=(0, 0))
    return Graph((x,), (ops.slice(wide, start=(1, 0), stop=(4, 5), step=(1, 1)),))


def convolution() -> Graph:
    x, w = input_node("arg", "x", (2, 5, 1, 3)), input_node("arg", "w", (2, 1, 3, 4))
    return Graph((x, w), (ops.conv(x, w, strides=(1,), dilation=(1,)),))


def marked(seen: list[str], needs: frozenset[str], required: bool = False) -> Pass:
    def run(graph: Graph) -> Graph:
        seen.append("run")
        return graph

    return Pass("marked", run, "shows that it ran", needs, required)


def test_a_pass_that_needs_a_primitive_waits_for_it() -> None:
    seen: list[str] = []
    step = marked(seen, frozenset({"conv", "conv_wgrad"}))
    graph = plain()
    assert step(graph) is graph
    assert seen == []
    step(convolution())
    assert seen == ["run"]


def test_a_pass_without_needs_always_runs() -> None:
    seen: list[str] = []
    marked(seen, frozenset())(plain())
    assert seen == ["run"]


@pytest.mark.parametrize("required", [False, True])
def test_only_a_pass_that_is_not_required_can_be_left_out(
    required: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[str] = []
    steps = (marked(seen, frozenset(), required), *PIPELINE)
    monkeypatch.setattr("chainrule.passes.pipeline.PIPELINE", steps)
    optimize(plain(), exclude=frozenset({"marked"}))
    assert seen == (["run"] if required else [])


def test_what_a_schedule_relies_on_is_required() -> None:
    assert [p.name for p in PIPELINE if p.required] == [
        "parts", "trees", "attention", "vocabulary", "bodies", "layout",
    ]  # fmt: skip


@pytest.mark.parametrize("name", ["transposes", "cropping", "depthwise", "strided"])
def test_passes_for_convolutions_leave_other_graphs_alone(name: str) -> None:
    (step,) = (p for p in PIPELINE if p.name == name)
    graph = plain()
    assert step(graph) is graph


def test_what_is_left_alone_could_be_rewritten() -> None:
    """The graph of the tests above is one that `cropping` has rules for."""
    (step,) = (p for p in PIPELINE if p.name == "cropping")
    graph = plain()
    assert step.run(graph) is not graph


def test_the_pass_that_breaks_a_rule_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def widen(graph: Graph) -> Graph:
        return graph.with_roots(ops.cast(root, dtype=f64) for root in graph.roots)

    steps = (*PIPELINE[:1], Pass("widen", widen, "breaks a rule"), *PIPELINE[1:])
    monkeypatch.setattr("chainrule.passes.pipeline.PIPELINE", steps)
    with pytest.raises(VerifyError, match=r"after pass `widen`: arrays of f64(.|\n)*= cast\("):
        optimize(plain())


def test_every_pass_is_observed_in_its_order() -> None:
    names: list[str] = []
    optimize(plain(), observe=lambda name, _: names.append(name))
    assert names == ["trace", *(p.name for p in PIPELINE)]
