"""Functions of Tensors evaluated in float64, by recording them and asking the interpreter."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from unittest.mock import patch

import numpy as np

from chainrule.autodiff import cotangents
from chainrule.frontend import Tensor, Traced, apply, trace_function
from chainrule.interpret import evaluate
from chainrule.ir import graph
from chainrule.ir.graph import Node
from chainrule.ir.types import Array, DType, f64
from chainrule.ops.sources import input_


@dataclass
class Result:
    """Values and gradients of one call."""

    y: Array
    dinputs: list[Array | None]
    dstates: dict[int, Array]
    after: dict[int, Array]


def stored(array: Array) -> Array:
    """What a caller would pass: real numbers in float32."""
    return array.astype(np.float32) if array.dtype.kind == "f" else array


@contextmanager
def exact_constants() -> Iterator[dict[Node, Array]]:
    """Inside, real constants are noted in double, although their nodes hold single precision."""
    exact: dict[Node, Array] = {}
    plain = graph.constant

    def constant(value: Any, dtype: DType | None = None) -> Node:
        node = plain(value, dtype)
        if node.dtype.is_float:
            exact[node] = np.asarray(value, np.float64)
        return node

    with patch.object(graph, "constant", constant), patch.object(apply, "constant", constant):
        yield exact


def in_double(
    function: Callable[..., Any],
    inputs: Sequence[Any],
    g: Any,
    states: Mapping[int, Array] | None = None,
) -> Result:
    """``function(*inputs)`` with gradients of sum(g · y), all in float64.

    ``states`` gives float64 values of Tensors that the function reads, by id.
    """
    arrays = [np.asarray(x) for x in inputs]
    with exact_constants() as exact:
        traced = trace_function(function, tuple(stored(a) for a in arrays), {}, varied=True)
        return _evaluated(traced, arrays, g, states, exact)


def _evaluated(
    traced: Traced,
    arrays: Sequence[Array],
    g: Any,
    states: Mapping[int, Array] | None,
    exact: dict[Node, Array],
) -> Result:
    known = dict(states or {})
    values = [known.get(id(t), t.concrete) for t in traced.states]
    env: dict[Node, Array] = dict(zip(traced.graph.inputs, [*arrays, *values], strict=True))
    (y,) = traced.graph.outputs
    seed = input_(kind="arg", name="g", shape=y.shape, dtype=y.dtype, strides=(0,) * y.ndim)
    env[seed] = np.asarray(g, np.float64)
    nodes = [n for n in traced.graph.inputs if n.dtype.is_float]
    found = dict(zip(nodes, cotangents([y], [seed], nodes), strict=True))
    wanted = {n: c for n, c in found.items() if c is not None}
    updates = [u.inputs[1] for u in traced.graph.updates]
    numbers = evaluate([y, *wanted.values(), *updates], exact | env, f64)
    grads = dict(zip(wanted, numbers[1:], strict=False))
    state_of = dict(zip(traced.state_nodes, traced.states, strict=True))
    return Result(
        y=numbers[0],
        dinputs=[grads.get(n) for n in traced.arguments],
        dstates={id(t): grads[n] for n, t in state_of.items() if n in grads},
        after={
            id(state_of[u.inputs[0]]): v
            for u, v in zip(traced.graph.updates, numbers[1 + len(wanted) :], strict=True)
        },
    )


def agree(ours: Any, theirs: Any, rtol: float = 1e-9, atol: float = 1e-12) -> None:
    """Equal but for rounding in double."""
    np.testing.assert_allclose(ours, np.asarray(theirs, np.float64), rtol=rtol, atol=atol)


def parameters_of(tensors: Mapping[str, Tensor], values: Mapping[str, Any]) -> dict[int, Array]:
    """Float64 values by the id of the Tensor that they are of."""
    return {id(tensors[name]): np.asarray(v, np.float64) for name, v in values.items()}
