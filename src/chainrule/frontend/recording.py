"""Functions recorded as nodes, for what turns them into other functions."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from ..ir.graph import Node, bind
from ..ir.memory import element_strides
from ..ops.control import fence
from .apply import from_node, replay
from .modes import enable_grad, no_grad, thread
from .tensor import Tensor
from .tracer import Trace

Function = Callable[..., Any]


class Recording:
    """Turns Tensors into nodes and back, inside the running trace or in one of its own."""

    def __init__(self, trace: Trace, own: bool) -> None:
        self._trace, self._own = trace, own
        self._known: dict[Node, Tensor] = {}

    def variable(self, value: Tensor) -> Node:
        """A fresh node that stands for ``value`` and for nothing else."""
        if not self._own:
            # What the function reads from outside must not count as its argument.
            return bind("reshape", self._trace.node(value), shape=value.shape)
        array = value._array
        assert array is not None
        strides = element_strides(array)
        node = self._trace.argument("x", array.shape, value.dtype, strides)
        self._known[node] = value
        return node

    def tensors(self, nodes: Sequence[Node]) -> list[Tensor]:
        """Values of ``nodes``; with history if states that they depend on require gradients."""
        if not self._own:
            tracked = self._trace.depend_on_gradients(nodes)
            stopped = not thread.grad
            return [
                from_node(fence(n)) if t and stopped else from_node(n, t)
                for n, t in zip(nodes, tracked, strict=True)
            ]
        for state_node, state in zip(self._trace.state_nodes, self._trace.states, strict=True):
            self._known.setdefault(state_node, state)
        return replay(nodes, self._known)

    def results(self, nodes: Sequence[Node]) -> list[Tensor]:
        """Values of ``nodes``; what the function assigned to Tensors outside takes effect."""
        if not self._own:
            return self.tensors(nodes)
        states = dict(zip(self._trace.state_nodes, self._trace.states, strict=True))
        pairs = [u.inputs for u in self._trace.updates()]
        values = self.tensors([*nodes, *(value for _, value in pairs)])
        with no_grad():
            for (state_node, _), value in zip(pairs, values[len(nodes) :], strict=True):
                state = states[state_node]
                self._known[state_node] = state.clone()  # what a later derivative starts from
                state.assign_(value.detach())
        return values[: len(nodes)]

    def call(self, function: Function, args: Sequence[Any], xs: Sequence[Node]) -> Any:
        """``function(*args)``, to be differentiated by ``xs``.

        That somebody outside tracks no gradients is not for the function; what its results mean
        there, `tensors` decides.
        """
        variables = self._trace.variables
        variables.extend(xs)
        try:
            with enable_grad():
                return function(*args)
        finally:
            del variables[len(variables) - len(xs) :]


@contextmanager
def recorded() -> Iterator[Recording]:
    """Inside, functions are recorded: into the running trace, or into one of their own."""
    if thread.trace is not None:
        yield Recording(thread.trace, own=False)
        return
    with Trace() as trace:
        yield Recording(trace, own=True)
