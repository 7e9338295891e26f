"""``chainrule scope``: a run at its checkpoint, a step replayed, lessons; bad input in words."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from chainrule.errors import StateError
from chainrule.microscope import scope_of_run
from chainrule.microscope.of_run import open_run
from chainrule.runs.folder import runs_in
from cli.conftest import Command

REFERENCE = Path(__file__).parents[1] / "reference" / "runs2"


@pytest.fixture
def run(runs: Path) -> Path:
    return runs_in(runs)[0]


def test_text_and_json_show_the_same(command: Command, run: Path) -> None:
    text = command("scope", run, "--text").stdout
    shown = json.loads(command("scope", run, "--json").stdout)
    assert shown["layers"][0] == "body.0"
    totals = [p["shown"] for v in shown["views"] for p in v["parts"] if p["type"] == "sum"]
    assert totals
    assert all(total in text for total in totals)
    assert "digits" in text
    unit = command("scope", run, "--layer", "body.3", "--unit", "2", "--text").stdout
    assert unit.startswith("body.3[0, 2] (Linear)")
    assert "weight[" in command("scope", run, "--weight", "body.0.weight", "--text").stdout


def test_a_step_is_replayed_to_the_bit(command: Command, folder: Path) -> None:
    """The state of the newest checkpoint, reached from the one before and from the beginning."""
    trained = command("train", "heart", "--epochs", "2", "-q", "output.checkpoints.every=5")
    assert trained.exit_code == 0, trained.output
    opened = open_run(runs_in(folder / "runs")[0])
    *_, before, newest = opened.checkpoints
    expected = newest.state()["model"]
    last = opened.replay(newest.step)
    for name, parameter in last.step.parameters.items():
        np.testing.assert_array_equal(parameter.after, expected[name])
    opened.checkpoints = []
    first = opened.replay(before.step)
    for name, parameter in first.step.parameters.items():
        np.testing.assert_array_equal(parameter.after, before.state()["model"][name])


def test_a_run_without_checkpoints_says_so(run: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(run, tmp_path / "copy")
    shutil.rmtree(copy / "checkpoints")
    assert "the run kept no checkpoints" in str(scope_of_run(copy))
    (copy / "model.safetensors").unlink()
    with pytest.raises(StateError, match="neither checkpoints nor a model"):
        scope_of_run(copy)


def test_a_run_whose_data_came_from_python() -> None:
    with pytest.raises(StateError, match="the data of this run came from Python"):
        scope_of_run(REFERENCE / "images")


def test_a_checkpoint_of_another_model(run: Path, tmp_path: Path, command: Command) -> None:
    copy = shutil.copytree(run, tmp_path / "copy")
    text = (copy / "run.toml").read_text(encoding="utf-8").replace("64", "32")
    (copy / "run.toml").write_text(text, encoding="utf-8")
    result = command("scope", copy, "--text")
    assert result.exit_code == 2
    assert "64" in result.stderr


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--example", "9999"], "has no example 9999"),
        (["--layer", "boddy.0"], "did you mean 'body.0'?"),
        (["--layer", "body"], "it is made of body.0"),
        (["--step", "99999"], "there is no step 99999"),
        (["--at", "a,b", "--layer", "body.0"], "give whole numbers"),
        (["--weight", "body.0.wait"], "did you mean 'body.0.weight'?"),
    ],
)
def test_bad_input(command: Command, run: Path, options: list[str], said: str) -> None:
    result = command("scope", run, "--text", *options)
    assert result.exit_code == 2
    assert said in result.stderr


def test_lessons(command: Command) -> None:
    listed = command("scope", "--lessons").stdout
    assert listed.count("\n") == 6
    assert "Question" in command("scope", "--lesson", "dead-relu").stdout
    assert command("scope", "--lesson", "dead-relu", "--answer", "2").exit_code == 0
    assert command("scope", "--lesson", "dead-relu", "--answer", "3").exit_code == 1
    assert json.loads(command("scope", "--lesson", "xor", "--json").stdout)["pages"]
    assert "did you mean" in command("scope", "--lesson", "xoor").stderr
    assert "Missing argument" in command("scope").stderr
