"""Transcendental functions as instructions: no tables, no calls.

Bits are the same on every processor with FMA.

float32 polynomials are minimax fits made by ``tests/codegen/fit_vecmath.py``; largest errors
measured there against double precision, in units in the last place:

    exp 0.98   log 0.79   log1p 1.41   tanh 1.28   erf 1.01   pow 0.50

(sin and cos, in circular.py: 0.502.)

Methods. exp: reduction by multiples of log 2 split in two (Cody and Waite, 1980). log: x = 2**e m
with m in [sqrt(1/2), sqrt(2)) and a polynomial in m - 1, as in Cephes (Moshier). log1p: the
rounding error of 1 + x is kept by Knuth's two-sum and added to m - 1. tanh: an odd polynomial near
0, else 1 - 2/(exp 2x + 1). erf: an odd polynomial near 0, else 1 - exp(-polynomial), a form used
by N. Juffa. pow: exp(e log x) in double precision.

Subnormal numbers count as 0 (programs run with FTZ and DAZ). NaN gives NaN. float64 serves scalars
of a step: exp and log by their power series, the others by formulas on top.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from ..errors import CompileError
from ..ops.elementwise import TAIL
from .builder import Builder
from .values import Value, const, like, scalar_of, suffix

EXP = (0.4999999403953552, 0.1666651964187622, 0.04166840389370918, 0.00836889911442995,
       0.001381422160193324)  # fmt: skip
LOG = (0.3333333134651184, -0.2500081956386566, 0.20001226663589478, -0.16623356938362122,
       0.14201757311820984, -0.13160182535648346, 0.1276157796382904,
       -0.07634499669075012)  # fmt: skip
TANH = (-0.3333333134651184, 0.13333246111869812, -0.0539521686732769, 0.021732721477746964,
        -0.00826274510473013, 0.00222697458229959)  # fmt: skip
ERF = (0.12837915122509003, -0.37612494826316833, 0.11281802505254745, -0.026765568181872368,
       0.004990980960428715, -0.0005976896500214934)  # fmt: skip
ERFC = (0.12864848971366882, 0.6351513266563416, 0.10623687505722046, -0.023762060329318047,
        0.003642457304522395, -0.00032280338928103447, 1.123125730373431e-05)  # fmt: skip
EXP_64 = tuple(1 / math.factorial(k + 2) for k in range(12))
ARTANH_64 = tuple(1 / (2 * k + 3) for k in range(10))

# log 2 in two parts; with fma the product of the first with an exponent is not rounded.
LN2 = (0.693147182464599609375, -1.90465429995776804525e-9)
LN2_64 = (0.693147180559945286227, 2.319046813846299558e-17)
LOG2_E = math.log2(math.e)
#: adding 1.5 times the number of integers that a mantissa can hold rounds to an integer
ROUNDER, ROUNDER_64 = 1.5 * 2.0**23, 1.5 * 2.0**52

#: arguments of exp between these have normal results
EXP_RANGE, EXP_RANGE_64 = (
    (-87.33654022216797, 88.72283935546875),
    (-708.396418532264, 709.782712893384),
)
SMALLEST, SMALLEST_64 = 2.0**-126, 2.0**-1022


def exp(b: Builder, x: Value) -> Value:
    """e**x."""
    low, high = EXP_RANGE_64 if _is_double(x) else EXP_RANGE
    y = b.select(b.compare("olt", x, _c(x, low)), _c(x, 0), _exp_inside(b, x))
    beyond = b.add(x, _c(x, math.inf))  # infinity, or NaN if x is
    return b.select(b.compare("ugt", x, _c(x, high)), beyond, y)


def log(b: Builder, x: Value) -> Value:
    """Natural logarithm; -inf at 0, NaN below."""
    f, e = _mantissa(b, x)
    y = _log_special(b, x, _log_of(b, f, e))
    return b.select(b.compare("olt", x, _c(x, math.inf)), y, x)


def log1p(b: Builder, x: Value) -> Value:
    """log(1 + x), exact for small x."""
    one = _c(x, 1)
    u = b.add(one, x)
    back = b.sub(u, one)
    lost = b.add(b.sub(one, b.sub(u, back)), b.sub(x, back))  # (1 + x) - u, exactly
    if _is_double(x):
        y = b.add(log(b, u), b.div(lost, u))
    else:
        f, e = _mantissa(b, u)
        y = _log_special(b, u, _log_of(b, b.add(f, _over_power(b, lost, e)), e))
    tiny = b.compare("olt", _abs(b, x), _c(x, 1e-16 if _is_double(x) else 2.0**-26))
    y = b.select(tiny, x, y)
    return b.select(b.compare("olt", x, _c(x, math.inf)), y, x)


def tanh(b: Builder, x: Value) -> Value:
    """Hyperbolic tangent."""
    if _is_double(x):
        return _tanh64(b, x)
    a = _abs(b, x)
    s = b.mul(a, a)
    near = b.fma(b.mul(a, s), _polynomial(b, TANH, s), a)
    top = b.select(b.compare("olt", a, _c(x, 10)), a, _c(x, 10))
    e = _exp_inside(b, b.add(top, top))
    far = b.sub(_c(x, 1), b.div(_c(x, 2), b.add(e, _c(x, 1))))
    y = b.select(b.compare("ogt", a, _c(x, 0.6)), far, near)
    return b.overloaded("copysign", y, x)


def tail(b: Builder, x: Value) -> Value:
    """1 / (1 + exp(abs(x))), but no less than `TAIL`, with the sign of x."""
    small = exp(b, b.neg(_abs(b, x)))  # which never overflows
    size, least = b.div(small, b.add(small, _c(x, 1))), _c(x, TAIL)
    return b.overloaded("copysign", b.select(b.compare("olt", size, least), least, size), x)


def erf(b: Builder, x: Value) -> Value:
    """The error function 2/sqrt(pi) * integral of exp(-t**2) from 0 to x."""
    if _is_double(x):
        raise CompileError(
            "erf of a float64 scalar has no native code", help="compute it outside of the step"
        )
    a = _abs(b, x)
    near = b.fma(a, _polynomial(b, ERF, b.mul(a, a)), a)
    t = b.select(b.compare("olt", a, _c(x, 4)), a, _c(x, 4))
    r = b.fma(t, _polynomial(b, ERFC, t), t)
    far = b.sub(_c(x, 1), _exp_inside(b, b.neg(r)))
    y = b.select(b.compare("ogt", a, _c(x, 0.92)), far, near)
    return b.overloaded("copysign", y, x)


def power(b: Builder, x: Value, e: Value) -> Value:
    """x to the power of e, with the special cases of IEEE 754.

    float32 goes through double, as e log x loses as many bits as it has before its point: the
    result is correctly rounded but for one of some million cases.
    """
    a, exponent = _abs(b, x), e
    if not _is_double(x):
        a, exponent = (b.convert("fpext", v, "double") for v in (a, e))
    y = exp(b, b.mul(exponent, log(b, a)))
    y = y if _is_double(x) else b.convert("fptrunc", y, "float")
    y = _signed_power(b, x, e, y)
    one, infinite = _c(x, 1), b.compare("oeq", _abs(b, e), _c(x, math.inf))
    alone = b.bits("and", b.compare("oeq", x, _c(x, -1)), infinite)
    alone = b.bits("or", alone, b.compare("oeq", x, one))
    return b.select(b.bits("or", alone, b.compare("oeq", e, _c(x, 0))), one, y)


def _signed_power(b: Builder, x: Value, e: Value, y: Value) -> Value:
    """|x|**e as x**e: negative for negative x and odd e, NaN for those below 0 and fractions."""
    integer = like(x.type, "i64" if _is_double(x) else "i32")
    last = 2.0 ** (_mantissa_bits(x) + 1)  # from here on all numbers are even
    large = b.compare("oge", _abs(b, e), _c(x, last))
    small = b.select(large, _c(x, 0), e)
    number = b.intrinsic(f"fptosi.sat.{suffix(integer)}.{suffix(x.type)}", integer, small)
    whole = b.compare("oeq", b.convert("sitofp", number, scalar_of(x.type)), small)
    odd = b.compare("ne", b.bits("and", number, const(integer, 1)), const(integer, 0))
    odd = b.bits("and", odd, whole)
    negative = b.compare("slt", _bits_of(b, x), const(integer, 0))  # -0 is
    y = b.select(b.bits("and", negative, odd), b.neg(y), y)
    finite = b.compare("ogt", x, _c(x, -math.inf))
    nowhere = b.bits("and", b.compare("olt", x, _c(x, 0)), finite)
    nowhere = b.bits("and", nowhere, b.bits("xor", whole, const(whole.type, True)))
    return b.select(nowhere, _c(x, math.nan), y)


# ------------------------------------------------------------------------------------- parts


def _is_double(x: Value) -> bool:
    return scalar_of(x.type) == "double"


def _c(x: Value, number: float) -> Value:
    """A constant of the type of x."""
    return const(x.type, number)


def _abs(b: Builder, x: Value) -> Value:
    return b.overloaded("fabs", x)


def _bits_of(b: Builder, x: Value) -> Value:
    return b.convert("bitcast", x, "i64" if _is_double(x) else "i32")


def _from_bits(b: Builder, bits: Value) -> Value:
    return b.convert("bitcast", bits, "double" if scalar_of(bits.type) == "i64" else "float")


def _mantissa_bits(x: Value) -> int:
    return 52 if _is_double(x) else 23


def _polynomial(b: Builder, coefficients: Sequence[float], x: Value) -> Value:
    """By Horner's rule; coefficients from degree 0 up."""
    total = _c(x, coefficients[-1])
    for c in reversed(coefficients[:-1]):
        total = b.fma(total, x, _c(x, c))
    return total


