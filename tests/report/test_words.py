"""Results in plain words."""

from __future__ import annotations

import pytest

from chainrule.phrasing import (
    byte_size,
    confidence_interval,
    counted,
    format_number,
    listed,
    plain_number,
)
from chainrule.report.words import duration, moment, verdict


def test_numbers() -> None:
    assert [format_number(v) for v in (0.123456, 12345.6, -2, None, "x")] == [
        "0.1235", "12,346", "−2", "–", "–",
    ]  # fmt: skip
    assert [plain_number(v) for v in (0.123456, 12345.6, -2, None, float("nan"))] == [
        "0.1235", "1.235e+04", "-2", "-", "-",
    ]  # fmt: skip
    assert [byte_size(n) for n in (12, 2_345, 12_000_000)] == ["12 bytes", "2.35 kB", "12 MB"]
    assert [counted(n, "row") for n in (1, 1200, None)] == [
        "1 row", "1,200 rows", "an unknown number of rows",
    ]  # fmt: skip
    assert [duration(s) for s in (0.13, 59.96, 3600, 7384.2, None, -1)] == [
        "0.1 s", "1 min 0 s", "1 h 0 min", "2 h 3 min", "", "",
    ]  # fmt: skip
    assert listed(["a", "b", "c"], "or") == "a, b or c"
    assert listed([str(i) for i in range(9)]) == "0, 1, 2, 3, 4, 5 and 3 more"


def test_times() -> None:
    assert moment("2026-03-01T08:05:00.1+01:00") == "1 Mar 2026, 08:05 UTC+01:00"
    assert moment("yesterday") == "yesterday"


def test_interval_is_that_of_wilson() -> None:
    # 81 of 263: Newcombe 1998, table I, method 3
    assert confidence_interval(81 / 263, 263) == pytest.approx((0.2553, 0.3662), abs=5e-5)
    assert confidence_interval(0.0, 20) == pytest.approx((0.0, 0.1611), abs=5e-5)
    assert confidence_interval(1.0, 29) == pytest.approx((0.8830, 1.0), abs=5e-5)


def test_verdicts_know_the_direction() -> None:
    assert verdict("accuracy", 0.9, 0.5) == "better"
    assert verdict("log_loss", 0.9, 0.5) == "not better"
    assert verdict("rmse", 0.5, 0.5) == "not better"
    assert verdict("own", 1.0, 0.5) == ""
    assert verdict("r2", None, 0.5) == ""
