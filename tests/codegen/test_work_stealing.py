"""Pieces of chains go to whoever is free, and each is done once."""

from __future__ import annotations

import ctypes
import threading

import numpy as np
import pytest

from chainrule.codegen.emit import emit_program
from chainrule.codegen.spmd import CLAIMS, CONTROL_BYTES, SLEEP, YIELD
from chainrule.codegen.target import host_target
from chainrule.ir.types import Array, DType
from chainrule.runtime.store import sleep_address, yield_address
from chainrule.schedule.buffers import Buffer
from chainrule.schedule.nest import (
    Access,
    Affine,
    Apply,
    Chain,
    Const,
    Load,
    Nest,
    Program,
    Store,
    Task,
)
from codegen.native import link
from compiled import aligned

F32 = DType.f32
PIECES, WIDTH = 24, 64


class Chains:
    """A program whose phases have one, two, no and too many chains; each nest counts for itself."""

    def __init__(self, phases: int, block: int, *, watched: bool = False) -> None:
        self.arrays = [np.ones((PIECES, WIDTH), np.float32)]
        self.amounts: list[float] = []
        x = Buffer("x", F32, PIECES * WIDTH, "external", 0, aligned=False)
        made, counts = [], [1, 2, 0, 9] * phases
        for count in counts[:phases]:
            tasks: list[Task] = []
            for _ in range(count):
                chain = Chain(PIECES, block, {})
                tasks += [Task(self.rows(x, k), chain=chain) for k in (1.0, 2.0)]
            made.append(tuple(tasks) if tasks else (Task(self.rows(x, 3.0)),))
        slots = tuple(f"y{i}" for i in range(len(self.arrays)))
        text = emit_program(Program(tuple(made), slots=slots), host_target())
        self.call = link(text, host_target(), "run", 6)
        self.control = aligned(CONTROL_BYTES)
        self.table = np.array([x.ctypes.data for x in self.arrays], np.uint64)
        self.watcher = ctypes.CFUNCTYPE(None)(self.wait)
        watch = ctypes.cast(self.watcher, ctypes.c_void_p).value
        pointers = self.control.view(np.uint64)
        pointers[YIELD // 8] = watch if watched else yield_address()
        pointers[SLEEP // 8] = sleep_address()
        self.seen: Array | None = None
        self.waited = threading.Event()

    def rows(self, x: Buffer, amount: float) -> Nest:
        """A new array gets x · amount in each step, row by row."""
        self.arrays.append(np.zeros((PIECES, WIDTH), np.float32))
        self.amounts.append(amount)
        slot, place = len(self.arrays) - 1, Affine(0, (WIDTH, 1))
        y = Access(Buffer(f"y{slot}", F32, PIECES * WIDTH, "external", slot, aligned=False), place)
        added = Apply(F32, "mul", (Load(F32, Access(x, place)), Const(F32, amount)))
        total = Apply(F32, "add", (Load(F32, y), added))
        return Nest((PIECES, WIDTH), 2, (Store(y, total),), split=0)

    def wait(self) -> None:
        """Somebody waits at a barrier."""
        if self.seen is None:
            self.seen = np.array(self.arrays[1:])
        self.waited.set()

    def enter(self, thread: int, threads: int, steps: int) -> None:
        self.call(self.control.ctypes.data, self.table.ctypes.data, 0, thread, threads, steps)

    def run(self, threads: int, steps: int) -> None:
        others = [
            threading.Thread(target=self.enter, args=(t, threads, steps)) for t in range(1, threads)
        ]
        for thread in others:
            thread.start()
        self.enter(0, threads, steps)
        for thread in others:
            thread.join()


@pytest.mark.parametrize("phases", [1, 2, 3, 4, 5, 6])
@pytest.mark.parametrize("block", [1, 5, PIECES])
def test_every_piece_is_done_once(phases: int, block: int) -> None:
    chains, done = Chains(phases, block), 0
    for threads, steps in [(1, 3), (2, 5), (2, 40), (3, 5), (7, 2), (1, 1), (30, 1)]:
        chains.run(threads, steps)
        done += steps
        assert not chains.control[CLAIMS:].any()  # as the next run wants them
    for y, amount in zip(chains.arrays[1:], chains.amounts, strict=True):
        assert (y == done * amount).all()


def test_who_is_free_does_what_a_late_thread_has_left() -> None:
    chains = Chains(phases=1, block=2, watched=True)
    first = threading.Thread(target=chains.enter, args=(0, 2, 1))
    first.start()
    assert chains.waited.wait(300)  # for the other one, at the end of the step
    assert chains.seen is not None
    chains.enter(1, 2, 1)
    first.join()
    for before, after, amount in zip(chains.seen, chains.arrays[1:], chains.amounts, strict=True):
        assert (before == amount).all()
        assert (after == amount).all()