def _exp_inside(b: Builder, x: Value) -> Value:
    """e**x inside the range of normal results: 2**m e**r with r = x - m log 2."""
    double = _is_double(x)
    rounder = _c(x, ROUNDER_64 if double else ROUNDER)
    high, low = LN2_64 if double else LN2
    shifted = b.fma(x, _c(x, LOG2_E), rounder)
    m = b.sub(shifted, rounder)
    r = b.fma(m, _c(x, -low), b.fma(m, _c(x, -high), x))
    tail = _polynomial(b, EXP_64 if double else EXP, r)
    y = b.add(b.fma(b.mul(r, r), tail, r), _c(x, 1))
    # The low bits of `shifted` are m: adding them to the exponent multiplies by 2**m.
    bits = _bits_of(b, shifted)
    exponent = b.bits("shl", bits, const(bits.type, _mantissa_bits(x)))
    return _from_bits(b, b.add(_bits_of(b, y), exponent))


def _mantissa(b: Builder, x: Value) -> tuple[Value, Value]:
    """(m - 1, e) with x = 2**e * m and m in [sqrt(1/2), sqrt(2)); e as an integer."""
    bits = _bits_of(b, x)
    width = const(bits.type, _mantissa_bits(x))
    root = const(bits.type, 0x3FE6A09E667F3BCD if _is_double(x) else 0x3F3504F3)
    exponent = b.bits("ashr", b.sub(bits, root), width)
    m = _from_bits(b, b.sub(bits, b.bits("shl", exponent, width)))
    return b.sub(m, _c(x, 1)), exponent


