"""Runs traced steps with the interpreter: the meaning of a compiled function, slowly."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..interpret import interpret
from ..ir.graph import Graph
from ..ir.types import Array


class InterpretedProgram:
    """One step of ``graph`` on ``states``, which are updated in place."""

    def __init__(self, graph: Graph, states: Sequence[Array]) -> None:
        self.graph = graph
        self.states = list(states)
        self.steps_done = 0
        doors = [n for n in graph.inputs if n.params["kind"] == "state"]
        by_door = dict(zip(doors, states, strict=True))
        self._targets = [by_door[u.inputs[0]] for u in graph.updates]

    def __call__(self, *args: Array, scalars: Sequence[float] | Array = ()) -> tuple[Array, ...]:
        """Run one step: fresh outputs, updated states."""
        self.steps_done = 0
        rates = [np.float64(s) for s in scalars]
        outputs, updates = interpret(self.graph, [*args, *self.states, *map(np.asarray, rates)])
        # Copies come first: outputs and updates may be views of states.
        fresh = tuple(np.array(o, order="C") for o in outputs)
        values = [u.copy() for u in updates]
        for target, value in zip(self._targets, values, strict=True):
            target[...] = value
        self.steps_done = 1
        return fresh


def interpreter_backend(graph: Graph, states: Sequence[Array]) -> InterpretedProgram:
    """The backend that compiles nothing."""
    return InterpretedProgram(graph, states)
