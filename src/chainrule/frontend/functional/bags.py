"""Sums, means and maxima of rows of a table: what a set of words says, without their order."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from ... import ops
from ...errors import ConfigError, DataError, DTypeError, ShapeError
from ...ir.types import DType
from ..apply import apply, tensor_of
from ..modes import thread, user_line
from ..operations import reductions
from ..operations.arithmetic import (
    broadcast_to,
    cast,
    equal,
    less_equal,
    maximum,
    not_equal,
    where,
)
from ..operations.creation import iota, zeros
from ..storage import Storage
from .activations import setting

if TYPE_CHECKING:
    from ..tensor import Tensor

MODES = ("sum", "mean", "max")


def embedding_bag(
    indices: Tensor,
    weight: Tensor,
    offsets: Any = None,
    *,
    mode: str = "mean",
    per_sample_weights: Any = None,
    include_last_offset: bool = False,
    padding_idx: int | None = None,
) -> Tensor:
    """The sum, mean or maximum of the rows of ``weight`` that each bag of ``indices`` names.

    Bags are the rows of indices [bags, length]; or of indices [n] the pieces that begin at
    ``offsets`` [bags], ascending from 0, of which the last may be n (``include_last_offset``).
    ``per_sample_weights``, shaped as the indices, are factors, for sums alone. Rows
    ``padding_idx`` do not count and get no gradient; an empty bag is 0.

    `DTypeError` for real indices, `ShapeError` for shapes that do not fit, `ConfigError` for an
    unknown mode. Offsets that do not ascend from 0 are a `DataError` outside of compiled functions;
    in one, where nobody can be told, bags are NaN.
    """
    setting("mode", mode, mode in MODES, "'sum', 'mean' or 'max'")
    indices, weight = tensor_of(indices), tensor_of(weight)
    if indices.dtype.is_float or indices.dtype is DType.bool:
        raise DTypeError(
            f"an embedding needs integer indices, not {indices.dtype!r}",
            where=user_line(),
            help="convert them with x.astype(np.int32)",
        )
    if indices.ndim != (2 if offsets is None else 1):
        raise ShapeError(
            f"indices have shape {indices.shape}, with{'out' * (offsets is None)} offsets",
            where=user_line(),
            help="pass [bags, length] without offsets, or all indices in a row and where each "
            "bag begins",
        )
    factors = _factors(per_sample_weights, indices, mode)
    kept = None if padding_idx is None else not_equal(indices, padding_idx % weight.shape[0])
    rows = weight[indices]
    if kept is not None:
        filler = -math.inf if mode == "max" else 0.0
        rows = where(broadcast_to(kept.unsqueeze(-1), rows.shape), rows, filler)
    if factors is not None:
        rows = rows * factors.unsqueeze(-1)
    if offsets is None:
        return _of_rows(rows, kept, mode)
    return _of_pieces(rows, kept, _offsets(offsets, indices.shape[0], include_last_offset), mode)


def _factors(per_sample_weights: Any, indices: Tensor, mode: str) -> Tensor | None:
    if per_sample_weights is None:
        return None
    if mode != "sum":
        raise ConfigError(
            f"per_sample_weights were given for mode {mode!r}",
            where=user_line(),
            help='factors are for sums alone: use mode="sum"',
        )
    factors = tensor_of(per_sample_weights)
    if factors.shape != indices.shape or not factors.dtype.is_float:
        raise ShapeError(
            f"per_sample_weights are {factors.dtype!r}{list(factors.shape)}, for indices of shape "
            f"{indices.shape}",
            where=user_line(),
            help="pass one real number for each index",
        )
    return factors


def _of_rows(rows: Tensor, kept: Tensor | None, mode: str) -> Tensor:
    """Over axis 1 of rows [bags, length, features], of which ``kept`` [bags, length] count."""
    if rows.shape[1] == 0:
        return reductions.sum(rows, 1)
    if mode == "max":
        return _finite(reductions.amax(rows, 1))
    total = reductions.sum(rows, 1)
    if mode == "sum":
        return total
    if kept is None:
        return total / rows.shape[1]
    return total / maximum(reductions.sum(cast(kept, DType.f32), 1), 1.0).unsqueeze(1)


def _of_pieces(rows: Tensor, kept: Tensor | None, offsets: Tensor, mode: str) -> Tensor:
    """The same of rows [n, features] in bags that begin at ``offsets`` [bags]."""
    count, bags = rows.shape[0], offsets.shape[0]
    before = less_equal(offsets.unsqueeze(1), iota((bags, count), 1))
    # the bag of each row: how many begin before or with it, less one
    bag = reductions.sum(cast(before, DType.i32), 0) - 1
    if mode == "max":
        mine = equal(iota((bags, count), 0), bag).unsqueeze(2)
        shape = (bags, count, rows.shape[1])
        spread = where(broadcast_to(mine, shape), broadcast_to(rows, shape), -math.inf)
        result = _finite(reductions.amax(spread, 1)) if count else zeros(bags, rows.shape[1])
    else:
        result = apply(ops.scatter_add, zeros(bags, rows.shape[1]), bag, rows, axis=0)
    if mode == "mean":
        ones = zeros(count) + 1.0 if kept is None else cast(kept, DType.f32)
        sizes = apply(ops.scatter_add, zeros(bags), bag, ones, axis=0)
        result = result / maximum(sizes, 1.0).unsqueeze(1)
    return where(_ascending(offsets), result, math.nan)


def _finite(largest: Tensor) -> Tensor:
    """0 for a bag in which nothing counts."""
    return where(equal(largest, -math.inf), 0.0, largest)


def _ascending(offsets: Tensor) -> Tensor:
    """Whether the offsets begin with 0 and never fall, one bool."""
    first = equal(offsets[0], 0)
    return first & less_equal(offsets[:-1], offsets[1:]).all() if offsets.shape[0] > 1 else first


def _offsets(offsets: Any, count: int, include_last: bool) -> Tensor:
    """Where bags begin, i32 [bags]."""
    given = tensor_of(offsets)
    if given.dtype.is_float or given.ndim != 1 or given.shape[0] < 1 + include_last:
        raise ShapeError(
            f"offsets are {given.dtype!r}{list(given.shape)}",
            where=user_line(),
            help="pass whole numbers in a row: where each bag begins"
            + (", and where the last one ends" if include_last else ""),
        )
    if thread.trace is None or not isinstance(offsets, Storage):
        numbers = np.asarray(given.concrete if thread.trace is None else offsets)
        falls = np.diff(numbers.astype(np.int64), prepend=0) < 0
        if numbers[0] != 0 or falls.any() or numbers[-1] > count:
            raise DataError(
                f"offsets are {numbers.tolist()[:8]}{' ...' * (len(numbers) > 8)}, for {count} "
                "indices",
                where=user_line(),
                help=f"bags begin at 0, each where the one before ends, none beyond {count}",
            )
    given = cast(given, DType.i32)
    return given[:-1] if include_last else given
