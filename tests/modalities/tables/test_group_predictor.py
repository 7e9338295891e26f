"""A group of runs as one predictor: the mean of what its members say."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

import chainrule as cr
from chainrule.cli.app import app
from chainrule.errors import ConfigError
from chainrule.tasks.classification import Binary, Multiclass
from chainrule.tasks.regression import Regression
from chainrule.train import Scores

RNG = np.random.default_rng(3)


@pytest.fixture(scope="module")
def rows() -> dict[str, Any]:
    x = RNG.normal(size=(120, 2)).astype(np.float32)
    y = x[:, 0] - x[:, 1] + RNG.normal(size=120)
    kinds = np.array(["low", "middle", "high"])[np.digitize(y, [-0.5, 0.5])]
    return {"a": x[:, 0], "b": x[:, 1], "number": y, "ill": y > 0, "kind": kinds.tolist()}


def group_of(rows: dict[str, Any], target: str, folder: Path, **options: Any) -> Any:
    columns = {name: rows[name] for name in ("a", "b", target)}
    return cr.cross_validate(
        columns, target, epochs=2, layers=(8,), runs_dir=folder, verbose=False,
        **{"folds": None, "seeds": 3, **options},
    )  # fmt: skip


@pytest.mark.parametrize("target", ["ill", "kind", "number"])
def test_a_group_says_what_its_members_say_on_average(
    rows: dict[str, Any], target: str, tmp_path: Path
) -> None:
    found = group_of(rows, target, tmp_path)
    group = cr.load_run(found.run)
    members = [cr.load_run(run) for run in sorted(p for p in found.run.iterdir() if p.is_dir())]
    if target == "number":
        mean = np.mean([m.predict(rows) for m in members], axis=0)
        np.testing.assert_allclose(group.predict(rows), mean, rtol=1e-12)
    else:
        mean = np.mean([m.predict_proba(rows) for m in members], axis=0)
        np.testing.assert_allclose(group.predict_proba(rows), mean, rtol=1e-12)
        expected = np.array(group.classes)[mean.argmax(1)]
        np.testing.assert_array_equal(group.predict(rows), expected)
    assert group.metrics == found.together
    metric = group.goal.metrics[-1]
    errors = [m.evaluate(rows)[metric] for m in members]
    assert group.evaluate(rows)[metric] < np.mean(errors)  # of a convex error
    assert (group.run, len(group.members)) == (found.run, 3)


def test_what_all_say_of_the_common_test_part(rows: dict[str, Any], tmp_path: Path) -> None:
    found = group_of(rows, "ill", tmp_path)
    facts = json.loads((found.run / "group.json").read_text())
    assert facts["together"] == found.together
    assert {p.settings.data.split_seed for p in found.predictors} == {0}
    assert found.together["log_loss"] < found.mean["log_loss"]
    assert group_of(rows, "ill", tmp_path, seeds=None, folds=2).together == {}
    assert group_of(rows, "ill", tmp_path, seeds=1).together == {}


def test_commands_take_a_group(rows: dict[str, Any], tmp_path: Path) -> None:
    found = group_of(rows, "ill", tmp_path / "runs", seeds=2)
    data, out = tmp_path / "rows.csv", tmp_path / "out.csv"
    with data.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["a", "b", "ill"])
        writer.writerows(zip(rows["a"], rows["b"], map(str, rows["ill"]), strict=True))

    def run(*words: object, code: int = 0) -> str:
        result = CliRunner().invoke(app, [str(w) for w in words])
        assert result.exit_code == code, result.output
        return result.output

    run("predict", found.run, data, "--proba", "-o", out)
    with out.open(newline="") as file:
        written = [float(row["probability_true"]) for row in csv.DictReader(file)]
    np.testing.assert_allclose(written, cr.load_run(found.run).predict_proba(rows)[:, 1], rtol=1e-6)
    assert "log_loss" in run("eval", found.run, data)
    assert "all together: accuracy" in run("runs", "show", found.run)
    page = Path(run("report", found.run).strip()).read_text(encoding="utf-8")
    assert "if all answer together" in page
    assert "seed-1" in page
    facts = json.loads(run("report", found.run, "--json"))
    assert facts["together"] == found.together
    assert "no curves" in run("report", found.run, "--tensorboard", tmp_path / "tb", code=2)


def test_tasks_say_the_mean() -> None:
    two = Binary((False, True))
    scores = Scores(np.array([[0.2], [0.9]]), "probability"), Scores(np.zeros((2, 1)), "sigmoid")
    mean = two.together([(two, s) for s in scores])
    np.testing.assert_allclose(mean.probabilities[:, 0], [0.35, 0.7])
    three = Multiclass(("a", "b", "c"))
    sure = Scores(np.array([[9.0, 0, 0]]), "softmax"), Scores(np.array([[0, 0, 9.0]]), "softmax")
    np.testing.assert_allclose(three.together([(three, s) for s in sure]).probabilities.sum(), 1)
    with pytest.raises(ConfigError, match="different classes"):
        three.together([(three, sure[0]), (Multiclass(("a", "b")), sure[1])])
    metres, feet = Regression(1.0, 2.0), Regression(5.0, 10.0)
    outputs = Scores(np.array([[1.0]]), "identity")
    assert metres.decode(metres.together([(metres, outputs), (feet, outputs)])) == [9.0]


def test_forecasts_of_a_group_are_refused(tmp_path: Path) -> None:
    days = np.arange("2020-01-01", "2020-02-01", dtype="datetime64[D]")
    columns = {"time": days, "sales": np.sin(np.arange(31.0))}
    found = cr.cross_validate(
        columns, "sales", folds=None, seeds=2, horizon=2, epochs=1, runs_dir=tmp_path,
        verbose=False, settings=["data.window=4"],
    )  # fmt: skip
    with pytest.raises(ConfigError, match="no common answer where the task is forecasting"):
        cr.load_run(found.run)
