"""Memory plan: nothing that lives at the same time may overlap, and dead room is used again."""

from __future__ import annotations

from itertools import combinations

from chainrule.passes import optimize
from chainrule.schedule import Doors, schedule
from chainrule.schedule.memory import lifetimes
from steps import perceptron_step


def test_live_buffers_do_not_overlap() -> None:
    program = schedule(optimize(perceptron_step((40, 64, 32, 10), 16)), Doors())
    lives = lifetimes(program.phases)
    assert len(lives) > 5
    for a, b in combinations(lives, 2):
        together = lives[a][0] <= lives[b][1] and lives[b][0] <= lives[a][1]
        start_a, start_b = program.offsets[a], program.offsets[b]
        apart = start_a + a.nbytes <= start_b or start_b + b.nbytes <= start_a
        assert apart or not together, (a, b)
    assert max(o + b.nbytes for b, o in program.offsets.items()) <= program.arena_bytes


def test_dead_memory_is_used_again() -> None:
    program = schedule(optimize(perceptron_step((64,) * 9 + (10,), 256)), Doors(), fusion=False)
    assert program.arena_bytes < sum(b.nbytes for b in program.offsets)


def test_nests_of_one_phase_do_not_race() -> None:
    """No two tasks of a phase touch the same buffer if one of them writes it."""
    program = schedule(optimize(perceptron_step((40, 64, 32, 10), 16)), Doors())
    for phase in program.phases:
        for a, b in combinations(phase, 2):
            written = {w.buffer for w in a.nest.writes}
            touched = {x.buffer for x in (*b.nest.reads, *b.nest.writes)}
            assert not written & touched
