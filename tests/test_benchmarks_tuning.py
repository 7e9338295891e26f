"""The benchmark of tuning: its tables, and the page about them."""

from __future__ import annotations

from pathlib import Path

from benchmarks.tables.sources import half
from benchmarks.tuning import TABLES, markdown, source_of

PAGE = (Path(__file__).parent.parent / "docs" / "tuning.md").read_text(encoding="utf-8")
RESULT = {
    "table": "houses", "rows": 1728, "metric": "rmse", "default": 2000.0, "tuned": 1000.5,
    "best": 3, "states": {"complete": 2, "pruned": 1, "failed": 0}, "cpu_seconds": 81.7,
}  # fmt: skip


def test_no_setting_and_no_space_was_chosen_on_its_tables() -> None:
    assert len(TABLES) == 5
    assert {half(source_of(name)) for name in TABLES} == {"judging"}


def test_the_page_has_a_line_for_each() -> None:
    head = markdown([]).splitlines()[0]
    assert head in PAGE
    assert all(f"| {name} | " in PAGE for name in TABLES)


def test_markdown() -> None:
    lost = {**RESULT, "default": 0.1, "tuned": 0.2}
    lines = markdown([RESULT, lost]).splitlines()
    assert lines[2] == "| houses | 1,728 | rmse | 2,000 | 1,000 | -50.0% | 3 | 1 | 82 |"
    assert lines[3].startswith("| houses | 1,728 | rmse | 0.1 | 0.2 | +100.0% |")
    assert lines[-1] == "1 of 2 tables are better after tuning."
