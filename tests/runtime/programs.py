"""Toy programs wrapped for use: memory, description, machine code."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from chainrule.ir.memory import address, aligned_empty
from chainrule.ir.types import Array, DType
from chainrule.runtime.buffer import Arena
from chainrule.runtime.description import ProgramMeta, Slot
from chainrule.runtime.link import Linked, link
from chainrule.runtime.processors import set_num_threads
from chainrule.runtime.program import NativeProgram
from chainrule.runtime.store import Control, PointerTable
from chainrule.runtime.threads import pool
from runtime import toy

I32, F32, F64 = DType.i32, DType.f32, DType.f64


@dataclass
class Counter:
    """The counting program with memory of its own, run on the pool directly."""

    linked: Linked
    control: Control
    table: PointerTable
    arena: Arena
    words: Array
    steps: Array

    def run(self, threads: int, steps: int) -> int:
        """Run on the pool; how many threads took part."""
        entry = self.linked.addresses["run"]
        self.control.reset()
        return pool().run(
            entry, self.control.address, self.table.address, self.arena.address, threads, steps
        )

    def counts(self, threads: int) -> list[int]:
        """What each thread counted."""
        return [int(self.words[8 * t]) for t in range(threads)]

    @property
    def broken(self) -> int:
        """How often a thread was seen a whole phase behind."""
        return int(self.words[toy.BROKEN_AT // 8])


def counter(phases: int = 3, spin: int = 0) -> Counter:
    """A new counting program."""
    linked = link(toy.counting(phases, spin), ["run"])
    steps = aligned_empty((2,), np.int32)
    steps.fill(0)
    table = PointerTable(1)
    table.entries[0] = address(steps)
    arena = Arena(toy.ARENA_BYTES)
    words = arena.view.view(np.int64)
    words.fill(0)
    return Counter(linked, Control(), table, arena, words, steps)


def counting_program(phases: int = 3, spin: int = 0) -> tuple[NativeProgram, Array]:
    """The counting program as a `NativeProgram`, and the state that counts its steps."""
    state = aligned_empty((2,), np.int32)
    state.fill(0)
    meta = ProgramMeta((Slot("count", "state", I32, (2,), aligned=True),), toy.ARENA_BYTES)
    return NativeProgram(link(toy.counting(phases, spin), ["run"]), meta, {"count": state}), state


def counted(steps: int) -> int:
    """What a new counting program counts on two threads."""
    set_num_threads(2)
    program, count = counting_program(phases=2)
    program.run_many(steps)
    return int(count[0])


def axpy_meta(stepped: bool = False) -> ProgramMeta:
    """The description of w += scale * x."""
    return ProgramMeta(
        (
            Slot("x", "arg", F32, (16,), 16 if stepped else 0),
            Slot("w", "state", F32, (16,), aligned=True),
            Slot("scale", "scalar", F64, (), 1),
            Slot("loss", "output", F32, (), 1),
        ),
        arena_bytes=0,
    )


def axpy_program(stepped: bool = False) -> tuple[NativeProgram, Array]:
    """The program w += scale * x with w = 0, and w."""
    w = aligned_empty((16,), np.float32)
    w.fill(0)
    return NativeProgram(link(toy.axpy(stepped), ["run"]), axpy_meta(stepped), {"w": w}), w
