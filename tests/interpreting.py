"""Trainings that compile nothing, for tests of what a step is made of rather than of its code.

The interpreter is the meaning of a step, and every step that is compiled is compared with it
elsewhere: `tests/test_compared.py` and `tests/optim/test_reference.py`. It spares a test half a
second or more for each program, as long as the network is small and steps are few.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import pytest

from chainrule.frontend.interpreted import InterpretedProgram
from chainrule.ir.graph import Graph
from chainrule.ir.types import Array
from chainrule.runtime.store import Listener
from chainrule.train import loop

__all__ = ["interpreting"]


class InterpretedLoop(InterpretedProgram):
    """A `NativeProgram` of many steps, as far as a trainer needs it."""

    def __init__(
        self, graph: Graph, states: Sequence[Array], stepped: frozenset[int], awaited: int
    ) -> None:
        super().__init__(graph, states)
        self._stepped, self._awaited = stepped, awaited

    def run_many(
        self,
        steps: int,
        *args: Array,
        scalars: Array | Sequence[Sequence[float]] = (),
        out: Sequence[Array] | None = None,
        listener: Listener | None = None,
    ) -> tuple[Array, ...]:
        rates = np.asarray(scalars, np.float64).reshape(steps, -1)
        rows = [
            self(*(a[k] if i in self._stepped else a for i, a in enumerate(args)), scalars=rates[k])
            for k in range(steps)
        ]
        self.steps_done = steps
        columns = tuple(np.stack(column) for column in zip(*rows, strict=True))
        for given, column in zip(out or (), columns, strict=False):
            given[...] = column
        if listener is not None:
            os.write(listener.file, bytes(steps * self._awaited))
        return columns if out is None else tuple(out)


def interpreted(
    graph: Graph,
    states: Sequence[Array],
    *,
    stepped: frozenset[int] = frozenset(),
    awaited: tuple[tuple[int, ...], ...] = (),
) -> InterpretedLoop:
    """In place of `chainrule.driver.load`."""
    return InterpretedLoop(graph, states, stepped, len(awaited))


@contextmanager
def interpreting() -> Iterator[None]:
    """Inside, trainers interpret their steps."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loop, "load", interpreted)
        yield
