"""Series go through every command, from a file and from the bundled data."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import Result

import chainrule as cr
from chainrule.modalities.series import SeriesPredictor

from .conftest import PLAIN, SMALL, columns_of, done, write

Run = Callable[..., Result]


def test_it_trains_reports_predicts_and_is_evaluated(run: Run, shops: Path, tmp_path: Path) -> None:
    trained = done(run("train", shops, "--target", "sales", "--horizon", 6, "--known", "price",
                       "--epochs", 20))  # fmt: skip
    assert "shops: 2 series, 192 steps, monthly -> nhits, 24 steps to 6 -> sales" in trained.stderr
    assert "seasonal naive" in trained.stderr
    place = Path(trained.stdout.strip())
    facts = json.loads((place / "run.json").read_text())
    assert facts["data"]["kind"] == "series"
    assert facts["task"] == "forecasting"
    assert facts["metrics"]["mase"] < facts["baseline"]["mase"]
    assert facts["metrics"]["mase"] < facts["baselines"]["naive"]["mase"]
    # The future of a known column has to be there.
    refused = run("predict", "last")
    assert refused.exit_code == 2
    assert "`price` of series `a` is not known at 2008-01-01" in refused.output
    later = columns_of(96 + 6)
    later["sales"] = [None if i % 102 >= 96 else v for i, v in enumerate(later["sales"])]
    newer = write(later, tmp_path / "newer.csv")
    done(run("predict", "last", newer, "-o", "out.csv"))
    rows = list(csv.DictReader((tmp_path / "out.csv").read_text().splitlines()))
    assert [r["month"] for r in rows[:6]] == [f"2008-0{m}-01" for m in range(1, 7)]
    assert [r["shop"] for r in rows] == ["a"] * 6 + ["b"] * 6
    truth = np.array(columns_of(102)["sales"]).reshape(2, -1)[:, 96:].reshape(-1)
    errors = np.abs(truth - [float(r["prediction"]) for r in rows])
    assert errors.mean() < 6
    levels = ("0.1", "0.25", "0.5", "0.75", "0.9")
    for row in rows:
        quantiles = [float(row[f"quantile_{q}"]) for q in levels]
        assert quantiles == sorted(quantiles)
        assert quantiles[2] == float(row["prediction"])
    evaluated = json.loads(done(run("eval", "last", shops, "--json")).stdout)
    for name, value in facts["metrics"].items():
        assert evaluated["metrics"][name] == pytest.approx(value, rel=1e-12)
    assert "2 series" in done(run("runs", "show", "last")).stdout


def test_the_report_shows_forecasts_and_the_worst_series(run: Run, shops: Path) -> None:
    done(run("train", shops, "--target", "sales", "--horizon", 4, "--quiet", *PLAIN))
    told = json.loads(done(run("report", "last", "--json")).stdout)
    assert told["result"]
    charts = told["test"]["charts"]
    assert [c["title"].split(",")[0] for c in charts] == [
        f"Forecast of {charts[0]['title'].split()[2].strip(',')}",
        f"Forecast of {charts[1]['title'].split()[2].strip(',')}",
        "Error by step",
    ]
    assert "the worst series" in charts[0]["title"]
    assert charts[0]["band"]["name"] == "80 % interval"
    table, worst = told["test"]["tables"]
    errors = [row[1] for row in table["rows"]]
    assert errors == sorted(errors, reverse=True)
    assert worst["heads"] == ["series", "from", "error", "forecast", "actual"]
    assert len(worst["examples"]) == len(worst["rows"]) <= 12
    place = Path(done(run("report", "last")).stdout.strip())
    html = place.read_text()
    assert 'class="band"' in html
    assert "Error by series" in html
    assert "steps from 2006-" in html or "steps from 2007-" in html
    assert "seasonal naive" in html


def test_checks_and_drafts(run: Run, shops: Path, tmp_path: Path) -> None:
    checked = run("check", shops, "--target", "sales", "--horizon", 4, *PLAIN)
    assert checked.exit_code == 0, checked.output
    assert "2 series, monthly, 2000-01-01 to 2007-12-01" in checked.output
    assert "failed" not in checked.output
    done(run("init", shops, "--target", "sales", "--horizon", 4))
    text = (tmp_path / "run.toml").read_text()
    assert 'kind = "series"' in text
    assert 'path = "shops.csv"' in text
    assert 'group = ["shop"]' in text
    done(run("train", "run.toml", "--quiet", *PLAIN))
    done(run("find-lr", shops, "--target", "sales", "--horizon", 4, *PLAIN))


@pytest.mark.parametrize("name", ["macrodata", "stocks"])
def test_bundled_series_need_nothing_else(run: Run, name: str) -> None:
    trained = done(run("train", name, *PLAIN, "--epochs", 2))
    assert f"{name}: " in trained.stderr
    done(run("predict", "last", "--horizon", 3, "-o", "out.csv"))
    rows = list(csv.DictReader(Path("out.csv").read_text().splitlines()))
    if name == "macrodata":
        assert len(rows) == 12 * 3
        assert rows[0]["quarter"] == "2009-10-01"
    else:
        assert {r["Date"] for r in rows} == {"2013-03-04", "2013-03-05", "2013-03-06"}


def test_a_table_stays_a_table_unless_something_says_otherwise(run: Run, shops: Path) -> None:
    done(run("train", shops, "--target", "sales", "--epochs", 1, "--quiet"))
    facts = json.loads(next(Path("runs").glob("*/run.json")).read_text())
    assert "kind" not in facts["data"]
    options = {"settings": list(PLAIN), "runs_dir": None, "verbose": False}
    by_task = cr.fit(shops, "sales", task="forecasting", **options)
    by_horizon = cr.fit(shops, "sales", horizon=3, **options)
    assert isinstance(by_task, SeriesPredictor)
    assert isinstance(by_horizon, SeriesPredictor)
    assert run("predict", "last").exit_code == 2  # a table does not go on


def test_a_training_that_goes_on_has_the_bits_of_one_that_never_stopped(shops: Path) -> None:
    options = {
        "horizon": 3,
        "verbose": False,
        "patience": 99,
        "settings": ["output.checkpoints.every=epoch", "model=nhits", *SMALL["nhits"]],
    }
    folder = str(shops.parent)
    whole = cr.fit(shops, "sales", epochs=6, runs_dir=f"{folder}/whole", **options)
    half = cr.fit(shops, "sales", epochs=3, runs_dir=f"{folder}/half", **options)
    assert half.run is not None
    more = cr.resume(half.run, epochs=6, verbose=False)
    assert whole.history.to_dict() == more.history.to_dict()
    for a, b in zip(
        whole.model.state_dict().values(), more.model.state_dict().values(), strict=True
    ):
        assert np.asarray(a).tobytes() == np.asarray(b).tobytes()
    again = cr.load_run(half.run)
    assert again.baselines["naive"]["mase"] == more.baselines["naive"]["mase"] > 0
    np.testing.assert_array_equal(again.predict(shops), more.predict(shops))


def test_folds_are_rolling_origins(run: Run, shops: Path) -> None:
    repeated = cr.cross_validate(shops, "sales", folds=3, horizon=4, runs_dir=None, verbose=False,
                                 settings=list(PLAIN))  # fmt: skip
    assert repeated.names == ("fold-1", "fold-2", "fold-3")
    seen = [p.preprocessor.seen for p in repeated.predictors]
    assert seen == ["2004-01-01", "2005-05-01", "2006-09-01"]
    assert set(repeated.mean) >= {"mase", "smape", "wql", "coverage"}
    grouped = done(run("train", shops, "--target", "sales", "--horizon", 4, "--folds", 3, *PLAIN))
    assert "3 runs of shops" in grouped.stderr
