"""Sums, means and medians: right, and the same bits in whatever surroundings."""

from __future__ import annotations

import statistics
from fractions import Fraction

import numpy as np
import pytest

from chainrule.data.moments import MedianSelect, Moments, tree_sum


def test_tree_sum_folds_halves() -> None:
    x = np.array([1e16, 1.0, -1e16, 1.0, 3.0])
    # Padded to 8: (1e16 + 3) + (-1e16 + 0), (1 + 0) + (1 + 0).
    assert tree_sum(x) == (1e16 + 3.0 - 1e16) + 2.0
    assert tree_sum(np.zeros((0, 3))).tolist() == [0, 0, 0]


def test_tree_sum_does_not_depend_on_the_width() -> None:
    x = np.random.Generator(np.random.Philox(1)).normal(size=(1000, 7))
    alone = np.array([tree_sum(np.ascontiguousarray(x[:, i])) for i in range(7)])
    np.testing.assert_array_equal(tree_sum(x), alone)
    np.testing.assert_array_equal(tree_sum(np.asfortranarray(x)), alone)


@pytest.mark.parametrize("offset", [0.0, 1e9, -1e6])
def test_moments_against_exact_arithmetic(offset: float) -> None:
    x = np.random.Generator(np.random.Philox(2)).normal(size=(5000, 2)) + offset
    x[::7, 1] = np.nan
    x[3, 1] = np.inf
    moments = Moments(2)
    for part in np.array_split(x, 5):
        moments.add(part)
    for part in np.array_split(x, 5):
        moments.add_deviations(part)
    for i in range(2):
        kept = [Fraction(v) for v in x[np.isfinite(x[:, i]), i].tolist()]
        mean = sum(kept) / len(kept)
        variance = sum((v - mean) ** 2 for v in kept) / len(kept)
        assert moments.count[i] == len(kept)
        assert moments.mean[i] == pytest.approx(float(mean), rel=1e-14)
        assert moments.std[i] == pytest.approx(float(variance) ** 0.5, rel=1e-9)
        assert (moments.low[i], moments.high[i]) == (min(kept), max(kept))


@pytest.mark.parametrize("n", [1, 2, 5, 1000])
def test_median_is_exact(n: int) -> None:
    generator = np.random.Generator(np.random.Philox(n))
    x = np.stack(
        [
            generator.normal(size=n),
            generator.integers(-3, 3, n) * 1.0,
            -np.exp(generator.normal(size=n)),
        ],
        axis=1,
    )
    select = MedianSelect(np.array([n, n, n]))
    for _ in range(MedianSelect.PASSES):
        for part in np.array_split(x, 3):
            select.add(part)
        select.end_pass()
    expected = [statistics.median_low(x[:, i].tolist()) for i in range(3)]
    assert select.median.tolist() == expected