def _over_power(b: Builder, x: Value, e: Value) -> Value:
    """x / 2**e (float32); 0 where that is below the normal numbers."""
    opposite = b.sub(const(e.type, 127), b.overloaded("smin", e, const(e.type, 127)))
    return b.mul(x, _from_bits(b, b.bits("shl", opposite, const(e.type, 23))))


def _log_of(b: Builder, f: Value, exponent: Value) -> Value:
    """log(1 + f) + exponent * log 2."""
    if _is_double(f):  # few processors convert vectors of 64-bit integers
        exponent = b.convert("trunc", exponent, "i32")
    e = b.convert("sitofp", exponent, scalar_of(f.type))
    high, low = LN2_64 if _is_double(f) else LN2
    if _is_double(f):
        s = b.div(f, b.add(f, _c(f, 2)))  # log(1 + f) = 2 artanh s
        q = b.mul(s, s)
        odd = b.mul(b.mul(s, q), _polynomial(b, ARTANH_64, q))
        y = b.fma(e, _c(f, low), b.add(odd, odd))
        return b.fma(e, _c(f, high), b.add(b.add(s, s), y))
    square = b.mul(f, f)
    y = b.mul(b.mul(square, f), _polynomial(b, LOG, f))
    y = b.fma(square, _c(f, -0.5), b.fma(e, _c(f, low), y))
    return b.fma(e, _c(f, high), b.add(f, y))


def _log_special(b: Builder, x: Value, y: Value) -> Value:
    """``y``, but -inf where x is 0 or subnormal and NaN below."""
    smallest = _c(x, SMALLEST_64 if _is_double(x) else SMALLEST)
    y = b.select(b.compare("olt", x, smallest), _c(x, -math.inf), y)
    return b.select(b.compare("olt", x, _c(x, 0)), _c(x, math.nan), y)


def _tanh64(b: Builder, x: Value) -> Value:
    """expm1(2|x|) / (expm1(2|x|) + 2), with Kahan's expm1(z) = (e**z - 1) z / log(e**z)."""
    a = _abs(b, x)
    top = b.select(b.compare("olt", a, _c(x, 20)), a, _c(x, 20))
    z = b.add(top, top)
    u = exp(b, z)
    minus_one = b.sub(u, _c(x, 1))
    precise = b.div(b.mul(minus_one, z), log(b, u))
    grown = b.select(b.compare("oeq", minus_one, _c(x, 0)), z, precise)
    y = b.div(grown, b.add(grown, _c(x, 2)))
    return b.select(b.compare("uno", x, x), x, b.overloaded("copysign", y, x))
