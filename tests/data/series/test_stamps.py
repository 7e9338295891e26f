"""Stamps that databases do not read."""

from __future__ import annotations

import numpy as np
import pytest

from chainrule.data.series.frequency import Frequency
from chainrule.data.series.stamps import read_stamps, stamp_texts, zoned


@pytest.mark.parametrize(
    ("texts", "dates"),
    [
        (["1959Q1", "1959Q2"], ["1959-01-01", "1959-04-01"]),
        (["1970 Q4", "1971-q1"], ["1970-10-01", "1971-01-01"]),
        (["2020-01", "2020-11"], ["2020-01-01", "2020-11-01"]),
        (["2020M1", "2020m12"], ["2020-01-01", "2020-12-01"]),
        (["1999", "2000"], ["1999-01-01", "2000-01-01"]),
    ],
)
def test_periods(texts: list[str], dates: list[str]) -> None:
    stamps, wrong = read_stamps(texts)
    assert wrong == -1
    assert stamps.astype("M8[D]").astype(str).tolist() == dates


def test_the_first_that_is_none() -> None:
    assert read_stamps(["1959Q1", "1959Q5"])[1] == 1
    assert read_stamps(["soon"])[1] == 0


def test_texts_are_as_short_as_they_can_be() -> None:
    days = np.array(["2020-01-01", "2020-01-02"], "M8[us]")
    assert stamp_texts(days, Frequency("time")).tolist() == ["2020-01-01", "2020-01-02"]
    hours = days + np.timedelta64(3600, "s")
    assert stamp_texts(hours, Frequency("time"))[0] == "2020-01-01 01:00:00"
    numbers = np.array([7, 8]).astype("M8[us]")
    assert stamp_texts(numbers, Frequency("number")).tolist() == ["7", "8"]


@pytest.mark.parametrize(
    ("text", "known"),
    [("2020-01-01 10:00+02:00", True), ("2020-01-01T10:00Z", True), ("2020-01-01 10:00-05", True),
     ("2020-01-01 10:00", False), ("2020-01-01", False)],
)  # fmt: skip
def test_zones(text: str, known: bool) -> None:
    assert zoned(text) is known
