"""What a run writes of the layers in observed steps."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import chainrule as cr
from chainrule.errors import ConfigError


def rows(folder: Path) -> Path:
    path = folder / "rows.csv"
    lines = [f"{i % 7},{i % 5},{'yes' if i % 7 > 3 else 'no'}" for i in range(200)]
    path.write_text("a,b,y\n" + "\n".join(lines) + "\n")
    return path


def trained(data: Path, *settings: str, epochs: int = 3) -> Any:
    own = ["model.layers=[8]", "train.batch_size=20", "data.split=[0.6,0.2,0.2]", *settings]
    return cr.fit(
        data, "y", epochs=epochs, settings=own, runs_dir=data.parent / "runs", verbose=False
    )  # fmt: skip


def lines_of(run: Path, file: str = "layers.jsonl") -> list[dict[str, Any]]:
    return [json.loads(line) for line in (run / file).read_text().splitlines()]


def without_clock(run: Path) -> list[dict[str, Any]]:
    return [{k: v for k, v in line.items() if k != "seconds"} for line in lines_of(run)]


def test_observed_steps_are_in_the_run_folder(tmp_path: Path) -> None:
    model = trained(rows(tmp_path), "observe.every=4 steps")
    lines = lines_of(model.run)
    # 120 training rows are six steps an epoch.
    assert [line["step"] for line in lines] == [1, 5, 9, 13, 17]
    assert [line["epoch"] for line in lines] == [1, 1, 2, 3, 3]
    assert {"kind", "weight", "gradient", "update", "ratio"} <= set(lines[0]["layers"]["body.0"])
    assert not (model.run / "histograms.jsonl").exists()
    facts = json.loads((model.run / "run.json").read_text())
    assert "layers.jsonl" in facts["files"]


def test_full_observation_adds_histograms(tmp_path: Path) -> None:
    run = trained(rows(tmp_path), "observe=full", "observe.every=6 steps").run
    histograms = lines_of(run, "histograms.jsonl")
    assert len(histograms) == 3
    output = histograms[0]["layers"]["body.0"]["output"]
    assert sum(output["counts"]) == 20 * 8


def test_runs_have_the_same_bits_with_and_without(tmp_path: Path) -> None:
    data = rows(tmp_path)
    ways = ("observe=off", "observe.every=1 step")
    found = [trained(data, way).model.state_dict() for way in ways]
    assert all((found[0][name] == found[1][name]).all() for name in found[0])


def test_a_resumed_run_observes_what_an_unbroken_one_does(tmp_path: Path) -> None:
    data, every = rows(tmp_path), "observe.every=4 steps"
    unbroken = trained(data, every, epochs=4)
    broken = trained(data, every, "output.checkpoints.every=epoch", epochs=2)
    # Of a step after the last checkpoint: it comes again.
    with (broken.run / "layers.jsonl").open("a") as file:
        file.write(json.dumps({"step": 13, "epoch": 3, "layers": {}}) + "\n" + '{"step": 17')
    facts = json.loads((broken.run / "run.json").read_text())
    assert facts["status"] == "done"
    resumed = cr.resume(broken.run, epochs=4, verbose=False)
    assert without_clock(resumed.run) == without_clock(unbroken.run)


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("observe=sometimes", "there is no level of observation 'sometimes'"),
        ("observe.every=5", "`observe.every` is 5"),
        ("observe.every=0 steps", "`observe.every` is '0 steps'"),
        ("observe.often=1s", "unknown key `observe.often`"),
    ],
)
def test_what_cannot_be_observed_is_said(tmp_path: Path, setting: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        trained(rows(tmp_path), setting)
