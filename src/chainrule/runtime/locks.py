"""Locks around native code that survive a fork, even one in the middle of a long loop.

A call holds ``calls`` from its first to its last step, and ``slices`` only while native code runs.
The thread that forks takes every ``slices`` lock, so it waits for the running slice (about 50 ms)
and the child finds whole steps. Locks made later are taken first; the compiler's come last.
"""

from __future__ import annotations

import itertools
import os
import threading
import weakref

from ..codegen.target import COMPILING
from .link import LLVM

__all__ = ["RunLock", "let_fork_pass"]

_serial = itertools.count()
_locks: weakref.WeakValueDictionary[int, RunLock] = weakref.WeakValueDictionary()
_gate = threading.RLock()
_fork_waits = False
_held: list[RunLock] = []


class RunLock:
    """One owner at a time. Programs that share state share one, so that steps never mix.

    Whoever makes one must not hold the compiler's lock.
    """

    __slots__ = ("__weakref__", "calls", "slices")

    def __init__(self) -> None:
        self.calls = threading.RLock()
        self.slices = threading.RLock()
        with _gate:
            _locks[next(_serial)] = self


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
