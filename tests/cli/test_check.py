"""``chainrule check`` and ``chainrule find-lr``: words on stdout, exit codes, no trace on disk."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from chainrule.runtime.program import NativeProgram

from .conftest import Command


def test_a_sound_table_passes(command: Command, folder: Path) -> None:
    result = command("check", "heart")
    assert result.exit_code == 0
    lines = [line for line in result.stdout.splitlines() if not line.startswith(" ")]
    assert len(lines) == 15
    assert all(line.startswith("ok ") for line in lines)
    assert "15 checks: 15 ok" in result.stderr
    assert not list(folder.iterdir())


def test_a_check_costs_no_more_than_a_training(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Than one of 100 epochs, in operations of its programs: a clock says something else each
    time."""
    counts: list[int] = []

    def counting(name: str) -> None:
        run = getattr(NativeProgram, name)

        def counted(self: NativeProgram, *args: Any, **more: Any) -> Any:
            result = run(self, *args, **more)
            counts.append(self.steps_done * self.meta.flops)
            return result

        monkeypatch.setattr(NativeProgram, name, counted)

    counting("__call__"), counting("run_many")

    def operations(*words: str) -> int:
        counts.clear()
        assert command(*words, "-q").exit_code == 0
        return sum(counts)

    training = operations("train", "heart", "--epochs", "100", "--patience", "100")
    assert 0 < operations("check", "heart") < training


def test_the_same_as_json(command: Command, folder: Path) -> None:
    result = command("check", "heart", "--json", "model.layers=[]")
    assert result.exit_code == 0
    document = json.loads(result.stdout)
    assert document["status"] == "warning"
    found = {c["name"]: c for c in document["checks"]}
    assert found["split"]["facts"] == {"train": 642, "validation": 138, "test": 138}
    assert found["one batch"]["status"] == "warning"
    assert "model.layers=[64,64]" in found["one batch"]["remedies"][0]


@pytest.fixture
def leaking(folder: Path) -> Path:
    rng = np.random.default_rng(0)
    sold = rng.random(200) < 0.4
    rows = [f"{x:.3f},{300 if s else ''},{'yes' if s else 'no'}"
            for x, s in zip(rng.normal(size=200), sold, strict=True)]  # fmt: skip
    path = folder / "houses.csv"
    path.write_text("\n".join(["size,price paid,sold", *rows]))
    return path


def test_a_check_that_fails(command: Command, leaking: Path) -> None:
    words = ("check", leaking, "--target", "sold", "model.layers=[8]")
    result = command(*words)
    assert result.exit_code == 1
    assert re.search(r"^failed  leaking columns     `price paid`", result.stdout, re.MULTILINE)
    # What is to be pasted works.
    [advice] = re.findall(r"leave it out: (.*)$", result.stdout, re.MULTILINE)
    assert advice == "'data.columns.\"price paid\"=ignored'"
    again = command(*words, *shlex.split(advice))
    assert "leaking columns     of the target" in again.stdout


def test_a_run_toml_is_checked_as_it_says(command: Command, folder: Path) -> None:
    (folder / "run.toml").write_text(
        'data = { path = "heart" }\ntrain = { epochs = 7, batch_size = "all" }\n'
    )
    document = json.loads(command("check", "run.toml", "--json").stdout)
    facts = {c["name"]: c["facts"] for c in document["checks"]}["time"]
    assert (facts["steps"], facts["epochs"]) == (1, 7)
    assert [p.name for p in folder.iterdir()] == ["run.toml"]


@pytest.mark.parametrize("name", ["check", "find-lr"])
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nothing.csv"], "file not found: nothing.csv"),
        (["heart", "--target", "diseas"], "did you mean `disease`?"),
        (["heart", "train.lerning_rate=1"], "did you mean `train.lr`?"),
        (["heart", "more"], "is not KEY=VALUE"),
        (["heart", "train.schedule=one_cycle", "train.schedule.steps=900 epochs"], "steps"),
    ],
)
def test_wrong_usage(command: Command, name: str, arguments: list[str], message: str) -> None:
    result = command(name, *arguments)
    assert result.exit_code == 2
    assert message in result.stderr


def test_a_rate_to_paste(command: Command, folder: Path) -> None:
    result = command("find-lr", "heart", "--plot")
    assert result.exit_code == 0
    word, value = result.stdout.strip().split("=")
    assert word == "train.lr"
    assert 1e-4 < float(value) < 1e-1
    assert "the smoothed loss fell fastest at" in result.stderr
    assert sum("|" in line for line in result.stderr.splitlines()) == 10
    assert not list(folder.iterdir())
    assert command("train", "heart", result.stdout.strip(), "--epochs", 1).exit_code == 0


def test_a_search_as_json(command: Command) -> None:
    result = command("find-lr", "heart", "--json", "--steps", 60, "train.optimizer=sgd")
    found = json.loads(result.stdout)
    assert found["suggestion"] == min(found["steepest"], found["minimum"] / 10)
    assert len(found["rates"]) == len(found["losses"]) == len(found["smoothed"]) <= 60
    assert found["rates"][0] == pytest.approx(1e-6)


def test_no_suggestion(command: Command) -> None:
    result = command("find-lr", "heart", "--end", "1e-5")
    assert result.exit_code == 1
    assert not result.stdout
    assert "the loss never fell" in result.stderr


def test_a_group_is_resumed_as_a_whole(command: Command, folder: Path) -> None:
    options = ("--seeds", "2", "--epochs", "2", "-q")
    group = command("train", "heart", *options).stdout.strip()
    result = command("resume", group, "-q")
    assert result.exit_code == 0, result.stderr
    assert result.stdout.strip() == group
    refused = command("resume", group, "--epochs", 9)
    assert refused.exit_code == 2
    assert "or give one of the runs in the folder" in refused.stderr


def test_a_ramp_that_does_not_rise(command: Command) -> None:
    result = command("find-lr", "heart", "--start", 1, "--end", 0.1)
    assert result.exit_code == 2
    assert "a ramp from 1.0 to 0.1" in result.stderr
