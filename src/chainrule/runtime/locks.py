"""Locks that survive a fork: the thread that forks holds all of them while it does.

So the child starts with every lock free and no program half run: a fork waits for the running
slice (about 50 ms) to end. Locks made later are taken first; the compiler's lock comes last.
"""

from __future__ import annotations

import itertools
import os
import threading
import weakref

from ..codegen.target import COMPILING

__all__ = ["run_lock"]

_serial = itertools.count()
_locks: weakref.WeakValueDictionary[int, threading.RLock] = weakref.WeakValueDictionary()
_forking = threading.RLock()
_held: list[threading.RLock] = []


def run_lock() -> threading.RLock:
    """A new re-entrant lock that is free in the child after a fork.

    Programs that share state share one, so that a step never sees another half done.
    """
    lock = threading.RLock()
    _locks[next(_serial)] = lock
    return lock


def _before_fork() -> None:
    _forking.acquire()
    for _, lock in sorted(_locks.items(), key=lambda item: item[0], reverse=True):
        lock.acquire()
        _held.append(lock)
    COMPILING.acquire()


def _after_fork() -> None:
    COMPILING.release()
    while _held:
        _held.pop().release()
    _forking.release()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=_before_fork, after_in_parent=_after_fork, after_in_child=_after_fork
    )
