"""Attention: every query reads a mean of values, weighted by how well its key fits.

    S = scale * Q Kᵀ         P = softmax of the rows of S         O = P V

Q is [N, T, D], K [N, S, D], V [N, S, E]; with ``causal`` query t sees the keys 0 to t alone. What a
derivative needs of T x S elements it computes again, from the logarithms of the rows' sums (Dao et
al. 2022, arXiv:2205.14135):

    L = log sum exp S        dV = Pᵀ dO        dS = P * (dO Vᵀ - delta)        delta = sum of dO * O
    dQ = scale * dS K        dK = scale * dSᵀ Q

Each of these is a primitive, so that nothing of T x S elements need ever be in memory; the pass
``attention`` cuts all of them into tiles.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from ..ir.graph import Node, full
from ..ir.primitive import Primitive, Sample
from ..ir.types import Array, DType, Shape
from .contract import dot
from .elementwise import exp, le, log, select
from .examples import draw
from .formulas import along_rows, through, times
from .movement import transposed
from .reduce import reduce_max, reduce_sum
from .rules import FLOATS, describe, need_dtype, quiet, shape_error
from .sources import iota

#: rows, columns, width of queries, width of values, causal
_CASES = ((5, 5, 3, 3, 0), (7, 7, 4, 2, 1), (3, 6, 2, 5, 0), (6, 3, 2, 3, 1), (1, 1, 1, 1, 1))


# ----------------------------------------------------------------------------------- types


def _check(op: str, q: Node, k: Node, v: Node) -> None:
    need_dtype(op, FLOATS, q, k, v)
    same = q.ndim == k.ndim == v.ndim == 3 and q.dtype is k.dtype is v.dtype
    if not same or not q.shape[0] == k.shape[0] == v.shape[0] or k.shape[1] != v.shape[1]:
        raise _misfit(op, q, k, v)
    if q.shape[2] != k.shape[2] or 0 in k.shape:
        raise _misfit(op, q, k, v)


def _misfit(op: str, *nodes: Node) -> Exception:
    return shape_error(
        f"`{op}` does not take {describe(*nodes)}",
        *nodes,
        help="queries [N, T, D], keys [N, S, D], values [N, S, E], with S at least 1",
    )


def attention_type(q: Node, k: Node, v: Node, *, causal: int, scale: float) -> tuple[Shape, DType]:
    """A row of values for each query."""
    _check("attention", q, k, v)
    return (*q.shape[:2], v.shape[2]), q.dtype


def lse_type(q: Node, k: Node, v: Node, *, causal: int, scale: float) -> tuple[Shape, DType]:
    """A number for each query."""
    _check("attention_lse", q, k, v)
    return q.shape[:2], q.dtype


def _gradient_type(name: str, of: int) -> Callable[..., tuple[Shape, DType]]:
    """That of the input number ``of``."""

    def type_rule(*xs: Node, causal: int, scale: float) -> tuple[Shape, DType]:
        q, k, v, g, lse, delta = xs
        _check(name, q, k, v)
        if g.shape != (*q.shape[:2], v.shape[2]) or not lse.shape == delta.shape == q.shape[:2]:
            raise _misfit(name, *xs)
        return xs[of].shape, q.dtype

    return type_rule


# ------------------------------------------------------------------------------ references


def _scores(q: Array, k: Array, causal: int, scale: float) -> Array:
    scores = q @ np.swapaxes(k, -1, -2) * q.dtype.type(scale)
    seen = np.tri(q.shape[1], k.shape[1], dtype=np.bool_) if causal else np.True_
    return np.asarray(np.where(seen, scores, q.dtype.type(-np.inf)))


def attention_reference(q: Array, k: Array, v: Array, *, causal: int, scale: float) -> Array:
    scores = _scores(q, k, causal, scale)
    weights = np.exp(scores - scores.max(-1, keepdims=True))
    return np.asarray(weights @ v / weights.sum(-1, keepdims=True))


def lse_reference(q: Array, k: Array, v: Array, *, causal: int, scale: float) -> Array:
    scores = _scores(q, k, causal, scale)
    highest = scores.max(-1)
    return np.asarray(highest + np.log(np.exp(scores - highest[..., None]).sum(-1)))


def dq_reference(
    q: Array, k: Array, v: Array, g: Array, lse: Array, delta: Array, *, causal: int, scale: float
) -> Array:
    weights = np.exp(_scores(q, k, causal, scale) - lse[..., None])
    change = weights * (g @ np.swapaxes(v, -1, -2) - delta[..., None])
    return np.asarray(change @ k * q.dtype.type(scale))


def dk_reference(
    q: Array, k: Array, v: Array, g: Array, lse: Array, delta: Array, *, causal: int, scale: float
) -> Array:
    weights = np.exp(_scores(q, k, causal, scale) - lse[..., None])
    change = weights * (g @ np.swapaxes(v, -1, -2) - delta[..., None])
    return np.asarray(np.swapaxes(change, -1, -2) @ q * q.dtype.type(scale))


def dv_reference(
    q: Array, k: Array, v: Array, g: Array, lse: Array, delta: Array, *, causal: int, scale: float
) -> Array:
    weights = np.exp(_scores(q, k, causal, scale) - lse[..., None])
    return np.asarray(np.swapaxes(weights, -1, -2) @ g)


# ------------------------------------------------------------ the same in other primitives


def plain_scores(q: Node, k: Node, causal: int, scale: float) -> Node:
    """S [N, T, S], where a key that a query does not see is -inf."""
    scores = times(dot(q, transposed(k)), scale)
    if not causal:
        return scores
    seen = le(iota(shape=scores.shape, axis=2), iota(shape=scores.shape, axis=1))
    return select(seen, scores, full(-np.inf, scores.shape, scores.dtype))


def _plain_lse(q: Node, k: Node, v: Node, *, causal: int, scale: float) -> Node:
    scores = plain_scores(q, k, causal, scale)
    highest = reduce_max(scores, axes=(2,))
    return highest + log(reduce_sum(exp(scores - along_rows(highest, scores)), axes=(2,)))


def _plain_dv(*xs: Node, causal: int, scale: float) -> Node:
    q, k, _, g, lse, _ = xs
    return dot(transposed(_weights(q, k, lse, causal, scale)), g)


def _plain_dq(*xs: Node, causal: int, scale: float) -> Node:
    return times(dot(_change(*xs, causal=causal, scale=scale), xs[1]), scale)


def _plain_dk(*xs: Node, causal: int, scale: float) -> Node:
    return times(dot(transposed(_change(*xs, causal=causal, scale=scale)), xs[0]), scale)


def _weights(q: Node, k: Node, lse: Node, causal: int, scale: float) -> Node:
    scores = plain_scores(q, k, causal, scale)
    return exp(scores - along_rows(lse, scores))


def _change(*xs: Node, causal: int, scale: float) -> Node:
    """dS."""
    q, k, v, g, lse, delta = xs
    weights = _weights(q, k, lse, causal, scale)
    return weights * (dot(g, transposed(v)) - along_rows(delta, weights))


# ----------------------------------------------------------------------------- derivatives


def attention_vjp(
    g: Node, y: Node, q: Node, k: Node, v: Node, *, causal: int, scale: float
) -> Sequence[Node]:
    """See above."""
    how = {"causal": causal, "scale": scale}
    lse = attention_lse(q, k, v, **how)
    delta = reduce_sum(g * y, axes=(2,))
    given = (q, k, v, g, lse, delta)
    return (
        attention_dq(*given, **how),
        attention_dk(*given, **how),
        attention_dv(*given, **how),
    )


def samples(rng: np.random.Generator) -> Iterator[Sample]:
    """As many queries as keys, more, and fewer."""
    for rows, columns, width, wide, causal in _CASES:
        q, k, v = (
            draw(rng, shape, DType.f32, -1, 1)
            for shape in ((2, rows, width), (2, columns, width), (2, columns, wide))
        )
        yield Sample((q, k, v), {"causal": causal, "scale": 0.7})


def gradient_samples(rng: np.random.Generator) -> Iterator[Sample]:
    """What derivatives get with these."""
    for sample in samples(rng):
        q, k, v = sample.inputs
        g = draw(rng, (*q.shape[:2], v.shape[2]), DType.f32, -1, 1)
        lse = lse_reference(q, k, v, **sample.params)
        delta = np.asarray((g * attention_reference(q, k, v, **sample.params)).sum(-1))
        yield Sample((q, k, v, g, lse, delta), sample.params)


attention = Primitive(
    "attention", attention_type, quiet(attention_reference), attention_vjp, samples
)
attention_lse = Primitive(
    "attention_lse", lse_type, quiet(lse_reference), through(_plain_lse), samples
)
attention_dq = Primitive(
    "attention_dq",
    _gradient_type("attention_dq", 0),
    quiet(dq_reference),
    through(_plain_dq),
    gradient_samples,
)
attention_dk = Primitive(
    "attention_dk",
    _gradient_type("attention_dk", 1),
    quiet(dk_reference),
    through(_plain_dk),
    gradient_samples,
)
attention_dv = Primitive(
    "attention_dv",
    _gradient_type("attention_dv", 2),
    quiet(dv_reference),
    through(_plain_dv),
    gradient_samples,
)
