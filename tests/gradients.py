"""Checks derivatives of graphs by random projection against central differences in double.

For y(x), a cotangent u and a direction d: <u, (y(x + hd) - y(x - hd)) / 2h> = <vjp(u), d>.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from chainrule import ops
from chainrule.autodiff import cotangents
from chainrule.interpret import evaluate
from chainrule.ir.graph import Node
from chainrule.ir.primitive import Primitive, Sample
from chainrule.ir.types import Array, DType, Shape, f64

Env = dict[Node, Array]
STEP = 1e-5
TOLERANCE = 1e-6


def variable(name: str, shape: Shape, dtype: DType) -> Node:
    """An argument in row-major layout."""
    strides = tuple(int(np.prod(shape[a + 1 :])) for a in range(len(shape)))
    return ops.input(kind="arg", name=name, shape=shape, dtype=dtype, strides=strides)


def inner(us: Sequence[Array], vs: Sequence[Array]) -> float:
    """The inner product of two lists of arrays."""
    return float(sum((np.sum(u * v) for u, v in zip(us, vs, strict=True)), 0.0))


def difference(ys: Sequence[Node], x: Node, env: Env, direction: Array) -> list[Array]:
    """Central difference of ``ys`` along ``direction`` of ``x``."""
    ahead = evaluate(ys, {**env, x: env[x] + STEP * direction}, f64)
    behind = evaluate(ys, {**env, x: env[x] - STEP * direction}, f64)
    return [(a - b) / (2 * STEP) for a, b in zip(ahead, behind, strict=True)]


def check(ys: Sequence[Node], xs: Sequence[Node], env: Env, rng: np.random.Generator) -> None:
    """AssertionError unless the cotangents of each x agree with differences.

    What is compared is a sum over elements, whose terms may cancel: it is as exact as they are.
    """
    us = [variable(f"u{i}", y.shape, y.dtype) for i, y in enumerate(ys)]
    weights = [rng.normal(size=y.shape) for y in ys]
    env = {**env, **dict(zip(us, weights, strict=True))}
    for x, g in zip(xs, cotangents(ys, us, xs), strict=True):
        direction = rng.normal(size=x.shape)
        slopes = difference(ys, x, env, direction)
        expected = inner(weights, slopes)
        size = inner([np.abs(w) for w in weights], [np.abs(s) for s in slopes])
        found = 0.0 if g is None else inner([evaluate([g], env, f64)[0]], [direction])
        assert abs(found - expected) <= TOLERANCE * max(1e-2, size), (
            f"derivative with respect to {x.params['name']} of {x!r}: "
            f"{found:.9g}, by differences {expected:.9g}"
        )


def joined(results: Sequence[Node]) -> Node:
    """The real ones of several arrays, one after the other."""
    flat = [ops.reshape(r, shape=(r.size,)) for r in results if r.dtype.is_float]
    return ops.concat(*flat, axis=0)


def application(primitive: Primitive, sample: Sample) -> tuple[Node, list[Node], Env]:
    """``primitive`` applied to variables for the inputs of ``sample``: y, real xs, values."""
    xs = [variable(f"x{i}", a.shape, DType.of(a.dtype)) for i, a in enumerate(sample.inputs)]
    y = primitive(*xs, **sample.params)
    if primitive is ops.scan:
        y = joined(ops.loops.results_of(y))
    env = dict(zip(xs, sample.inputs, strict=True))
    chosen = range(len(xs)) if sample.wrt is None else sample.wrt
    return y, [xs[i] for i in chosen if xs[i].dtype.is_float], env


def check_primitive(primitive: Primitive, sample: Sample, rng: np.random.Generator) -> None:
    """First and second order: the vjp is a graph too, of the xs and of the cotangent."""
    y, xs, env = application(primitive, sample)
    check([y], xs, env, rng)
    g = variable("g", y.shape, y.dtype)
    env[g] = rng.normal(size=y.shape)
    first = [c for c in cotangents([y], [g], xs) if c is not None]
    if first:
        check(first, [*xs, g], env, rng)
