"""When a step is observed, and how: in its place another program of the same step is run, which
gives what was measured beside the loss, and leaves the same bits behind."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from ...frontend import Tensor
from ...frontend.apply import scalar
from ...ir.types import DType
from ...nn import Module
from ...optim import LBFGS, Optimizer, SimulatedAnnealing
from ..accumulate import Accumulation
from ..batch_source import Rows, as_read, has_lengths
from ..callbacks.rates import rates_of
from ..loop import LoopStepper
from ..run import Run
from ..stepper import Stepper
from .measures import Sheet
from .observation import Observation
from .plan import SHARE, Observe
from .taps import Taps

__all__ = ["Observable", "Observer"]

Array = npt.NDArray[Any]


def own_parameters(model: Module) -> dict[str, list[Tensor]]:
    """The parameters that each layer has itself and that are trained, by the layer's path."""
    owners: dict[str, list[Tensor]] = {}
    for path, parameter in model.named_parameters():
        if parameter.requires_grad:
            owners.setdefault(path.rpartition(".")[0], []).append(parameter)
    return owners


def _gradients(parameters: list[Tensor]) -> list[Tensor]:
    """As they are at this moment of the step."""
    return [p.grad.detach() for p in parameters if p.grad is not None]


class Observable(Protocol):
    """A training whose steps can be looked into."""

    @property
    def model(self) -> Module: ...
    @property
    def optimizer(self) -> Optimizer: ...
    @property
    def accumulation(self) -> Accumulation: ...
    @property
    def clip(self) -> Any: ...

    def train_step(self, *arrays: Tensor) -> Tensor:
        """Both of the following."""

    def differentiate(self, *arrays: Tensor) -> Tensor:
        """Loss and gradients of one batch."""

    def finish_step(self) -> None:
        """What follows once the gradients are there."""


class ObservedStep:
    """A training step that measures; ``results`` of `LoopStepper` on it are read by `read`.

    A recording says in its last result which it is, as another one may measure something else.
    """

    def __init__(self, learner: Observable, full: bool) -> None:
        self._learner, self._full = learner, full
        self._sheets: list[Sheet] = []

    def __call__(self, *arrays: Tensor) -> tuple[Tensor, ...]:
        learner, taps, sheet = self._learner, Taps(self._learner.model), Sheet()
        owners = own_parameters(learner.model)
        with taps.watch():
            loss = learner.differentiate(*arrays)
        before = {path: [p.detach() for p in own] for path, own in owners.items()}
        gradients = {path: _gradients(own) for path, own in owners.items()}
        arrived = taps.gradients()
        learner.finish_step()
        for tap in taps.taps:
            sheet.output(tap, arrived.get(tap.path), self._full)
        for path, steps in taps.through_time().items():
            sheet.through_time(path, steps)
        if self._full:
            sheet.noise(taps.taps, arrived, arrays[0].shape[0])
        for path, own in owners.items():
            layer, after = learner.model.get_submodule(path), [p.detach() for p in own]
            clipped = [] if learner.clip is None else _gradients(own)
            sheet.parameters(
                path, layer, before[path], gradients[path], clipped, after, self._full
            )  # fmt: skip
        self._sheets.append(sheet)
        return (loss, *sheet.values, scalar(len(self._sheets) - 1, DType.i32))

    def read(self, results: tuple[Array, ...]) -> dict[str, Any]:
        """What was measured in the one step of these results, by layer."""
        sheet = self._sheets[int(results[-1][0])]
        return sheet.read([column[0] for column in results[1:-1]])


class Observer:
    """Runs steps, and due ones by a program which measures; their bits are the same.

    ``found`` holds all observations so far. ``preparing`` is how long it took to compile that
    program, ``spent`` the time that observed steps took longer than others.
    """

    def __init__(self, learner: Observable, plan: Observe) -> None:
        self.plan = plan
        self.found: list[Observation] = []
        self.preparing = self.spent = 0.0
        self._accumulation, self._optimizer = learner.accumulation, learner.optimizer
        self._step = ObservedStep(learner, plan.level == "full")
        self._stepper = LoopStepper(self._step)
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
        source = as_read(run.train, rows[0])
        begun = time.perf_counter()
        self._stepper.program(source, rows.shape[1])
        ready = time.perf_counter()
        rates = tuple(rates_of(self._optimizer))
        results = self._stepper.results(source, rows)
        self._last, self._epoch = time.perf_counter(), run.epoch
        self._cost = max(self._last - ready - self._usual, 0.0)
        self.preparing += ready - begun
        self.spent += self._cost
        losses: Array = results[0]
        layers = self._step.read(results)
        epoch, loss = step // run.order.steps, float(losses[0])
        self.found.append(Observation(step, epoch, loss, rates, layers, len(rows[0])))
        run.hooks("on_observation", self.found[-1])
        return losses


def observer_of(learner: Observable, value: Any, usual: bool) -> Observer | None:
    """What observes the training of ``learner``; None if nothing is to be observed, or can be: a
    step of an optimizer that evaluates the loss itself is several, and one that is not the
    ``usual`` one may do anything. Raises ConfigError for what is no level.
    """
    plan = Observe.of(value)
    several = isinstance(learner.optimizer, LBFGS | SimulatedAnnealing)
    return Observer(learner, plan) if plan.level != "off" and usual and not several else None
