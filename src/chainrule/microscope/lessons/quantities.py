"""What a lesson may ask for: numbers of its step, and how they compare."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from ...errors import ConfigError
from ..scope import Scope

__all__ = ["QUANTITY", "quantity_of"]

#: in a lesson's file: what it is, and what of
QUANTITY = {
    "what": str,
    "layer?": str,
    "index?": [int],
    "weight?": str,
    "over?": dict,
    "times?": float,
}


def quantity_of(scope: Scope, asked: Mapping[str, Any]) -> float:
    """The number that a lesson asks for; with ``over``, divided by another one;
    with ``times``, multiplied by a number."""
    what = asked["what"]
    if what not in KNOWN:
        raise ConfigError(f"a lesson cannot ask for {what!r}", help=", ".join(KNOWN))
    value = KNOWN[what](scope, asked) * float(asked.get("times", 1.0))
    return value / quantity_of(scope, asked["over"]) if "over" in asked else value


def _value(scope: Scope, asked: Mapping[str, Any]) -> float:
    return float(scope.seen(asked["layer"]).result.array[tuple(asked["index"])])


def _gradient(scope: Scope, asked: Mapping[str, Any]) -> float:
    grad = scope.seen(asked["layer"]).result.grad
    return 0.0 if grad is None else float(grad[tuple(asked["index"])])


def _slope(scope: Scope, asked: Mapping[str, Any]) -> float:
    """The local derivative of an activation: what comes back over what arrives."""
    seen = scope.seen(asked["layer"])
    index, given, result = tuple(asked["index"]), seen.given.grad, seen.result.grad
    assert given is not None
    assert result is not None
    return float(given[index] / result[index])


def _silent(scope: Scope, asked: Mapping[str, Any]) -> float:
    """How many units of a layer get no gradient in any row."""
    grad = scope.seen(asked["layer"]).result.grad
    assert grad is not None
    return float((np.abs(grad).reshape(-1, grad.shape[-1]).max(axis=0) == 0).sum())


def _weight_gradient(scope: Scope, asked: Mapping[str, Any]) -> float:
    grad = scope.parameter(asked["weight"]).grad
    return 0.0 if grad is None else float(grad[tuple(asked["index"])])


def _update(scope: Scope, asked: Mapping[str, Any]) -> float:
    parameter, index = scope.parameter(asked["weight"]), tuple(asked["index"])
    return float(parameter.after[index]) - float(parameter.before[index])


def _input_gradient(scope: Scope, asked: Mapping[str, Any]) -> float:
    grad = scope.step.inputs[0].grad
    return 0.0 if grad is None else float(grad[tuple(asked["index"])])


def _gradient_size(scope: Scope, asked: Mapping[str, Any]) -> float:
    """The root of the sum of squares of what arrives at a layer."""
    grad = scope.seen(asked["layer"]).result.grad
    return 0.0 if grad is None else float(np.sqrt((grad.astype(np.float64) ** 2).sum()))


KNOWN: dict[str, Callable[[Scope, Mapping[str, Any]], float]] = {
    "value": _value, "gradient": _gradient, "slope": _slope, "silent units": _silent,
    "weight gradient": _weight_gradient, "update": _update, "input gradient": _input_gradient,
    "gradient size": _gradient_size,
}  # fmt: skip
