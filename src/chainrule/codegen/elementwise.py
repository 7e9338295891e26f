"""Element-wise primitives as instructions, for one number or sixteen.

`apply` takes operands in register form (bool as ``i1``, u8 as ``i8``), all scalar or all vector.
"""

from __future__ import annotations

from collections.abc import Callable

from ..ir.types import DType
from ..ops.random import PARITY, ROTATIONS
from . import circular, vecmath
from .builder import Builder
from .sqrt import sqrt
from .values import Value, const, like, suffix

REGISTER = {
    DType.f32: "float",
    DType.f64: "double",
    DType.i32: "i32",
    DType.i16: "i16",
    DType.u32: "i32",
    DType.u8: "i8",
    DType.bool: "i1",
}
MEMORY = {**REGISTER, DType.bool: "i8"}
SIGNED = (DType.i32, DType.i16)
#: instructions of the operations that take many, roughly
INSTRUCTIONS = {
    "exp": 14, "log": 18, "log1p": 26, "tanh": 26, "tail": 20, "erf": 30, "pow": 160,
    "rng_bits": 110, "sin": 60, "cos": 60,
}  # fmt: skip


def apply(
    b: Builder, op: str, dtype: DType, operands: tuple[DType, ...], args: list[Value]
) -> Value:
    """The value of primitive ``op`` with result ``dtype`` at operands of the given dtypes."""
    if op in _MATH:
        return _MATH[op](b, args[0])
    if op == "cast":
        return cast(b, args[0], operands[0], dtype)
    if op in _COMPARE:
        return compare(b, op, operands[0], *args)
    if op == "max":
        return maximum(b, operands[0], *args)
    return _SIMPLE[op](b, *args)


# ------------------------------------------------------------------------------ comparisons

_COMPARE = ("lt", "le", "eq")


def compare(b: Builder, op: str, dtype: DType, x: Value, y: Value) -> Value:
    """Ordered for reals (false with NaN); signed or unsigned as the dtype is."""
    if dtype.is_float:
        return b.compare("o" + op, x, y)
    if op == "eq":
        return b.compare("eq", x, y)
    return b.compare(("s" if dtype in SIGNED else "u") + op, x, y)


def maximum(b: Builder, dtype: DType, x: Value, y: Value) -> Value:
    """The larger operand; NaN if either is; x when they are equal.

    ``x < y ? y : x`` is one instruction and keeps a NaN in x; y needs a test of its own, unless
    it is a constant.
    """
    if not dtype.is_float:
        return b.overloaded("smax" if dtype in SIGNED else "umax", x, y)
    larger = b.select(b.compare("olt", x, y), y, x)
    if _is_number(y):
        return larger
    return b.select(b.compare("uno", y, y), y, larger)


def _is_number(x: Value) -> bool:
    """Whether this is a constant other than NaN."""
    return not x.name.startswith("%") and "0x7FF8" not in x.name and "0xFFF8" not in x.name


# -------------------------------------------------------------------------------- conversions


def cast(b: Builder, x: Value, source: DType, to: DType) -> Value:
    """Convert as the primitive `cast` says: saturating from reals, wrapping between integers."""
    if source is to:
        return x
    if to is DType.bool:
        zero = const(x.type, 0)
        return b.compare("une" if source.is_float else "ne", x, zero)
    scalar = REGISTER[to]
    if source.is_float:
        return _from_real(b, x, source, to)
    if to.is_float:
        if source is DType.bool:
            one = const(like(x.type, scalar), 1)
            return b.select(x, one, const(one.type, 0))
        return b.convert("sitofp" if source in SIGNED else "uitofp", x, scalar)
    if source.itemsize == to.itemsize and source is not DType.bool:
        return x
    if to.itemsize < source.itemsize:
        return b.convert("trunc", x, scalar)
    return b.convert("sext" if source in SIGNED else "zext", x, scalar)


def _from_real(b: Builder, x: Value, source: DType, to: DType) -> Value:
    if to.is_float:
        return b.convert("fptrunc" if to is DType.f32 else "fpext", x, REGISTER[to])
    result = like(x.type, REGISTER[to])
    kind = "fptosi" if to in SIGNED else "fptoui"
    return b.intrinsic(f"{kind}.sat.{suffix(result)}.{suffix(x.type)}", result, x)


# -------------------------------------------------------------------------------------- bits


def _shift(operation: str) -> Callable[[Builder, Value, Value], Value]:
    def emit(b: Builder, x: Value, amount: Value) -> Value:
        """Shifting by all bits or more gives 0; LLVM leaves that undefined."""
        inside = b.compare("ult", amount, const(amount.type, 32))
        return b.select(inside, b.bits(operation, x, amount), const(x.type, 0))

    return emit


def threefry(b: Builder, keys: tuple[Value, Value, Value], x0: Value, x1: Value) -> Value:
    """First word of Threefry2x32-20 (Salmon et al., SC'11) of the counter (x0, x1).

    ``keys`` are key0, key1 and `threefry_parity` of them, of the counter's type.
    """
    x0, x1 = b.add(x0, keys[0]), b.add(x1, keys[1])
    for group in range(5):
        for distance in ROTATIONS[group % 2]:
            amount = const(x1.type, distance)
            x0 = b.add(x0, x1)
            x1 = b.bits("xor", b.overloaded("fshl", x1, x1, amount), x0)
        x0 = b.add(x0, keys[(group + 1) % 3])
        injected = b.add(keys[(group + 2) % 3], const(x1.type, group + 1))
        x1 = b.add(x1, injected)
    return x0


def threefry_parity(b: Builder, key0: Value, key1: Value) -> Value:
    """The third key word."""
    return b.bits("xor", b.bits("xor", key0, key1), const(key0.type, PARITY))


# ------------------------------------------------------------------------------------- tables

_MATH: dict[str, Callable[[Builder, Value], Value]] = {
    "exp": vecmath.exp,
    "log": vecmath.log,
    "log1p": vecmath.log1p,
    "tanh": vecmath.tanh,
    "erf": vecmath.erf,
    "sin": circular.sin,
    "cos": circular.cos,
    "tail": vecmath.tail,
    "neg": Builder.neg,
    "sqrt": sqrt,
    "not": lambda b, x: b.bits("xor", x, const(x.type, True)),
}

_SIMPLE: dict[str, Callable[..., Value]] = {
    "add": Builder.add,
    "sub": Builder.sub,
    "mul": Builder.mul,
    "div": Builder.div,
    "pow": vecmath.power,
    "and": lambda b, x, y: b.bits("and", x, y),
    "or": lambda b, x, y: b.bits("or", x, y),
    "xor": lambda b, x, y: b.bits("xor", x, y),
    "shl": _shift("shl"),
    "shr": _shift("lshr"),
    "select": Builder.select,
}
