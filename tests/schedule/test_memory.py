"""Memory plan: nothing that lives at the same time may overlap, and dead room is used again."""

from __future__ import annotations

from itertools import combinations

from chainrule import ops
from chainrule.ir.graph import Graph, full
from chainrule.ir.types import f32
from chainrule.passes import optimize
from chainrule.schedule import InputLayout, schedule
from chainrule.schedule.memory import lifetimes
from steps import input_node, perceptron_step


def test_live_buffers_do_not_overlap() -> None:
    program = schedule(optimize(perceptron_step((40, 64, 32, 10), 16)), InputLayout())
    lives = lifetimes(program.phases)
    assert len(lives) > 5
    for a, b in combinations(lives, 2):
        together = lives[a][0] <= lives[b][1] and lives[b][0] <= lives[a][1]
        start_a, start_b = program.offsets[a], program.offsets[b]
        apart = start_a + a.nbytes <= start_b or start_b + b.nbytes <= start_a
        assert apart or not together, (a, b)
    assert max(o + b.nbytes for b, o in program.offsets.items()) <= program.arena_bytes


def test_dead_memory_is_used_again() -> None:
    program = schedule(
        optimize(perceptron_step((64,) * 9 + (10,), 256)), InputLayout(), fusion=False
    )
    assert program.arena_bytes < sum(b.nbytes for b in program.offsets)


def test_nests_of_one_phase_do_not_race() -> None:
    """No two tasks of a phase touch the same buffer if one of them writes it."""
    program = schedule(optimize(perceptron_step((40, 64, 32, 10), 16)), InputLayout())
    assert any(len(phase) > 1 for phase in program.phases)
    for phase in program.phases:
        for a, b in combinations(phase, 2):
            written = {w.buffer for w in a.nest.writes}
            touched = {x.buffer for x in (*b.nest.reads, *b.nest.writes)}
            assert not written & touched


def test_zeros_around_an_array_are_written_once_for_all_steps() -> None:
    x = input_node("arg", "x", (4, 5))
    padded = ops.pad(x * 2.0, full(0.0, (), f32), low=(1, 1), high=(1, 1), interior=(0, 0))
    graph = Graph((x,), (ops.reduce_sum(padded * padded, axes=(0,)),))
    program = schedule(optimize(graph), InputLayout())
    (kept,) = (b for b in program.offsets if b.kept)
    assert program.kept_bytes >= kept.nbytes
    assert all(o >= program.kept_bytes for b, o in program.offsets.items() if not b.kept)
    nests = [task.nest for phase in program.phases for task in phase]
    writers = [n for n in nests if any(a.buffer is kept for a in n.writes)]
    assert [nest.dims for nest in writers] == [(4, 5)]  # the inside alone
