"""Checks of derivatives for users: finite differences in double precision."""

from __future__ import annotations

from collections.abc import Callable, Sequence
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

__all__ = ["check_grads"]

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
            help="give a tuple: check_grads(f, (x,))",
        )
    if not is_whole(order) or order < 1:
        raise ConfigError(f"order is {order!r}", help="give a whole number of at least 1")
    with enable_grad():
        traced = trace_function(function, tuple(args), {}, varied=True)
    xs = [n for n in traced.arguments if n.dtype.is_float]
    ys = [n for n in traced.graph.outputs if n.dtype.is_float]
    if not xs or not ys:
        raise GradientError("there is nothing to check: no real argument or no real result")
    rng = np.random.default_rng(seed)
    _check(ys, xs, _environment(traced, args), rng, order, tolerance, depth=1)


def _environment(traced: Traced, args: Sequence[Any]) -> dict[Node, Array]:
    """Values of all inputs, real ones in double precision."""
    arrays = [np.asarray(a) for a in _leaves(traced, args)]
    states = [t.concrete for t in traced.states]
    scalars = [np.float64(f(0)) for f in traced.scalars]
    values = [*arrays, *states, *map(np.asarray, scalars)]
    return dict(zip(traced.graph.inputs, values, strict=True))


def _leaves(traced: Traced, args: Sequence[Any]) -> list[Array]:
    arrays, _ = flatten_call(tuple(args), {})
    whole = [
        c(a) if c is not None and a.dtype.kind != "f" else a
        for c, a in zip(traced.casts, arrays, strict=True)
    ]
    return whole


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
    found = cotangents(ys, us, xs)
    grads = [full_like(x, 0.0) if g is None else g for x, g in zip(xs, found, strict=True)]
    directions = [rng.standard_normal(x.shape) for x in xs]
    products = evaluate(grads, env, DType.f64)
    ours = float(sum(np.sum(g * d) for g, d in zip(products, directions, strict=True)))
    theirs = _difference(ys, us, xs, directions, env)
    if not abs(ours - theirs) <= tolerance * max(1.0, abs(ours), abs(theirs)):
        raise GradientError(
            f"derivatives of order {depth} disagree: backpropagation says {ours:.10g}, central "
            f"differences say {theirs:.10g}",
            help="near a kink (relu at 0) neither is wrong: move the arguments away from it",
        )
    if order > 1:
        _check(grads, xs, env, rng, order - 1, tolerance, depth + 1)


def _variable(name: str, like: Node) -> Node:
    strides = row_major(like.shape)
    return input_(kind="arg", name=name, shape=like.shape, dtype=like.dtype, strides=strides)


def _difference(
    ys: Sequence[Node],
    us: Sequence[Node],
    xs: Sequence[Node],
    directions: Sequence[Array],
    env: dict[Node, Array],
) -> float:
    """<u, (f(x + hd) - f(x - hd)) / 2h>."""
    sides = []
    for sign in (1.0, -1.0):
        moved = {
            x: env[x].astype(np.float64) + sign * STEP * d
            for x, d in zip(xs, directions, strict=True)
        }
        values = evaluate(ys, env | moved, DType.f64)
        sides.append(sum(float(np.sum(env[u] * v)) for u, v in zip(us, values, strict=True)))
    return (sides[0] - sides[1]) / (2.0 * STEP)
