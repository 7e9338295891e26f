"""Charts and tables of a task in a report; what is damaged is left out."""

from __future__ import annotations

from typing import Any

import pytest

from chainrule.markup import Markup, joined
from chainrule.report.drawn import charts, tables

CHART: dict[str, Any] = {
    "title": "Forecast of a<b>", "words": "The last one.", "below": "steps", "x": [-2, -1, 0, 1],
    "lines": [{"name": "forecast", "values": [None, None, 3.0, 4.0]},
              {"name": "actual", "values": [1.0, 2.0, 3.5, None]}],
    "band": {"name": "80 % interval", "low": [None, None, 2.0, 3.0],
             "high": [None, None, 4.0, 6.0]},
}  # fmt: skip
TABLE = {"title": "Errors", "words": "Worst first.", "heads": ["series", "error"],
         "rows": [["a<b>", 2.5], ["b", None]]}  # fmt: skip


def drawn(test: dict[str, Any]) -> list[Markup]:
    return [*charts(test), *tables(test)]


def test_charts_and_tables_are_drawn_and_escaped() -> None:
    html = str(joined(*drawn({"charts": [CHART], "tables": [TABLE]})))
    assert "a&lt;b&gt;" in html
    assert "<b>" not in html
    assert 'class="band"' in html
    assert "80 % interval" in html
    assert "forecast from 3 to 4" in html
    assert "the 80 % interval lies between 3 and 6" in html
    assert "steps</text>" in html
    assert "2.5" in html
    assert "\N{EN DASH}" in html


@pytest.mark.parametrize(
    "damage",
    [
        {"x": []}, {"x": [1, 1, 2, 3]}, {"x": ["a", 1, 2, 3]}, {"x": 5}, {"lines": []},
        {"lines": [{"values": ["x", None, float("nan"), []]}]}, {"lines": "no"},
    ],
)  # fmt: skip
def test_damaged_charts_are_left_out(damage: dict[str, Any]) -> None:
    assert drawn({"charts": [{**CHART, **damage}]}) == []


@pytest.mark.parametrize("damage", [{"heads": []}, {"rows": []}, {"rows": [["a"]]}, {"rows": 3}])
def test_damaged_tables_are_left_out(damage: dict[str, Any]) -> None:
    assert drawn({"tables": [{**TABLE, **damage}]}) == []


def test_nothing_comes_of_nothing() -> None:
    assert drawn({}) == drawn({"charts": None, "tables": {}}) == drawn({"charts": [3, "x"]}) == []
    short = {**CHART, "band": {"low": [1.0], "high": "x"}, "lines": [{"values": [1.0]}]}
    assert len(drawn({"charts": [short]})) == 1
