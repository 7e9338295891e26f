"""Signs of life: MPI waits for ever for a process that is stopped, or whose machine is gone."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import numpy as np

__all__ = ["PATIENCE", "Heartbeat"]

#: seconds between two signs of life, and without any until a worker counts as lost
EVERY, PATIENCE = 1.0, 20.0
TAG = 1


class Heartbeat:
    """A thread that tells the next worker of a ring that this one lives, and listens to the one
    before; ``lost(rank, seconds)`` is called if that one falls silent.

    It needs no help of the training's thread, which may compile or read for minutes.
    """

    def __init__(self, comm: Any, lost: Callable[[int, float], Any]) -> None:
        self._comm, self._lost = comm, lost
        rank, size = comm.Get_rank(), comm.Get_size()
        self._next, self._before = (rank + 1) % size, (rank - 1) % size
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="chainrule-heartbeat", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        beat, heard = np.zeros(1, np.uint8), np.zeros(1, np.uint8)
        latest = woken = time.monotonic()
        sending: Any = None
        while not self._stopped.wait(EVERY):
            now = time.monotonic()
            if now - woken > PATIENCE / 4:
                latest = now  # this process was stopped itself: nobody could be heard
            woken = now
            if sending is None or sending.Test():
                sending = self._comm.Isend(beat, self._next, TAG)
            while self._comm.Iprobe(self._before, TAG):
                self._comm.Recv(heard, self._before, TAG)
                latest = now
            if now - latest > PATIENCE:
                self._lost(self._before, now - latest)

    def stop(self) -> None:
        """No more signs; to be called by all workers, once all are at their end."""
        self._stopped.set()
        self._thread.join()
