"""Where LLVM is called: on a thread of its own, which no signal reaches.

A handler of Python's can run, and raise, after any instruction of the main thread, so also when
llvmlite has freed a string and not yet noted that it is free: it would free it once more, which
ends the process. Handlers run on the main thread alone, and so do not strike here.
"""

from __future__ import annotations

import _thread
import atexit
import functools
import os
import threading
import traceback
from collections.abc import Callable, Sequence
from typing import Generic, Literal, ParamSpec, TypeVar

__all__ = ["COMPILING", "side_by_side", "undisturbed"]

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")

#: seconds after which a signal is handled at the latest
LATEST = 0.05
#: held by whoever calls LLVM
COMPILING = threading.RLock()
_here = threading.local()


def undisturbed(function: Callable[P, R]) -> Callable[P, R]:
    """``function``, run on a thread of its own and with the compiler's lock, waited for.

    What a handler of a signal raises meanwhile is raised when the function has come to its end;
    its value is lost then. Whoever calls must not hold the lock.
    """

    @functools.wraps(function)
    def apart(*args: P.args, **kwargs: P.kwargs) -> R:
        if getattr(_here, "apart", False):
            return function(*args, **kwargs)

        def work() -> R:
            _here.apart = True
            try:
                with COMPILING:
                    return function(*args, **kwargs)
            finally:
                _here.apart = False

        return _elsewhere(work)

    return apart


class _Outcome(Generic[R]):
    """What comes of the work inside ``with``: its value or its error."""

    value: R

    def __init__(self) -> None:
        self.error: BaseException | None = None
        self.known = False
        self._ended = _thread.allocate_lock()
        self._ended.acquire()

    def __enter__(self) -> _Outcome[R]:
        return self

    def __exit__(self, kind: object, error: BaseException | None, place: object) -> Literal[True]:
        self.error, self.known = error, True
        while error is not None:
            # What the frames hold is freed here, rather than by whoever is told the error.
            traceback.clear_frames(error.__traceback__)
            error = error.__context__
        self._ended.release()
        return True

    def wait(self) -> None:
        """Until the end, whatever handlers raise; that is raised then."""
        try:
            while not self._ended.acquire(timeout=LATEST):
                pass  # a signal that came just before the lock was asked for is handled now
        finally:
            if not self.known:
                self.wait()


def _elsewhere(work: Callable[[], R]) -> R:
    outcome: _Outcome[R] = _Outcome()
    try:
        # Not threading.Thread: an interrupt of its start leaves open whether it has begun.
        _thread.start_new_thread(_within, (outcome, work))
    except RuntimeError:  # no more threads can be had, or the interpreter is ending
        return work()
    outcome.wait()
    if outcome.error is None:
        return outcome.value
    try:
        raise outcome.error
    finally:
        outcome.error = None  # which holds this frame by its traceback


def side_by_side(work: Callable[[T], R], items: Sequence[T]) -> list[R]:
    """``work`` for each of the ``items``, on as many threads as there are processors.

    For what runs undisturbed already, and lets other threads run. The first error is raised.
    """
    left = list(enumerate(items))[::-1]
    results: dict[int, R] = {}

    def take() -> None:
        while left:
            try:
                number, item = left.pop()
            except IndexError:  # another thread was faster
                return
            results[number] = work(item)

    outcomes: list[_Outcome[None]] = []
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    for _ in range(min(len(items), usable or 1) - 1):
        outcome: _Outcome[None] = _Outcome()
        try:
            _thread.start_new_thread(_within, (outcome, take))
        except RuntimeError:  # no more threads can be had
            break
        outcomes.append(outcome)
    own: _Outcome[None] = _Outcome()
    _within(own, take)
    for outcome in outcomes:
        outcome.wait()
    for error in (outcome.error for outcome in (own, *outcomes)):
        if error is not None:
            raise error
    return [results[number] for number in range(len(items))]


def _within(outcome: _Outcome[R], work: Callable[[], R]) -> None:
    with outcome:
        outcome.value = work()


@atexit.register
def _let_it_end() -> None:
    """LLVM goes away with the process: nobody may be inside, not even for a caller that is gone."""
    with COMPILING:
        pass
