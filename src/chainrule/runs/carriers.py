"""Who carries trainings out: this process, other processes, or whatever else follows `Carrier`.

A carrier takes the next job when it has a place for it, and hands outcomes back in the order of the
jobs. So with ``places`` of them, job n can rest on the outcomes up to n - places, never on how fast
a machine was.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Generator, Iterable
from contextlib import suppress
from typing import Any, Protocol, TypeVar

from ..config import NUM_THREADS
from ..errors import ConfigError, StateError
from ..runtime.processors import get_num_threads
from .jobs import Job, Outcome, Workplace
from .modality import Modality

__all__ = ["Carrier", "InProcess", "Note", "Processes", "carrier_for", "in_order", "unheard"]

AnyKind = Modality[Any, Any]
T = TypeVar("T")
#: is told what has happened, in words
Note = Callable[[str], None]
#: attempts at a training whose process is killed
ATTEMPTS = 3


class Carrier(Protocol):
    """Carries jobs out."""

    @property
    def places(self) -> int:
        """How many are under way at once."""

    def carry(
        self, workplace: Workplace, jobs: Iterable[Job], note: Note = ...
    ) -> Generator[Outcome]:
        """The outcome of each job, in the order of the jobs; closing it gives up what is under
        way. ``workplace`` has the kind and the source, and in this process the data. ``note`` is
        told what is lost and done again."""


def unheard(text: str) -> None:
    """A `Note` for nobody."""


def in_order(
    jobs: Iterable[Job], places: int, start: Callable[[Job], T], finish: Callable[[T], Outcome]
) -> Generator[Outcome]:
    """Outcomes in order, with so many jobs started at a time."""
    waiting: deque[T] = deque()
    upcoming = iter(jobs)
    while True:
        while len(waiting) < places and (job := next(upcoming, None)) is not None:
            waiting.append(start(job))
        if not waiting:
            return
        yield finish(waiting.popleft())


class InProcess:
    """One job after the other, in this process."""

    places = 1

    def carry(
        self, workplace: Workplace, jobs: Iterable[Job], note: Note = unheard
    ) -> Generator[Outcome]:
        return in_order(jobs, 1, workplace.perform, lambda outcome: outcome)


class Processes:
    """``places`` processes of this machine, each of which reads the data once.

    One that is killed is replaced, and its training is done again, up to three times.
    """

    def __init__(self, places: int) -> None:
        self.places = places

    def carry(
        self, workplace: Workplace, jobs: Iterable[Job], note: Note = unheard
    ) -> Generator[Outcome]:
        if workplace.source is not None:
            raise ConfigError(
                "the data came from Python, which other processes cannot read",
                help="write it to a file, or leave out jobs",
            )
        idle: list[_Worker] = []
        workers: list[_Worker] = []
        threads = max(1, get_num_threads() // self.places)

        def start(job: Job) -> tuple[_Worker, Job]:
            if not idle:
                workers.append(_Worker(threads))
                idle.append(workers[-1])
            worker = idle.pop()
            worker.send(job)
            return worker, job

        def finish(started: tuple[_Worker, Job]) -> Outcome:
            worker, job = started
            for attempt in range(ATTEMPTS):
                outcome = worker.outcome()
                if outcome is not None:
                    idle.append(worker)
                    return outcome
                if attempt + 1 < ATTEMPTS:
                    note(f"the process of {job.name} was killed; {job.name} is done again")
                worker.close()
                workers.append(_Worker(threads))
                worker = workers[-1]
                worker.send(job)
            raise StateError(
                f"the process of {job.name} was killed {ATTEMPTS} times",
                help="it may have run out of memory: use fewer jobs, or less data",
            )

        try:
            yield from in_order(jobs, self.places, start, finish)
        finally:
            for worker in workers:
                worker.close()


def carrier_for(jobs: int) -> Carrier:
    """What trains so many at a time on this machine. ConfigError for fewer than one."""
    if type(jobs) is not int or jobs < 1:
        raise ConfigError(f"jobs is {jobs!r}", help="expected a whole number from 1")
    return InProcess() if jobs == 1 else Processes(jobs)


class _Worker:
    """A process that does jobs: one line of JSON in for each, one out; see `worker`."""

    def __init__(self, threads: int) -> None:
        # A session of its own: Ctrl-C is for the process that the user has started.
        self._process = subprocess.Popen(
            [sys.executable, "-m", "chainrule.runs.worker"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True,
            env={**os.environ, NUM_THREADS.name: str(threads)},
        )  # fmt: skip

    def send(self, job: Job) -> None:
        assert self._process.stdin is not None
        with suppress(BrokenPipeError):  # `outcome` will see that it is gone
            self._process.stdin.write(json.dumps(job.to_dict()).encode() + b"\n")
            self._process.stdin.flush()

    def outcome(self) -> Outcome | None:
        """That of the job; None if the process is gone."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        return Outcome.from_dict(json.loads(line)) if line.endswith(b"\n") else None

    def close(self) -> None:
        self._process.kill()
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe is not None
            with suppress(BrokenPipeError):
                pipe.close()
        self._process.wait()
