"""Tables of pointers and words that Python and native code share, made once per program."""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol

import numpy as np

from ..codegen.spmd import CONTROL_BYTES, DONE, FILE, LEAVE, SLEEP, STOP, TELL, YIELD
from ..ir.memory import address, aligned_empty

__all__ = [
    "Control",
    "Listener",
    "PointerTable",
    "affinity_addresses",
    "sleep_address",
    "write_address",
    "yield_address",
]


class PointerTable:
    """An array of pointers at ``address``; ``entries[i]`` reads and writes one."""

    def __init__(self, length: int) -> None:
        self.entries: Any = (ctypes.c_size_t * max(length, 1))()
        self.address = ctypes.addressof(self.entries)


def _system_functions() -> tuple[Any, Any]:
    if sys.platform == "win32":
        # Sleep counts milliseconds, too long a nap: give way to another thread instead.
        switch = ctypes.WinDLL("kernel32").SwitchToThread
        return switch, switch
    system = ctypes.CDLL(None)
    return system.sched_yield, system.usleep


_yield, _sleep = _system_functions()


def yield_address() -> int:
    """The address of a ``void()`` that gives the processor to another thread."""
    return ctypes.cast(_yield, ctypes.c_void_p).value or 0


def sleep_address() -> int:
    """The address of a ``void(i32 microseconds)`` that sleeps."""
    return ctypes.cast(_sleep, ctypes.c_void_p).value or 0


def write_address() -> int:
    """The address of the system's `write`; 0 where it cannot be called from native code."""
    system = None if sys.platform == "win32" else ctypes.CDLL(None)
    function = getattr(system, "write", None)
    return 0 if function is None else ctypes.cast(function, ctypes.c_void_p).value or 0


def affinity_addresses() -> list[int]:
    """Those of `sched_getcpu`, `sched_getaffinity` and `sched_setaffinity`; zeros without them."""
    names = "sched_getcpu", "sched_getaffinity", "sched_setaffinity"
    system = ctypes.CDLL(None) if sys.platform == "linux" else None
    functions: list[Any] = [getattr(system, name, None) for name in names]
    if None in functions:
        return [0, 0, 0]
    return [ctypes.cast(function, ctypes.c_void_p).value or 0 for function in functions]


class Listener(Protocol):
    """Who hears of complete outputs: `Completions`, or a test."""

    function: int
    file: int


class Control:
    """The control block of a program: see "ctl" in docs/architecture.md.

    ``stop.value = 1`` ends the running slice at the next step; ``done.value`` counts its steps.
    """

    def __init__(self) -> None:
        self._memory = aligned_empty((CONTROL_BYTES,), np.uint8)
        self._memory.fill(0)
        self.address: int = address(self._memory)
        self.stop = ctypes.c_int32.from_address(self.address + STOP)
        self.done = ctypes.c_int64.from_address(self.address + DONE)
        self._leave = ctypes.c_int32.from_address(self.address + LEAVE)
        self._tell = ctypes.c_size_t.from_address(self.address + TELL)
        self._file = ctypes.c_int32.from_address(self.address + FILE)
        ctypes.c_size_t.from_address(self.address + YIELD).value = yield_address()
        ctypes.c_size_t.from_address(self.address + SLEEP).value = sleep_address()

    def reset(self) -> None:
        """Withdraw a stop and start counting again."""
        self.stop.value = 0
        self._leave.value = 0
        self.done.value = 0

    @contextmanager
    def heard_by(self, listener: Listener | None) -> Iterator[None]:
        """Inside, ``listener`` is told of outputs that are complete."""
        if listener is None:
            yield
            return
        self._file.value, self._tell.value = listener.file, listener.function
        try:
            yield
        finally:
            self._tell.value = 0
