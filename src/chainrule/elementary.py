"""exp and log of doubles with the same bits on every processor.

NumPy chooses its own by the processor, and they differ in the last digit. So would a loss that is
printed, a predicted probability, and the choice between two epochs that are nearly level. These are
made of sums, products and quotients, which IEEE 754 fixes to the bit: one NumPy call each, which no
compiler contracts. Formulas and polynomials are fdlibm's (Sun Microsystems, 1993); errors stay
below one unit in the last place.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

__all__ = ["asinh", "exp", "log", "log1p", "sigmoid", "sinh"]

Doubles = npt.NDArray[np.float64]

#: ln 2 in two parts: products of the first with an exponent are exact
LN2_HIGH, LN2_LOW = 6.93147180369123816490e-01, 1.90821492927058770002e-10
#: of (log((1 + s) / (1 - s)) - 2 s) / s in powers of s^2
LOG = (
    6.666666666666735130e-01, 3.999999999940941908e-01, 2.857142874366239149e-01,
    2.222219843214978396e-01, 1.818357216161805012e-01, 1.531383769920937332e-01,
    1.479819860511658591e-01,
)  # fmt: skip
#: of r (exp(r) + 1) / (exp(r) - 1) - 2 in powers of r^2
EXP = (
    1.66666666666666019037e-01, -2.77777777770155933842e-03, 6.61375632143793436117e-05,
    -1.65339022054652515390e-06, 4.13813679705723846039e-08,
)  # fmt: skip
#: of sinh(x) / x in powers of x^2
SINH = tuple(1.0 / math.factorial(2 * k + 1) for k in range(11))
#: above it 1 is nothing beside a square
HUGE = 2.0**60
#: of exp: beyond them its result is infinite, or 0
LARGEST, SMALLEST = 709.782712893383973096, -745.133219101941108420


def log(x: npt.ArrayLike) -> Doubles:
    """The natural logarithm; -inf of 0 and NaN below, without a warning.

    ``x = 2^k (1 + f)`` with 1 + f within sqrt(2) of 1, and with ``s = f / (2 + f)``
    ``log(1 + f) = 2 s + s P(s^2)``.
    """
    x = np.asarray(x, np.float64)
    usual = (x > 0) & (x < np.inf)
    m, k = np.frexp(np.where(usual, x, 1.0))
    low = m < np.sqrt(0.5)
    f = np.where(low, 2 * m, m) - 1
    k = np.asarray(k - low, np.float64)
    s = f / (2 + f)
    half = 0.5 * f * f
    rest = _polynomial(s * s, LOG)
    rest *= s * s
    rest += half
    rest *= s
    rest += k * LN2_LOW
    ends = np.where(x == 0, -np.inf, np.where(x > 0, np.inf, np.nan))
    return np.where(usual, k * LN2_HIGH - ((half - rest) - f), ends)


def exp(x: npt.ArrayLike) -> Doubles:
    """e to the power of ``x``; without a warning infinite, or 0, where it is too large or small.

    ``x = k ln 2 + r`` with r within half of ln 2 of 0, and with ``c = r - r^2 P(r^2)``
    ``exp(r) = 1 + r + r c / (2 - c)``.
    """
    x = np.asarray(x, np.float64)
    within = np.clip(x, SMALLEST - 1, LARGEST + 1)
    k = np.rint(within * (1 / (LN2_HIGH + LN2_LOW)))
    high, low = within - k * LN2_HIGH, k * LN2_LOW
    r = high - low
    c = r - r * r * _polynomial(r * r, EXP)
    near = 1 - ((low - r * c / (2 - c)) - high)
    whole = np.asarray(np.nan_to_num(k), np.int32)
    with np.errstate(over="ignore", under="ignore"):
        return np.asarray(np.ldexp(near, whole))


def log1p(x: npt.ArrayLike) -> Doubles:
    """``log(1 + x)``, exact near 0, too: what 1 + x rounds off is added to its logarithm."""
    x = np.asarray(x, np.float64)
    u = 1 + x
    usual = (u > 0) & (u < np.inf)
    u = np.where(usual, u, 1.0)
    return np.where(usual, log(u) + (x - (u - 1)) / u, log(1 + x))


def sigmoid(x: npt.ArrayLike) -> Doubles:
    """``1 / (1 + exp(-x))``, as ``exp(-log(1 + exp(-x)))``, which neither overflows nor cancels."""
    x = np.asarray(x, np.float64)
    return exp(-(np.maximum(-x, 0) + log1p(exp(-np.abs(x)))))


def sinh(x: npt.ArrayLike) -> Doubles:
    """``(exp(x) - exp(-x)) / 2``; near 0 by its series, where that cancels."""
    x = np.asarray(x, np.float64)
    size = np.abs(x)
    half = exp(0.5 * size)  # exp(size) alone is infinite before its half is
    with np.errstate(over="ignore"):
        large = 0.5 * half * half - 0.5 / half / half
    near = np.minimum(size, 1.0)
    small = near * _polynomial(near * near, SINH)
    return _odd(np.where(size < 1, small, large), x)


def asinh(x: npt.ArrayLike) -> Doubles:
    """``log(x + sqrt(x^2 + 1))``, as ``log1p`` of what that has above 1; odd."""
    x = np.asarray(x, np.float64)
    size = np.minimum(np.abs(x), HUGE)  # its square is finite
    small = log1p(size + size * size / (1 + np.sqrt(1 + size * size)))
    return _odd(np.where(np.abs(x) > HUGE, log(np.abs(x)) + LN2_HIGH + LN2_LOW, small), x)


def _odd(of_size: Doubles, x: Doubles) -> Doubles:
    """With the sign of ``x``."""
    signed: Doubles = np.copysign(of_size, x)
    return signed


def _polynomial(x: Doubles, coefficients: tuple[float, ...]) -> Doubles:
    value = np.full_like(x, coefficients[-1])
    for c in coefficients[-2::-1]:
        value *= x
        value += c
    return value
