"""Runs traced steps with the interpreter: the meaning of a compiled function, slowly."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any

import numpy as np

from ..interpret import interpret
from ..ir.graph import Graph
from ..ir.types import Array


class InterpretedProgram:
    """One step of ``graph`` on ``states``, which are updated in place.

    ``exclusive`` gives the lock of the states, where other programs share them.
    """

    def __init__(
        self,
        graph: Graph,
        states: Sequence[Array],
        exclusive: Callable[[], AbstractContextManager[Any]] | None = None,
    ) -> None:
        own = threading.RLock()
        self._exclusive = exclusive or (lambda: own)
        self.graph = graph
        self.states = list(states)
        self.steps_done = 0
        state_nodes = [n for n in graph.inputs if n.params["kind"] == "state"]
        state_of = dict(zip(state_nodes, states, strict=True))
        self._targets = [state_of[u.inputs[0]] for u in graph.updates]

    @property
    def exclusive(self) -> AbstractContextManager[Any]:
        """Inside, this thread alone runs programs that write any of these states."""
        return self._exclusive()

    def forget_steps(self) -> None:
        """`steps_done` is 0 until the next call is over."""
        self.steps_done = 0

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
