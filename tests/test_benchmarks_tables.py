"""The benchmark of networks for tables: which tables choose, what is judged, how it is summed."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.tables import report
from benchmarks.tables.__main__ import results, scores
from benchmarks.tables.methods import METHODS, Task
from benchmarks.tables.sources import CLASSES, NUMBERS, Source, chosen, divide, half

TABLES = (*CLASSES, *NUMBERS)
CANCER = Source("breast_cancer", "sklearn:breast_cancer", "target", True)


def test_halves_are_as_large_and_fixed() -> None:
    assert len({s.name for s in TABLES}) == len(TABLES) >= 20
    assert Counter((s.classes, half(s)) for s in TABLES) == {
        (kind, which): 8 for kind in (True, False) for which in ("tuning", "judging")
    }
    assert half(TABLES[0]) == "tuning"
    assert {s.name for s in chosen(("tuning",))} | {s.name for s in chosen(("judging",))} == {
        s.name for s in TABLES
    }


def test_the_page_names_the_halves() -> None:
    page = (Path(__file__).parent.parent / "docs" / "tables.md").read_text(encoding="utf-8")
    for which in ("tuning", "judging"):
        for kind, sources in (("classes", CLASSES), ("numbers", NUMBERS)):
            names = ", ".join(s.name for s in sources if half(s) == which)
            assert f"| {which}, {kind} | {names} |" in page


def test_rows_are_divided_by_class() -> None:
    target = np.repeat([0, 1], [80, 20])
    known, test = divide(target, True, 3)
    assert np.array_equal(np.sort(np.concatenate([known, test])), np.arange(100))
    assert np.bincount(target[test]).tolist() == [16, 4]
    assert not np.array_equal(test, divide(target, True, 4)[1])


def test_scores() -> None:
    chances = np.array([[0.5, 0.5], [0.1, 0.9], [1.0, 0.0]])
    found = scores(chances, np.array([0, 1, 1]), 2)
    expected = -(np.log(0.5) + np.log(0.9) + np.log(1e-15)) / 3
    assert found == {"log_loss": pytest.approx(expected), "accuracy": pytest.approx(2 / 3)}
    assert scores(np.array([1.0, 3.0]), np.array([1.0, 5.0]), 0) == {"rmse": pytest.approx(2**0.5)}


def guess(task: Task) -> Any:
    return np.tile(np.bincount(task.target) / len(task.target), (len(task.new), 1))


def fail(task: Task) -> Any:
    raise ValueError("of no use")


def test_results_go_on_where_they_were() -> None:
    methods = {"guess": guess, "fail": fail}
    lines = list(results(CANCER, methods, (0, 1), 1, {("breast_cancer", 0, "guess")}))
    assert [(r["seed"], r["method"]) for r in lines] == [(0, "fail"), (1, "guess"), (1, "fail")]
    assert lines[0]["error"] == "ValueError: of no use"
    assert lines[1]["log_loss"] == pytest.approx(0.66, abs=0.01)
    assert (lines[1]["rows"], lines[1]["columns"], lines[1]["classes"]) == (569, 30, 2)
    assert set(METHODS) > {"chainrule fast", "linear", "LightGBM", "CatBoost", "TabM-D"}


def test_ranks_and_tables() -> None:
    assert report.ranks({"a": 1.0, "b": 2.0, "c": 1.0}) == {"a": 1.5, "b": 3.0, "c": 1.5}
    fixed = {"seed": 0, "half": "tuning", "rows": 10, "columns": 2, "seconds": 1.0}
    lines = [
        {**fixed, "table": "t", "classes": 2, "method": "a", "log_loss": 0.5},
        {**fixed, "table": "t", "classes": 2, "method": "b", "log_loss": 0.25},
        {**fixed, "table": "u", "classes": 0, "method": "a", "rmse": 3.0},
        {**fixed, "table": "u", "classes": 0, "method": "b", "error": "ValueError"},
    ]
    page = report.page(lines, ["tuning", "judging"])
    assert "| a | 2.00 | 1.00 | 1.50 | 1.0 |" in page
    assert "| t | 10 | 2 | tuning | 0.5 | **0.25** |" in page
    assert "judging half" not in page
