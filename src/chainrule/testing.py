"""Checks of derivatives for users: finite differences in double precision."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from .autodiff import cotangents
from .errors import ConfigError, GradientError
from .frontend.modes import enable_grad
from .frontend.traced import Traced, flatten_call, trace_function
from .interpret import evaluate
from .ir.graph import Node, full_like
from .ir.types import Array, DType, is_whole, row_major
from .ops.sources import input_

__all__ = ["STEP", "central_slope", "check_grads"]

#: step of central differences: the cube root of double precision, where both errors balance
STEP = 6e-6


def check_grads(
    function: Callable[..., Any],
    args: Sequence[Any],
    order: int = 2,
    tolerance: float = 1e-5,
    seed: int = 0,
) -> None:
    """Compare derivatives of ``function`` up to ``order`` with central differences in float64.

    For random u and directions d, <u, (f(x + hd) - f(x - hd)) / 2h> must equal <vjp(u), d>. Real
    arrays in ``args`` are varied, all others stay. Raises GradientError with both numbers where
    they differ by more than ``tolerance``, relative to the larger. Tensors that the function reads
    but does not get as arguments keep their values; nothing is assigned. ConfigError if ``args`` is
    no tuple or list, or ``order`` no whole number of at least 1.
    """
    if not isinstance(args, tuple | list):
        raise ConfigError(
            f"the arguments of check_grads are a {type(args).__name__}",
            help="pass a tuple: check_grads(f, (x,))",
        )
    if not is_whole(order) or order < 1:
        raise ConfigError(f"order is {order!r}", help="pass a whole number of at least 1")
    with enable_grad():
        traced = trace_function(function, tuple(args), {}, varied=True)
    xs = [n for n in traced.arguments if n.dtype.is_float]
    ys = [n for n in traced.graph.outputs if n.dtype.is_float]
    if not xs or not ys:
        raise GradientError("nothing to check: no floating-point argument or result")
    rng = np.random.default_rng(seed)
    env = traced.environment(_leaves(traced, args))
    _check(ys, xs, env, rng, order, tolerance, depth=1)


def central_slope(
    ys: Sequence[Node],
    weights: Sequence[Array],
    env: Mapping[Node, Array],
    directions: Mapping[Node, Array],
    step: float = STEP,
) -> float:
    """<weights, (ys(x + h d) - ys(x - h d)) / 2h>, h = ``step``, for inputs x with directions d."""
    sides = []
    for sign in (1.0, -1.0):
        moved = {x: env[x].astype(np.float64) + sign * step * d for x, d in directions.items()}
        values = evaluate(ys, {**env, **moved}, DType.f64)
        sides.append(sum(float(np.sum(w * v)) for w, v in zip(weights, values, strict=True)))
    return (sides[0] - sides[1]) / (2.0 * step)


def _leaves(traced: Traced, args: Sequence[Any]) -> list[Array]:
    """The arrays of the arguments; real ones keep their precision."""
    arrays, _ = flatten_call(tuple(args), {})
    return [
        np.asarray(a if cast is None or a.dtype.kind == "f" else cast(a))
        for cast, a in zip(traced.casts, arrays, strict=True)
    ]


def _check(
    ys: Sequence[Node],
    xs: Sequence[Node],
    env: dict[Node, Array],
    rng: np.random.Generator,
    order: int,
    tolerance: float,
    depth: int,
) -> None:
    us = [_variable(f"u{i}", y) for i, y in enumerate(ys)]
    env = env | {u: rng.standard_normal(u.shape) for u in us}
    reached = cotangents(ys, us, xs)
    grads = [full_like(x, 0.0) if g is None else g for x, g in zip(xs, reached, strict=True)]
    directions = {x: rng.standard_normal(x.shape) for x in xs}
    gradients = evaluate(grads, env, DType.f64)
    ours = float(sum(np.sum(g * d) for g, d in zip(gradients, directions.values(), strict=True)))
    theirs = central_slope(ys, [env[u] for u in us], env, directions)
    if not abs(ours - theirs) <= tolerance * max(1.0, abs(ours), abs(theirs)):
        raise GradientError(
            f"derivatives of order {depth} disagree: backpropagation gives {ours:.10g}, central "
            f"differences say {theirs:.10g}",
            help="near a kink (relu at 0) neither is wrong: move the arguments away from it",
        )
    if order > 1:
        _check(grads, xs, env, rng, order - 1, tolerance, depth + 1)


def _variable(name: str, like: Node) -> Node:
    strides = row_major(like.shape)
    return input_(kind="arg", name=name, shape=like.shape, dtype=like.dtype, strides=strides)
