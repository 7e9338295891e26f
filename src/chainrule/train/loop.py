"""Many training steps in one native call: the batch is gathered inside the program."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from ..driver import load
from ..frontend.compiled import Call, Recordings
from ..frontend.modes import thread
from ..frontend.traced import Traced, trace_function
from ..ir.graph import Graph, Node, topological
from ..ir.rewrite import with_inputs
from ..ir.types import DType, i32, row_major
from ..ops import gather
from ..ops.sources import input_
from ..runtime.program import NativeProgram

__all__ = ["LoopStepper"]

Array = npt.NDArray[Any]
Key = tuple[tuple[tuple[tuple[int, ...], str], ...], int, bool]


class LoopStepper:
    """A `Stepper` that runs all its steps in one program.

    The step is traced for one batch; its arguments are then replaced by rows gathered from the
    whole arrays, at indices that move on with each step. There is one program for each batch size,
    and for each thing that the step does: in training and in evaluation mode, for example.
    """

    def __init__(self, step: Callable[..., Any]) -> None:
        self._step = step
        self._recordings: dict[Key, Recordings[NativeProgram]] = {}

    def run(self, arrays: Sequence[Array], rows: npt.NDArray[np.int32]) -> Array:
        """Perform ``len(rows)`` steps; the loss of each, float32."""
        call, steps = self._call(arrays, rows.shape[1]), len(rows)

        def execute() -> tuple[Array, ...]:
            columns = np.array([[f(k) for k in range(steps)] for f in call.scalars], np.float64)
            scalars = columns.reshape(-1, steps).T
            return call.run.run_many(steps, *arrays, rows, scalars=scalars)

        return call.perform(execute)[0]

    def program(self, arrays: Sequence[Array], batch: int) -> NativeProgram:
        """The program for batches of so many rows, compiled if there is none yet."""
        return self._call(arrays, batch).run

    def _call(self, arrays: Sequence[Array], batch: int) -> Call[NativeProgram]:
        key = (tuple((a.shape, a.dtype.str) for a in arrays), batch, thread.grad)
        recordings = self._recordings.setdefault(key, Recordings())
        call = recordings.current()
        if call is not None:
            return call
        examples = tuple(np.empty((batch, *a.shape[1:]), a.dtype) for a in arrays)
        traced = trace_function(self._step, examples, {})

        def program(graph: Graph, states: Sequence[Array]) -> NativeProgram:
            stepped = frozenset({len(arrays)})
            return load(gathered(traced, arrays, batch), states, stepped=stepped)

        return recordings.add(traced, examples, program)


def gathered(traced: Traced, arrays: Sequence[Array], batch: int) -> Graph:
    """The graph of ``traced`` reading its batch from whole ``arrays``, at given rows."""
    whole = [_data_input(f"data{i}", a) for i, a in enumerate(arrays)]
    rows = input_(kind="arg", name="rows", shape=(batch,), dtype=i32, strides=(1,))
    new: dict[Node, Node] = {}
    for node, data in zip(traced.arguments, whole, strict=True):
        new[node] = gather(data, rows, axis=0)
    graph = traced.graph
    for node in topological(graph.inputs + graph.roots):
        if node not in new:
            new[node] = with_inputs(node, [new[i] for i in node.inputs])
    kept = [n for n in graph.inputs if n.params["kind"] != "arg"]
    outputs = tuple(new[n] for n in graph.outputs)
    updates = tuple(new[n] for n in graph.updates)
    return Graph((*whole, rows, *kept), outputs, updates)


def _data_input(name: str, array: Array) -> Node:
    """An input for all rows of the data."""
    return input_(
        kind="arg",
        name=name,
        shape=array.shape,
        dtype=DType.of(array.dtype),
        strides=row_major(array.shape),
    )
