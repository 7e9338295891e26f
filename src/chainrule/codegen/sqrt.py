"""Square roots of float32 vectors by multiplication: the bits of the instruction, sooner.

A 512-bit square root keeps the divider busy for 19 cycles, longer than everything else in an Adam
update. Here the processor's estimate y of 1/√x (relative error below 2**-14) is refined, with g
near √x and h near 1/(2√x), by one coupled step and one with the exact remainder (Goldschmidt;
Markstein, 1990):

    g = x y    h = y / 2    r = 1/2 - h g    g ← g + g r    h ← h + h r    g ← g + h (x - g g)

The result is correctly rounded whatever the estimate is within its bound: all mantissas were tried
with 129 estimates each, and `tests/codegen/test_sqrt.py` tries all with this processor's own.
Vectors with a lane that is negative, infinite, NaN, very small or very large take the instruction.
"""

from __future__ import annotations

from .builder import Builder
from .values import Value, const, scalar_of, vector_of

#: float32 bits of 2**-78 and 2**100: between them no step underflows or overflows
SMALL, LARGE = (127 - 78) << 23, (127 + 100) << 23


def sqrt(b: Builder, x: Value) -> Value:
    """The correctly rounded square root."""
    narrow = not x.is_vector or scalar_of(x.type) != "float"
    if narrow or not b.has_estimates or b.straight:
        return b.overloaded("sqrt", x)
    zero = b.compare("oeq", x, const(x.type, 0))
    lanes = b.op("i16", f"bitcast {b.bits('or', zero, _ordinary(b, x))} to i16")
    seldom = b.compare("ne", lanes, Value("-1", "i16"))
    return b.unless(seldom, _refined(b, x, zero), lambda: b.overloaded("sqrt", x))


def _ordinary(b: Builder, x: Value) -> Value:
    """Whether x lies between the bounds, by its bits: their order is that of the numbers."""
    whole = vector_of("i32")
    above = b.sub(b.convert("bitcast", x, "i32"), const(whole, SMALL))
    return b.compare("ule", above, const(whole, LARGE - SMALL))


def _refined(b: Builder, x: Value, zero: Value) -> Value:
    y, half = _estimate(b, x), const(x.type, 0.5)
    g, h = b.mul(x, y), b.mul(y, half)
    r = b.fma(b.neg(h), g, half)
    g, h = b.fma(g, r, g), b.fma(h, r, h)
    g = b.fma(b.fma(b.neg(g), g, x), h, g)
    return b.select(zero, b.mul(x, half), g)  # the zero's sign stays, subnormal numbers become 0


def _estimate(b: Builder, x: Value) -> Value:
    """1 / √x to 14 bits."""
    name, v = "llvm.x86.avx512.rsqrt14.ps.512", x.type
    b.declare(f"{v} @{name}({v}, {v}, i16)")
    return b.op(v, f"call {v} @{name}({x}, {v} zeroinitializer, i16 -1)")
