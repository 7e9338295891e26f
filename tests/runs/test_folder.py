"""The run folder: its name, whole files, appended lines, and what happens without room."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from chainrule.errors import StateError
from chainrule.records import read_sealed, sha256_of
from chainrule.runs.folder import RUN_KIND, RunFolder, json_text


def test_name_says_when_what_and_which(tmp_path: Path) -> None:
    folder = RunFolder.create(tmp_path / "deep" / "runs", "my data/β.v2", "mlp")
    assert re.fullmatch(r"\d{8}-\d{6}-my-data-.v2-mlp-[0-9a-f]{4}", folder.name)
    named = RunFolder.create(tmp_path, "heart", "mlp", name="best one")
    assert re.fullmatch(r"\d{8}-\d{6}-best-one-[0-9a-f]{4}", named.name)


def test_files(tmp_path: Path) -> None:
    folder = RunFolder.create(tmp_path, "a", "b")
    folder.update(status="running", lost=float("nan"))
    folder.update(status="done")
    folder.metrics({"epoch": 1, "loss": 0.5})
    folder.metrics({"epoch": 2, "loss": float("inf")})
    folder.event("finding", code="D106")
    folder.update()
    assert folder.path is not None
    facts = json.loads((folder.path / "run.json").read_text())
    assert {k: facts[k] for k in ("status", "lost")} == {"status": "done", "lost": None}
    assert facts["files"]["events.jsonl"] == sha256_of(folder.path / "events.jsonl")
    assert read_sealed(folder.path / "run.json", RUN_KIND)["status"] == "done"
    lines = (folder.path / "metrics.jsonl").read_text().splitlines()
    assert [json.loads(line) for line in lines] == [
        {"epoch": 1, "loss": 0.5},
        {"epoch": 2, "loss": None},
    ]
    event = json.loads((folder.path / "events.jsonl").read_text())
    assert event["event"] == "finding"
    assert event["code"] == "D106"
    leftovers = [p for p in folder.path.iterdir() if p.name.startswith(".")]
    assert leftovers == []


def test_two_runs_in_one_second_have_two_folders(tmp_path: Path) -> None:
    names = {RunFolder.create(tmp_path, "a", "b").name for _ in range(20)}
    assert len(names) == 20


def test_a_file_in_the_way(tmp_path: Path) -> None:
    file = tmp_path / "runs"
    file.write_text("not a folder")
    with pytest.raises(StateError, match="cannot be written"):
        RunFolder.create(file, "a", "b")


def test_a_full_disk_is_an_error() -> None:
    folder = RunFolder(Path("/dev"), RunFolder.create(None, "a", "b").started)
    with pytest.raises(StateError, match="No space left"):
        folder._append("full", "x")


def test_without_a_folder_nothing_is_written() -> None:
    folder = RunFolder.create(None, "a", "b")
    folder.update(status="done")
    folder.metrics({"epoch": 1})
    assert folder.path is None
    assert folder.facts["status"] == "done"


def test_json_text_has_no_nan() -> None:
    assert json_text({"a": [1.5, float("nan"), (float("-inf"),)], "b": {1: "ü"}}) == (
        '{"a": [1.5, null, [null]], "b": {"1": "ü"}}'
    )
