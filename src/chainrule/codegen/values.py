"""Typed values of LLVM IR as text: names, constants, and the types they have.

Thousands are made for each program, of few types: what follows from a type alone is remembered.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from functools import cache, lru_cache
from typing import NamedTuple

from ..schedule.buffers import LANES


@cache
def vector_of(scalar: str) -> str:
    """The vector type with elements ``scalar``."""
    return f"<{LANES} x {scalar}>"


def is_vector(type_: str) -> bool:
    """Whether ``type_`` is a vector type."""
    return type_.startswith("<")


@cache
def scalar_of(type_: str) -> str:
    """The element type of a vector type; a scalar type itself."""
    return type_[1:-1].split(" x ")[1] if is_vector(type_) else type_


@cache
def like(type_: str, scalar: str) -> str:
    """``scalar``, as a vector if ``type_`` is one."""
    return vector_of(scalar) if is_vector(type_) else scalar


class Value(NamedTuple):
    """An SSA value or a constant: how it is written, and its type."""

    name: str
    type: str

    def __str__(self) -> str:
        return f"{self.type} {self.name}"

    @property
    def is_vector(self) -> bool:
        """Whether this has `LANES` elements."""
        return is_vector(self.type)

    @property
    def is_float(self) -> bool:
        """Whether elements are floating-point numbers."""
        return scalar_of(self.type) in ("float", "double")


class Fold:
    """A loop that carries values. ``values`` hold inside; call `update`; ``results`` hold after."""

    def __init__(self, index: Value, values: tuple[Value, ...]):
        self.index = index
        self.values = values
        self.results: tuple[Value, ...] = values

    def update(self, *values: Value) -> None:
        """Set what the next iteration sees as ``values``."""
        self.results = values


def literal(scalar: str, value: float | int | bool) -> str:
    """``value`` as written in LLVM IR; floats in hexadecimal, rounded to their type first."""
    if scalar == "float":
        try:
            value = struct.unpack("f", struct.pack("f", value))[0]
        except OverflowError:
            value = float("inf") if value > 0 else float("-inf")
    if scalar in ("float", "double"):
        return f"0x{struct.unpack('<Q', struct.pack('<d', value))[0]:016X}"
    if scalar == "i1":
        return "true" if value else "false"
    return str(int(value))


def const(type_: str, value: float | int | bool) -> Value:
    """A constant; a splat when ``type_`` is a vector."""
    scalar = scalar_of(type_)
    text = literal(scalar, value)
    return Value(f"splat ({scalar} {text})" if is_vector(type_) else text, type_)


def const_vector(scalar: str, values: Sequence[float | int | bool]) -> Value:
    """A vector constant of any length from its elements."""
    items = ", ".join(f"{scalar} {literal(scalar, v)}" for v in values)
    return Value(f"<{items}>", f"<{len(values)} x {scalar}>")


@lru_cache(4096)
def i64(value: int) -> Value:
    """A 64-bit integer constant."""
    return const("i64", value)


@cache
def lane_mask(count: int) -> Value:
    """The constant mask whose first ``count`` lanes are on."""
    return const_vector("i1", [lane < count for lane in range(LANES)])


@cache
def suffix(type_: str) -> str:
    """How an intrinsic's name spells a type: ``v16f32``, ``f64``, ``i32``, ``v16p0``."""
    short = {"float": "f32", "double": "f64", "ptr": "p0"}
    scalar = scalar_of(type_)
    count = f"v{type_[1:-1].split(' x ')[0]}" if is_vector(type_) else ""
    return count + short.get(scalar, scalar)
