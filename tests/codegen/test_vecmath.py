"""Accuracy of vector mathematics, in units in the last place, and its special values."""

from __future__ import annotations

import math
from collections.abc import Callable

import mpmath
import numpy as np
import pytest

from chainrule.codegen.builder import Builder
from chainrule.codegen.target import target_for
from chainrule.codegen.values import Value
from chainrule.errors import CompileError
from chainrule.ir.types import Array, DType
from chainrule.schedule.buffers import Buffer
from chainrule.schedule.nest import Access, Affine, Apply, Load, Nest, Store
from codegen.native import NativeNest, bits, native_function

INF, NAN = math.inf, math.nan
COUNT = 100_000

# function: double precision reference, range of arguments, smallest magnitude, allowed error
CASES: dict[str, tuple[Callable[[Array], Array], float, float, float, float]] = {
    "exp": (np.exp, -87.3, 88.72, 2.0**-30, 1.1),
    "log": (np.log, 2.0**-126, 3.4e38, 2.0**-126, 0.9),
    "log1p": (np.log1p, -0.99999, 3.4e38, 2.0**-60, 1.6),
    "tanh": (np.tanh, -12.0, 12.0, 2.0**-60, 1.5),
    "tail": (lambda x: np.copysign(1 / (1 + np.exp(np.abs(x))), x), -80.0, 80.0, 2.0**-60, 2.2),
    "erf": (np.vectorize(math.erf), -5.0, 5.0, 2.0**-60, 1.2),
    "sin": (np.sin, -3.4e38, 3.4e38, 2.0**-60, 0.502),
    "cos": (np.cos, -3.4e38, 3.4e38, 2.0**-60, 0.502),
}


def arguments(lo: float, hi: float, smallest: float) -> Array:
    """Numbers spread evenly over the range near 1, and over all magnitudes."""
    rng = np.random.default_rng(3)
    near = rng.uniform(max(lo, -100), min(hi, 100), COUNT)
    size = np.exp2(rng.uniform(np.log2(smallest), np.log2(hi), COUNT))
    sign = np.where(rng.random(COUNT) < 0.5, -1, 1) if lo < 0 else 1
    return np.clip(np.concatenate([near, size * sign]), lo, hi).astype(np.float32)


def ulps(got: Array, exact: Array) -> Array:
    """Distance from the exact values in units of the last place of float32."""
    unit = np.spacing(np.abs(exact).astype(np.float32)).astype(np.float64)
    return np.abs(got.astype(np.float64) - exact) / unit


@pytest.mark.parametrize("cpu", [None, "haswell"])
@pytest.mark.parametrize("name", CASES)
def test_errors_are_small(name: str, cpu: str | None) -> None:
    reference, lo, hi, smallest, allowed = CASES[name]
    x = arguments(lo, hi, smallest)
    assert ulps(native_function(name, cpu)(x), reference(x.astype(np.float64))).max() <= allowed


def native_power(x: Array, e: Array, cpu: str | None) -> Array:
    """Powers, element by element."""
    size = x.size // 16 * 16
    buffers = [Buffer(name, DType.f32, size, aligned=False) for name in ("x", "e", "y")]
    accesses = [Access(buffer, Affine(0, (1,))) for buffer in buffers]
    value = Apply(DType.f32, "pow", tuple(Load(DType.f32, a) for a in accesses[:2]))
    run = NativeNest(Nest((size,), 1, (Store(accesses[2], value),)), cpu)
    result = np.zeros(size, np.float32)
    run(dict(zip(buffers, (x[:size].copy(), e[:size].copy(), result), strict=True)))
    return result


