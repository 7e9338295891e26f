"""Runs followed: what is told bit by bit is what the files say."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

from chainrule.dash.index import Index, folder_of_run
from chainrule.dash.watching import Cursor, WatchedRun
from chainrule.errors import StateError
from chainrule.runs.folder import RunFolder
from chainrule.runs.listing import summarize_runs


def caught_up(run: WatchedRun) -> None:
    while run.poll():
        pass


def test_what_is_new_is_told_once(runs: Path) -> None:
    run = WatchedRun(runs, "table")
    caught_up(run)
    first = run.changes(Cursor())
    assert first["curves"]["from"] == 0
    assert first["curves"]["epochs"] == 6
    assert first["events_from_start"]
    assert first["facts_changed"]
    seen = Cursor.of(first["cursor"])
    quiet = run.changes(seen)
    assert not {"curves", "events"} & quiet.keys()
    assert not quiet["facts_changed"]
    with (runs / "table" / "metrics.jsonl").open("a") as out:
        out.write('{"epoch": 7, "seconds": 1.0, "loss": 0.5}\n')
    assert run.poll()
    news = run.changes(seen)
    assert (news["curves"]["from"], news["curves"]["x"]) == (6, [7])
    assert "events" not in news


def test_a_training_that_went_back_is_read_again(runs: Path) -> None:
    run = WatchedRun(runs, "table")
    caught_up(run)
    seen = Cursor.of(run.changes(Cursor())["cursor"])
    file = runs / "table" / "metrics.jsonl"
    shorter = "".join(file.read_text().splitlines(True)[:2])
    other = runs / "other"
    other.write_text(shorter)
    os.replace(other, file)
    caught_up(run)
    news = run.changes(seen)
    assert (news["curves"]["from"], news["curves"]["x"]) == (0, [1, 2])
    assert news["events_from_start"]
    assert len(news["events"]) == 2
    assert run.layers(["gradient"])["observations"] == 12


def test_a_run_that_is_deleted_is_gone(runs: Path) -> None:
    run = WatchedRun(runs, "table")
    caught_up(run)
    shutil.rmtree(runs / "table")
    assert run.poll()
    assert run.changes(Cursor())["gone"]


def test_a_cursor_that_nobody_wrote_has_seen_nothing() -> None:
    for text in (
        "",
        "1.2.3",
        "a.b.c.d.e.f",
        "-1.0.0.0.0.x",
        "9" * 900 + ".1.1.1.1.x",
        "²..1.1.1.1",
    ):
        assert Cursor.of(text).epochs in (0, 1), text
    assert Cursor.of(str(Cursor(1, 2, 3, 4, 5, "6-7_8"))) == Cursor(1, 2, 3, 4, 5, "6-7_8")


def test_histograms_are_read_where_they_are(runs: Path) -> None:
    run = WatchedRun(runs, "table")
    caught_up(run)
    found = run.histograms("body.1", most=4)["histograms"]
    assert set(found) == {"weight", "gradient"}
    assert [bars["step"] for bars in found["weight"]] == [1, 5, 8, 12]
    assert found["weight"][-1]["counts"] == [1, 16, 1]
    assert run.histograms("<b>")["histograms"] == {}
    (runs / "table" / "histograms.jsonl").write_text("{" * 5000)
    assert run.histograms("body.1")["histograms"] == {}


# --------------------------------------------------------------------------------- the list


def test_the_list_says_what_runs_ls_says(runs: Path) -> None:
    (runs / "empty").mkdir()
    (runs / "broken").mkdir()
    (runs / "broken" / "run.json").write_text("{")
    listed = {run["id"]: run for run in Index(runs).refresh()}
    assert "empty" not in listed
    assert listed["broken"]["trouble"]
    for line in summarize_runs(runs):
        if line.status != "broken":
            run = listed[line.path.name]
            assert (run["status"], run["data"]) == (line.status, line.data)
            assert run["metrics"] == pytest.approx(dict(line.metrics))
    members = [run for run in listed if run.startswith("group/")]
    assert len(members) == listed["group"]["runs"] == 2


def test_only_what_has_changed_is_read_again(runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from chainrule.dash import index as module

    read: list[str] = []
    real = module.file_text
    monkeypatch.setattr(module, "file_text", lambda p: read.append(p.parent.name) or real(p))
    index = Index(runs)
    index.refresh()
    version, count = index.version, len(read)
    index.refresh()
    assert (index.version, len(read)) == (version, count)
    facts = json.loads((runs / "table" / "run.json").read_text())
    (runs / "table" / "run.json").write_text(json.dumps(facts | {"status": "failed"}))
    shutil.rmtree(runs / "regression")
    listed = {run["id"]: run["status"] for run in index.refresh()}
    assert read[count:] == ["table"]
    assert listed["table"] == "failed"
    assert "regression" not in listed
    assert index.version == version + 1


def test_a_run_that_is_written_runs_and_one_that_was_killed_does_not(tmp_path: Path) -> None:
    folder = RunFolder.create(tmp_path, "heart", "mlp")
    folder.update(status="running", started="2026-01-01", data={"name": "heart"})
    index = Index(tmp_path)
    assert [run["status"] for run in index.refresh()] == ["running"]
    folder.close()
    assert [run["status"] for run in index.refresh()] == ["killed"]


@pytest.mark.parametrize(
    "name", ["", ".", "..", "../runs", "table/..", "/etc", "a/b/c", ".hidden", "table\0", "nowhere",
             "link", "group/../table", "x" * 5000],
)  # fmt: skip
def test_other_folders_are_no_runs(name: str, runs: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    shutil.copytree(runs / "table", outside)
    (runs / "link").symlink_to(outside)
    with pytest.raises(StateError, match="there is no run"):
        folder_of_run(runs, name)
