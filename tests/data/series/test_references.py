"""Naive forecasts, and arrays to read windows from."""

from __future__ import annotations

import numpy as np

from chainrule.data.series import Frequency, Origins, Panel, Scaling, calendar_features, encode
from chainrule.data.series.references import naive, season_repeats, seasonal_naive

NAN = np.nan


def test_naive_forecasts() -> None:
    past = np.array([[1.0, 2, 3, 4, 5, 6], [NAN, NAN, NAN, 7, 8, 9]])
    np.testing.assert_array_equal(naive(past, 2), [[6, 6], [9, 9]])
    np.testing.assert_array_equal(seasonal_naive(past, 5, 4), [[3, 4, 5, 6, 3], [9, 7, 8, 9, 9]])
    np.testing.assert_array_equal(seasonal_naive(past, 2, 1), naive(past, 2))


def test_whether_a_season_repeats() -> None:
    steps = np.arange(60)
    noise = np.random.default_rng(0).normal(size=60)
    assert season_repeats(np.sin(steps * np.pi / 2) + 0.1 * noise, 4, 4)
    assert not season_repeats(np.cumsum(noise), 4, 4)
    assert not season_repeats(steps[:6].astype(float), 4, 4)


def test_encoded_series_lie_between_their_padding() -> None:
    panel = Panel(("a", "b"), Frequency("number"), np.arange(5).astype("M8[us]"),
                  np.array([0, 2]), np.array([3, 4]),
                  np.array([1.0, 2, NAN, 4, 10, 20, 30]).reshape(-1, 1))  # fmt: skip
    ones, zeros = np.ones(2), np.zeros(2)
    scaling = Scaling(zeros, np.array([1.0, 10.0]), zeros, ones)
    covariates = [np.full((n + 2, 1), c, np.float32) for n, c in ((4, 7), (3, 8))]
    encoded = encode(panel, scaling, covariates, window=3, horizon=2)
    np.testing.assert_array_equal(
        encoded.values[:, 0], [1, 1, 1, 1, 2, 2, 4, 4, 4, 1, 1, 1, 1, 2, 3, 3, 3]
    )
    np.testing.assert_array_equal(encoded.values[:, 1], [7] * 9 + [8] * 8)
    np.testing.assert_array_equal(
        encoded.values[:, 2], [0, 0, 0, 1, 1, 0, 1, 0, 0, 0, 0, 0, 1, 1, 1, 0, 0]
    )
    chosen = Origins(np.array([0, 1]), np.array([2, 3]))
    assert encoded.rows(chosen).tolist() == [5, 13]
    np.testing.assert_array_equal(encoded.target(chosen), [[NAN, 4], [20, 30]])
    last, season = encoded.references(chosen, 2)
    np.testing.assert_array_equal(last, [[2, 2], [10, 10]])
    np.testing.assert_array_equal(season, [[1, 2], [10, 10]])


def test_calendar_features_repeat() -> None:
    hours = np.arange("2020-01-06", "2020-01-20", dtype="M8[h]").astype("M8[us]")
    names, values = calendar_features(hours, Frequency("time", 3_600_000_000))
    assert len(names) == values.shape[1] == 6
    np.testing.assert_array_equal(values[:24, :2], values[24:48, :2])
    np.testing.assert_array_equal(values[: 24 * 7, 2:4], values[24 * 7 :, 2:4])
    np.testing.assert_allclose(values[6, :2], [1, 0], atol=1e-6)
    years = np.arange("1990", "2000", dtype="M8[Y]").astype("M8[us]")
    assert calendar_features(years, Frequency("month", 12))[1].shape == (10, 0)
    months = np.arange("1990-01", "2000-01", dtype="M8[M]").astype("M8[us]")
    assert calendar_features(months, Frequency("month", 1))[1].shape == (120, 2)
