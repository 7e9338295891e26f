"""Runs of earlier releases load, go on and report.

Those in ``runs`` are from before every file of a run was vouched for, those in ``runs2`` from
before a run said in words what it is about.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.errors import StateError
from chainrule.report import report_facts
from chainrule.runs.listeners import Listener
from chainrule.runs.listing import summarize_runs
from reference.make_runs import pictures

REFERENCE = Path(__file__).parent.parent / "reference"
RUNS = REFERENCE / "runs"
RELEASES = ("runs", "runs2")
SOURCES = {"table": "heart", "interrupted": "heart", "regression": "diabetes",
           "images": pictures()}  # fmt: skip


class Notes(Listener):
    def __init__(self) -> None:
        self.notes: list[str] = []

    def note(self, text: str) -> None:
        self.notes.append(text)


def copied(name: str, folder: Path) -> Path:
    return Path(shutil.copytree(RUNS / name, folder / name))


def weights(run: Path) -> dict[str, Any]:
    return dict(cr.load(run / "model.safetensors"))


@pytest.mark.parametrize("release", RELEASES)
@pytest.mark.parametrize("name", SOURCES)
def test_they_judge_as_they_did(name: str, release: str) -> None:
    expected = json.loads((REFERENCE / release / "metrics.json").read_text())[name]
    assert cr.load_run(REFERENCE / release / name).evaluate(SOURCES[name]) == expected


@pytest.mark.parametrize("release", RELEASES)
@pytest.mark.parametrize("name", SOURCES)
def test_they_are_reported(name: str, release: str) -> None:
    facts = report_facts(REFERENCE / release / name)
    assert facts["status"] == ("interrupted" if name == "interrupted" else "done")
    assert facts["troubles"] == []
    unit, model = ("image", "convolutional") if name == "images" else ("row", "hidden layer")
    assert facts["words"]["unit"] == unit
    assert model in facts["summary"]


@pytest.mark.parametrize("release", RELEASES)
def test_they_are_listed(release: str) -> None:
    lines = {line.path.name: line for line in summarize_runs(REFERENCE / release)}
    assert set(lines) == {*SOURCES, "group"}
    assert {line.trouble for line in lines.values()} == {""}
    assert lines["group"].runs == 2


def test_one_goes_on_to_the_weights_of_one_that_never_stopped(tmp_path: Path) -> None:
    run, listener = copied("interrupted", tmp_path), Notes()
    cr.resume(run, listener=listener)
    mine, theirs = weights(run), weights(RUNS / "table")
    assert all(np.array_equal(mine[name], theirs[name]) for name in theirs)
    assert "without a checksum" in listener.notes[0]  # it says that this cannot be checked
    facts = json.loads((run / "run.json").read_text())
    assert facts["version"] == 2
    assert report_facts(run)["troubles"] == []
    assert cr.load_run(run).metrics == cr.load_run(RUNS / "table").metrics


def test_a_later_one_goes_on_without_a_word(tmp_path: Path) -> None:
    run, listener = (
        Path(shutil.copytree(REFERENCE / "runs2" / "interrupted", tmp_path / "r")),
        Notes(),
    )
    cr.resume(run, listener=listener)
    mine, theirs = weights(run), weights(REFERENCE / "runs2" / "table")
    assert all(np.array_equal(mine[name], theirs[name]) for name in theirs)
    assert listener.notes == []
    assert json.loads((run / "run.json").read_text())["words"]["units"] == "rows"


@pytest.mark.parametrize("name", ["regression", "images"])
def test_more_epochs(name: str, tmp_path: Path) -> None:
    run = copied(name, tmp_path)
    done = cr.resume(run, SOURCES[name], epochs=7, verbose=False)
    assert len(done.history.epoch) == 7


def test_a_group_goes_on(tmp_path: Path) -> None:
    group = copied("group", tmp_path)
    facts = json.loads((group / "group.json").read_text())
    shutil.rmtree(group / facts["members"]["seed-1"]["run"])
    again: Any = cr.resume(group, verbose=False)
    assert again.summary == facts["summary"]


def test_a_changed_setting_is_refused_there_too(tmp_path: Path) -> None:
    run = copied("table", tmp_path)
    text = (run / "run.toml").read_text()
    (run / "run.toml").write_text(text.replace('"relu"', '"tanh"'))
    with pytest.raises(StateError, match=r"run\.toml was changed"):
        cr.load_run(run)
    with pytest.raises(StateError, match=r"run\.toml was changed"):
        cr.resume(run, epochs=9)


@pytest.mark.parametrize(
    "lost", ["random", "place", "history", "settings", "callbacks", "$dict", "params", "$array"]
)
def test_a_checkpoint_that_is_damaged_is_an_error(lost: str, tmp_path: Path) -> None:
    """Nothing vouches for its JSON half: what can be told is told, and nothing crashes."""
    run = copied("interrupted", tmp_path)
    for file in (run / "checkpoints").glob("*.json"):
        text = file.read_text()
        assert f'"{lost}"' in text
        file.write_text(text.replace(f'"{lost}"', '"lost"'))
    with pytest.raises(StateError):
        cr.resume(run, verbose=False)
