"""Several targets: a network for each, and one predictor of all."""

from __future__ import annotations

import csv
import json
import pickle
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

import chainrule as cr
from chainrule.cli.app import app
from chainrule.errors import ConfigError, DataError

RNG = np.random.default_rng(5)
N = 160
X = RNG.normal(size=(N, 2))
COLUMNS: dict[str, Any] = {
    "a": X[:, 0],
    "b": X[:, 1],
    "price": np.where(RNG.random(N) < 0.1, np.nan, X[:, 0] - X[:, 1]),
    "ill": np.where(X[:, 0] > 0, "yes", "no").tolist(),
    "old": np.where(X[:, 1] > 0, "yes", "no").tolist(),
}
QUICK: dict[str, Any] = {"preset": "fast", "epochs": 3, "layers": (8,), "verbose": False}


@pytest.fixture(scope="module")
def several(tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = tmp_path_factory.mktemp("runs")
    return cr.fit(COLUMNS, "price", also=["ill", "old"], runs_dir=folder, **QUICK)


def test_each_network_sees_the_columns_that_are_no_targets(several: Any) -> None:
    assert several.target == "price, ill, old"
    assert [one.task for one in several.each.values()] == ["regression", "binary", "binary"]
    for one in several.each.values():
        assert {e.column for e in one.preprocessor.encoders} == {"a", "b"}
    alone = cr.fit(
        {name: COLUMNS[name] for name in ("a", "b", "old")}, "old", runs_dir=None, **QUICK
    )
    found = several.predict(COLUMNS)
    assert found.shape == (N, 3)
    np.testing.assert_array_equal(found[:, 2], alone.predict(COLUMNS))
    assert several.metrics["accuracy of old"] == alone.metrics["accuracy"]
    judged = several.evaluate(COLUMNS)
    assert set(judged) == set(several.metrics)
    assert judged["r2 of price"] == several.each["price"].evaluate(COLUMNS)["r2"]


def test_it_is_the_same_loaded_pickled_saved_and_resumed(several: Any, tmp_path: Path) -> None:
    begun = tmp_path / "begun"
    shutil.copytree(several.run, begun)
    facts = json.loads((begun / "group.json").read_text())
    assert facts["targets"] == ["price", "ill", "old"]
    shutil.rmtree(begun / facts["members"]["old"]["run"])
    loaded: Any = cr.load_run(several.run)
    unpickled = pickle.loads(pickle.dumps(loaded))
    unpickled.run = None
    others = [loaded, unpickled, cr.load_run(unpickled.save(tmp_path / "saved")),
              cr.resume(begun, COLUMNS, verbose=False)]  # fmt: skip
    for other in others:
        assert (other.predict(COLUMNS) == several.predict(COLUMNS)).all()
        assert other.metrics == several.metrics


def test_several_yes_and_no_have_a_table_of_probabilities() -> None:
    both: Any = cr.fit({k: COLUMNS[k] for k in ("a", "b", "ill", "old")}, "ill", also=["old"],
                       runs_dir=None, **QUICK)  # fmt: skip
    chances = both.predict_proba(COLUMNS)
    assert chances.shape == (N, 2)
    np.testing.assert_array_equal(chances[:, 1], both.each["old"].predict_proba(COLUMNS)[:, 1])


def test_commands_take_several_targets(
    several: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with open("t.csv", "w", newline="") as file:
        csv.writer(file).writerows([list(COLUMNS), *zip(*COLUMNS.values(), strict=True)])
    train = "train t.csv --target price --also ill --preset fast --epochs 2 --layers 8"
    for words in (f"{train} --column old=ignored", "predict last t.csv -o out.csv --proba",
                  "eval last t.csv --min", "report last", "runs show last"):  # fmt: skip
        words = words.replace("--min", "--max mae_of_price=1e9".replace("_", " "))
        arguments = words.split() if "--max" not in words else ["eval", "last", "t.csv", "--max",
                                                                 "mae of price=1e9"]  # fmt: skip
        result = CliRunner().invoke(app, arguments)
        assert result.exit_code == 0, result.output
    with open("out.csv", newline="") as file:
        head = next(csv.reader(file))
    assert head == ["prediction_price", "prediction_ill", "probability_no_ill",
                    "probability_yes_ill"]  # fmt: skip
    fitted: Any = cr.fit("t.csv", ["ill", "old"], runs_dir=None, **QUICK)
    assert list(fitted.each) == ["ill", "old"]


def test_what_several_targets_cannot_be(several: Any) -> None:
    wrong: list[tuple[dict[str, Any], type[Exception], str]] = [
        ({"also": ["price"]}, ConfigError, "data.also"),
        ({"also": ["rent"]}, DataError, "rent"),
        ({"also": ["ill"], "settings": ["preset=best"]}, ConfigError, "one target"),
    ]
    for options, error, message in wrong:
        with pytest.raises(error, match=message):
            cr.fit(COLUMNS, "price", runs_dir=None, **{**QUICK, "preset": None, **options})
    with pytest.raises(ConfigError, match="--seeds or --folds"):
        cr.cross_validate(COLUMNS, "price", also=["ill"], runs_dir=None, verbose=False)
    with pytest.raises(ConfigError, match="two classes"):
        several.predict_proba(COLUMNS)
    with pytest.raises(ConfigError, match="common outputs"):
        several.scores(COLUMNS)
