"""Compiled functions that hold their states, and compute, in float64.

What an optimizer's formula says can then be compared with other programs to the last digits; in
float32 rounding alone would hide a wrong constant.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from typing import Any

import numpy as np

from chainrule.frontend import CompiledFunction, Tensor, compile
from chainrule.interpret import evaluate
from chainrule.ir.graph import Graph, Node
from chainrule.ir.types import Array, f64
from precise import exact_constants


class _Program:
    """One graph, bound to states that it keeps to itself."""

    steps_done = 1
    exclusive = nullcontext()

    def __init__(self, graph: Graph, states: Sequence[Array], exact: dict[Node, Array]) -> None:
        self.graph, self.exact, self.bound = graph, exact, states
        self.states = [state.astype(np.float64) for state in states]

    def forget_steps(self) -> None:
        """Nothing: each call does one step."""

    def __call__(self, *args: Array, scalars: Sequence[float] = ()) -> tuple[Array, ...]:
        values = [*args, *self.states, *(np.asarray(s) for s in scalars)]
        env = self.exact | dict(zip(self.graph.inputs, values, strict=True))
        outputs, updates = self.graph.outputs, self.graph.updates
        found = evaluate([*outputs, *(u.inputs[1] for u in updates)], env, f64)
        first = len(args)
        for update, value in zip(updates, found[len(outputs) :], strict=True):
            self.states[self.graph.inputs.index(update.inputs[0]) - first] = value
        return tuple(found[: len(outputs)])


class Double:
    """``compile`` with float64 inside, for functions without integers."""

    def __init__(self, exact: dict[Node, Array]) -> None:
        self.exact = exact
        self.programs: list[_Program] = []

    def compile(self, function: Callable[..., Any]) -> CompiledFunction[..., Any]:
        """``function``, whose Tensors outside keep their float32 values."""
        return compile(backend=self._bind)(function)

    def _bind(self, graph: Graph, states: Sequence[Array]) -> _Program:
        self.programs.append(_Program(graph, states, self.exact))
        return self.programs[-1]

    def value(self, tensor: Tensor) -> Array:
        """The float64 number behind ``tensor`` in the last program that was made."""
        program = self.programs[-1]
        (found,) = (
            value
            for value, bound in zip(program.states, program.bound, strict=True)
            if bound is tensor.concrete
        )
        return found


@contextmanager
def double() -> Iterator[Double]:
    """Inside, constants are recorded in double."""
    with exact_constants() as exact:
        yield Double(exact)
