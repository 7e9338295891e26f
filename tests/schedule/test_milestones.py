"""Outputs that are awaited are complete when the program says so, and not a phase before."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
import pytest

from chainrule import ops
from chainrule.autodiff import cotangents
from chainrule.errors import VerifyError
from chainrule.ir.graph import Graph, full_like
from chainrule.ir.types import Array
from chainrule.passes import optimize
from chainrule.schedule import InputLayout, schedule
from chainrule.schedule.nest import Milestone, Program
from chainrule.schedule.simulate import POISON, _Run
from chainrule.schedule.verify import make_shadow, verify_program
from fuzz import Case
from schedule.test_meaning import physical
from schedule.test_verify import THROUGH_T, X, Y, at, copy, program
from steps import input_node

CASES = 24


def groups_of(graph: Graph, rng: np.random.Generator) -> tuple[tuple[int, ...], ...]:
    """All outputs in any order, in some groups."""
    order = rng.permutation(len(graph.outputs))
    edges = np.flatnonzero(rng.random(max(len(order) - 1, 0)) < 0.5) + 1
    return tuple(tuple(map(int, group)) for group in np.split(order, edges))


def made(case: Case) -> tuple[Graph, list[Array], Program]:
    """A random program, all of whose outputs are awaited."""
    graph, values = case.graph()
    groups = groups_of(graph, np.random.default_rng(case.seed))
    return graph, values, schedule(optimize(graph), InputLayout(awaited=groups))


def simulated(graph: Graph, values: Sequence[Array], program: Program) -> Iterator[list[Array]]:
    """The outputs as they are after each phase."""
    inputs = [
        physical(np.asarray(v), n.params["strides"])
        for n, v in zip(graph.inputs, values, strict=True)
    ]
    outputs = [np.zeros(n.size, n.dtype.numpy) for n in graph.outputs]
    for output in outputs:
        output.view(np.uint8)[:] = POISON
    arena = np.zeros(program.arena_bytes, np.uint8)
    run = _Run(program, [*inputs, *outputs], arena, 0, None, make_shadow(program))
    for phase in program.phases:
        run.phases((phase,), ())
        yield outputs


def premature(case: Case, shift: int = 0) -> int:
    """How many outputs change after the phase by which they should be complete, moved by ``shift``
    phases."""
    graph, values, program = made(case)
    said: dict[int, bytes] = {}
    for number, outputs in enumerate(simulated(graph, values, program)):
        for milestone in program.milestones:
            if milestone.phase + shift == number:
                slots = (slot - program.inputs for slot in milestone.slots)
                said.update({i: outputs[i].tobytes() for i in slots})
    return sum(said[i] != outputs[i].tobytes() for i in said)


def has_elements(case: Case) -> bool:
    return all(node.size for node in case.graph()[0].nodes())


PROGRAMS = [case for seed in range(CASES) if has_elements(case := Case(seed, 12))]


@pytest.mark.parametrize("case", PROGRAMS, ids=lambda case: str(case.seed))
def test_what_is_said_to_be_complete_is(case: Case) -> None:
    assert premature(case) == 0


def test_a_phase_earlier_it_would_not_be() -> None:
    """So the test above is not one of programs that are complete from the beginning."""
    assert sum(premature(case, -1) > 0 for case in PROGRAMS) > len(PROGRAMS) // 3


def test_too_early_a_milestone_is_refused() -> None:
    refused = 0
    for case in PROGRAMS:
        _, _, program = made(case)
        verify_program(program)
        before = 0
        for i, (phase, slots) in enumerate(program.milestones):
            if phase > before:
                early = list(program.milestones)
                early[i] = Milestone(phase - 1, slots)
                with pytest.raises(VerifyError, match=r"stores all of|counts as complete"):
                    verify_program(replace(program, milestones=tuple(early)))
                refused += 1
            before = phase
    assert refused > len(PROGRAMS) // 3


def test_what_is_stored_again_is_not_complete() -> None:
    again = program(*THROUGH_T, (copy(at(Y, 0, 1), at(X, 0, 1)),))
    verify_program(again)
    verify_program(replace(again, milestones=(Milestone(2, (1,)),)))
    with pytest.raises(VerifyError, match="nest copy stores %out0, which counts as complete"):
        verify_program(replace(again, milestones=(Milestone(1, (1,)),)))
    with pytest.raises(VerifyError, match="nobody stores all of out0"):
        verify_program(replace(again, milestones=(Milestone(0, (1,)),)))


def test_gradients_of_the_last_layers_are_complete_first() -> None:
    """Nothing holds a gradient back until the end of the backward pass."""
    x = input_node("arg", "x", (16, 40))
    h, weights = x, []
    for number, shape in enumerate(itertools.pairwise((40, 64, 48, 32, 10))):
        weights.append(input_node("state", f"{number}.weight", shape))
        h = ops.tanh(ops.dot(h, weights[-1]))
    gradients = [g for g in cotangents([h], [full_like(h, 1.0)], weights) if g is not None]
    graph = Graph((x, *weights), tuple(gradients))
    layout = InputLayout(awaited=((3,), (2,), (1,), (0,)))
    phases = [m.phase for m in schedule(optimize(graph), layout).milestones]
    assert len(set(phases)) == 4, phases
