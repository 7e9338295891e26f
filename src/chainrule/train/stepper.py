"""Many training steps in one call."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from ..frontend import Tensor, compile
from .batch_source import BatchSource, Rows, host_batch
from .loop import LoopStepper

__all__ = ["CallStepper", "Reader", "SliceLength", "Stepper", "make_reader", "make_stepper"]

Array = npt.NDArray[Any]


class Stepper(Protocol):
    """Runs a training step on many batches of rows.

    ``run(source, rows)`` performs ``len(rows)`` steps in order, step s on the batch of ``rows[s]``,
    and returns the loss of each, float32. ``rows`` is int32 [steps, batch], in range. When it
    raises, a whole number of steps was done.
    """

    def run(self, source: BatchSource, rows: Rows) -> Array: ...


class Reader(Protocol):
    """Computes something of many batches of rows.

    ``results(source, rows)`` gives everything that it computes of the batch of each of ``rows``
    [batches, batch], one after the other: [batches, ...].
    """

    def results(self, source: BatchSource, rows: Rows) -> tuple[Array, ...]: ...


class CallStepper:
    """Calls the compiled step once for each batch: slower than a loop, and the same bits."""

    def __init__(self, step: Callable[..., Any]) -> None:
        self._step = compile(step)

    def run(self, source: BatchSource, rows: Rows) -> Array:
        return self.results(source, rows)[0]

    def results(self, source: BatchSource, rows: Rows) -> tuple[Array, ...]:
        computed = [self._step(*host_batch(source, batch)) for batch in rows]
        each = [result if isinstance(result, tuple) else (result,) for result in computed]
        return tuple(np.stack([t.numpy() for t in column]) for column in zip(*each, strict=True))


def make_stepper(step: Callable[..., Tensor]) -> Stepper:
    """The way steps are run: ``step`` takes one batch of each array and returns the loss."""
    return LoopStepper(step)


def make_reader(compute: Callable[..., Any]) -> Reader:
    """The way batches are evaluated: ``compute`` takes one batch of each array."""
    return LoopStepper(compute)


class SliceLength:
    """How many steps make a slice of about ``seconds``: long enough to cost nothing, short
    enough to show progress. Slices never change a result.
    """

    def __init__(self, seconds: float = 0.25, steps: int = 32) -> None:
        self.seconds, self.steps = seconds, steps

    def learn(self, steps: int, spent: float) -> None:
        """``steps`` steps took ``spent`` seconds. Growth is bounded: the first may be slow."""
        fitting = int(steps * self.seconds / max(spent, 1e-9))
        self.steps = max(1, min(fitting, 4 * self.steps))
