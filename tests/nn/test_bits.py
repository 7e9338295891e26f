"""A network of convolutions has the same bits whatever runs it, and touches no dead memory."""

from __future__ import annotations

import numpy as np
import pytest

import chainrule as cr
from chainrule import optim
from chainrule.driver import Options, compile_graph
from chainrule.frontend.traced import trace_function
from chainrule.ir.types import Array
from chainrule.nn import functional as F
from chainrule.nn.models import GPT, LeNet5
from chainrule.runtime.link import link
from chainrule.runtime.program import NativeProgram
from chainrule.schedule import InputLayout

STEPS = 3


def trained(options: Options, threads: int, guarded: bool = False) -> list[Array]:
    """The losses and final states of some steps of a small network."""
    cr.manual_seed(0)
    model = LeNet5()
    opt = optim.SGD(model.parameters(), lr=0.05, momentum=0.9)

    def step(x: cr.Tensor, y: cr.Tensor) -> cr.Tensor:
        opt.zero_grad()
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        opt.step()
        return loss

    rng = np.random.default_rng(0)
    x = rng.normal(size=(5, 1, 28, 28)).astype(np.float32)
    y = rng.integers(0, 10, 5).astype(np.int32)
    traced = trace_function(step, (x, y), {})
    kinds = [n.params["kind"] for n in traced.graph.inputs]
    loose = frozenset(i for i, kind in enumerate(kinds) if kind == "arg")
    compiled = compile_graph(traced.graph, InputLayout(frozenset(), loose), options)
    names = [compiled.meta.slots[i].name for i, kind in enumerate(kinds) if kind == "state"]
    states = [t.settle() for t in traced.states]
    linked = link(compiled.objects, [compiled.meta.entry])
    bound = dict(zip(names, states, strict=True))
    program = NativeProgram(linked, compiled.meta, bound, guarded=guarded)
    before = cr.get_num_threads()
    cr.set_num_threads(threads)
    try:
        scalars = [f(0) for f in traced.scalars]
        losses = [program(x, y, scalars=scalars)[0] for _ in range(STEPS)]
    finally:
        cr.set_num_threads(before)
    return [*losses, *(s.copy() for s in states)]


@pytest.mark.parametrize(
    ("options", "threads", "guarded"),
    [
        (Options(), 2, False),
        (Options(), 3, True),  # dead memory is NaN before each step, the edges are watched
        (Options(fusion=False, hasty=True), 2, False),
        (Options(cpu="haswell"), 1, False),
    ],
)
def test_threads_fusion_processor_haste_and_poison_change_no_bit(
    options: Options, threads: int, guarded: bool
) -> None:
    expected = trained(Options(), 1)
    for a, b in zip(trained(options, threads, guarded), expected, strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_transformer_has_the_same_bits_on_any_number_of_threads() -> None:
    def losses(threads: int) -> tuple[list[float], list[Array]]:
        cr.manual_seed(0)
        model = GPT(19, 24, 32, 1, 2, dropout=0.1)
        opt = optim.AdamW(model.parameters(), lr=0.01)

        @cr.compile
        def step(x: cr.Tensor, y: cr.Tensor) -> cr.Tensor:
            opt.zero_grad()
            loss = F.cross_entropy(model(x).flatten(0, 1), y.flatten())
            loss.backward()
            opt.step()
            return loss

        rng = np.random.default_rng(0)
        x, y = (rng.integers(0, 19, (5, 23)).astype(np.int32) for _ in range(2))
        before = cr.get_num_threads()
        cr.set_num_threads(threads)
        try:
            found = [step(x, y).item() for _ in range(3)]
        finally:
            cr.set_num_threads(before)
        return found, [p.numpy() for p in model.parameters()]

    expected, weights = losses(1)
    for threads in (2, 3):
        found, others = losses(threads)
        assert found == expected
        for a, b in zip(others, weights, strict=True):
            np.testing.assert_array_equal(a, b)
