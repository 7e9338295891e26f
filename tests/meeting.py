"""Processes that answer together, played by threads."""

from __future__ import annotations

import functools
import json
import sys
import threading
from collections.abc import Callable, Sequence
from types import FrameType
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

T = TypeVar("T")
#: seconds after which a thread that waits for one that never comes gives up
PATIENCE = 300.0


class Meeting:
    """Where ``size`` threads lay down what they have to say, and wait for all others."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.barrier = threading.Barrier(size, timeout=PATIENCE)
        self.said: list[Any] = [None] * size
        #: bytes that each has passed to the others
        self.sent = [0] * size

    def all_say(self, rank: int, value: Any) -> list[Any]:
        _check_no_lock_is_held()
        self.said[rank] = value
        self.barrier.wait()
        every = list(self.said)
        self.barrier.wait()
        return every


def _check_no_lock_is_held() -> None:
    """Up to Python 3.11 a cached property is computed under a lock of all instances of its class.

    Who waits for the others inside one holds up those that come to it later, for ever.
    """
    frame: FrameType | None = sys._getframe()
    while frame is not None:
        code = frame.f_code
        assert (code.co_filename, code.co_name) != (functools.__file__, "__get__"), (
            "peers meet inside a cached property, whose lock their threads share"
        )
        frame = frame.f_back


class Peer:
    """One of them; see `chainrule.data.gathering.Peers`."""

    def __init__(self, meeting: Meeting, rank: int) -> None:
        self.meeting, self.rank, self.size = meeting, rank, meeting.size

    def gather(self, value: Any) -> list[Any]:
        return [json.loads(text) for text in self.meeting.all_say(self.rank, json.dumps(value))]

    def exchange(self, pieces: Sequence[npt.NDArray[np.uint8]]) -> list[npt.NDArray[np.uint8]]:
        self.meeting.sent[self.rank] += sum(map(len, pieces)) - len(pieces[self.rank])
        every = self.meeting.all_say(self.rank, [piece.copy() for piece in pieces])
        return [theirs[self.rank] for theirs in every]


def meet(size: int, call: Callable[[Peer], T]) -> list[T]:
    """What ``call`` gives to each of ``size`` peers; the first error of any of them is raised."""
    meeting = Meeting(size)
    results: list[Any] = [None] * size
    errors: list[BaseException] = []

    def run(rank: int) -> None:
        try:
            results[rank] = call(Peer(meeting, rank))
        except BaseException as error:
            errors.append(error)
            meeting.barrier.abort()

    threads = [threading.Thread(target=run, args=(rank,)) for rank in range(size)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    real = [error for error in errors if not isinstance(error, threading.BrokenBarrierError)]
    if errors:
        raise (real or errors)[0]
    return results


def errors_of(size: int, call: Callable[[Peer], object]) -> list[str]:
    """What each of ``size`` peers raises: its class and all it says; "" for nothing."""

    def tried(peer: Peer) -> str:
        try:
            call(peer)
        except Exception as error:
            return f"{type(error).__name__}: {error}"
        return ""

    return meet(size, tried)
