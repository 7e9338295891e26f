"""Products that contract an axis."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from ... import ops
from ...errors import ShapeError
from ..apply import apply, tensor_of
from ..modes import user_line
from .arithmetic import broadcast_shapes, broadcast_to, cast, common_dtype
from .shaping import reshape, transpose

if TYPE_CHECKING:
    from ..tensor import Tensor


def matmul(a: Tensor, b: Tensor) -> Tensor:
    """a @ b as NumPy defines it: vectors, matrices, and stacks of them with broadcasting.

    [*B, M, K] times [*B, K, N] is [*B, M, N]. `ShapeError` for single numbers, and unless the last
    axis of a is as long as the second to last of b.
    """
    a, b = tensor_of(a), tensor_of(b)
    if a.ndim == 0 or b.ndim == 0:
        raise ShapeError(
            f"shapes {a.shape} and {b.shape} cannot be multiplied as matrices",
            where=user_line(),
            help="use * to multiply by a number",
        )
    dtype = common_dtype(a.dtype, b.dtype)
    a, b = cast(a, dtype), cast(b, dtype)
    if a.ndim == 1:
        return reshape(matmul(reshape(a, (1, -1)), b), (*b.shape[:-2], *b.shape[-1:])[: b.ndim - 1])
    if b.ndim == 1:
        return reshape(matmul(a, reshape(b, (-1, 1))), a.shape[:-1])
    if a.shape[-1] != b.shape[-2]:
        raise ShapeError(
            f"shapes {a.shape} and {b.shape} cannot be multiplied",
            where=user_line(),
            help=f"the last axis of the first ({a.shape[-1]}) must equal the second to last of "
            f"the second ({b.shape[-2]})",
        )
    if b.ndim == 2:
        rows = reshape(a, (math.prod(a.shape[:-1]), a.shape[-1]))
        return reshape(apply(ops.dot, rows, b), (*a.shape[:-1], b.shape[-1]))
    batch = broadcast_shapes(a.shape[:-2], b.shape[:-2])
    left = broadcast_to(a, (*batch, *a.shape[-2:]))
    right = broadcast_to(b, (*batch, *b.shape[-2:]))
    return apply(ops.dot, left, right)


def outer(a: Tensor, b: Tensor) -> Tensor:
    """All products of two vectors."""
    return a.unsqueeze(1) * b.unsqueeze(0)


def linear(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """x Wᵀ + b for x [..., in], weight W [out, in], bias [out]."""
    x = tensor_of(x)
    if x.ndim > 2 and bias is not None and 0 not in x.shape:
        rows = reshape(x, (-1, x.shape[-1]))  # so that the product can add the bias itself
        return reshape(linear(rows, weight, bias), (*x.shape[:-1], weight.shape[0]))
    y = matmul(x, transpose(weight, 0, 1))
    return y if bias is None else y + bias


def bilinear(a: Tensor, b: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """y_o = aᵀ W_o b + bias_o for a [..., m], b [..., n], weight [out, m, n]."""
    a, b, weight = tensor_of(a), tensor_of(b), tensor_of(weight)
    out, m, n = weight.shape
    # One product for all outputs: a times W seen as (m, out·n), then a sum over n.
    side = matmul(a, reshape(weight.permute(1, 0, 2), (m, out * n)))
    y = (reshape(side, (*a.shape[:-1], out, n)) * b.unsqueeze(-2)).sum(-1)
    return y if bias is None else y + bias


def embedding(indices: Tensor, weight: Tensor, padding_idx: int | None = None) -> Tensor:
    """Rows of ``weight`` at ``indices``; the row ``padding_idx`` gets no gradient."""
    indices, weight = tensor_of(indices), tensor_of(weight)
    rows = weight[indices]
    if padding_idx is None:
        return rows
    pad = (indices == padding_idx % weight.shape[0]).unsqueeze(-1)
    return rows.detach().where(broadcast_to(pad, rows.shape), rows)
