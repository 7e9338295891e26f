"""Reductions of vectors: the order every floating-point reduction has."""

from __future__ import annotations

import math

import numpy as np

from ..ir.types import DType
from ..schedule.buffers import LANES
from .builder import Builder
from .elementwise import maximum
from .values import Value, const, lane_mask


def identity(op: str, dtype: DType, type_: str) -> Value:
    """What changes nothing when reduced: 0 for sums; for maxima -inf or the smallest integer."""
    if op == "sum":
        return const(type_, 0)
    if dtype.is_float:
        return const(type_, -math.inf)
    return const(type_, int(np.iinfo(dtype.numpy).min))


def combine(b: Builder, op: str, dtype: DType, a: Value, x: Value) -> Value:
    """One step of a reduction."""
    return b.add(a, x) if op == "sum" else maximum(b, dtype, a, x)


def masked(b: Builder, op: str, dtype: DType, x: Value, lanes: int) -> Value:
    """``x`` with the identity in lanes that are not there."""
    if lanes == LANES:
        return x
    return b.select(lane_mask(lanes), x, identity(op, dtype, x.type))


def across(b: Builder, op: str, dtype: DType, x: Value) -> Value:
    """Lanes combined as a tree: l with l+8, then l+4, l+2, l+1."""
    half = LANES // 2
    while half:
        upper = b.shuffle(x, x, [*range(half, 2 * half), *[-1] * (LANES - half)])
        x = combine(b, op, dtype, x, upper)
        half //= 2
    return b.extract(x, 0)
