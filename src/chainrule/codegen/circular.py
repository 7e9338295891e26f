"""Sine and cosine as instructions: no tables, no calls, the same bits on every processor with FMA.

An argument is a whole number of quarter turns and a rest, x = k pi/2 + r with |r| <= pi/4; sin r or
cos r, with the sign that k asks for, is the result. Rest and power series are in double precision,
so float32 results are correctly rounded but for a few in a thousand (largest error 0.502 units in
the last place, over the whole range).

The rest, for |x| < 2**20: pi/2 in three parts, of which the products of the first two with k have
no rounding (Cody and Waite, 1980). Beyond, which is seldom, in a branch of its own (Payne and
Hanek, 1983): x is an integer m times a power of 2, and of 2/pi only the 96 bits behind that power
matter, as those before it give multiples of four quarter turns. A float32 comes no nearer to a
multiple of pi/2 than 2**-30, and the product keeps 62 bits behind its point.

Of float64 scalars only the first way exists: from 2**20 on they lose accuracy.
"""

from __future__ import annotations

import math

from .builder import Builder
from .values import Value, const, scalar_of

#: pi/2 in three parts, the first two of 33 bits
HALF_PI = (1.5707963267341256, 6.077100506303966e-11, 2.0222662487959506e-21)
#: 2/pi, 32 bits a word; the first is what stands before its point
TWO_OVER_PI = (
    0x00000000, 0xA2F9836E, 0x4E441529, 0xFC2757D1, 0xF534DDC0, 0xDB629599, 0x3C439041, 0xFE5163AB,
)  # fmt: skip
#: from here on the branch for large arguments is taken; the bits of that float32
LARGE, LARGE_BITS = 2.0**20, 0x49800000
INFINITY_BITS = 0x7F800000
#: adding it rounds to an integer, which stands in the low bits of the sum
ROUNDER = 1.5 * 2.0**52
#: terms of the power series: the first one left out is below 2**-33, of float64 below 2**-58
TERMS, TERMS_64 = 6, 9


def sin(b: Builder, x: Value) -> Value:
    """The sine of x in radians; NaN at infinity."""
    return _wave(b, x, 0)


def cos(b: Builder, x: Value) -> Value:
    """The cosine of x in radians; NaN at infinity."""
    return _wave(b, x, 1)


def _wave(b: Builder, x: Value, ahead: int) -> Value:
    """The sine of x and ``ahead`` quarter turns."""
    if scalar_of(x.type) == "double":
        return _of_rest(b, *_near(b, x), ahead, TERMS_64)
    wide = b.convert("fpext", x, "double")
    usual = b.convert("fptrunc", _of_rest(b, *_near(b, wide), ahead, TERMS), "float")
    size = b.bits("and", b.convert("bitcast", x, "i32"), const(_integers(x), 0x7FFFFFFF))
    large = b.compare("uge", size, const(size.type, LARGE_BITS))  # NaN is

    def seldom() -> Value:
        y = b.convert("fptrunc", _of_rest(b, *_far(b, wide, size), ahead, TERMS), "float")
        nowhere = b.compare("uge", size, const(size.type, INFINITY_BITS))
        y = b.select(nowhere, const(x.type, math.nan), y)
        return b.select(large, y, usual)

    if not x.is_vector:
        return b.unless(large, usual, seldom)
    lanes = b.op("i16", f"bitcast {large} to i16")
    return b.unless(b.compare("ne", lanes, const("i16", 0)), usual, seldom)


def _integers(x: Value) -> str:
    return x.type.replace("float", "i32")


def _near(b: Builder, x: Value) -> tuple[Value, Value]:
    """The rest of a double below `LARGE`, and an integer with the last bits of k."""
    rounder = const(x.type, ROUNDER)
    shifted = b.fma(x, const(x.type, 2 / math.pi), rounder)
    k, rest = b.neg(b.sub(shifted, rounder)), x
    for part in HALF_PI:
        rest = b.fma(k, const(x.type, part), rest)
    return rest, b.convert("bitcast", shifted, "i64")


def _far(b: Builder, x: Value, size: Value) -> tuple[Value, Value]:
    """The same for any float32 from 2**-7 on; ``size`` are the bits of |x|."""

    def number(value: int) -> Value:
        return const(size.type, value)

    exponent = b.bits("lshr", size, number(23))
    m = b.bits("or", b.bits("and", size, number(0x7FFFFF)), number(0x800000))
    # x = m 2**(exponent - 150): in which word, and where in it, the bits that matter begin
    first = b.sub(exponent, number(120))
    word, shift = b.bits("lshr", first, number(5)), b.bits("and", first, number(31))
    words = [number(w) for w in TWO_OVER_PI[:4]]
    for later in range(1, len(TWO_OVER_PI) - 3):
        here = b.compare("uge", word, number(later))
        for i, value in enumerate(words):
            words[i] = b.select(here, number(TWO_OVER_PI[later + i]), value)
    high, middle, low = (
        b.convert("zext", b.overloaded("fshl", words[i], words[i + 1], shift), "i64")
        for i in range(3)
    )
    m = b.convert("zext", m, "i64")
    width = const(m.type, 32)
    turns = b.mul(b.bits("or", b.bits("shl", high, width), middle), m)
    turns = b.add(turns, b.bits("lshr", b.mul(low, m), width))  # two bits before the point
    k = b.bits("lshr", b.add(turns, const(m.type, 1 << 61)), const(m.type, 62))
    part = b.sub(turns, b.bits("shl", k, const(m.type, 62)))
    rest = b.convert("sitofp", part, "double")
    rest = b.mul(rest, const(rest.type, math.pi / 2 * 2.0**-62))
    negative = b.compare("olt", x, const(x.type, 0))
    return (
        b.select(negative, b.neg(rest), rest),
        b.select(negative, b.sub(const(k.type, 0), k), k),
    )


def _of_rest(b: Builder, rest: Value, k: Value, ahead: int, terms: int) -> Value:
    """sin(rest + (k + ahead) pi/2)."""
    if ahead:
        k = b.add(k, const(k.type, ahead))
    square = b.mul(rest, rest)
    odd = b.mul(rest, _series(b, square, 1, terms))
    even = _series(b, square, 0, terms)
    crossed = b.compare("ne", b.bits("and", k, const(k.type, 1)), const(k.type, 0))
    y = b.convert("bitcast", b.select(crossed, even, odd), "i64")
    sign = b.bits("shl", b.bits("and", k, const(k.type, 2)), const(k.type, 62))
    return b.convert("bitcast", b.bits("xor", y, sign), "double")


def _series(b: Builder, square: Value, degree: int, terms: int) -> Value:
    """The sum of (-1)**i square**i / (2i + degree)!, over so many terms."""
    factors = [(-1) ** i / math.factorial(2 * i + degree) for i in range(terms)]
    total = const(square.type, factors[-1])
    for factor in reversed(factors[:-1]):
        total = b.fma(total, square, const(square.type, factor))
    return total
