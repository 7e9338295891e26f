"""Frequencies from time stamps, and the axis that they make."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from chainrule.data.series.frequency import (
    DAY,
    NAMES,
    Frequency,
    infer_frequency,
    named_frequency,
)
from chainrule.errors import ConfigError, DataError


def stamps(*texts: str) -> Any:
    return np.array(texts, dtype="M8[us]")


def every(start: str, step: str, count: int) -> Any:
    return np.arange(count) * np.timedelta64(1, step).astype("m8[us]") + np.datetime64(start, "us")


def inferred(axis: Any) -> Frequency:
    return infer_frequency(np.diff(axis).astype(np.int64), axis, numbered=False)


@pytest.mark.parametrize(
    ("axis", "name", "season"),
    [
        (np.arange("2000-01", "2004-01", dtype="M8[M]").astype("M8[us]"), "monthly", 12),
        (np.arange("2000-01", "2010-01", 3, dtype="M8[M]").astype("M8[us]"), "quarterly", 4),
        (np.arange("1990", "2010", dtype="M8[Y]").astype("M8[us]"), "yearly", 1),
        (stamps("2001-01-31", "2001-02-28", "2001-03-31", "2001-04-30"), "monthly", 12),
        (stamps("2001-03-31", "2001-06-30", "2001-09-30", "2001-12-31"), "quarterly", 4),
        (every("2020-01-01", "D", 30), "daily", 7),
        (every("2020-01-01", "W", 30), "weekly", 52),
        (every("2020-01-01T00:30", "h", 30), "hourly", 24),
        (every("2020-01-01", "m", 50)[::15], "quarter-hourly", 96),
        (every("2020-01-01", "m", 50)[::10], "every 10 minutes", 144),
        (every("2020-01-01", "s", 50)[::7], "every 7 seconds", 1),
    ],
)
def test_frequency_and_season(axis: Any, name: str, season: int) -> None:
    frequency = inferred(axis)
    assert (frequency.name, frequency.season) == (name, season)
    np.testing.assert_array_equal(frequency.axis(axis), axis)
    np.testing.assert_array_equal(frequency.after(axis[-4], 3), axis[-3:])


def test_weekdays_are_trading_days_without_the_holidays() -> None:
    days = np.arange("2020-01-01", "2020-03-01", dtype="M8[D]")
    days = days[np.is_busday(days)]
    traded = np.delete(days, [0, 13]).astype("M8[us]")
    frequency = inferred(traded)
    assert (frequency.name, frequency.season) == ("trading days", 5)
    np.testing.assert_array_equal(frequency.axis(traded), traded)
    friday = np.datetime64("2020-02-28", "us")
    np.testing.assert_array_equal(frequency.after(friday, 2), stamps("2020-03-02", "2020-03-03"))


def test_gaps_are_steps_of_the_axis() -> None:
    months = np.arange("2000-01", "2003-01", dtype="M8[M]").astype("M8[us]")
    some = np.delete(months, [3, 4, 17])
    assert inferred(some) == Frequency("month", 1, 0)
    np.testing.assert_array_equal(inferred(some).axis(some), months)


def test_days_of_a_month_keep_their_place() -> None:
    axis = stamps("2001-01-15T06:00", "2001-02-15T06:00", "2001-03-15T06:00")
    assert inferred(axis) == Frequency("month", 1, 14 * DAY + DAY // 4)


def test_numbers_have_a_step_of_their_own() -> None:
    axis = np.array([1, 3, 5, 7, 11]).astype("M8[us]")
    frequency = infer_frequency(np.diff(axis).astype(np.int64), axis, numbered=True)
    assert frequency == Frequency("number", 2, 1)
    assert frequency.axis(axis).astype(int).tolist() == [1, 3, 5, 7, 9, 11]
    assert frequency.after(axis[-1], 2).astype(int).tolist() == [13, 15]


def test_named_frequencies_begin_where_the_data_does() -> None:
    axis = every("2020-01-01T07:00", "D", 3)
    assert named_frequency("daily", axis).axis(axis).tolist() == axis.tolist()
    assert named_frequency("rows", axis) == NAMES["rows"]
    with pytest.raises(ConfigError, match="monthly, weekly"):
        named_frequency("mothly", axis)


def test_single_stamps_have_no_frequency() -> None:
    with pytest.raises(DataError, match="single time stamp"):
        infer_frequency(np.array([], np.int64), stamps("2020-01-01"), numbered=False)
