"""Intervals around numbers: they hold what they are to hold, and are saved with the run."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

import chainrule as cr
from chainrule.cli.app import app
from chainrule.errors import ConfigError
from chainrule.tasks import Quantiles, Regression
from chainrule.tasks.intervals import LEVELS, margins_of
from chainrule.train import Scores


def outputs(values: Any) -> Scores:
    return Scores(np.asarray(values, np.float64)[:, None], "identity")


def test_margins_hold_their_share_of_new_rows() -> None:
    """The promise of split conformal prediction is one about the mean over many calibrations."""
    rng = np.random.default_rng(0)
    held: dict[float, list[float]] = {level: [] for level in LEVELS}
    for _ in range(400):
        new = np.abs(rng.standard_cauchy(50))
        for level, margin in margins_of(rng.standard_cauchy(60)).items():
            held[level].append(float(np.mean(new <= margin)))
    for level, shares in held.items():
        assert level - 0.01 < np.mean(shares) < level + 2 / 61 + 0.01


def test_few_errors_give_no_wide_intervals() -> None:
    assert margins_of(np.arange(1.0, 11.0)) == {0.5: 6.0, 0.8: 9.0, 0.9: 10.0}
    assert margins_of(np.array([])) == {}


def test_margins_are_in_the_unit_of_the_outputs() -> None:
    goal = Regression(mean=10.0, std=2.0)
    errors = np.linspace(-1, 1, 41)
    goal = goal.calibrated(goal.truth(errors), outputs(np.zeros(41)))
    np.testing.assert_allclose(goal.band(outputs([0.0, 1.0]), 0.5), [[9.0, 11.0], [11.0, 13.0]])
    assert goal.with_decisions({}).margins == ()
    assert Regression(10.0, 2.0).with_decisions(goal.decisions) == goal
    twice = Regression(mean=0.0, std=4.0, margins=tuple((lv, 2 * m) for lv, m in goal.margins))
    shared = dict(goal.shared([goal, twice]).margins)
    assert shared[0.9] == pytest.approx(dict(goal.margins)[0.9] * (1 + 4) / 2)


def test_a_transform_makes_them_lopsided() -> None:
    goal = Regression(mean=1.0, std=1.0, transform="log", margins=((0.9, 1.0),))
    middle = goal.decode(outputs([0.5]))[0]
    low, high = goal.band(outputs([0.5]), 0.9)[0]
    assert middle - low < high - middle


def test_quantiles_enclose_them() -> None:
    goal = Quantiles(mean=0.0, std=1.0, levels=(0.05, 0.5, 0.95))
    scores = Scores(np.array([[-1.0, 0.0, 3.0]]), "identity")
    np.testing.assert_array_equal(goal.band(scores, 0.9), [[-1.0, 3.0]])
    with pytest.raises(ConfigError, match=r"--quantiles 0\.1, 0\.9"):
        goal.band(scores, 0.8)


def test_a_run_keeps_its_intervals(tmp_path: Path) -> None:
    x = [i * 37 % 101 / 10 for i in range(240)]
    table = {"x": x, "y": [2 * v + (i * 53 % 17 - 8) / 4 for i, v in enumerate(x)]}
    run = cr.fit(
        table, "y", preset="fast", epochs=8, lr=0.02, runs_dir=tmp_path, verbose=False, name="run"
    )
    found = run.predict_interval(table)
    held = np.mean((found[:, 0] <= table["y"]) & (table["y"] <= found[:, 1]))
    assert 0.75 < held <= 1
    assert run.run is not None
    np.testing.assert_array_equal(cr.load_run(run.run).predict_interval(table), found)
    source, out = tmp_path / "new.csv", tmp_path / "out.csv"
    source.write_text("x\n" + "".join(f"{v}\n" for v in x[:3]))
    words = ["predict", str(run.run), str(source), "-o", str(out), "--interval", "90%"]
    assert CliRunner().invoke(app, words).exit_code == 0
    rows = list(csv.DictReader(out.read_text().splitlines()))
    assert list(rows[0]) == ["prediction", "from", "to"]
    np.testing.assert_allclose([float(row["to"]) for row in rows], found[:3, 1])
    evaluation = (run.run / "evaluation.json").read_text()
    assert "Intervals that are to hold" in evaluation
    with pytest.raises(ConfigError, match=r"no intervals for 0\.7"):
        run.predict_interval(table, 0.7)
