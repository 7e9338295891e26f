"""Runs graphs with NumPy, one primitive after the other: the oracle, and eager mode.

``precision=f64`` widens every real number to double (inputs, constants and casts), which is what
finite differences and tight comparisons with compiled code need.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from .errors import ShapeError
from .ir.graph import Graph, Node, topological
from .ir.types import Array, DType


def interpret(
    graph: Graph, values: Sequence[Array], precision: DType | None = None
) -> tuple[list[Array], list[Array]]:
    """Outputs of ``graph`` and new values of its updated states, for ``values`` of its inputs.

    All states are read before any is written, because updates are returned, not applied. Results
    may share memory with ``values``.
    """
    if len(values) != len(graph.inputs):
        raise ShapeError(
            f"expected {len(graph.inputs)} input{'s' * (len(graph.inputs) != 1)}, got {len(values)}"
        )
    for node, value in zip(graph.inputs, values, strict=True):
        if np.shape(value) != node.shape:
            raise ShapeError(
                f"input {node.params['name']!r} has shape {node.shape}, "
                f"got a value of shape {np.shape(value)}"
            )
    env = dict(zip(graph.inputs, values, strict=True))
    results = evaluate(graph.roots, env, precision)
    return results[: len(graph.outputs)], results[len(graph.outputs) :]


def evaluate(
    nodes: Iterable[Node], env: Mapping[Node, Array], precision: DType | None = None
) -> list[Array]:
    """Values of ``nodes``, given those in ``env``, which may hold any nodes of the graph."""
    roots = tuple(nodes)
    values = {node: _widened(value, precision) for node, value in env.items()}
    for node in topological(roots, known=env):
        arrays = [values[i] for i in node.inputs]
        values[node] = _widened(_apply(node, arrays, precision), precision)
    return [values[node] for node in roots]


def _apply(node: Node, arrays: list[Array], precision: DType | None) -> Array:
    """One primitive on arrays."""
    params: Mapping[str, Any] = node.params
    if node.op == "cast" and precision is not None and node.dtype.is_float:
        params = {"dtype": precision}
    elif node.op == "scan":
        params = {**params, "precision": precision}
    value: Array = node.primitive.reference(*arrays, **params)
    return value


def _widened(value: Any, precision: DType | None) -> Any:
    """``value``, with real numbers in ``precision``; the results of a loop are a tuple."""
    if isinstance(value, tuple):
        return tuple(_widened(part, precision) for part in value)
    array = np.asarray(value)
    if precision is None or array.dtype.kind != "f":
        return array
    return array.astype(precision.numpy, copy=False)
