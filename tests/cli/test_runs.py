"""``chainrule runs``: what there is, in any state; two runs side by side; removing."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from chainrule.runs.folder import RunFolder
from resealing import reseal

from .conftest import Command


@pytest.fixture
def place(runs: Path, folder: Path) -> Path:
    """A runs folder with a whole run, and others in every state of decay."""
    place = folder / "runs"
    shutil.copytree(runs, place)
    [whole] = place.iterdir()

    def copy(name: str) -> Path:
        return Path(shutil.copytree(whole, place / name))

    def change(run: Path, **facts: object) -> None:
        reseal(run / "run.json", **facts)

    change(copy("killed"), status="running")
    change(copy("failed"), status="failed", error="the loss became nan\n  where: epoch 3")
    (copy("no-weights") / "model.safetensors").unlink()
    (copy("no-facts") / "run.json").unlink()
    (copy("odd-facts") / "run.json").write_text("{")
    change(copy("odd-parts"), best=[], metrics=7, seconds="long")
    (place / "notes").mkdir()
    return place


def test_every_state_is_listed(place: Path, command: Command) -> None:
    result = command("runs", "ls", "--json")
    found = {line["name"]: line for line in json.loads(result.stdout)}
    status = {name: line["status"] for name, line in found.items() if not name[0].isdigit()}
    assert status == {
        "killed": "killed", "failed": "failed", "no-weights": "broken", "no-facts": "broken",
        "odd-facts": "broken", "odd-parts": "broken",
    }  # fmt: skip
    assert "model.safetensors missing" in found["no-weights"]["trouble"]
    assert "resume" in found["killed"]["trouble"]
    assert "`metrics` is missing or of the wrong type" in found["odd-parts"]["trouble"]
    [whole] = [line for name, line in found.items() if name[0].isdigit()]
    assert whole["status"] == "done"
    assert whole["epochs"] == 5
    assert 0 <= whole["metrics"]["accuracy"] <= 1
    text = command("runs", "ls").stdout
    assert len(text.splitlines()) == 8
    assert f"accuracy {whole['metrics']['accuracy']:.4g}" in text


def test_a_run_that_is_running(place: Path, command: Command) -> None:
    facts = json.loads((place / "killed" / "run.json").read_text())
    folder = RunFolder.open(place / "killed", facts)
    lines = {line["name"]: line for line in json.loads(command("runs", "ls", "--json").stdout)}
    assert lines["killed"]["status"] == "running"
    result = command("runs", "rm", "killed", "--yes")
    assert result.exit_code == 2
    assert "is running" in result.stderr
    assert command("resume", "killed").exit_code == 2
    folder.close()
    assert command("runs", "rm", "killed", "--yes").exit_code == 0
    assert not (place / "killed").exists()


def test_show(place: Path, command: Command) -> None:
    name = next(p.name for p in place.iterdir() if p.name[0].isdigit())
    result = command("runs", "show", name[-4:])
    for part in ("918 rows", "val_loss ", "accuracy", "done after"):
        assert part in result.stdout
    facts = json.loads(command("runs", "show", name, "--json").stdout)
    assert len(facts["curve"]) == 5
    assert facts["best"]["epoch"] >= 1
    assert "failed: the loss became nan" in command("runs", "show", "failed").stdout
    for name in ("odd-facts", "nothing"):
        result = command("runs", "show", name)
        assert result.exit_code == 2
        assert result.stdout == ""


def test_compare(place: Path, command: Command) -> None:
    other = command("train", "heart", "--epochs", 2, "-q", "train.optimizer=sgd").stdout.strip()
    name = next(p.name for p in place.iterdir() if p.name[0].isdigit() and p.name not in other)
    result = command("runs", "compare", name, other)
    assert result.exit_code == 0, result.stderr
    assert "accuracy" in result.stdout
    assert "train.optimizer.name" in result.stdout
    assert "train.loss" not in result.stdout
    found = json.loads(command("runs", "compare", name, other, "--json").stdout)
    assert found["settings"]["train.epochs"] == ["5", "2"]
    assert len(found["metrics"]["roc_auc"]) == 2


def test_rm_asks(place: Path, command: Command) -> None:
    result = command("runs", "rm", "failed")
    assert result.exit_code == 1
    assert "--yes" in result.stderr
    assert (place / "failed").exists()
    for name in ("failed", "no-facts", "odd-facts"):
        assert command("runs", "rm", name, "--yes").exit_code == 0
        assert not (place / name).exists()
    result = command("runs", "rm", "notes", "--yes")
    assert result.exit_code == 2
    assert (place / "notes").exists()
    assert command("runs", "rm", str(place), "--yes").exit_code == 2
    assert command("runs", "rm").exit_code == 2


def test_an_empty_place(command: Command, folder: Path) -> None:
    result = command("runs", "ls")
    assert (result.exit_code, result.stdout) == (0, "")
    assert "no runs in" in result.stderr
    assert json.loads(command("runs", "ls", "--json").stdout) == []


def test_seeds_and_folds(command: Command, folder: Path) -> None:
    result = command("train", "heart", "--seeds", 2, "--folds", 2, "--epochs", 1)
    assert result.exit_code == 0, result.stderr
    group = Path(result.stdout.strip())
    assert "seed-1-fold-2, 4 of 4" in result.stderr
    assert "accuracy" in result.stderr.rpartition("metric")[2]
    assert len([p for p in group.iterdir() if p.is_dir()]) == 4
    [line] = json.loads(command("runs", "ls", "--json").stdout)
    assert (line["runs"], line["status"]) == (4, "done")
    assert len(json.loads(command("runs", "ls", group, "--json").stdout)) == 4
    assert "lowest" in command("runs", "show", group.name).stdout
    member = next(p for p in group.iterdir() if p.is_dir())
    assert command("eval", member.name[-4:], "heart").exit_code == 0
    events = command("train", "heart", "--seeds", "3,5", "--epochs", 1, "--json").stdout
    last = json.loads(events.splitlines()[-1])
    assert last["event"] == "repeated"
    assert last["summary"]["accuracy"]["std"] >= 0
    assert command("runs", "rm", group, "--yes").exit_code == 0
    assert not group.exists()


@pytest.mark.parametrize("words", [["--seeds", "0"], ["--seeds", "x"], ["--folds", "1"]])
def test_seeds_and_folds_that_are_none(words: list[str], command: Command) -> None:
    assert command("train", "heart", *words).exit_code == 2
