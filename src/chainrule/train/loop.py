"""Many steps in one native call: the program reads each batch itself."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from ..driver import load
from ..frontend import Tensor
from ..frontend.compiled import Call, Recordings
from ..frontend.modes import thread
from ..frontend.traced import trace_function
from ..ir.graph import Graph
from ..runtime.program import NativeProgram
from ..runtime.store import Listener
from .batch_source import BatchSource, Rows, by_length

__all__ = ["LoopStepper"]

Array = npt.NDArray[Any]
Key = tuple[Hashable, tuple[tuple[tuple[int, ...], str], ...], int, bool]


class LoopStepper:
    """A `Stepper` that runs all its steps in one program.

    The step is recorded for one batch, behind what takes that batch from the whole arrays, at rows
    that move on with each step. There is one program for each batch size, and for each thing that
    the step does: in training and in evaluation mode, for example; and one for each length that a
    batch is read at (`ByLength`).
    """

    def __init__(self, step: Callable[..., Any]) -> None:
        self._step = step
        self._recordings: dict[Key, Recordings[NativeProgram]] = {}

    def run(self, source: BatchSource, rows: Rows) -> Array:
        """Perform ``len(rows)`` steps; the loss of each, float32."""
        return self.results(source, rows)[0]

    def results(self, source: BatchSource, rows: Rows) -> tuple[Array, ...]:
        """Perform ``len(rows)`` steps; everything that each returns, [steps, ...]."""
        pieces = [self._results(*piece) for piece in by_length(source, rows)]
        if len(pieces) == 1:
            return pieces[0]
        return tuple(np.concatenate(column) for column in zip(*pieces, strict=True))

    def _results(
        self,
        source: BatchSource,
        rows: Rows,
        out: Sequence[Array] | None = None,
        listener: Listener | None = None,
    ) -> tuple[Array, ...]:
        call, steps = self._call(source, rows.shape[1]), len(rows)

        def execute() -> tuple[Array, ...]:
            columns = np.array([[f(k) for k in range(steps)] for f in call.scalars], np.float64)
            scalars = columns.reshape(-1, steps).T
            arrays = (*source.arrays, rows)
            return call.run.run_many(steps, *arrays, scalars=scalars, out=out, listener=listener)

        return call.perform(execute)

    def recorded(self, source: BatchSource, data: tuple[Tensor, ...], rows: Tensor) -> Any:
        """What is recorded for a batch: it is taken from the whole ``data``, and given the step."""
        return self._step(*source.take(data, rows))

    def awaited(self, graph: Graph) -> tuple[tuple[int, ...], ...]:
        """Groups of outputs of which the program tells when they are complete."""
        return ()

    def program(self, source: BatchSource, batch: int) -> NativeProgram:
        """The program for batches of so many rows, the longest ones if these have lengths; compiled
        if there is none yet."""
        return self._call(source, batch).run

    def _call(self, source: BatchSource, batch: int) -> Call[NativeProgram]:
        arrays = source.arrays
        shapes = tuple((a.shape, a.dtype.str) for a in arrays)
        key = (source.recipe, shapes, batch, thread.grad)
        recordings = self._recordings.setdefault(key, Recordings())
        call = recordings.current()
        if call is not None:
            return call
        names = [*(f"data{i}" for i in range(len(arrays))), "rows"]
        inputs = (*arrays, np.empty(batch, np.int32))

        def step(*tensors: Tensor) -> Any:
            *data, rows = tensors
            return self.recorded(source, tuple(data), rows)

        def program(graph: Graph, states: Sequence[Array]) -> NativeProgram:
            stepped = frozenset({len(arrays)})
            return load(graph, states, stepped=stepped, awaited=self.awaited(graph))

        return recordings.add(trace_function(step, inputs, {}, names=names), inputs, program)
