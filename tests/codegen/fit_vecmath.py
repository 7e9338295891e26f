"""Makes the polynomial coefficients of `chainrule.codegen.vecmath`: run it to print them.

Each is a weighted minimax fit by the exchange algorithm of Remez, in double precision, with the
coefficients rounded to float32 at the end. The weights make the error relative to the function.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

Real = npt.NDArray[np.float64]
Function = Callable[[Real], Real]


def remez(powers: list[int], target: Function, weight: Function, lo: float, hi: float) -> Real:
    """Coefficients c of ``sum c_i x**powers_i`` with the least max |weight * (sum - target)|."""
    grid = lo + (hi - lo) * (1 - np.cos(np.linspace(0, np.pi, 20001))) / 2
    basis = np.stack([grid**p for p in powers], axis=1)
    wanted, weights = target(grid), weight(grid)
    count = len(powers) + 1
    chosen = np.linspace(0, len(grid) - 1, count).round().astype(int)
    for _ in range(50):
        signs = (-1.0) ** np.arange(count)
        system = np.column_stack([basis[chosen], signs / weights[chosen]])
        solution = np.linalg.solve(system, wanted[chosen])
        error = weights * (basis @ solution[:-1] - wanted)
        following = extrema(error, count)
        if np.array_equal(following, chosen):
            break
        chosen = following
    return solution[:-1]


def extrema(error: Real, count: int) -> npt.NDArray[np.int_]:
    """``count`` neighbouring extrema of alternating sign, the largest where there are more."""
    runs = np.split(np.arange(len(error)), np.flatnonzero(np.diff(np.sign(error)) != 0) + 1)
    peaks = [int(run[np.argmax(np.abs(error[run]))]) for run in runs]
    while len(peaks) > count:
        if abs(error[peaks[0]]) < abs(error[peaks[-1]]):
            peaks.pop(0)
        else:
            peaks.pop()
    if len(peaks) < count:
        raise ArithmeticError("the fit is at the limit of double precision")
    return np.array(peaks)


def rounded_fit(
    degree: int, target: Function, weight: Function, lo: float, hi: float
) -> tuple[list[float], float]:
    """float32 coefficients from degree 0 up, and the largest weighted error with them."""
    exact = remez(list(range(degree + 1)), target, weight, lo, hi)
    coefficients = exact.astype(np.float32).astype(np.float64)
    x = np.linspace(lo, hi, 100001)
    error = weight(x) * (np.polyval(coefficients[::-1], x) - target(x))
    return coefficients.tolist(), float(np.max(np.abs(error)))


def series(x: Real, exact: Function, limit: Function, near: float = 0.03) -> Real:
    """``exact`` away from 0, where it cancels; its Taylor series ``limit`` near 0."""
    safe = np.where(np.abs(x) < near, near, x)
    return np.where(np.abs(x) < near, limit(x), exact(safe))


def taylor(coefficients: list[float]) -> Function:
    """The polynomial with these coefficients, from degree 0 up."""
    return lambda x: np.polyval(coefficients[::-1], x)


erf = np.vectorize(math.erf)
erfc = np.vectorize(math.erfc)
ERF_SERIES = [
    2 / math.sqrt(math.pi) * (-1) ** k / (math.factorial(k) * (2 * k + 1)) for k in range(8)
]

FITS: dict[str, tuple[int, Function, Function, float, float]] = {
    # exp(r) = 1 + r + r² P(r)
    "EXP": (
        4,
        lambda r: series(
            r,
            lambda r: (np.expm1(r) - r) / r**2,
            taylor([1 / math.factorial(k + 2) for k in range(9)]),
        ),
        lambda r: r**2 / np.exp(r) + 1e-9,
        -0.3475,
        0.3475,
    ),
    # log(1 + f) = f - f²/2 + f³ P(f)
    "LOG": (
        7,
        lambda f: series(
            f,
            lambda f: (np.log1p(f) - f + f**2 / 2) / f**3,
            taylor([(-1) ** k / (k + 3) for k in range(14)]),
        ),
        lambda f: np.abs(f**3) / np.maximum(np.abs(np.log1p(f)), 1e-12) + 1e-9,
        math.sqrt(0.5) - 1,
        math.sqrt(2.0) - 1,
    ),
    # tanh(x) = x + x³ P(x²)
    "TANH": (
        5,
        lambda s: series(
            s,
            lambda s: (np.tanh(np.sqrt(s)) / np.sqrt(s) - 1) / s,
            taylor([-1 / 3, 2 / 15, -17 / 315, 62 / 2835, -1382 / 155925, 21844 / 6081075]),
        ),
        lambda s: s / np.maximum(np.tanh(np.sqrt(s)) / np.sqrt(np.maximum(s, 1e-30)), 0.1) + 1e-9,
        0.0,
        0.6**2,
    ),
    # erf(x) = x + x P(x²)
    "ERF": (
        5,
        lambda s: series(
            s,
            lambda s: erf(np.sqrt(s)) / np.sqrt(s) - 1,
            taylor([ERF_SERIES[0] - 1, *ERF_SERIES[1:]]),
        ),
        lambda s: 1 / 1.128 + 0 * s,
        0.0,
        0.93**2,
    ),
    # erf(t) = 1 - exp(-t - t P(t))
    "ERFC": (
        6,
        lambda t: -np.log(erfc(t)) / t - 1,
        lambda t: erfc(t) * t / erf(t),
        0.92,
        4.0,
    ),
}


def main() -> None:
    """Print the coefficients of every fit and log2 of its error."""
    for name, fit in FITS.items():
        coefficients, error = rounded_fit(*fit)
        listed = ", ".join(f"{c!r}" for c in coefficients)
        print(f"{name} = ({listed})  # error 2**{math.log2(error):.2f}")


if __name__ == "__main__":
    main()
