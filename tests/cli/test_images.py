"""The commands on images."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image

from chainrule.cli.app import app

Run = Callable[..., Result]

#: commands without --runs-dir
NO_RUNS = ("init", "check", "find-lr", ("config", "fill"), ("config", "schema"))


@pytest.fixture(scope="module")
def flags(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Dark and bright pictures, thirty each."""
    rng = np.random.default_rng(0)
    folder = tmp_path_factory.mktemp("flags") / "flags"
    for name, low in (("bright", 150), ("dark", 0)):
        (folder / name).mkdir(parents=True)
        for i in range(30):
            pixels = rng.integers(low, low + 100, (8, 8, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / name / f"{i}.png")
    return folder


@pytest.fixture(scope="module")
def run(flags: Path) -> Run:
    runner = CliRunner()
    place = str(flags.parent / "runs")

    def call(*words: object) -> Result:
        extra = [] if words[:2] in NO_RUNS or words[0] in NO_RUNS else ["--runs-dir", place]
        return runner.invoke(app, [*map(str, words), *extra])

    trained = call("train", flags, "--target", "tone", "--epochs", 4, "-q", "model.widths=[8]")
    assert trained.exit_code == 0, trained.output
    return call


def test_predictions_are_rows_with_paths(run: Run, flags: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.csv"
    result = run("predict", "last", flags, "-o", out, "--proba")
    assert result.exit_code == 0
    assert "60 predictions of tone written to" in result.stderr
    with out.open() as file:
        rows = list(csv.DictReader(file))
    assert [*rows[0]] == [
        "path", "prediction", "probability", "probability_bright", "probability_dark",
    ]  # fmt: skip
    assert rows[0]["path"] == "bright/0.png"
    assert all(row["prediction"] == row["path"].split("/")[0] for row in rows)
    one = run("predict", "last", flags / "dark" / "3.png")
    assert one.stdout.splitlines()[1].startswith("3.png,dark,")


def test_eval_and_its_gates(run: Run, flags: Path) -> None:
    found = run("eval", "last", flags, "--json", "--min", "accuracy=0.9")
    assert found.exit_code == 0
    assert json.loads(found.stdout)["metrics"]["accuracy"] == 1
    unknown = run("eval", "last", "fashion")
    assert unknown.exit_code == 2
    assert "unknown classes in fashion" in unknown.stderr


def test_a_run_goes_on(run: Run, flags: Path) -> None:
    found = run("resume", "last", "--epochs", 5, "-q")
    assert found.exit_code == 0
    facts = json.loads((Path(found.stdout.strip()) / "run.json").read_text())
    assert facts["epochs"] == 5


def test_settings_of_images(run: Run, flags: Path, tmp_path: Path) -> None:
    written = run("init", flags, "-o", tmp_path / "run.toml")
    assert written.exit_code == 0
    text = (tmp_path / "run.toml").read_text()
    assert 'kind = "images"' in text
    shown = run("config", "show", tmp_path / "run.toml", "augment.shift=2", "--json")
    assert json.loads(shown.stdout)["augment"]["shift"] == 2
    filled = run("config", "fill", tmp_path / "run.toml")
    assert filled.stdout == text
    trained = run("train", tmp_path / "run.toml", "train.epochs=1", "model.widths=[8]", "-q")
    assert trained.exit_code == 0


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("train", "fashion", "--layers", "3"), "--layers does not apply to images"),
        (("train", "fashion", "model.layers=[3]"), "unknown key `model.layers`"),
        (("train", "fashion", "--folds", "2", "data.test=x"), "leave out the folds"),
        (("train", "fashion", "model=resnet"), "did you mean 'resnet20'?"),
        (("train", "fashion", "data.kind=image"), "did you mean 'images'?"),
        (("train", "fashion", "augment.shfit=1"), "did you mean `augment.shift`?"),
        (("check", "fashion", "--query", "SELECT 1"), "--query does not apply to images"),
    ],
)
def test_mistakes(run: Run, words: tuple[str, ...], message: str) -> None:
    found = run(*words)
    assert found.exit_code == 2
    assert message in found.stderr


def test_runs_are_shown_and_compared(run: Run, flags: Path) -> None:
    again = run("train", flags, "--epochs", 1, "-q", "model.widths=[8]", "augment.shift=1")
    assert again.exit_code == 0
    listed = json.loads(run("runs", "ls", "--json").stdout)
    assert {line["data"] for line in listed} == {"flags"}
    shown = run("runs", "show", "last")
    assert "flags: 60 images of 8 x 8 RGB pixels -> cnn" in shown.stdout
    compared = run("runs", "compare", listed[0]["name"], "last")
    assert compared.exit_code == 0, compared.stderr
    lines = [line.split() for line in compared.stdout.splitlines()]
    assert ["augment.shift", "0", "1"] in lines
    assert ["data.target", '"tone"', '"label"'] in lines
    differing = run("config", "diff", listed[0]["name"], "last", "--json")
    assert json.loads(differing.stdout)["augment.shift"] == ["0", "1"]
    described = run("config", "schema", "--kind", "images")
    assert "augment" in json.loads(described.stdout)["properties"]


def test_seeds_and_folds(run: Run, flags: Path) -> None:
    found = run("train", flags, "--folds", 2, "--seeds", "3,5", "--epochs", 1, "model.widths=[8]")
    assert found.exit_code == 0, found.stderr
    group = Path(found.stdout.strip())
    facts = json.loads((group / "group.json").read_text())
    assert facts["name"] == "flags"
    assert list(facts["members"]) == ["seed-3-fold-1", "seed-3-fold-2", "seed-5-fold-1",
                                      "seed-5-fold-2"]  # fmt: skip
    assert facts["summary"]["accuracy"]["std"] is not None
    assert f"next: chainrule runs show {group}" in found.stderr
    assert "flags: done" in run("runs", "show", group).stdout
    again = run("resume", group)  # all are done
    assert again.exit_code == 0, again.stderr
    assert again.stdout.strip() == str(group)
    member = group / facts["members"]["seed-5-fold-2"]["run"]
    judged = run("eval", member, flags, "--json")
    assert judged.exit_code == 0, judged.stderr


def test_images_are_checked_before_training(run: Run, flags: Path) -> None:
    found = run("check", flags, "--json", "model.widths=[8]")
    checks = {check["name"]: check for check in json.loads(found.stdout)["checks"]}
    assert found.exit_code == (1 if any(c["status"] == "failed" for c in checks.values()) else 0)
    assert checks["images"]["facts"]["rows"] == 60
    assert "60 images of" in checks["images"]["evidence"][0]
    assert checks["duplicate images"]["facts"]["judges"] > 0
    names = {"target", "split", "first loss", "gradients", "finite differences", "one batch",
             "time", "memory"}  # fmt: skip
    assert names <= checks.keys()
    assert checks["gradients"]["status"] == checks["finite differences"]["status"] == "ok"


def test_a_rate_for_images(run: Run, flags: Path) -> None:
    found = run("find-lr", flags, "model.widths=[8]", "--steps", "60")
    assert found.exit_code == (0 if found.stdout.startswith("train.lr=") else 1)
    assert found.stderr


def test_the_rate_of_a_run_is_drawn(run: Run, flags: Path) -> None:
    shown = run("config", "show", flags, "--schedule")
    assert "one_cycle: 15 epochs of" in shown.stdout
