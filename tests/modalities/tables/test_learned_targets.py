"""Quantiles, transforms of skewed targets, and weights of classes."""

from __future__ import annotations

import csv
import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

import chainrule as cr
from chainrule.cli.app import app
from chainrule.data import Preprocessor, TablePlan, prepare, read_table
from chainrule.data.tables.transforms import TRANSFORMS, chosen_transform, skewness
from chainrule.errors import ChainruleError, ConfigError, DataError, StateError
from chainrule.modalities.tables.weights import class_weights
from chainrule.tasks.quantiles import Quantiles
from chainrule.tasks.regression import Regression
from chainrule.train import Scores

RNG = np.random.default_rng(7)
LEVELS = (0.1, 0.5, 0.9)


@pytest.fixture(scope="module")
def rows() -> dict[str, Any]:
    x = RNG.normal(size=(400, 2))
    y = np.exp(x[:, 0] + 0.5 * RNG.normal(size=400))
    kind = np.where(y > 3, "rare", "usual")
    return {"a": x[:, 0], "b": x[:, 1], "price": y, "kind": kind.tolist()}


def fitted(rows: dict[str, Any], target: str, **options: Any) -> Any:
    columns = {name: rows[name] for name in ("a", "b", target)}
    options = {"preset": "fast", "epochs": 12, "layers": (16,), "runs_dir": None, **options}
    return cr.fit(columns, target, verbose=False, **options)


