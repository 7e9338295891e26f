"""Whole programs: phases, threads, steps, stopping, constants, deterministic text."""

from __future__ import annotations

import ctypes
import threading

import numpy as np
import pytest

from chainrule.codegen import emit, modules
from chainrule.codegen.emit import emit_program
from chainrule.codegen.spmd import DONE, SLEEP, STOP, YIELD
from chainrule.codegen.target import target_for
from chainrule.ir.types import Array, DType
from chainrule.schedule.buffers import Buffer
from chainrule.schedule.nest import (
    Acc,
    Access,
    Affine,
    Apply,
    Const,
    Expr,
    Load,
    Nest,
    Program,
    Reduce,
    Store,
    Task,
)
from chainrule.schedule.simulate import simulate_program
from codegen.native import bits, link, native_function

F32 = DType.f32
YIELDER = ctypes.CFUNCTYPE(None)(lambda: None)
SLEEPER = ctypes.CFUNCTYPE(None, ctypes.c_int)(lambda microseconds: None)


def load(buffer: Buffer, start: int, *coeffs: int) -> Expr:
    """An element of ``buffer``."""
    return Load(buffer.dtype, Access(buffer, Affine(start, coeffs)))


def store(buffer: Buffer, value: Expr, *coeffs: int) -> Store:
    """``value`` at an element of ``buffer``."""
    return Store(Access(buffer, Affine(0, coeffs)), value)


def small_program(rows: int = 37, columns: int = 100) -> Program:
    """Normalise rows of x by their sums, add a constant row, and sum up into a state."""
    x = Buffer("x", F32, rows * columns, "external", 0, rows * columns, aligned=False)
    state = Buffer("state", F32, columns, "external", 1)
    sums, scaled = Buffer("sums", F32, rows), Buffer("scaled", F32, rows * columns)
    bias = Buffer("bias", F32, columns, "const", data=np.linspace(0, 1, columns, dtype=np.float32))
    row_sums = Nest(
        (rows, columns),
        1,
        (store(sums, Acc(F32), 1, 0),),
        Reduce("sum", load(x, 0, columns, 1)),
        vector=1,
        split=0,
    )
    quotient = Apply(F32, "div", (load(x, 0, columns, 1), load(sums, 0, 1, 0)))
    value = Apply(F32, "add", (Apply(F32, "exp", (quotient,)), load(bias, 0, 0, 1)))
    scale = Nest((rows, columns), 2, (store(scaled, value, columns, 1),), split=0)
    total = Apply(F32, "add", (load(state, 0, 1, 0), Acc(F32)))
    update = Nest(
        (columns, rows),
        1,
        (store(state, total, 1, 0),),
        Reduce("sum", load(scaled, 0, 1, columns)),
        vector=0,
        split=0,
    )
    first = Buffer("first", F32, 1, "external", 2, 1)
    tiny = Nest((), 0, (store(first, load(state, 0)),))
    phases = ((Task(row_sums),), (Task(scale),), (Task(update),), (Task(tiny, owner=1),))
    offsets = {sums: 0, scaled: 256}
    slots = ("x", "state", "first")
    return Program(phases, offsets, 256 + 4 * rows * columns, slots, inputs=2)


