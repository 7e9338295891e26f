"""The threads that run programs: one pool for the process, all running the same native code.

The caller is thread 0 and runs its share itself; the others are daemon threads of Python that wait
in native code (see parking.py) and, after 50 ms without work, in Python. The interpreter's lock is
free whenever native code runs.
"""

from __future__ import annotations

import atexit
import ctypes
import hashlib
import os
import threading
from queue import SimpleQueue
from typing import Any

import numpy as np

from ..codegen.target import emit_objects, host_target
from ..ir.memory import address, aligned_empty
from .cache import default_cache
from .link import Linked, link
from .locks import RunLock
from .parking import (
    CLOSING,
    COLUMNS,
    FUNCTIONS,
    HOLD,
    PLACES,
    SLEEP,
    SPINS,
    SYSTEM,
    YIELD,
    away_word,
    box_bytes,
    parking_text,
)
from .processors import (
    MAX_THREADS,
    arrangement,
    available,
    current_processor,
    get_num_threads,
    set_num_threads,
    stand_apart,
)
from .store import affinity_addresses, sleep_address, yield_address

__all__ = ["RUN", "Pool", "get_num_threads", "pool", "set_num_threads"]

# ctl, externals, arena, thread, threads, steps: how `run` of a program is called.
RUN = ctypes.CFUNCTYPE(
    None, *[ctypes.c_void_p] * 3, *[ctypes.c_int64] * 3
)  # CFUNCTYPE gives the interpreter's lock back during the call
_PARK = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int64)
_LEAD = ctypes.CFUNCTYPE(ctypes.c_int64, *[ctypes.c_void_p] * 5, *[ctypes.c_int64] * 2)

_SPINS = 2000
_SPINS_CROWDED = 20
_JOIN_SECONDS = 5.0


class _Worker:
    """A thread that waits for jobs; ``tokens`` wakes it in Python: the processor of whoever has
    work for it, or None to end.
    """

    def __init__(self, park: Any, box: int, tid: int) -> None:
        self.tokens: SimpleQueue[int | None] = SimpleQueue()
        self.away = ctypes.c_int32.from_address(box + away_word(tid))
        self.away.value = 1
        self.thread = threading.Thread(
            target=_work, args=(park, box, tid, self.tokens), name=f"chainrule-{tid}", daemon=True
        )
        self.thread.start()


def _work(park: Any, box: int, tid: int, tokens: SimpleQueue[int | None]) -> None:
    while (leader := tokens.get()) is not None:
        stand_apart(tid, leader)
        park(box, tid)


class Pool:
    """Threads that run one job at a time, made when first needed."""

    def __init__(self) -> None:
        # Made before all others, so a fork takes it after them, as callers do.
        self._lock = RunLock()
        self._linked: Linked | None = None
        self._reset()

    def _reset(self) -> None:
        self._workers: list[_Worker] = []
        self._full = False  # no more threads can be had
        self._memory = aligned_empty((box_bytes(MAX_THREADS),), np.uint8)
        self._memory.fill(0)
        self._box: int = address(self._memory)
        self._hold = ctypes.c_int32.from_address(self._box + HOLD)
        self._closing = ctypes.c_int32.from_address(self._box + CLOSING)
        self._spins = ctypes.c_int32.from_address(self._box + SPINS)
        ctypes.c_size_t.from_address(self._box + YIELD).value = yield_address()
        ctypes.c_size_t.from_address(self._box + SLEEP).value = sleep_address()
        for number, function in enumerate(affinity_addresses()):
            ctypes.c_size_t.from_address(self._box + SYSTEM + 8 * number).value = function

    def run(
        self, entry: int, ctl: int, externals: int, arena: int, threads: int, steps: int
    ) -> int:
        """Run ``steps`` steps of the program at ``entry`` on ``threads`` threads, caller included.

        All arguments are addresses or counts; the memory behind them belongs to the caller. Returns
        how many threads ran: fewer than asked for when the system gives no more, or at exit.
        """
        with self._lock.slices:
            if threads > len(self._workers) + 1:
                threads = self._grow(threads)
            if threads == 1:
                RUN(entry)(ctl, externals, arena, 0, 1, steps)
            elif self._lead(self._box, entry, ctl, externals, arena, threads, steps):
                # A Ctrl-C may strike anywhere here. Then nobody has begun, and nobody must be held.
                try:
                    self._wake(threads)
                    self._lead_now(self._box, entry, ctl, externals, arena, threads, steps)
                finally:
                    self._hold.value = 0
        return threads

    def _grow(self, threads: int) -> int:
        """Make workers for ``threads`` threads; how many threads there are for them."""
        if self._full:
            return len(self._workers) + 1
        if self._linked is None:
            linked = link(_parking_objects(), FUNCTIONS)
            self._park = _PARK(linked.addresses["park"])
            self._lead = _LEAD(linked.addresses["lead"])
            self._lead_now = _LEAD(linked.addresses["lead_now"])
            self._linked = linked  # last: a Ctrl-C may strike between
        self._spins.value = _SPINS if threads <= available() else _SPINS_CROWDED
        while len(self._workers) + 1 < threads:
            try:
                worker = _Worker(self._park, self._box, len(self._workers) + 1)
            except RuntimeError:  # a limit of the system, or the interpreter is ending
                self._full = True
                return len(self._workers) + 1
            self._workers.append(worker)
        self._arrange()
        return threads

    def _arrange(self) -> None:
        """Tell the workers where they belong."""
        self._places = arrangement(len(self._workers) + 1)
        columns = self._places.shape[1]
        ctypes.c_size_t.from_address(self._box + PLACES).value = address(self._places)
        ctypes.c_int64.from_address(self._box + COLUMNS).value = columns

    def _wake(self, threads: int) -> None:
        for worker in self._workers[: threads - 1]:
            if worker.away.value:
                worker.tokens.put(current_processor())

    def close(self) -> None:
        """End the workers and wait for them; programs then run on the caller alone."""
        if not self._lock.slices.acquire(timeout=_JOIN_SECONDS):
            return  # a step longer than that: its threads die with the process
        try:
            self._full = True
            self._closing.value = 1
            workers, self._workers = self._workers, []
            for worker in workers:
                worker.tokens.put(None)
            for worker in workers:
                worker.thread.join(_JOIN_SECONDS)
        finally:
            self._lock.slices.release()


def _parking_objects() -> tuple[bytes, ...]:
    target = host_target()
    text = parking_text(target)
    compiler = hashlib.sha256(repr(target).encode()).hexdigest()
    key = f"parking\n{compiler}\n{text}"
    cache = default_cache()
    entry = cache.get(key)
    if entry is not None:
        return entry.objects
    made = emit_objects([text], target)
    cache.put(key, {}, made)
    return made


_pool = Pool()


def pool() -> Pool:
    """The pool of this process."""
    return _pool


atexit.register(_pool.close)
if hasattr(os, "register_at_fork"):
    # Threads do not follow a fork: the child makes its own when it needs them.
    os.register_at_fork(after_in_child=_pool._reset)
