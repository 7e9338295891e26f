"""Loops in programs: their memory, who does their rows, and what the proof refuses."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import chainrule as cr
from chainrule.errors import VerifyError
from chainrule.frontend import trace_function
from chainrule.ir.types import Array, f32
from chainrule.passes import optimize
from chainrule.schedule import InputLayout, schedule
from chainrule.schedule.buffers import Buffer
from chainrule.schedule.nest import Loop, Nest, Program, nests_of
from chainrule.schedule.rows import MOST_ROWS
from chainrule.schedule.simulate import simulate_program
from chainrule.schedule.text import program_text
from chainrule.schedule.verify import verify_program

RNG = np.random.default_rng(1)


def program_of(function: object, *arrays: Array, fusion: bool = True) -> Program:
    traced = trace_function(function, arrays, {})  # type: ignore[arg-type]
    return schedule(optimize(traced.graph), InputLayout(), fusion=fusion)


def the_loops(program: Program) -> list[Loop]:
    return [t.nest for phase in program.phases for t in phase if isinstance(t.nest, Loop)]


def recurrent(rows: int, width: int, steps: int = 6) -> Program:
    def loss(w: cr.Tensor, x: cr.Tensor) -> cr.Tensor:
        h, _ = cr.scan(lambda h, x: (cr.tanh(h @ w + x), None), cr.zeros(rows, width), x)
        return (h * h).sum()

    w = RNG.normal(size=(width, width)).astype(np.float32)
    x = RNG.normal(size=(steps, rows, width)).astype(np.float32)
    return program_of(cr.grad(loss), w, x)


@pytest.mark.parametrize(
    ("rows", "pieces"), [(32, 2), (24, 2), (64, 4), (8, 2), (6, 2), (7, 0), (4, 0), (1, 0)]
)
def test_rows_are_shared_out_in_equal_pieces(rows: int, pieces: int) -> None:
    for loop in the_loops(recurrent(rows, 40)):
        assert loop.pieces == pieces
        for nest in nests_of(loop.phases):
            assert nest.piece * pieces == (rows if pieces else 0)
            assert nest.piece <= MOST_ROWS


@pytest.mark.parametrize("width", [4, 512])
def test_rows_too_short_or_weights_too_large_leave_barriers(width: int) -> None:
    """Rows of four numbers fill no vector; a megabyte of weights is halved by columns."""
    assert all(not loop.pieces for loop in the_loops(recurrent(32, width, 2)))


def test_a_mean_over_rows_needs_all_of_them() -> None:
    def f(x: cr.Tensor) -> cr.Tensor:
        return cr.scan(lambda h, x: (cr.tanh(h - h.mean(0) + x), None), cr.zeros(32, 40), x)[0]

    [loop] = the_loops(program_of(f, np.zeros((3, 32, 40), np.float32)))
    assert not loop.pieces


def test_the_program_does_not_grow_with_the_number_of_steps() -> None:
    few, many = (program_text(recurrent(8, 16, steps)) for steps in (16, 512))
    assert len(few.splitlines()) == len(many.splitlines())


def test_a_carry_that_is_stacked_anyway_is_written_where_it_is_stacked() -> None:
    def f(x: cr.Tensor) -> tuple[cr.Tensor, cr.Tensor]:
        return cr.scan(lambda h, x: (cr.tanh(h + x), cr.tanh(h + x)), cr.zeros(8, 16), x)

    program = program_of(f, np.zeros((5, 8, 16), np.float32))
    [loop] = the_loops(program)
    [nest] = nests_of(loop.phases)
    assert len(nest.stores) == 1
    assert nest.stores[0].access.buffer.root.size == 6 * 8 * 16


def test_one_that_is_not_takes_turns_with_itself() -> None:
    def f(x: cr.Tensor) -> cr.Tensor:
        return cr.scan(lambda h, x: (cr.tanh(h + x), None), cr.zeros(8, 16), x)[0]

    [loop] = the_loops(program_of(f, np.zeros((5, 8, 16), np.float32)))
    [nest] = nests_of(loop.phases)
    assert nest.stores[0].access.buffer.root.size == 2 * 8 * 16
    assert nest.stores[0].access.buffer.period == 2


# ------------------------------------------------------------------------------------- the proof


def changed(program: Program, change: object) -> Program:
    """``program`` with every nest inside of its loops changed."""

    def loop(old: Loop) -> Loop:
        phases = tuple(
            tuple(replace(t, nest=change(t.nest)) for t in phase)  # type: ignore[operator]
            for phase in old.phases
        )
        return replace(old, phases=phases)

    phases = tuple(
        tuple(replace(t, nest=loop(t.nest)) if isinstance(t.nest, Loop) else t for t in phase)
        for phase in program.phases
    )
    return replace(program, phases=phases)


def moved(buffer: Buffer, **how: int) -> Buffer:
    return replace(buffer, **how)


def with_windows(program: Program, change: object) -> Program:
    """``program`` with other windows in the place of those of its loops."""
    new: dict[Buffer, Buffer] = {}

    def nest(old: Nest) -> Nest:
        from chainrule.schedule import nest as n

        def access(a: n.Access) -> n.Access:
            if a.buffer.base is None:
                return a
            other = new.setdefault(a.buffer, change(a.buffer))  # type: ignore[operator]
            return a._replace(buffer=other)

        def expr(e: n.Expr) -> n.Expr:
            if isinstance(e, n.Load):
                return replace(e, access=access(e.access))
            if isinstance(e, n.Apply):
                return replace(e, args=tuple(map(expr, e.args)))
            return e

        stores = tuple(replace(s, access=access(s.access), value=expr(s.value)) for s in old.stores)
        source = old.source
        if isinstance(source, n.Product):
            source = n.Product(access(source.a), access(source.b))
        return replace(old, stores=stores, source=source)

    return changed(program, nest)


def test_a_sound_loop_passes() -> None:
    for program in (recurrent(8, 16), recurrent(7, 16), recurrent(3, 5, 1)):
        verify_program(program)


@pytest.mark.parametrize("rows", [7, 8])
def test_reading_the_row_of_a_later_trip_is_refused(rows: int) -> None:
    def later(window: Buffer) -> Buffer:
        ahead = window.name.startswith("c") and not window.period
        return moved(window, start=window.start + window.stride) if ahead else window

    with pytest.raises(VerifyError, match=r"that nobody stored|stored apart|leaves"):
        verify_program(with_windows(recurrent(rows, 16), later))


def test_a_window_that_leaves_its_buffer_is_refused() -> None:
    def further(window: Buffer) -> Buffer:
        return moved(window, stride=window.stride * 2)

    with pytest.raises(VerifyError):
        verify_program(with_windows(recurrent(7, 16), further))


def test_a_nest_that_leaves_the_rows_of_its_piece_is_refused() -> None:
    program = recurrent(8, 16)

    def other_rows(nest: Nest) -> Nest:
        return replace(nest, split=1) if nest.source is None else nest

    with pytest.raises(VerifyError, match="pieces of its loop"):
        verify_program(changed(program, other_rows))

    def all_rows(nest: Nest) -> Nest:
        [store, *rest] = nest.stores
        offset = store.access.offset
        swapped = offset.shift(16)
        access = store.access._replace(offset=swapped)
        return replace(nest, stores=(replace(store, access=access), *rest))

    with pytest.raises(VerifyError, match="leaves the rows"):
        verify_program(changed(program, all_rows))


def test_the_simulator_does_what_the_loop_says() -> None:
    def f(x: cr.Tensor) -> tuple[cr.Tensor, cr.Tensor]:
        return cr.scan(lambda h, x: (h * 0.5 + x, h), cr.zeros(3, 4), x, reverse=True)

    x = RNG.normal(size=(5, 3, 4)).astype(np.float32)
    program = program_of(f, x)
    h, ys = np.zeros(12, f32.numpy), np.zeros(60, f32.numpy)
    simulate_program(program, [x.reshape(-1), h, ys])
    expected, stacked = cr.scan(lambda h, x: (h * 0.5 + x, h), cr.zeros(3, 4), x, reverse=True)
    np.testing.assert_array_equal(h.reshape(3, 4), expected.numpy())
    np.testing.assert_array_equal(ys.reshape(5, 3, 4), stacked.numpy())


def test_a_loop_inside_may_read_what_is_carried_while_the_next_is_stored() -> None:
    """They lie in rows of one buffer that take turns."""

    def f(x: cr.Tensor, w: cr.Tensor) -> cr.Tensor:
        def outer(h: cr.Tensor, x: cr.Tensor) -> tuple[cr.Tensor, cr.Tensor]:
            y, _ = cr.scan(lambda g, _: (cr.tanh(g * h), None), h, length=3)
            return cr.tanh(h @ w + x), y

        return cr.scan(outer, cr.zeros(5, 7), x)[1]

    program = program_of(
        f, np.zeros((4, 5, 7), np.float32), np.eye(7, dtype=np.float32), fusion=False
    )
    verify_program(program)
    [loop] = the_loops(program)
    beside = next(p for p in loop.phases if any(isinstance(t.nest, Loop) for t in p))
    assert len(beside) > 1
