"""Square roots are correctly rounded, also where they are made of multiplications."""

from __future__ import annotations

import numpy as np
import pytest

import chainrule as cr
from codegen.native import native_function

BLOCK = 1 << 20


@pytest.mark.parametrize("cpu", [None, "haswell"])
def test_every_mantissa_at_even_and_odd_exponents(cpu: str | None) -> None:
    root = native_function("sqrt", cpu)
    for first in range(0x3F800000, 0x40800000, BLOCK):
        x = np.arange(first, first + BLOCK, dtype=np.uint32).view(np.float32)
        np.testing.assert_array_equal(root(x), np.sqrt(x))


@pytest.mark.parametrize("cpu", [None, "haswell"])
def test_all_magnitudes(cpu: str | None) -> None:
    rng = np.random.default_rng(0)
    bits = rng.integers(0x00800000, 0x7F800000, BLOCK, dtype=np.uint32)
    x = bits.view(np.float32)
    np.testing.assert_array_equal(native_function("sqrt", cpu)(x), np.sqrt(x))


@pytest.mark.parametrize("cpu", [None, "haswell"])
def test_special_values_beside_ordinary_ones(cpu: str | None) -> None:
    special = [0.0, -0.0, np.inf, -np.inf, np.nan, -1.0, 1e-38, 3e38, 2.0**-126]
    for value in special:
        x = np.full(48, 2.0, np.float32)
        x[[0, 17, 47]] = value
        with np.errstate(invalid="ignore"):
            expected = np.sqrt(x)
        got = native_function("sqrt", cpu)(x)
        np.testing.assert_array_equal(got, expected)
        np.testing.assert_array_equal(np.signbit(got[x == 0]), np.signbit(expected[x == 0]))


def test_subnormal_numbers_count_as_zero_in_programs() -> None:
    x = cr.tensor(np.full(32, 1e-40, np.float32))
    np.testing.assert_array_equal(cr.compile(lambda t: t.sqrt())(x).numpy(), np.zeros(32))
