"""Rows in any order become series on one axis, or an error that names the row."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from chainrule.data.series import Panel, Rows, build_panel
from chainrule.errors import DataError

NAN = np.nan


def built(
    texts: list[str], values: list[float], series: list[int] | None = None, **settings: Any
) -> Panel:
    codes = np.array(series or [0] * len(texts))
    stamps = np.array(texts, dtype="M8[us]")
    rows = Rows(codes, stamps, np.array(values, float).reshape(len(texts), -1), False,
                lambda row: f"row {row + 1}")  # fmt: skip
    names = ["a", "b", "c"][: codes.max() + 1]
    return build_panel(names, rows, **settings)


def test_rows_are_sorted_and_gaps_opened() -> None:
    panel = built(["2020-03-01", "2020-01-01", "2020-04-01", "2020-06-01"], [3, 1, 4, 6])
    assert panel.axis.astype("M8[M]").astype(str).tolist() == [f"2020-0{m}" for m in range(1, 7)]
    np.testing.assert_array_equal(panel.of(0)[:, 0], [1, NAN, 3, 4, NAN, 6])


def test_series_share_an_axis_and_begin_with_their_first_value() -> None:
    texts = [f"2020-0{m}-01" for m in (1, 2, 3, 4, 2, 3, 4, 5)]
    panel = built(texts, [1, 2, 3, 4, NAN, 30, 40, NAN], [0, 0, 0, 0, 1, 1, 1, 1])
    assert (panel.first.tolist(), panel.last.tolist()) == ([0, 2], [3, 4])
    np.testing.assert_array_equal(panel.of(1)[:, 0], [30, 40, NAN])
    assert panel.stamp(2) == "2020-03-01"


@pytest.mark.parametrize(
    ("texts", "message", "where"),
    [
        (["2020-01-01", "NaT", "2020-03-01"], "1 row has no time stamp", "row 2"),
        (["2020-01-01", "2020-02-01", "2020-01-01"], "series `a` occurs twice", "row 1 and row 3"),
        ([*(f"2020-0{m}-01" for m in range(1, 7)), "2020-03-11"],
         "monthly, but 2020-03-11 lies between", "row 7"),
        (["2020-01-01T00", "2020-01-01T01", "2020-01-01T02", "2020-01-01T02:20"],
         "hourly, but 2020-01-01T02:20 lies between", "row 4"),
        (["2020-01-01", "2020-01-02", "2020-01-03", "2190-01-04"], "with only 4 stamps", "row 4"),
    ],
)  # fmt: skip
def test_stamps_that_are_wrong(texts: list[str], message: str, where: str) -> None:
    with pytest.raises(DataError, match=message) as caught:
        built(texts, [1.0] * len(texts))
    assert where in str(caught.value.where)


def test_rows_may_be_taken_as_they_come() -> None:
    texts = ["2020-01-01T00", "2020-01-01T01", "2020-01-01T02:20", "2020-01-05"]
    panel = built(texts, [1, 2, 3, 4], frequency="rows")
    np.testing.assert_array_equal(panel.of(0)[:, 0], [1, 2, 3, 4])


def test_a_series_without_a_number() -> None:
    with pytest.raises(DataError, match="series `b` has no number"):
        built(["2020-01-01", "2020-01-02", "2020-01-01"], [1, 2, NAN], [0, 0, 1])
