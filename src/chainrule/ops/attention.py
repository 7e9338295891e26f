"""Attention: every query reads a mean of values, weighted by how well its key fits.

    S = scale * Q Kᵀ + M       P = softmax of the rows of S       O = (P * R) V

Q is [N, T, D], K [N, S, D], V [N, S, E]; with ``causal`` query t sees the keys 0 to t alone. The
mask M [N, S], added for each key, and the factors R [N, T, S] of dropout, 0 or 1/keep, are there if
``masked`` is 1 and ``keep`` below 1. The bits of R are those of `rng_bits`, from a key and a count.
A query that sees nothing reads zeros, and its derivatives are 0. What a derivative needs of T x S
elements it computes again, from the logarithms of the rows' sums (Dao et al. 2022,
arXiv:2205.14135):

    L = log sum exp S          dV = (P * R)ᵀ dO          F = R * (dO Vᵀ)
    dS = P * (F - sum of P * F)       dQ = scale * dS K       dK = scale * dSᵀ Q
    dM = sum of dS over the queries

Each of these is a primitive, so that nothing of T x S elements need ever be in memory; the pass
``attention`` cuts all of them into tiles. The row sums of P * F are also those of dO * O, which
need no weights: that is why derivatives take O. By definition they are the former, whose rounding
leaves dS at exactly 0 where a query sees a single key.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from ..batching import Value, bound, divided, merged, unrolled
from ..ir.graph import Node, full
from ..ir.primitive import Primitive, Sample
from ..ir.types import Array, DType, Shape
from .contract import dot
from .elementwise import eq, exp, le, log, lt, select
from .examples import draw
from .formulas import along_rows, everywhere, through, times
from .movement import broadcast, transposed
from .random import rng_bits, rng_bits_reference
from .reduce import reduce_max, reduce_sum
from .rules import FLOATS, describe, need_dtype, quiet, shape_error
from .sources import iota

#: rows, columns, width of queries, width of values, causal, masked, kept
_CASES = (
    (5, 5, 3, 3, 0, 0, 1.0),
    (7, 7, 4, 2, 1, 1, 1.0),
    (3, 6, 2, 5, 0, 1, 0.5),
    (6, 3, 2, 3, 1, 0, 0.75),
    (1, 1, 1, 1, 1, 0, 1.0),
)


#: the place of the mask among the inputs of derivatives
MASK = 6


def threshold(keep: float) -> int:
    """Random words below it keep their weight."""
    return round(keep * 2.0**32)


# ----------------------------------------------------------------------------------- types


def _check(op: str, q: Node, k: Node, v: Node, extras: Sequence[Node], how: Any) -> None:
    masked, keep = how["masked"], how["keep"]
    mask, drawn = extras[:masked], extras[masked:]
    need_dtype(op, FLOATS, q, k, v, *mask)
    need_dtype(op, (DType.u32,), *drawn)
    same = q.ndim == k.ndim == v.ndim == 3 and q.dtype is k.dtype is v.dtype
    if not same or not q.shape[0] == k.shape[0] == v.shape[0] or k.shape[1] != v.shape[1]:
        raise _misfit(op, q, k, v, *extras)
    if q.shape[2] != k.shape[2] or 0 in k.shape:
        raise _misfit(op, q, k, v, *extras)
    if [m.shape for m in mask] != [k.shape[:2]] * masked:
        raise _misfit(op, q, k, v, *extras)
    if [d.shape for d in drawn] != ([(2,), ()] if keep < 1 else []):
        raise _misfit(op, q, k, v, *extras)


def _misfit(op: str, *nodes: Node) -> Exception:
    return shape_error(
        f"`{op}` does not take {describe(*nodes)}",
        *nodes,
        help="queries [N, T, D], keys [N, S, D], values [N, S, E], with S at least 1, a mask "
        "[N, S] if there is one, and u32[2] and u32[] if weights are dropped",
    )


def attention_type(q: Node, k: Node, v: Node, *extras: Node, **how: Any) -> tuple[Shape, DType]:
    """A row of values for each query."""
    _check("attention", q, k, v, extras, how)
    return (*q.shape[:2], v.shape[2]), q.dtype


def lse_type(q: Node, k: Node, v: Node, *extras: Node, **how: Any) -> tuple[Shape, DType]:
    """A number for each query."""
    _check("attention_lse", q, k, v, extras, how)
    return q.shape[:2], q.dtype


def _gradient_type(name: str, of: int) -> Callable[..., tuple[Shape, DType]]:
    """That of the input number ``of``."""

    def type_rule(*xs: Node, **how: Any) -> tuple[Shape, DType]:
        q, k, v, g, lse, y, *extras = xs
        _check(name, q, k, v, extras, how)
        if not g.shape == y.shape == (*q.shape[:2], v.shape[2]) or lse.shape != q.shape[:2]:
            raise _misfit(name, *xs)
        if of == MASK and not how["masked"]:
            raise _misfit(name, *xs)
        return xs[of].shape, q.dtype

    return type_rule


# ------------------------------------------------------------------------------ references


def _scores(q: Array, k: Array, extras: Sequence[Array], how: Any) -> Array:
    scores = q @ np.swapaxes(k, -1, -2) * q.dtype.type(how["scale"])
    if how["masked"]:
        scores = scores + extras[0][:, None, :]
    seen = np.tri(q.shape[1], k.shape[1], dtype=np.bool_) if how["causal"] else np.True_
    return np.asarray(np.where(seen, scores, q.dtype.type(-np.inf)))


def _kept(weights: Array, extras: Sequence[Array], how: Any) -> Array:
    """``weights`` after dropout."""
    if how["keep"] == 1:
        return weights
    bits = rng_bits_reference(*extras[how["masked"] :], shape=weights.shape)
    factor = weights.dtype.type(1 / how["keep"])
    return np.asarray(np.where(bits < threshold(how["keep"]), weights * factor, 0), weights.dtype)


def _highest(scores: Array) -> Array:
    """The largest score of each row; 0 where nothing is seen."""
    highest = scores.max(-1, keepdims=True)
    return np.asarray(np.where(highest == -np.inf, 0, highest), scores.dtype)


def attention_reference(q: Array, k: Array, v: Array, *extras: Array, **how: Any) -> Array:
    scores = _scores(q, k, extras, how)
    weights = np.exp(scores - _highest(scores))
    total = weights.sum(-1, keepdims=True)
    return np.asarray(_kept(weights, extras, how) @ v / np.where(total == 0, 1, total), q.dtype)


def lse_reference(q: Array, k: Array, v: Array, *extras: Array, **how: Any) -> Array:
    scores = _scores(q, k, extras, how)
    highest = _highest(scores)
    total = np.exp(scores - highest).sum(-1)
    return np.asarray(highest[..., 0] + np.log(np.where(total == 0, 1, total)), q.dtype)


def _weights_reference(q: Array, k: Array, lse: Array, extras: Sequence[Array], how: Any) -> Array:
    weights = np.exp(_scores(q, k, extras, how) - lse[..., None])
    total = weights.sum(-1, keepdims=True)
    return np.asarray(weights / np.where(total == 0, 1, total), q.dtype)


def _change_reference(
    q: Array, k: Array, v: Array, g: Array, lse: Array, y: Array, *extras: Array, **how: Any
) -> Array:
    weights = _weights_reference(q, k, lse, extras, how)
    fits = _kept(g @ np.swapaxes(v, -1, -2), extras, how)
    return np.asarray(weights * (fits - (weights * fits).sum(-1, keepdims=True)))


def dq_reference(*xs: Array, **how: Any) -> Array:
    return np.asarray(_change_reference(*xs, **how) @ xs[1] * xs[0].dtype.type(how["scale"]))


def dk_reference(*xs: Array, **how: Any) -> Array:
    change = np.swapaxes(_change_reference(*xs, **how), -1, -2)
    return np.asarray(change @ xs[0] * xs[0].dtype.type(how["scale"]))


def dm_reference(*xs: Array, **how: Any) -> Array:
    return np.asarray(_change_reference(*xs, **how).sum(1))


def dv_reference(
    q: Array, k: Array, v: Array, g: Array, lse: Array, y: Array, *extras: Array, **how: Any
) -> Array:
    weights = _weights_reference(q, k, lse, extras, how)
    return np.asarray(np.swapaxes(_kept(weights, extras, how), -1, -2) @ g)


# ------------------------------------------------------------ the same in other primitives


def _plain_scores(q: Node, k: Node, extras: Sequence[Node], how: Any) -> Node:
    """S [N, T, S], where a key that a query does not see is -inf."""
    scores = times(dot(q, transposed(k)), how["scale"])
    if how["masked"]:
        scores = scores + broadcast(extras[0], shape=scores.shape, axes=(0, 2))
    if not how["causal"]:
        return scores
    seen = le(iota(shape=scores.shape, axis=2), iota(shape=scores.shape, axis=1))
    return select(seen, scores, full(-np.inf, scores.shape, scores.dtype))


def dropped(weights: Node, bits: Node, keep: float) -> Node:
    """``weights`` times R."""
    limit = full(threshold(keep), bits.shape, DType.u32)
    return select(lt(bits, limit), times(weights, 1 / keep), everywhere(0.0, weights))


def _plain_kept(weights: Node, extras: Sequence[Node], how: Any) -> Node:
    if how["keep"] == 1:
        return weights
    bits = rng_bits(*extras[how["masked"] :], shape=weights.shape)
    return dropped(weights, bits, how["keep"])


def seen_or(x: Node, where: float, instead: float) -> Node:
    """``x``, or another number ``instead`` of the one that says that nothing is seen."""
    return select(eq(x, everywhere(where, x)), everywhere(instead, x), x)


def _plain_lse(q: Node, k: Node, v: Node, *extras: Node, **how: Any) -> Node:
    scores = _plain_scores(q, k, extras, how)
    highest = seen_or(reduce_max(scores, axes=(2,)), -np.inf, 0.0)
    total = reduce_sum(exp(scores - along_rows(highest, scores)), axes=(2,))
    return highest + log(seen_or(total, 0.0, 1.0))


def weights_of(scores: Node, lse: Node) -> Node:
    """P, for all keys at once. Rows are divided by their sums, which the rounding of L has moved
    away from 1."""
    weights = exp(scores - along_rows(lse, scores))
    total = seen_or(reduce_sum(weights, axes=(weights.ndim - 1,)), 0.0, 1.0)
    return weights * along_rows(everywhere(1.0, total) / total, weights)


def _weights(xs: Sequence[Node], how: Any) -> Node:
    q, k, _, _, lse, _, *extras = xs
    return weights_of(_plain_scores(q, k, extras, how), lse)


def _plain_change(xs: Sequence[Node], how: Any) -> Node:
    """dS."""
    _, _, v, g, _, _, *extras = xs
    weights = _weights(xs, how)
    fits = _plain_kept(dot(g, transposed(v)), extras, how)
    return change_of(weights, fits)


def change_of(weights: Node, fits: Node) -> Node:
    """dS, for all keys at once, from P and F."""
    mean = reduce_sum(weights * fits, axes=(weights.ndim - 1,))
    return weights * (fits - along_rows(mean, fits))


def _plain_dq(*xs: Node, **how: Any) -> Node:
    return times(dot(_plain_change(xs, how), xs[1]), how["scale"])


def _plain_dk(*xs: Node, **how: Any) -> Node:
    return times(dot(transposed(_plain_change(xs, how)), xs[0]), how["scale"])


def _plain_dm(*xs: Node, **how: Any) -> Node:
    return reduce_sum(_plain_change(xs, how), axes=(1,))


def _plain_dv(*xs: Node, **how: Any) -> Node:
    return dot(transposed(_plain_kept(_weights(xs, how), xs[6:], how)), xs[3])


# ----------------------------------------------------------------------------- derivatives


def attention_vjp(
    g: Node, y: Node, q: Node, k: Node, v: Node, *extras: Node, **how: Any
) -> Sequence[Node | None]:
    """See above."""
    lse = attention_lse(q, k, v, *extras, **how)
    given = (q, k, v, g, lse, y, *extras)
    parts = [attention_dq, attention_dk, attention_dv]
    parts += [attention_dm] * how["masked"]
    drawn = len(extras) - how["masked"]
    return (*(part(*given, **how) for part in parts), *([None] * drawn))


def samples(rng: np.random.Generator) -> Iterator[Sample]:
    """As many queries as keys, more, and fewer; hidden keys, all of one row too; dropout."""
    for rows, columns, width, wide, causal, masked, keep in _CASES:
        inputs = [
            draw(rng, shape, DType.f32, -1, 1)
            for shape in ((2, rows, width), (2, columns, width), (2, columns, wide))
        ]
        if masked:
            mask = draw(rng, (2, columns), DType.f32, -1, 1)
            mask[0], mask[1, -1] = -np.inf, -np.inf
            inputs.append(mask)
        if keep < 1:
            inputs += [rng.integers(0, 2**32, 2, dtype=np.uint32), np.asarray(7, np.uint32)]
        how = {"causal": causal, "scale": 0.7, "masked": masked, "keep": keep}
        yield Sample(tuple(inputs), how)


def gradient_samples(rng: np.random.Generator) -> Iterator[Sample]:
    """What derivatives get with these."""
    for sample in samples(rng):
        q, k, v, *extras = sample.inputs
        g = draw(rng, (*q.shape[:2], v.shape[2]), DType.f32, -1, 1)
        lse = lse_reference(*sample.inputs, **sample.params)
        y = attention_reference(*sample.inputs, **sample.params)
        yield Sample((q, k, v, g, lse, y, *extras), sample.params)


def batch(node: Node, inputs: list[Value], size: int) -> Node:
    """Members are more heads; what is dropped goes by the number of the head."""
    plain = len(inputs) - 2 * (node.params["keep"] < 1)
    if any(differs for _, differs in inputs[plain:]):
        return unrolled(node, inputs, size)
    heads = [merged(v, size) for v in inputs[:plain]]
    return divided(bound(node, *heads, *(n for n, _ in inputs[plain:])), size)


attention = Primitive(
    "attention", attention_type, quiet(attention_reference), attention_vjp, samples, batch=batch
)
attention_lse = Primitive(
    "attention_lse", lse_type, quiet(lse_reference), through(_plain_lse), samples, batch=batch
)


def _gradient(
    name: str, of: int, reference: Callable[..., Array], plain: Callable[..., Node]
) -> Primitive:
    rule = _gradient_type(name, of)
    return Primitive(name, rule, quiet(reference), through(plain), gradient_samples, batch=batch)


attention_dq = _gradient("attention_dq", 0, dq_reference, _plain_dq)
attention_dk = _gradient("attention_dk", 1, dk_reference, _plain_dk)
attention_dv = _gradient("attention_dv", 2, dv_reference, _plain_dv)
attention_dm = Primitive(
    "attention_dm",
    _gradient_type("attention_dm", MASK),
    quiet(dm_reference),
    through(_plain_dm),
    lambda rng: (sample for sample in gradient_samples(rng) if sample.params["masked"]),
    batch=batch,
)