@pytest.mark.parametrize("cpu", [None, "haswell", "x86-64"])
def test_powers_are_rounded_correctly(cpu: str | None) -> None:
    """Over the whole range of results, and near 1."""
    rng = np.random.default_rng(4)
    x = np.exp2(rng.uniform(-126, 127, COUNT)).astype(np.float32)
    x[::4] = rng.uniform(0.5, 2, COUNT // 4)
    e = (rng.uniform(-87, 88, COUNT) / np.log(x.astype(np.float64))).astype(np.float32)
    exact = np.power(x.astype(np.float64), e.astype(np.float64))
    assert ulps(native_power(x, e, cpu), exact[: COUNT // 16 * 16]).max() <= 0.5001


@pytest.mark.parametrize("cpu", [None, "haswell", "x86-64"])
def test_special_powers(cpu: str | None) -> None:
    """As NumPy's, which are those of IEEE 754; odd exponents end at 2**24."""
    some = [0.0, -0.0, 1.0, -1.0, 0.25, -0.25, 2.0, -3.0, 2.5, -2.5, INF, -INF, NAN, 1e30, -1e30]
    some += [2.0**24 - 1, -(2.0**24) + 1, 2.0**24, 2.0**31, 1.0000001, -1.0000001]
    x, e = (a.ravel().astype(np.float32) for a in np.meshgrid(some, some))
    with np.errstate(all="ignore"):
        exact = np.power(x.astype(np.float64), e.astype(np.float64)).astype(np.float32)
    size = x.size // 16 * 16
    np.testing.assert_array_equal(bits(native_power(x, e, cpu)), bits(exact[:size]))


@pytest.mark.parametrize("name", CASES)
def test_the_references_agree_with_many_digits(name: str) -> None:
    """Double precision is enough to judge float32; shown on some of the arguments."""
    reference, lo, hi, smallest, _ = CASES[name]
    x = arguments(lo, hi, smallest)[::2000]
    function = getattr(mpmath, name, None) or (lambda v: mpmath.sign(v) / (1 + mpmath.exp(abs(v))))
    exact = [float(function(mpmath.mpf(float(v)))) for v in x]
    np.testing.assert_allclose(reference(x.astype(np.float64)), exact, rtol=1e-14)


SPECIAL = {
    "exp": ([0.0, -0.0, INF, -INF, NAN, 89.0, -104.0], [1, 1, INF, 0, NAN, INF, 0]),
    "log": (
        [0.0, -0.0, INF, -INF, NAN, -1.0, 1.0, 1e-40],
        [-INF, -INF, INF, NAN, NAN, NAN, 0, -INF],
    ),
    "log1p": ([0.0, -0.0, INF, -INF, NAN, -1.0, -2.0], [0.0, -0.0, INF, NAN, NAN, -INF, NAN]),
    "tanh": ([0.0, -0.0, INF, -INF, NAN, 40.0, -40.0], [0.0, -0.0, 1, -1, NAN, 1, -1]),
    "tail": ([0.0, -0.0, INF, -INF, NAN], [0.5, -0.5, 2.0**-126, -(2.0**-126), NAN]),
    "erf": ([0.0, -0.0, INF, -INF, NAN, 40.0, -40.0], [0.0, -0.0, 1, -1, NAN, 1, -1]),
    "sin": ([0.0, -0.0, INF, -INF, NAN, 1e-30], [0.0, -0.0, NAN, NAN, NAN, 1e-30]),
    "cos": ([0.0, -0.0, INF, -INF, NAN, 1e-30], [1, 1, NAN, NAN, NAN, 1]),
}


@pytest.mark.parametrize("name", SPECIAL)
def test_special_values(name: str) -> None:
    x, expected = (np.array(v, np.float32) for v in SPECIAL[name])
    np.testing.assert_array_equal(bits(native_function(name, None)(x)), bits(expected))


@pytest.mark.parametrize("name", ["exp", "log", "log1p", "tanh", "sin", "cos"])
def test_double_precision_scalars(name: str) -> None:
    """Scalars of a step: a loop over numbers that never become lanes."""
    x, y = Buffer("x", DType.f64, 1), Buffer("y", DType.f64, 1)
    here = Affine(0, ())
    value = Apply(DType.f64, name, (Load(DType.f64, Access(x, here)),))
    run = NativeNest(Nest((), 0, (Store(Access(y, here), value),)))
    for number in (1e-12, 0.001, 0.37, 0.9, 1.0, 2.5, 7.0, 650.0):
        memory = {x: np.array([number]), y: np.zeros(1)}
        run(memory)
        exact = float(getattr(mpmath, name)(mpmath.mpf(number)))
        np.testing.assert_allclose(memory[y][0], exact, rtol=6e-16)


#: float32 numbers that come nearest to multiples of pi/2, beginning with the worst of all
NEAR_QUARTERS = [0x6F79BE45, 0x50A3E87F, 0x437CE5F1, 0x6A1976F1, 0x4C2332E9, 0x474D246F]


@pytest.mark.parametrize("cpu", [None, "haswell", "x86-64"])
@pytest.mark.parametrize("name", ["sin", "cos"])
def test_rests_near_multiples_of_a_quarter_turn_are_exact(name: str, cpu: str | None) -> None:
    """All floats next to k pi/2: those of small k, those of large ones, and the known worst."""
    worst = np.array(NEAR_QUARTERS, np.uint32).view(np.float32)
    quarters = [k * (math.pi / 2) for k in (*range(1, 3000), *(3 * 2**i for i in range(1, 120)))]
    x = np.concatenate([worst, np.array(quarters, np.float32)])
    x = np.concatenate([x, np.nextafter(x, np.float32(INF)), -x])
    with mpmath.workprec(300):
        exact = np.array([float(getattr(mpmath, name)(mpmath.mpf(float(v)))) for v in x])
    assert ulps(native_function(name, cpu)(x), exact).max() <= 0.502


def test_erf_of_doubles_is_refused() -> None:
    x = Buffer("x", DType.f64, 1)
    here = Affine(0, ())
    value = Apply(DType.f64, "erf", (Load(DType.f64, Access(x, here)),))
    with pytest.raises(CompileError, match="erf of a float64"):
        NativeNest(Nest((), 0, (Store(Access(x, here), value),)))


def test_processors_without_fma_get_no_calls() -> None:
    b = Builder(has_fma=target_for("x86-64").has_fma)
    x = Value("%x", "float")
    b.fma(x, x, x)
    assert "fmuladd" in b.body()
