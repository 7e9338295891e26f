"""Locks around native code that survive a fork, even one in the middle of a long loop.

A call holds ``calls`` from its first to its last step, and ``slices`` only while native code runs.
The thread that forks takes every ``slices`` lock, so it waits for the running slice (about 50 ms)
and the child finds whole steps. Locks made later are taken first; the compiler's come last.

Every state has a lock, found by the memory it lies in; a program takes those of all its states. So
two programs that share any state never run at once, whichever threads call them, and programs that
share none do not wait for one another.
"""

from __future__ import annotations

import itertools
import os
import threading
import weakref
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import numpy as np

from ..codegen.undisturbed import COMPILING
from ..ir.memory import address
from ..ir.types import Array
from .link import LLVM

__all__ = ["JointLock", "RunLock", "let_fork_pass", "lock_of"]

_serial = itertools.count()
_locks: weakref.WeakValueDictionary[int, RunLock] = weakref.WeakValueDictionary()
#: by the address of the allocation; an entry holds while the lock covers living memory there
_by_memory: weakref.WeakValueDictionary[int, RunLock] = weakref.WeakValueDictionary()
_gate = threading.RLock()
_fork_waits = False
_held: list[RunLock] = []


class RunLock:
    """One owner at a time. Programs that share state share one, so that steps never mix.

    Whoever makes one must not hold the compiler's lock.
    """

    __slots__ = ("__weakref__", "calls", "covered", "serial", "slices")

    def __init__(self) -> None:
        self.calls = threading.RLock()
        self.slices = threading.RLock()
        self.covered: dict[int, list[weakref.ref[Array]]] = {}  # allocations at each address
        with _gate:
            self.serial = next(_serial)
            _locks[self.serial] = self

    @property
    def parts(self) -> tuple[RunLock, ...]:
        """The locks that are taken."""
        return (self,)

    def covers(self, start: int) -> bool:
        """Whether memory at ``start`` that came under this lock still lives: addresses return."""
        return any(ref() is not None for ref in self.covered.get(start, ()))

    def cover(self, memory: Mapping[int, Array]) -> None:
        """Take in allocations, by their addresses, and forget those that are gone."""
        for start in [start for start in self.covered if not self.covers(start)]:
            del self.covered[start]
        for start, array in memory.items():
            self.covered.setdefault(start, []).append(weakref.ref(array))


class JointLock:
    """Several locks as one: for a program whose states had come under different locks before.

    They are taken in the order in which they were made, so that nobody waits for each other.
    """

    __slots__ = ("parts",)

    def __init__(self, parts: Iterable[RunLock]) -> None:
        self.parts = tuple(sorted(parts, key=lambda lock: lock.serial))

    @property
    def calls(self) -> AbstractContextManager[None]:
        """Holds ``calls`` of all."""
        return _nested(self.parts)

    @property
    def slices(self) -> AbstractContextManager[Any]:
        """That of one: a fork takes all, so any one keeps it waiting."""
        return self.parts[0].slices


@contextmanager
def _nested(parts: Sequence[RunLock]) -> Iterator[None]:
    # A Ctrl-C may strike between two locks: `with` gives the first one back.
    with parts[0].calls:
        if len(parts) == 1:
            yield
        else:
            with _nested(parts[1:]):
                yield


def lock_of(states: Iterable[Array]) -> RunLock | JointLock:
    """The lock of a program that writes ``states``: held by nobody else who writes any of them."""
    memory = {address(whole): whole for whole in map(_allocation, states)}
    with _gate:
        known = {p: lock for p in memory if (lock := _by_memory.get(p)) and lock.covers(p)}
        parts = set(known.values()) or {RunLock()}
        first = min(parts, key=lambda lock: lock.serial)
        for lock in parts:
            lock.cover({p: a for p, a in memory.items() if known.get(p, first) is lock})
        _by_memory.update(dict.fromkeys(memory.keys() - known.keys(), first))
    return first if len(parts) == 1 else JointLock(parts)


def _allocation(array: Array) -> Array:
    """The array of the allocation that ``array`` is a part of."""
    while isinstance(array.base, np.ndarray):
        array = array.base
    return array


def let_fork_pass() -> None:
    """Wait here, between two slices, while another thread forks.

    Without this, a loop would take its lock again before the thread that wants to fork wakes up.
    """
    if _fork_waits:
        with _gate:
            pass


def _before_fork() -> None:
    global _fork_waits
    _gate.acquire()
    _fork_waits = True
    for _, lock in sorted(_locks.items(), key=lambda item: item[0], reverse=True):
        lock.slices.acquire()
        _held.append(lock)
    COMPILING.acquire()
    LLVM.__enter__()


def _after_fork() -> None:
    global _fork_waits
    LLVM.__exit__(None, None, None)
    COMPILING.release()
    while _held:
        _held.pop().slices.release()
    _fork_waits = False
    _gate.release()


def _after_fork_in_child() -> None:
    _after_fork()
    for lock in list(_locks.values()):
        # The callers of other threads do not exist here, and never leave their calls.
        if lock.calls.acquire(blocking=False):
            lock.calls.release()
        else:
            lock.calls = threading.RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=_before_fork, after_in_parent=_after_fork, after_in_child=_after_fork_in_child
    )
