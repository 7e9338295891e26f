"""The check: how much the loss changes if one number moves a little, beside the gradient.

The loss is evaluated in double precision from the graph of the whole step, by what says what a
graph means (`interpret.py`): a second opinion on the compiled gradient, and no part of it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..frontend import Tensor, enable_grad
from ..frontend.modes import thread
from ..frontend.traced import is_array, trace_function
from ..frontend.tree import flatten
from ..interpret import evaluate
from ..ir.graph import Node
from ..ir.types import DType
from ..testing import STEP
from .shown import Table
from .walk import Step, Walker

__all__ = ["Difference", "difference_at"]


@dataclass(frozen=True)
class Difference:
    """The slope of the loss by ``backpropagated`` and by ``measured`` differences."""

    backpropagated: float
    measured: float
    step: float

    @property
    def digits(self) -> int:
        """How many leading digits agree, at most 7: float32 has no more."""
        size = max(abs(self.backpropagated), abs(self.measured))
        apart = abs(self.backpropagated - self.measured)
        if not apart or size < 1e-12:
            return 7
        return max(0, min(7, math.floor(-math.log10(apart / size))))

    def table(self) -> Table:
        """Beside one another, with the digits that agree."""
        words = f"backpropagation is right to {self.digits} digits"
        if self.digits < 3:
            words = (f"only {self.digits} digits agree: there may be a kink within {self.step:.1g} "
                     "of this point (a ReLU at 0, a maximum of equals), where differences see both "
                     "sides")  # fmt: skip
        rows = (("gradient, by backpropagation", self.backpropagated),
                ("(L(w + h) - L(w - h)) / 2h", self.measured), ("h", self.step),
                ("digits that agree", self.digits))  # fmt: skip
        return Table("The check", ("", "value"), rows, words)


def difference_at(
    walker: Walker, step: Step, name: str, index: tuple[int, ...], gradient: float
) -> Difference:
    """At ``index`` of the parameter ``name``, or of ``input N`` as the model gets it."""
    learner = walker.learner

    seen: list[Node] = []

    def whole_loss(*arrays: Any) -> Tensor:
        inputs, target = walker.batch(*arrays)
        assert thread.trace is not None
        seen.extend(map(thread.trace.node, inputs))
        return learner.penalized(learner.loss(learner.forward(*inputs), target))

    with walker.mode(), enable_grad():
        traced = trace_function(whole_loss, step.batch, {})
        env = traced.environment(flatten(step.batch, is_array)[0])
    tensor = dict(learner.model.named_parameters()).get(name)
    nodes = {id(t): n for t, n in zip(traced.states, traced.state_nodes, strict=True)}
    if tensor is not None:
        node, before = nodes.get(id(tensor)), step.parameters[name].before
    else:
        number = int(name.removeprefix("input").strip() or 0)
        node, before = seen[number], step.inputs[number].array
    if node is None:
        return Difference(gradient, 0.0, STEP)
    value = np.asarray(before, np.float64)
    best = Difference(gradient, math.inf, STEP)
    for size in _sizes(float(value[index])):
        ends = []
        for sign in (1.0, -1.0):
            moved = value.copy()
            moved[index] += sign * size
            known = {**env, node: moved}
            ends.append(float(evaluate([traced.graph.outputs[0]], known, DType.f64)[0]))
        found = Difference(gradient, (ends[0] - ends[1]) / (2 * size), size)
        if abs(found.measured - gradient) < abs(best.measured - gradient):
            best = found
        if best.digits >= 6:
            break
    return best


def _sizes(value: float) -> Sequence[float]:
    """Steps to try: the cube root of double precision, where errors balance, and smaller ones."""
    size = max(abs(value), 1.0)
    return [STEP * size, STEP * size / 10, STEP * size / 100]