@pytest.fixture(scope="module")
def quantiles(rows: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = tmp_path_factory.mktemp("runs")
    return fitted(rows, "price", quantiles=LEVELS, transform="log", runs_dir=folder, epochs=80)


def test_quantiles_do_not_cross_and_hold_what_they_say(quantiles: Any, rows: Any) -> None:
    found = quantiles.predict_quantiles(rows)
    assert found.shape == (400, 3)
    assert (np.diff(found, axis=1) >= 0).all()
    np.testing.assert_array_equal(quantiles.predict(rows), found[:, 1])
    below = [float(np.mean(rows["price"] <= found[:, i])) for i in range(3)]
    np.testing.assert_allclose(below, LEVELS, atol=0.12)
    assert quantiles.metrics["pinball"] < quantiles.baseline["pinball"]
    assert quantiles.task == "quantiles"


def test_a_run_of_quantiles_is_the_same_from_its_files(quantiles: Any, rows: Any) -> None:
    expected = quantiles.predict_quantiles(rows)
    for other in (cr.load_run(quantiles.run), pickle.loads(pickle.dumps(quantiles))):
        np.testing.assert_array_equal(other.predict_quantiles(rows), expected)
    test = json.loads((quantiles.run / "evaluation.json").read_text())["test"]
    assert test["quantiles"]["levels"] == list(LEVELS)


def test_commands_train_predict_judge_and_report_quantiles(
    rows: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with open("t.csv", "w", newline="") as file:
        names = ("a", "b", "price")
        csv.writer(file).writerows([names, *zip(*(rows[n] for n in names), strict=True)])
    train = "train t.csv --target price --preset fast --epochs 3 --layers 8 --quantiles 0.2,0.8"
    for words in (f"{train} --transform auto", "predict last t.csv -o out.csv", "eval last t.csv",
                  "report last", "check t.csv --target price data.quantiles=[0.5]"):  # fmt: skip
        result = CliRunner().invoke(app, words.split())
        assert result.exit_code == 0, result.output
    with open("out.csv", newline="") as file:
        head, *body = csv.reader(file)
    assert head == ["prediction", "quantile_0.2", "quantile_0.8"]
    assert len(body) == 400
    page = next(Path("runs").glob("*/report.html")).read_text()
    assert "outer quantiles" in page


def test_an_ensemble_of_quantiles_averages_them(rows: Any) -> None:
    words = ["preset=best", "ensemble.folds=2", 'ensemble.recipes=["fast"]']
    found = fitted(rows, "price", quantiles=LEVELS, epochs=2, settings=words, preset=None)
    each = [
        member.goal.intervals(member._outputs(read_table(rows), None)) for member in found.members
    ]
    np.testing.assert_allclose(found.predict_quantiles(rows), np.mean(each, axis=0), rtol=1e-9)


@pytest.mark.parametrize("name", list(TRANSFORMS))
def test_transforms_are_undone(name: str) -> None:
    transform = TRANSFORMS[name]
    values = np.array([0.0, 1e-3, 2.0, 700.0]) if transform.closed else np.array([1e-3, 2.0, 700.0])
    values = values if transform.low == 0 else np.concatenate([-values, values])
    np.testing.assert_allclose(transform.back(transform.apply(values)), values, atol=1e-12)
    assert (np.diff(transform.apply(np.sort(values))) > 0).all()
    task = Regression(float(transform.apply(values).mean()), 30.0, name)
    np.testing.assert_allclose(task.truth(task.learned(values)), values, atol=1e-9)
    assert np.isfinite(task.truth(np.array([1e30, -1e30]))).all()
    if transform.low == 0:
        with pytest.raises(DataError, match=transform.words):
            transform.apply(np.array([-1.0, 2.0]))


def test_a_transform_is_chosen_where_it_makes_up_for_skewness() -> None:
    even, wide = RNG.normal(size=2000), np.exp(RNG.normal(size=2000))
    assert abs(skewness(even)) < 0.2
    assert skewness(np.ones(3)) == 0
    assert chosen_transform(even, even) == ""
    assert chosen_transform(wide, wide) == "log"
    assert chosen_transform(wide, np.append(wide, -0.5)) in ("", "asinh")
    assert chosen_transform(np.square(RNG.normal(2, 1, 2000)) + 1e-9, np.zeros(1)) == "sqrt"


def test_the_training_rows_choose_and_the_file_says_so(rows: Any) -> None:
    data = prepare(
        read_table({"x": rows["a"], "y": rows["price"]}), "y", TablePlan(transform="auto")
    )
    assert [f.code for f in data.findings] == ["D126"]
    again = Preprocessor.from_json(data.pipeline.to_json())
    assert again.schema.target is not None
    assert again.schema.target.transform == "log"
    raw = rows["price"][data.train.rows]
    np.testing.assert_allclose(again.decode_target(data.train.target), raw, rtol=1e-5)
    assert '"version": 3' in again.to_json()
    plain = prepare(read_table({"x": rows["a"], "y": rows["a"] ** 3}), "y").pipeline.to_json()
    assert '"version": 1' in plain
    assert "quantiles" not in plain
    for old, new in (('"log"', '"cube"'), ('"quantiles": []', '"quantiles": [0.5, 0.1]')):
        with pytest.raises(StateError, match="target"):
            Preprocessor.from_json(again.to_json().replace(old, new))


def test_a_skewed_target_is_predicted_in_its_own_unit(rows: Any) -> None:
    found = fitted(rows, "price", transform="log")
    predicted = found.predict(rows)
    assert predicted.min() > 0
    assert np.corrcoef(np.log(predicted), np.log(rows["price"]))[0, 1] > 0.7
    assert found.metrics["r2"] == pytest.approx(found.metrics["r2"])
    assert found.evaluate(rows)["mae"] < np.abs(rows["price"] - rows["price"].mean()).mean()


def test_classes_count_as_asked(rows: Any) -> None:
    plain, more = (fitted(rows, "kind", class_weights=w) for w in (None, {"rare": 20}))
    shares = [np.mean(m.predict(rows) == "rare") for m in (plain, more)]
    assert shares[0] < shares[1]
    trained = np.array([0] * 6 + [1] * 3 + [3])
    np.testing.assert_allclose(
        class_weights("balanced", ("a", "b", "c", "d"), trained), [10 / 18, 10 / 9, 10 / 3, 10 / 3]
    )
    np.testing.assert_array_equal(class_weights({"true": 3}, (False, True), np.arange(2)), [1, 3])
    assert class_weights("none", ("a", "b"), trained) is None


def test_class_weights_are_weights_of_rows(rows: Any) -> None:
    """The same as the weights of rows that they are."""
    by_row = [20.0 if kind == "rare" else 1.0 for kind in rows["kind"]]
    one = fitted(rows, "kind", class_weights={"rare": 20}, epochs=3)
    columns = {name: rows[name] for name in ("a", "b", "kind")}
    other = cr.fit_table(
        columns, "kind", preset="fast", layers=(16,), epochs=3, weights=by_row, runs_dir=None,
        verbose=False,
    )  # fmt: skip
    np.testing.assert_array_equal(one.predict_proba(rows), other.predict_proba(rows))


def test_what_cannot_be_asked(rows: Any) -> None:
    wrong: list[tuple[str, dict[str, Any], type[ChainruleError], str]] = [
        ("kind", {"quantiles": LEVELS}, ConfigError, "have no quantiles"),
        ("kind", {"transform": "log"}, ConfigError, "have no transform"),
        ("price", {"quantiles": (0.9, 0.1)}, ConfigError, "ascending"),
        ("price", {"quantiles": (0.0, 0.5)}, ConfigError, "data.quantiles"),
        ("price", {"quantiles": LEVELS, "metric": "rmse"}, ConfigError, "does not fit"),
        ("price", {"class_weights": "balanced"}, ConfigError, "is a number"),
        ("kind", {"class_weights": {"rate": 2}}, ConfigError, "no class"),
        ("kind", {"class_weights": {"rare": -1}}, ConfigError, "class_weights"),
        ("kind", {"class_weights": {"rare": 0, "usual": 0}}, ConfigError, "no training row"),
        ("a", {"transform": "log"}, DataError, "no logarithm"),
    ]
    for target, options, error, message in wrong:
        columns = {"b": rows["b"], target: rows[target]}
        with pytest.raises(error, match=message):
            cr.fit(columns, target, preset="fast", runs_dir=None, verbose=False, **options)
    plain = fitted(rows, "price", epochs=1)
    with pytest.raises(ConfigError, match="no quantiles"):
        plain.predict_quantiles(rows)
    for words in ("--class-weights yes", "--quantiles low"):
        result = CliRunner().invoke(app, ["train", "heart", *words.split()])
        assert result.exit_code == 2, result.output


def test_crossed_outputs_are_put_in_order() -> None:
    goal = Quantiles(10.0, 2.0, levels=(0.1, 0.9))
    scores = Scores(np.array([[1.0, -1.0]]), "identity")
    np.testing.assert_array_equal(goal.intervals(scores), [[8.0, 12.0]])
    found = goal.compute_metrics(np.array([13.0]), scores)
    assert found["coverage"] == 0
    assert found["pinball"] == pytest.approx((0.1 * 5 + 0.9 * 1) / 2)
