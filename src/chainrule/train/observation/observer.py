"""When a step is observed, and how: in its place another program of the same step is run, which
gives what was measured beside the loss, and leaves the same bits behind."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from ...optim import LBFGS, SimulatedAnnealing
from ..batch_source import BatchSource, Rows, has_lengths
from ..callbacks.rates import rates_of
from ..run import Run
from ..stepper import Stepper
from .observation import Observation
from .plan import SHARE, Observe
from .step import Layers, Observable, ObservedParts, ObservedStep

__all__ = ["Observer", "observer_of"]

Array = npt.NDArray[Any]


class Measuring(Protocol):
    """Steps that measure."""

    @property
    def recordings(self) -> int:
        """How many there are so far; a new one takes long."""

    def prepare(self, source: BatchSource, rows: Rows) -> None:
        """Compile what `run` needs, as far as that can be known."""

    def run(self, source: BatchSource, rows: Rows) -> tuple[Array, Layers]:
        """The one step of ``rows``: its loss, and what was measured, by layer."""


class Observer:
    """Runs steps, and due ones by a program which measures; their bits are the same.

    ``found`` holds all observations so far. ``preparing`` is how long it took to compile that
    program, ``spent`` the time that observed steps took longer than others.
    """

    def __init__(self, learner: Observable, plan: Observe, agreed: Callable[[Any], Any]) -> None:
        self.plan = plan
        self.found: list[Observation] = []
        self.preparing = self.spent = 0.0
        self._accumulation, self._optimizer = learner.accumulation, learner.optimizer
        self._agreed = agreed
        full = plan.level == "full"
        self._measuring: Measuring = (
            ObservedStep(learner, full) if learner.parts == 1 else ObservedParts(learner, full)
        )
        self._last, self._epoch = time.perf_counter(), -1  # when the last observation was made
        self._key: int | None = None  # of the length that is observed, if there are several
        self._cost = self._usual = 0.0  # seconds: of an observation, of a step without one

    def run(self, usual: Stepper, run: Run, rows: Rows, first: int) -> Array:
        """What ``usual`` makes of ``rows``, step ``first`` of the training and those after it. The
        callback hook ``on_observation`` hears of each observation."""
        losses = [
            self._observed(run, piece, first + start) if due else self._plain(usual, run, piece)
            for start, piece, due in self._pieces(run, rows, first)
        ]
        return np.concatenate(losses) if len(losses) > 1 else losses[0]

    def _pieces(self, run: Run, rows: Rows, first: int) -> Iterator[tuple[int, Rows, bool]]:
        """``rows`` in pieces: where each begins, and whether it is a step to observe. Each is done
        before the next is asked for."""
        start = 0
        while start < len(rows):
            due = self._next(run, rows[start:], first + start)
            if self.plan.steps is None:  # clocks differ
                due = self._agreed(due)
            if due is None:
                yield start, rows[start:], False
                return
            if due:
                yield start, rows[start : start + due], False
            yield start + due, rows[start + due : start + due + 1], True
            start += due + 1

    def _next(self, run: Run, rows: Rows, first: int) -> int | None:
        """How many steps there are before the next one to observe."""
        every = self.plan.steps
        if every is None and not self._time_has_come(run):
            return None
        for k in range(len(rows)):
            if not self._accumulation.due(k) or not self._fits(run, rows[k]):
                continue
            # Updates are counted from the beginning, so that a resumed training observes the same.
            if every is None or self._accumulation.updates(first + k) % every == 0:
                return k
        return None

    def _time_has_come(self, run: Run) -> bool:
        seconds = self.plan.seconds
        assert seconds is not None
        elapsed = time.perf_counter() - self._last
        if elapsed < self._cost / SHARE[self.plan.level]:
            return False
        return elapsed >= seconds or (bool(self.found) and self._epoch < run.epoch)

    def _fits(self, run: Run, rows: Rows) -> bool:
        """Whether a batch has the shape of those that are observed: each needs a program. It is a
        full batch, of the length that most rows have."""
        source = run.train
        if len(rows) != run.order.batch:
            return False
        if not has_lengths(source):
            return True
        if self._key is None:
            self._key = int(np.bincount(source.keys()).argmax())
        return bool(source.keys(rows).max() == self._key)

    def _plain(self, usual: Stepper, run: Run, rows: Rows) -> Array:
        begun = time.perf_counter()
        losses = usual.run(run.train, rows)
        self._usual = (time.perf_counter() - begun) / len(rows)
        return losses

    def _observed(self, run: Run, rows: Rows, step: int) -> Array:
        source, measuring, begun = run.train, self._measuring, time.perf_counter()
        measuring.prepare(source, rows)
        ready, known = time.perf_counter(), measuring.recordings
        rates = tuple(rates_of(self._optimizer))
        losses, layers = measuring.run(source, rows)
        self._last, self._epoch = time.perf_counter(), run.epoch
        spent = max(self._last - ready - self._usual, 0.0)
        new = measuring.recordings > known
        self._cost = self._usual if new else spent
        self.preparing += ready - begun + (spent - self._cost)
        self.spent += self._cost
        epoch, loss = step // run.order.steps, float(losses[0])
        self.found.append(Observation(step, epoch, loss, rates, layers, len(rows[0])))
        run.hooks("on_observation", self.found[-1])
        return losses


def observer_of(
    learner: Observable, value: Any, usual: bool, agreed: Callable[[Any], Any]
) -> Observer | None:
    """What observes the training of ``learner``; None if nothing is to be observed, or can be: a
    step of an optimizer that evaluates the loss itself is several, and one that is not the
    ``usual`` one may do anything. ``agreed`` gives what worker 0 passes. Raises ConfigError for
    what is no level.
    """
    plan = Observe.of(value)
    several = isinstance(learner.optimizer, LBFGS | SimulatedAnnealing)
    wanted = plan.level != "off" and usual and not several
    return Observer(learner, plan, agreed) if wanted else None
