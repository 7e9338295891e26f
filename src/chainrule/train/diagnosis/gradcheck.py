"""Is the gradient of this model and this loss right? Central differences in double precision.

For each parameter p and a random direction d, <dL/dp, d> must equal
(L(p + h d) - L(p - h d)) / 2h. Both sides are computed by the interpreter in float64.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ...autodiff import cotangents
from ...frontend import Tensor, enable_grad
from ...frontend.traced import Traced, is_array, trace_function
from ...frontend.tree import flatten
from ...interpret import evaluate
from ...ir.graph import Node, full_like, topological
from ...ir.types import Array, DType
from ...testing import STEP, central_slope
from ..batch_source import host_batch, spread_rows
from ..learning import Differentiable

__all__ = ["TOLERANCE", "GradientComparison", "compare_gradients"]

#: of two numbers, relative to the larger
TOLERANCE = 1e-5
#: steps of central differences. A ReLU that is crossed on the way spoils one of them, a wrong
#: gradient all; the first is the cube root of double precision, where errors balance
STEPS = (STEP, 6e-7, 6e-8)
#: times the loss: what rounding alone makes of a difference of two equal losses
ROUNDING = 1e-9
#: how far a point is from one nearby: far beyond the steps, and not beyond what was learned
NEARBY = 1e-3


@dataclass(frozen=True)
class GradientComparison:
    """For one parameter: the slope by backpropagation and by differences, and the gradient itself.

    ``agrees`` if they differ by at most ``TOLERANCE`` of the larger one.
    """

    name: str
    backpropagated: float
    measured: float
    agrees: bool
    gradient: Array


def compare_gradients(
    learner: Differentiable, data: Any, rows: int = 16, seed: int = 0
) -> list[GradientComparison]:
    """Checks the gradient of every parameter on at most ``rows`` rows of ``data``, evenly spaced.

    In evaluation mode and with the penalty, but without what draws random numbers anew: dropout,
    noise, mixup. Nothing is changed.
    """
    source = learner.data_check.labelled(data, "data")
    few = host_batch(source, spread_rows(source.rows, rows))

    def whole_loss(*arrays: Tensor) -> Tensor:
        *inputs, target = arrays
        return learner.penalized(learner.loss(learner.forward(*inputs), target))

    with learner.evaluation_mode(), enable_grad():
        traced = trace_function(whole_loss, few, {})
    names = {id(p): name for name, p in learner.model.named_parameters()}
    wanted = {id(p) for p in learner.parameters()}
    nodes = {
        names.get(id(t), "parameter"): node
        for t, node in zip(traced.states, traced.state_nodes, strict=True)
        if id(t) in wanted
    }
    env = traced.environment(flatten(few, is_array)[0])
    return _compared(traced, nodes, env, np.random.default_rng(seed))


def _compared(
    traced: Traced, nodes: Mapping[str, Node], env: dict[Node, Array], rng: np.random.Generator
) -> list[GradientComparison]:
    """At this point; what disagrees there, at one nearby.

    A point may lie exactly on a kink: behind a batch normalisation, a channel of zeros meets ReLU
    at 0, where differences see both sides. Nearby nothing is exactly 0, and what is wrong there is
    wrong.
    """
    results = _at_point(traced, nodes, env, rng)
    if all(result.agrees for result in results):
        return results
    nearby = {
        node: env[node].astype(np.float64) + NEARBY * rng.standard_normal(node.shape)
        for node in nodes.values()
    }
    again = _at_point(traced, nodes, {**env, **nearby}, rng)
    return [
        replace(second, gradient=first.gradient) if second.agrees and not first.agrees else first
        for first, second in zip(results, again, strict=True)
    ]


def _at_point(
    traced: Traced, nodes: Mapping[str, Node], env: Mapping[Node, Array], rng: np.random.Generator
) -> list[GradientComparison]:
    loss = traced.graph.outputs[0]
    wanted = list(nodes.values())
    reached = cotangents([loss], [full_like(loss, 1.0)], wanted)
    grads = [full_like(n, 0.0) if g is None else g for n, g in zip(wanted, reached, strict=True)]
    order = list(topological([loss]))
    values = {**env, **dict(zip(order, evaluate(order, env, DType.f64), strict=True))}
    gradients = evaluate(grads, {**env, **values}, DType.f64)
    floor = ROUNDING * max(1.0, abs(float(values[loss])))
    results = []
    for (name, node), gradient in zip(nodes.items(), gradients, strict=True):
        direction = rng.standard_normal(node.shape)
        # What does not depend on the parameter is computed once: features, and earlier layers.
        known = _independent(values, order, node)
        ours = float(np.sum(gradient * direction))
        best = np.inf
        for step in STEPS:
            slope = central_slope([loss], [np.ones(())], known, {node: direction}, step)
            best = min(best, slope, key=lambda s: abs(s - ours))
            limit = TOLERANCE * max(abs(ours), abs(best)) + floor * STEPS[0] / step
            if abs(ours - best) <= limit:
                break
        agrees = bool(abs(ours - best) <= limit)
        results.append(GradientComparison(name, ours, best, agrees, np.asarray(gradient)))
    return results


def _independent(
    values: Mapping[Node, Array], order: Sequence[Node], parameter: Node
) -> dict[Node, Array]:
    """The values that stay as they are when a parameter moves, and its own."""
    moving = {parameter}
    for node in order:
        if not moving.isdisjoint(node.inputs):
            moving.add(node)
    return {n: v for n, v in values.items() if n not in moving or n is parameter}
