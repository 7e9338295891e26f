"""What workers sum of a batch, summed while the program that computes it still runs.

    program  ── last layers ──┬─────────── first layers ──┬──► end
                   a group is complete             the last one is
    thread                    └─► send, sum, receive ─►   └─► ... ──► sums of all

Gradients are complete in the order of the backward pass. The program tells when a group of them is
(`Completions`), and a thread beside it sums that with all other workers. Groups and their order are
the same for all. Sums are element by element, so they have the bits of one sum of everything.
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable, Mapping
from queue import SimpleQueue
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import TrainingError
from ..runtime.completions import Completions
from .parts import Groups, Subtree
from .workers import Workers

__all__ = ["Exchange"]

Array = npt.NDArray[Any]
Floats = npt.NDArray[np.float32]
#: what this worker has of a group: the sums of its subtrees
Own = Callable[[int], Mapping[Subtree, Floats]]


class Exchange:
    """Sums over ``workers``, in memory that is used again."""

    def __init__(self, workers: Workers) -> None:
        self.workers = workers
        self._memory: dict[Groups, list[Floats]] = {}
        self._completions = Completions()
        self._work: SimpleQueue[_Work | None] = SimpleQueue()
        self._thread: threading.Thread | None = None
        weakref.finalize(self, self._work.put, None)

    def summed(
        self, groups: Groups, own: Own, parts: int, compute: Callable[[Completions | None], None]
    ) -> list[Array]:
        """The sums of ``parts`` parts: views of each result.

        ``compute`` runs the program that completes what ``own`` gives, and lets it tell what it is
        given. An error of either side is raised when both have come to their end.
        """
        if groups not in self._memory:
            self._memory[groups] = groups.memory()
        sums = list(self._memory[groups])

        def exchange(group: int, busy: Callable[[], bool] | None) -> None:
            sums[group] = self.workers.sum(own(group), sums[group], parts, busy)

        if len(sums) > 1 and self._completions.function:
            self._beside(_Work(len(sums), exchange, self._completions), compute)
        else:
            compute(None)
            for group in range(len(sums)):
                exchange(group, None)
        return groups.taken_apart(sums)

    def _beside(self, work: _Work, compute: Callable[[Completions | None], None]) -> None:
        if self._thread is None:
            thread = threading.Thread(
                target=_run, args=(self._work,), name="chainrule-exchange", daemon=True
            )
            thread.start()
            self._thread = thread
        try:
            self._work.put(work)
            compute(work.completions)
            work.finish()
        except BaseException:
            work.give_up()
            self._completions = Completions()  # the old one may have been told too much
            raise


class _Work:
    """The sums of one batch, for the thread."""

    def __init__(
        self,
        groups: int,
        exchange: Callable[[int, Callable[[], bool] | None], None],
        completions: Completions,
    ) -> None:
        self.completions = completions
        self.error: BaseException | None = None
        self._program_ended = self._given_up = False
        self._groups, self._exchange = groups, exchange
        self._turn = threading.Lock()
        self._next = 0  # whoever has the turn does this group

    def __enter__(self) -> None:
        """Inside is the thread, in its turn."""

    def __exit__(self, kind: Any, error: BaseException | None, *where: object) -> bool:
        """Whatever went wrong is raised by the trainer."""
        self.error = error
        return True

    def run(self) -> None:
        """All groups, each as soon as it is complete, but for those that `finish` does."""
        for group in range(self._groups):
            self.completions.wait()
            with self._turn, self:
                self._check()
                if group == self._next:
                    self._exchange(group, self._busy)
                    self._next += 1
            if self.error is not None:
                return

    def finish(self) -> None:
        """The program has ended: do what the thread has not begun, instead of waking it."""
        self._program_ended = True
        with self._turn:
            while self.error is None and self._next < self._groups:
                self._exchange(self._next, None)
                self._next += 1
        if self.error is not None:
            raise self.error

    def give_up(self) -> None:
        """The sums are not wanted any more, and other workers may never answer."""
        self._given_up = True
        self.completions.tell(self._groups)

    def _check(self) -> None:
        if self._given_up:
            raise TrainingError("the exchange of gradients was given up")

    def _busy(self) -> bool:
        """Whether the program needs the processor more than the exchange does."""
        self._check()
        return not self._program_ended


def _run(queue: SimpleQueue[_Work | None]) -> None:
    while (work := queue.get()) is not None:
        work.run()
        del work  # what it holds is free while the thread waits
