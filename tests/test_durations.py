"""Durations, as people read them."""

from __future__ import annotations

import pytest

from chainrule.durations import clock, duration, rough_duration


@pytest.mark.parametrize(
    ("seconds", "text"), [(3.21, "3.2 s"), (65, "1:05"), (3725, "1:02:05"), (59.7, "1:00")]
)
def test_clock(seconds: float, text: str) -> None:
    assert clock(seconds) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.13, "0.1 s"), (59.96, "1 min 0 s"), (3600, "1 h 0 min"), (7384.2, "2 h 3 min")],
)
def test_duration(seconds: float, text: str) -> None:
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.00002, "20 us"), (0.0021, "2.1 ms"), (0.4, "400 ms"), (1.44, "1.4 s"), (90.0, "1.5 min"),
     (9000.0, "2.5 h")],
)  # fmt: skip
def test_rough_duration(seconds: float, text: str) -> None:
    assert rough_duration(seconds) == text
