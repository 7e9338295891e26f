"""Ticks are round, enclose the values, and are as many as one can read."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chainrule.report.scales import Scale, label, linear_ticks, log_is_useful, log_ticks

numbers = st.floats(-1e150, 1e150, allow_nan=False)


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0.0, 1.0, [0.0, 0.5, 1.0]),
        (0.31, 0.69, [0.3, 0.4, 0.5, 0.6, 0.7]),
        (-3.0, 14.0, [-5.0, 0.0, 5.0, 10.0, 15.0]),
        (1200.0, 9800.0, [0.0, 5000.0, 10000.0]),
    ],
)
def test_linear_ticks(low: float, high: float, expected: list[float]) -> None:
    assert linear_ticks(low, high) == expected


def test_log_ticks() -> None:
    assert log_ticks(0.03, 0.9) == [0.02, 0.05, 0.1, 0.2, 0.5, 1.0]
    assert log_ticks(6e-5, 0.01) == pytest.approx([1e-5, 1e-4, 1e-3, 1e-2])
    assert log_ticks(2e-6, 30) == pytest.approx([1e-6, 1e-4, 1e-2, 1.0, 100.0])


def test_when_a_log_axis_helps() -> None:
    assert log_is_useful([0.01, 1.0])
    assert not log_is_useful([0.1, 1.0])
    assert not log_is_useful([0.0, 1.0])
    assert not log_is_useful([])


@given(st.lists(numbers, min_size=1, max_size=6))
def test_values_lie_within_the_drawing(values: list[float]) -> None:
    for log in (False, True) if log_is_useful(values) else (False,):
        scale = Scale.of(values, 200.0, 10.0, log=log)
        assert 2 <= len(scale.ticks) <= 20
        assert list(scale.ticks) == sorted(set(scale.ticks))
        assert all(9.99 <= scale(v) <= 200.01 for v in values)
        places = [scale(t) for t in scale.ticks]
        assert places[0] == 200.0
        assert places[-1] == pytest.approx(10.0)


@given(st.integers(1, 10**6), st.integers(0, 10**6))
def test_epochs_have_whole_ticks(first: int, more: int) -> None:
    scale = Scale.tight(first, first + more, 60.0, 600.0)
    assert all(t == int(t) and first <= t <= first + more for t in scale.ticks)
    assert 1 <= len(scale.ticks) <= 12
    assert all(60 <= scale(t) <= 600 for t in scale.ticks)


def test_labels_have_the_digits_of_the_step() -> None:
    assert [t for _, t in Scale.of([0.5, 0.75], 0, 1).labels()] == ["0.5", "0.6", "0.7", "0.8"]
    assert [t for _, t in Scale.of([-1.0, 1.0], 0, 1).labels()] == [
        "−1.0",
        "−0.5",
        "0.0",
        "0.5",
        "1.0",
    ]
    assert label(25000.0, 5000.0) == "25,000"
    assert label(2e-5) == "2e−05"
    assert label(0.05) == "0.05"
    assert math.isclose(float(label(3e7, 1e7)), 3e7)
