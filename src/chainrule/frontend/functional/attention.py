"""Attention: means of values, weighted by how well queries and keys agree.

With no mask but the causal one and one of keys, with or without dropout, it is a primitive, which
never has all weights in memory. What else there is, is said in the plainest way, once: a product, a
factor, a mask, the softmax, dropout, a product. Everything else that attends calls
`scaled_dot_product_attention`, or `attend`, which also gives the weights.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from ...errors import DTypeError, ShapeError
from ...ir.types import DType, Shape
from ...ops import attention
from ...ops.attention import threshold
from ..apply import apply, tensor_of
from ..modes import user_line
from ..operations import reductions
from ..operations.arithmetic import (
    Operand,
    bitwise_and,
    broadcast_to,
    equal,
    exp,
    is_number,
    less_equal,
    where,
)
from ..operations.creation import iota
from ..operations.products import matmul
from ..operations.shaping import reshape, transpose
from ..random import default_generator
from .activations import setting, softmax
from .dropout import dropout

if TYPE_CHECKING:
    from ..tensor import Tensor


def scaled_dot_product_attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Operand | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Tensor:
    """softmax(scale · Q Kᵀ + mask) V for query [..., L, E], key [..., S, E], value [..., S, V].

    ``attn_mask`` stretches to [..., L, S]: bools are True where a query may attend, real numbers
    are added. ``is_causal`` lets query i attend to the keys 0 to i; with a mask, both hold.
    ``scale`` is 1/sqrt(E) unless given. ``dropout_p`` drops weights whenever it is not 0, as in
    PyTorch. ``enable_gqa`` lets the axis -3 of the query (heads) be a multiple of that of key and
    value, each of which then serves several heads in a row.

    A query that may attend to nothing gets zeros, and gives no gradient. Axes in front stretch to
    one another. `ShapeError` for shapes that do not fit, `DTypeError` for whole numbers.
    """
    query, key, value = tensor_of(query), tensor_of(key), tensor_of(value)
    if enable_gqa:
        key, value = _repeated(key, query, "key"), _repeated(value, query, "value")
    _check(query, key, value)
    setting("dropout_p", dropout_p, 0.0 <= dropout_p <= 1.0, "a probability, from 0 to 1")
    front = _common_front(query, key, value)
    scores = (*front, query.shape[-2], key.shape[-2])
    if dropout_p < 1 and 0 not in scores + query.shape + value.shape:
        mask = None if attn_mask is None else _of_keys(_mask(attn_mask, scores))
        if mask is not None or attn_mask is None:
            how = {"causal": int(is_causal), "scale": _scale(scale, query)}
            return _in_tiles(front, query, key, value, mask, float(dropout_p), how)
    return attend(query, key, value, attn_mask, dropout_p, is_causal, scale)[0]


def _of_keys(mask: Tensor) -> Tensor | None:
    """What ``mask`` adds to the scores of each key, [..., S], if it is the same for all queries;
    else None."""
    if mask.ndim > 1 and mask.shape[-2] != 1:
        return None
    if mask.ndim > 1:
        mask = reshape(mask, (*mask.shape[:-2], mask.shape[-1]))
    return mask if mask.dtype.is_float else where(mask, 0.0, -math.inf)


def _in_tiles(
    front: Shape,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    mask: Tensor | None,
    dropped: float,
    how: dict[str, float],
) -> Tensor:
    """Attention as one primitive over all heads of all sequences."""
    given = [
        reshape(broadcast_to(x, (*front, *x.shape[-2:])), (math.prod(front), *x.shape[-2:]))
        for x in (query, key, value)
    ]
    if mask is not None:
        stretched = broadcast_to(mask, (*front, key.shape[-2]))
        given.append(reshape(stretched, (math.prod(front), key.shape[-2])))
    # A probability that rounds to nothing in steps of 2^-32 drops nothing.
    keep = 1.0 - dropped if threshold(1.0 - dropped) < 2**32 else 1.0
    if keep < 1:
        given += default_generator.draw()
    y = apply(attention, *given, masked=int(mask is not None), keep=keep, **how)
    return reshape(y, (*front, query.shape[-2], value.shape[-1]))


def _common_front(*xs: Tensor) -> Shape:
    """The axes in front of the last two, stretched to one another."""
    try:
        return np.broadcast_shapes(*(x.shape[:-2] for x in xs))
    except ValueError:
        shapes = ", ".join(str(x.shape) for x in xs)
        raise ShapeError(
            f"query, key and value have shapes {shapes}",
            where=user_line(),
            help="their axes in front of the last two must be equal, or 1",
        ) from None


def _scale(scale: float | None, query: Tensor) -> float:
    if scale is None:
        return 1.0 / math.sqrt(max(query.shape[-1], 1))
    setting("scale", scale, is_number(scale) and math.isfinite(scale), "a finite number")
    return float(scale)


def attend(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Operand | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
) -> tuple[Tensor, Tensor]:
    """What `scaled_dot_product_attention` gives, and the weights [..., L, S] after dropout."""
    _check(query, key, value)
    scores = matmul(query, transpose(key, -2, -1)) * _scale(scale, query)
    return weighted_mean(scores, value, attn_mask, dropout_p, is_causal)


def weighted_mean(
    scores: Tensor,
    value: Tensor,
    attn_mask: Operand | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
) -> tuple[Tensor, Tensor]:
    """softmax(scores + mask) V of scores [..., L, S], and the weights after dropout."""
    setting("dropout_p", dropout_p, 0.0 <= dropout_p <= 1.0, "a probability, from 0 to 1")
    allowed: Tensor | None = causal(*scores.shape[-2:]) if is_causal else None
    if attn_mask is not None:
        mask = _mask(attn_mask, scores.shape)
        if mask.dtype.is_float:
            scores = scores + mask
        else:
            allowed = mask if allowed is None else bitwise_and(allowed, mask)
    if allowed is not None:
        scores = where(allowed, scores, -math.inf)
    # Of a causal mask alone no row is empty: every query sees the first key.
    weights = softmax(scores) if attn_mask is None else softmax_or_zeros(scores)
    weights = dropout(weights, dropout_p)
    return matmul(weights, value), weights


def causal(queries: int, keys: int) -> Tensor:
    """bool [queries, keys]: whether key j is not later than query i, j <= i."""
    shape = (queries, keys)
    return less_equal(iota(shape, 1), iota(shape, 0))


def softmax_or_zeros(x: Tensor) -> Tensor:
    """softmax along the last axis; where all is -inf, 0 with derivative 0, not 0/0."""
    largest = reductions.amax(x.detach(), -1, keepdim=True)
    e = exp(x - where(equal(largest, -math.inf), 0.0, largest))
    total = reductions.sum(e, -1, keepdim=True)
    return e / where(equal(total, 0.0), 1.0, total)


def _mask(attn_mask: Operand, scores: Shape) -> Tensor:
    """The mask as a Tensor of bools or real numbers that stretches to ``scores``."""
    mask = tensor_of(attn_mask)
    if mask.dtype not in (DType.bool, DType.f32):
        raise DTypeError(
            f"attn_mask has dtype {mask.dtype!r}",
            where=user_line(),
            help="pass bools, True where a query may attend (mask != 0), or real numbers to add",
        )
    lengths = zip(mask.shape[::-1], scores[::-1], strict=False)
    if mask.ndim > len(scores) or any(n not in (1, of) for n, of in lengths):
        raise ShapeError(
            f"attn_mask has shape {mask.shape}, for {scores[-2]} queries and {scores[-1]} keys",
            where=user_line(),
            help=f"pass a mask that stretches to {scores}",
        )
    return mask


def _repeated(x: Tensor, query: Tensor, name: str) -> Tensor:
    """``x`` with as many heads as the query, each repeated in place."""
    if x.ndim < 3 or query.ndim < 3:
        raise ShapeError(
            f"enable_gqa got a query of shape {query.shape} and a {name} of {x.shape}",
            where=user_line(),
            help="pass [..., heads, steps, features]",
        )
    heads, wanted = x.shape[-3], query.shape[-3]
    if heads == wanted:
        return x
    if heads == 0 or wanted % heads:
        raise ShapeError(
            f"{heads} heads of the {name} cannot serve {wanted} heads of the query",
            where=user_line(),
            help=f"pass a number of heads that divides {wanted}",
        )
    front, rest = x.shape[:-3], x.shape[-2:]
    each = reshape(x, (*front, heads, 1, *rest))
    repeated = broadcast_to(each, (*front, heads, wanted // heads, *rest))
    return reshape(repeated, (*front, wanted, *rest))


def _check(query: Tensor, key: Tensor, value: Tensor) -> None:
    """`DTypeError` or `ShapeError` unless the three fit one another."""
    for name, x, axes in (
        ("query", query, "[..., queries, features]"),
        ("key", key, "[..., keys, features]"),
        ("value", value, "[..., keys, features of values]"),
    ):
        if x.dtype is not DType.f32:
            raise DTypeError(
                f"the {name} has dtype {x.dtype!r}, but attention needs real numbers",
                where=user_line(),
                help="convert it with x.astype(np.float32), or x.float() for a Tensor",
            )
        if x.ndim < 2:
            raise ShapeError(
                f"the {name} has shape {x.shape}", where=user_line(), help=f"pass {axes}"
            )
    if query.shape[-1] != key.shape[-1]:
        raise ShapeError(
            f"a query of {query.shape[-1]} features cannot be compared with keys of "
            f"{key.shape[-1]}",
            where=user_line(),
            help="query and key must end with an axis of one length",
        )
    if key.shape[-2] != value.shape[-2]:
        raise ShapeError(
            f"there are {key.shape[-2]} keys, but {value.shape[-2]} values",
            where=user_line(),
            help="each key stands for one value: their axis -2 must have one length",
        )
    if key.shape[-2] == 0:
        raise ShapeError("there are no keys to attend to", where=user_line(), help="pass some")
