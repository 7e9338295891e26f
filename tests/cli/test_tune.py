"""``chainrule tune``, and ``--ray``."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from chainrule.tuning.tuner import Tuner
from interpreting import interpreting

from .conftest import Command

SMALL = ["--target", "disease", "--epochs", "3", "--trials", "3", "model.layers=[4]",
         "train.batch_size=642", "model.dropout=0.0", "observe.level=off"]  # fmt: skip
SPACE = 'only = true\n"train.lr" = { low = 0.001, high = 0.3, log = true }\n'


@pytest.fixture
def space(folder: Path) -> Path:
    path = folder / "space.toml"
    path.write_text(SPACE)
    return path


def test_a_search_goes_on_and_prints_the_best_run(command: Command, space: Path) -> None:
    with interpreting():
        first = command("tune", "heart", *SMALL, "--space", space)
        more = command("tune", "heart", *SMALL, "--space", space, "--trials", 4, "--json")
    assert first.exit_code == 0, first.output
    run = Path(first.stdout.strip())
    assert (run / "report.html").is_file()
    assert "trial 1 of 3  val_loss" in first.stderr
    assert "the settings as they are" in first.stderr
    assert "the best is trial" in first.stderr
    assert "optuna" not in first.output.lower()
    events = [json.loads(line) for line in more.stdout.splitlines()]
    assert events[0] == {"event": "search", "run": "runs/heart-tune", "trials": 4, "done": 3}
    assert [e["trial"] for e in events if e["event"] == "trial"] == [4]
    assert events[-1]["event"] == "tuned"
    assert len(events[-1]["trials"]) == 4
    assert "heart-tuned" in command("runs", "ls").output
    page = (folder_of(space) / "tuning.html").read_text()
    for heading in ("Best settings", "History", "Importance", "All settings at once", "Trials"):
        assert heading in page
    assert "<script" not in page
    assert "http" not in page.replace("http-equiv", "")


def folder_of(space: Path) -> Path:
    return space.parent / "runs" / "heart-tune"


def test_the_space_that_is_shown_can_be_given(command: Command, folder: Path) -> None:
    shown = command("tune", "heart", "--target", "disease", "--show-space")
    assert shown.exit_code == 0, shown.output
    assert '"model.layers" = ' in shown.stdout
    (folder / "space.toml").write_text(shown.stdout)
    again = command("tune", "heart", "--target", "disease", "--show-space", "--space", "space.toml")
    assert again.stdout == shown.stdout
    as_json = command("tune", "heart", "--target", "disease", "--show-space", "--json")
    assert set(json.loads(as_json.stdout)) == {
        line.split('"')[1] for line in shown.stdout.splitlines()
    }
    assert not (folder / "runs").exists()


def test_a_run_toml_may_hold_the_space(command: Command, folder: Path) -> None:
    """Training leaves the table alone, and so does checking."""
    (folder / "run.toml").write_text('[data]\npath = "heart"\ntarget = "disease"\n[tune]\n' + SPACE)
    shown = command("tune", "run.toml", "--show-space")
    assert shown.stdout == SPACE.partition("\n")[2]
    assert command("config", "show", "run.toml").exit_code == 0


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (["--trials", "0"], 2, "0 is not in the range"),
        (["--time", "soon"], 2, "the time is 'soon'"),
        (["--space", "none.toml"], 2, "cannot be read"),
        (["--horizon", "3"], 2, "does not apply"),
        (["--metric", "rmse"], 2, "does not fit"),
        (["--ray", "nowhere"], 2, "is not the address of a Ray cluster"),
    ],
)
def test_bad_options(
    command: Command, folder: Path, arguments: list[str], code: int, told: str
) -> None:
    result = command("tune", "heart", "--target", "disease", *arguments)
    assert result.exit_code == code
    assert told in result.output
    assert not (folder / "runs").exists()


def test_ctrl_c_is_told_with_its_own_code(
    command: Command, space: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(self: Tuner, *words: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Tuner, "_refuse_hopeless", interrupted)
    with interpreting():
        result = command("tune", "heart", *SMALL, "--space", space)
    assert result.exit_code == 130
    assert "the same command goes on there" in result.stderr


def test_ray_is_for_several_trainings(command: Command) -> None:
    result = command("train", "heart", "--ray")
    assert result.exit_code == 2
    assert "give --seeds, --folds or --preset best" in result.output


def test_without_optuna(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [n for n in sys.modules if n.startswith("chainrule.tuning")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.delattr("chainrule.tuning", raising=False)
    monkeypatch.setitem(sys.modules, "optuna", None)
    result = command("tune", "heart", "--target", "disease")
    assert result.exit_code == 2
    assert "needs the Optuna package" in result.output
    assert 'pip install "chainrule[tune]"' in result.output
