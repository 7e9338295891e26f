"""Another rate: what may pass passes, what may not does not, and sums are exact."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from chainrule.data.audio.resampling import _taps, resampled

RATES = [(44_100, 16_000), (48_000, 16_000), (8_000, 16_000), (22_050, 16_000), (16_000, 8_000),
         (11_025, 8_000), (44_101, 16_000)]  # fmt: skip


def tone(frequency: float, rate: int) -> NDArray[np.int16]:
    """A quarter of a second of a sine."""
    time = np.arange(rate // 4) / rate
    return np.rint(20_000 * np.sin(2 * np.pi * frequency * time)).astype(np.int16)


def level(samples: NDArray[np.floating]) -> float:
    """Decibels of the middle, of a sine of 20,000."""
    middle = samples[len(samples) // 4 : 3 * len(samples) // 4]
    return float(10 * np.log10(np.mean(middle**2) * 2 / 20_000**2 + 1e-20))


@pytest.mark.parametrize(("rate", "wanted"), RATES)
def test_tones_keep_level_frequency_and_place(rate: int, wanted: int) -> None:
    for share in (0.1, 0.5, 0.8):
        frequency = share * min(rate, wanted) / 2
        y = resampled(tone(frequency, rate), rate, wanted)
        assert len(y) == pytest.approx(wanted / 4, abs=2)
        assert abs(level(y)) < 0.001
        if rate != 44_101:  # of odd rates, a ratio beside the exact one is used
            ideal = 20_000 * np.sin(2 * np.pi * frequency * np.arange(len(y)) / wanted)
            middle = slice(len(y) // 4, 3 * len(y) // 4)
            assert np.abs(y - ideal)[middle].max() < 5


@pytest.mark.parametrize(("rate", "wanted"), [pair for pair in RATES if pair[0] > pair[1]])
def test_tones_that_would_fold_back_are_removed(rate: int, wanted: int) -> None:
    for share in (1.02, 1.2, 1.9):
        frequency = share * wanted / 2
        if frequency < rate / 2:
            assert level(resampled(tone(frequency, rate), rate, wanted)) < -80


def test_the_same_rate_changes_nothing() -> None:
    x = tone(440, 16_000)
    np.testing.assert_array_equal(resampled(x, 16_000, 16_000), x)
    assert len(resampled(x[:0], 8_000, 16_000)) == 0
    assert len(resampled(x[:1], 48_000, 16_000)) == 1


@pytest.mark.parametrize(("up", "down"), [(160, 441), (2, 1), (1, 3), (512, 1411)])
def test_sums_are_exact_in_any_order(up: int, down: int) -> None:
    """Every product and every partial sum is a multiple of 2^-24 below 2^29: 53 bits hold it."""
    taps, _ = _taps(up, down)
    scaled = taps * 2.0**24
    np.testing.assert_array_equal(scaled, np.rint(scaled))
    assert np.abs(taps).sum(axis=1).max() * 32768 < 2.0**28
    np.testing.assert_allclose(taps.sum(axis=1), 1.0, atol=1e-4)
