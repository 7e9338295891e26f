"""Random numbers: distributions, counts, formulas."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.frontend.random import (
    bernoulli,
    beta,
    default_generator,
    log_gamma_variate,
    normal_quantile,
    randperm,
    uniform,
)


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


def test_permutations() -> None:
    cr.manual_seed(3)
    compiled = cr.compile(lambda: randperm(37))
    state = default_generator.get_state()
    native = [compiled().tolist() for _ in range(3)]
    default_generator.set_state(state)
    assert [randperm(37).tolist() for _ in range(3)] == native  # the same order, ties included
    assert all(sorted(order) == list(range(37)) for order in native)
    orders = [tuple(randperm(3).tolist()) for _ in range(1200)]
    for order in set(orders):
        assert orders.count(order) == pytest.approx(200, abs=60)
    assert len(set(orders)) == 6


@pytest.mark.parametrize("a", [0.1, 0.5, 1.0, 3.0])
def test_gamma_and_beta_moments(a: float) -> None:
    cr.manual_seed(4)
    n = 100_000
    x = np.exp(log_gamma_variate((n,), a).numpy().astype(np.float64))
    fourth = 3 * a**2 + 6 * a  # central moment
    assert x.mean() == pytest.approx(a, abs=5 * (a / n) ** 0.5)
    assert x.var() == pytest.approx(a, abs=5 * ((fourth - a**2) / n) ** 0.5)
    y = beta((n,), a, 2 * a).numpy().astype(np.float64)
    assert np.isfinite(y).all()
    variance = 2 / 9 / (3 * a + 1)
    assert y.mean() == pytest.approx(1 / 3, abs=5 * (variance / n) ** 0.5)
    assert y.var() == pytest.approx(variance, rel=0.03)


def test_beta_takes_six_counts_and_is_the_same_compiled() -> None:
    generator = cr.Generator(5)
    eager = beta((1000,), 0.3, 0.3, generator).numpy()
    assert generator.get_state() == (5, 0, 6)
    generator.manual_seed(5)
    native = cr.compile(lambda: beta((1000,), 0.3, 0.3, generator))().numpy()
    np.testing.assert_allclose(native, eager, rtol=1e-4, atol=1e-7)


@pytest.mark.parametrize("seed", ["a", 1.5, None])
def test_a_seed_is_a_whole_number(seed: object) -> None:
    with pytest.raises(cr.ConfigError, match="the seed is"):
        cr.manual_seed(seed)  # type: ignore[arg-type]


@pytest.mark.parametrize("state", [(1, 2), "abc", (1, 2, 2**40), (1.5, 2, 3)])
def test_states_that_no_generator_has(state: Any) -> None:
    with pytest.raises(cr.ConfigError, match="the state of a generator"):
        cr.Generator(0).set_state(state)
