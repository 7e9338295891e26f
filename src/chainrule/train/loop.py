"""Many training steps in one native call: the batch is gathered inside the program."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from ..driver import load
from ..frontend.compiled import Call
from ..frontend.traced import Traced, trace_function
from ..ir.graph import Graph, Node, topological
from ..ir.rewrite import with_inputs
from ..ir.types import DType, i32
from ..ops import gather
from ..ops.sources import input_
from ..passes.layout import row_major
from ..runtime.program import NativeProgram

__all__ = ["LoopStepper"]

Array = npt.NDArray[Any]
Key = tuple[tuple[tuple[int, ...], str], ...]


class LoopStepper:
    """A `Stepper` that runs all its steps in one program.

    The step is traced for one batch; its arguments are then replaced by rows gathered from the
    whole arrays, at indices that move on with each step. There is one program for each batch size.
    """

    def __init__(self, step: Callable[..., Any]) -> None:
        self._step = step
        self._calls: dict[tuple[Key, int], tuple[Call, NativeProgram]] = {}

    def run(self, arrays: Sequence[Array], rows: npt.NDArray[np.int32]) -> Array:
        """Perform ``len(rows)`` steps; the loss of each, float32."""
        call, program = self._program(arrays, rows.shape[1])
        steps = len(rows)
        scalars = np.array([[f(k) for f in call.scalars] for k in range(steps)], np.float64)
        program.forget_steps()
        try:
            outputs = program.run_many(steps, *arrays, rows, scalars=scalars)
        except KeyboardInterrupt:
            call.finish(program.steps_done, None)
            raise
        call.finish(steps, outputs)
        return outputs[0]

    def _program(self, arrays: Sequence[Array], batch: int) -> tuple[Call, NativeProgram]:
        key = (tuple((a.shape, a.dtype.str) for a in arrays), batch)
        found = self._calls.get(key)
        if found is None or not found[0].traced.is_current():
            examples = tuple(np.empty((batch, *a.shape[1:]), a.dtype) for a in arrays)
            traced = trace_function(self._step, examples, {})
            graph = gathered(traced, arrays, batch)
            states = [t.settle() for t in traced.states]
            program = load(graph, states, stepped=frozenset({len(arrays)}))
            found = self._calls[key] = (Call(traced, program, examples), program)
        return found


def gathered(traced: Traced, arrays: Sequence[Array], batch: int) -> Graph:
    """The graph of ``traced`` reading its batch from whole ``arrays``, at given rows."""
    whole = [_door(f"data{i}", a) for i, a in enumerate(arrays)]
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


def _door(name: str, array: Array) -> Node:
    """An input for all rows of the data."""
    return input_(
        kind="arg",
        name=name,
        shape=array.shape,
        dtype=DType.of(array.dtype),
        strides=row_major(array.shape),
    )
