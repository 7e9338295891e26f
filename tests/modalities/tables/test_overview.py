"""Small parts of looking at runs: curves in text, and what a group says."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from chainrule.errors import StateError
from chainrule.runs.listing import details, run_folders, sparkline, summarize_runs
from chainrule.runs.wording import group_lines


def test_sparkline() -> None:
    assert sparkline([0.0, 0.4, 1.0]) == "▁▄█"
    assert sparkline([2.0, 2.0]) == "▁▁"
    assert sparkline([1.0, float("nan"), 2.0]) == "▁?█"
    assert sparkline([float("inf")]) == ""
    assert len(sparkline([float(i) for i in range(1000)])) <= 60


def test_group_lines_are_aligned() -> None:
    summary = {
        "accuracy": {"mean": 0.8125, "std": 0.01, "min": 0.8, "max": 0.825},
        "f1": {"mean": 0.5, "std": float("nan"), "min": 0.5, "max": 0.5},
    }
    assert group_lines({"summary": summary}) == [
        "metric      mean   std  lowest  highest",
        "accuracy  0.8125  0.01     0.8    0.825",
        "f1           0.5     -     0.5      0.5",
    ]


def test_damaged_groups(tmp_path: Path) -> None:
    group = tmp_path / "group"
    group.mkdir()
    (group / "group.json").write_text("[]")
    [line] = summarize_runs(tmp_path)
    assert (line.status, line.trouble) == ("broken", "group.json is not the expected kind of JSON")
    with pytest.raises(StateError, match="not the expected kind"):
        details(group)
    facts = {
        "format": "chainrule.group",
        "version": 1,
        "name": "a",
        "status": "running",
        "started": "x",
        "members": {},
        "summary": {},
    }
    (group / "group.json").write_text(json.dumps(facts))
    assert summarize_runs(tmp_path)[0].status == "killed"
    assert run_folders(tmp_path / "none") == []
