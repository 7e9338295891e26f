"""Random numbers: distributions, counts, formulas."""

from __future__ import annotations

import math

import numpy as np
import pytest

import chainrule as cr
from chainrule.frontend.random import bernoulli, normal_quantile, uniform


def test_uniform_moments_and_range() -> None:
    cr.manual_seed(0)
    u = cr.rand(200_000).numpy().astype(np.float64)
    assert u.min() >= 0.0
    assert u.max() < 1.0
    assert u.mean() == pytest.approx(0.5, abs=4 / (12 * 200_000) ** 0.5)
    assert u.var() == pytest.approx(1 / 12, rel=0.01)
    v = uniform((10_000,), -3.0, 5.0).numpy()
    assert -3.0 <= v.min() < -2.98
    assert 4.98 < v.max() < 5.0


def test_normal_moments() -> None:
    cr.manual_seed(1)
    z = cr.randn(200_000).numpy().astype(np.float64)
    error = 200_000**-0.5
    assert z.mean() == pytest.approx(0.0, abs=4 * error)
    assert z.var() == pytest.approx(1.0, abs=4 * error * math.sqrt(2))
    assert (z**3).mean() == pytest.approx(0.0, abs=4 * error * math.sqrt(15))
    assert (z**4).mean() == pytest.approx(3.0, abs=4 * error * math.sqrt(96))


def test_quantiles_are_those_of_the_normal_distribution() -> None:
    wanted = np.array([-5.0, -3.5, -1.0, -0.1, 0.0, 0.5, 2.0, 4.0])
    share = [0.5 * math.erfc(-z / math.sqrt(2)) for z in wanted]
    got = normal_quantile(cr.tensor(share)).numpy()
    np.testing.assert_allclose(got[:7], wanted[:7], atol=5e-6)
    assert got[7] == pytest.approx(4.0, abs=2e-3)  # 1 - u has few bits up there


def test_every_operation_takes_one_count() -> None:
    generator = cr.Generator(5)
    cr.rand(3, generator=generator)
    cr.randn(1000, generator=generator)
    assert generator.get_state() == (5, 0, 2)
    state = generator.get_state()
    a = cr.rand(4, generator=generator).tolist()
    generator.set_state(state)
    assert cr.rand(4, generator=generator).tolist() == a
    assert cr.Generator(2**32 + 7).get_state() == (7, 1, 0)


def test_bernoulli() -> None:
    cr.manual_seed(2)
    for p in (0.0, 0.3, 1.0):
        drawn = bernoulli((50_000,), p).numpy()
        assert drawn.mean() == pytest.approx(p, abs=0.01)
        assert drawn.dtype == np.bool_
