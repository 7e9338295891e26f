"""Bounds of loops: numbers where they are known when code is generated, values where not."""

from __future__ import annotations

from typing import TypeAlias

from .builder import Builder
from .values import Value, i64

Bound: TypeAlias = Value | int


def value_of(x: Bound) -> Value:
    """``x`` as an i64."""
    return i64(x) if isinstance(x, int) else x


def smaller(b: Builder, x: Bound, y: Bound) -> Bound:
    """min(x, y)."""
    if isinstance(x, int) and isinstance(y, int):
        return min(x, y)
    return b.overloaded("smin", value_of(x), value_of(y))


def larger(b: Builder, x: Bound, y: Bound) -> Bound:
    """max(x, y)."""
    if isinstance(x, int) and isinstance(y, int):
        return max(x, y)
    return b.overloaded("smax", value_of(x), value_of(y))


def plus(b: Builder, x: Bound, y: int) -> Bound:
    """x + y."""
    return x + y if isinstance(x, int) else b.add(x, i64(y))


def times(b: Builder, x: Bound, y: int) -> Bound:
    """x * y."""
    return x * y if isinstance(x, int) else b.mul(x, i64(y))


def below(b: Builder, x: Bound, y: Bound) -> Value | bool:
    """x < y."""
    if isinstance(x, int) and isinstance(y, int):
        return x < y
    return b.compare("slt", value_of(x), value_of(y))