class Run:
    """A compiled program with its memory."""

    def __init__(self, program: Program, externals: list[Array], cpu: str | None = None):
        target = target_for(cpu)
        self.call = link(emit_program(program, target), target, "run", 6)
        raw = np.zeros(4096 + program.arena_bytes, np.uint8)
        start = -raw.ctypes.data % 64
        self.ctl = raw[start : start + 1024]
        self.arena = raw[start + 1024 :]
        self.externals = externals
        self.table = np.array([x.ctypes.data for x in externals], np.uint64)
        pointers = self.ctl.view(np.uint64)
        pointers[YIELD // 8] = ctypes.cast(YIELDER, ctypes.c_void_p).value
        pointers[SLEEP // 8] = ctypes.cast(SLEEPER, ctypes.c_void_p).value

    def __call__(self, threads: int, steps: int) -> int:
        """Run on Python threads; the number of steps done."""

        def enter(thread: int) -> None:
            shared = self.ctl.ctypes.data, self.table.ctypes.data, self.arena.ctypes.data
            self.call(*shared, thread, threads, steps)

        others = [threading.Thread(target=enter, args=(t,)) for t in range(1, threads)]
        for thread in others:
            thread.start()
        enter(0)
        for thread in others:
            thread.join()
        return int(self.ctl[DONE : DONE + 8].view(np.int64)[0])


def memory(program: Program, steps: int) -> list[Array]:
    """External arrays for ``steps`` steps of `small_program`."""
    rng = np.random.default_rng(5)
    x, state = (b.size for b in _externals(program))
    return [
        rng.uniform(0.5, 1.5, x * steps).astype(np.float32),
        rng.normal(size=state).astype(np.float32),
        np.zeros(steps, np.float32),
    ]


def _externals(program: Program) -> tuple[Buffer, Buffer]:
    row_sums, update = program.phases[0][0].nest, program.phases[2][0].nest
    return row_sums.reads[0].buffer, update.writes[0].buffer


@pytest.mark.parametrize("cpu", [None, "haswell"])
@pytest.mark.parametrize(("threads", "part"), [(1, modules.PART), (2, 1), (3, modules.PART)])
def test_program_has_the_bits_of_the_simulation(
    threads: int, part: int, cpu: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(modules, "PART", part)  # with 1, a module for each kernel
    program = small_program()
    expected = memory(program, 7)
    simulate_program(program, expected, 7, {"exp": native_function("exp", cpu)})
    externals = memory(program, 7)
    assert Run(program, externals, cpu)(threads, 7) == 7
    for want, got in zip(expected, externals, strict=True):
        np.testing.assert_array_equal(bits(got), bits(want))
    assert np.abs(externals[2]).min() > 0


def test_stop_word_ends_the_run_after_a_step() -> None:
    program = small_program()
    run = Run(program, memory(program, 9))
    run.ctl[STOP : STOP + 4].view(np.int32)[0] = 1
    assert run(2, 9) == 1


def test_no_steps_do_nothing() -> None:
    program = small_program()
    externals = memory(program, 1)
    before = externals[1].copy()
    assert Run(program, externals)(2, 0) == 0
    np.testing.assert_array_equal(externals[1], before)


def test_subnormals_are_flushed_inside_only() -> None:
    x = Buffer("x", F32, 16, "external", 0)
    half = Apply(F32, "mul", (load(x, 0, 1), Const(F32, 0.5)))
    program = Program(((Task(Nest((16,), 1, (store(x, half, 1),))),),), slots=("x",))
    raw = np.zeros(64, np.float32)
    data = raw[-(raw.ctypes.data // 4) % 16 :][:16]
    data[:] = np.float32(2.0**-126)
    Run(program, [data])(1, 1)
    assert (data == 0).all()
    assert np.float32(2.0**-126) * np.float32(0.5) > 0


def test_text_is_deterministic_and_equal_kernels_are_one() -> None:
    target = target_for("haswell")
    first, second = (emit_program(small_program(), target) for _ in range(2))
    assert first == second
    program = small_program()
    twice = Program(program.phases * 2, program.offsets, program.arena_bytes, program.slots)
    [text] = emit_program(twice, target)
    assert text.count("define internal void @kernel_") == 4
    assert text.count("call void @kernel_") == 8


def test_large_programs_are_several_modules(monkeypatch: pytest.MonkeyPatch) -> None:
    """Their number depends on their text alone, and so do the numbers that they compute."""
    target = target_for("haswell")
    whole = emit_program(small_program(), target)
    monkeypatch.setattr(modules, "PART", 1)
    parts = emit_program(small_program(), target)
    assert (len(whole), len(parts)) == (1, modules.MOST)
    assert parts == emit_program(small_program(), target)
    kernels = sum(text.count("define hidden void @kernel_") for text in parts[1:])
    assert kernels == parts[0].count("declare hidden void @kernel_") == 3


@pytest.mark.parametrize("threads", [1, 3])
def test_the_entry_of_many_tasks_is_a_module_that_only_calls(
    threads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = small_program()
    ran = []
    for most in (emit.MANY_TASKS, 0):
        monkeypatch.setattr(emit, "MANY_TASKS", most)
        externals = memory(program, 2)
        assert Run(program, externals)(threads, 2) == 2
        ran.append(externals)
    for few, many in zip(*ran, strict=True):
        assert (few.view(np.uint32) == many.view(np.uint32)).all()
    entry, kernels = emit_program(program, target_for("haswell"))
    assert entry.count("define ") == entry.count(" optnone {") == 1
    assert kernels.count("define hidden void @") == 5  # four kernels and the barrier
    assert "optnone" not in kernels
