"""The table door from Python: tasks, types, bits, and what is kept."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from chainrule.errors import ConfigError, DataError, TrainingError
from chainrule.frontend import default_generator
from chainrule.modalities.doors import fit, load_run
from chainrule.modalities.tables import fit_table
from chainrule.modalities.tables.predictor import TablePredictor

from .conftest import people


def test_learns_and_beats_the_baseline(fitted: TablePredictor) -> None:
    assert fitted.task == "binary"
    assert fitted.classes == ("ill", "well")
    assert fitted.metrics["accuracy"] > fitted.baseline["accuracy"] + 0.15
    assert fitted.metrics["roc_auc"] > 0.9
    assert fitted.baseline["roc_auc"] == 0.5


def test_predictions_have_the_type_of_the_target(fitted: TablePredictor, table: Any) -> None:
    labels = fitted.predict(table)
    assert set(labels) == {"ill", "well"}
    p = fitted.predict_proba(table)
    assert p.shape == (240, 2)
    np.testing.assert_allclose(p.sum(axis=1), 1, atol=1e-12)
    assert (labels == np.where(p[:, 1] > 0.5, "well", "ill")).all()
    assert fitted.evaluate(table)["accuracy"] == np.mean(labels == table["ill"])


def test_equal_seeds_give_equal_bits(fitted: TablePredictor, table: Any) -> None:
    state = default_generator.get_state()
    again = fit(table, "ill", epochs=40, runs_dir=None, verbose=False)
    assert default_generator.get_state() == state
    for name, value in fitted.model.state_dict().items():
        assert np.array_equal(np.asarray(value), np.asarray(again.model.state_dict()[name])), name
    assert fitted.metrics == again.metrics
    other = fit(table, "ill", epochs=2, seed=1, runs_dir=None, verbose=False)
    weight = "body.0.weight"
    assert not np.array_equal(
        np.asarray(other.model.state_dict()[weight]), np.asarray(again.model.state_dict()[weight])
    )


def test_a_loaded_run_is_the_same_predictor(fitted: TablePredictor, table: Any) -> None:
    assert fitted.run is not None
    loaded = load_run(fitted.run)
    assert loaded.settings == fitted.settings
    assert loaded.metrics == fitted.metrics
    assert loaded.findings == fitted.findings
    assert loaded.history.history == fitted.history.history
    np.testing.assert_array_equal(loaded.predict_proba(table), fitted.predict_proba(table))


@pytest.mark.parametrize("make", [pd.DataFrame, pl.DataFrame, pa.table])
def test_frames_of_every_library(make: Any, fitted: TablePredictor, table: Any) -> None:
    frame = make({name: list(values) for name, values in table.items()})
    np.testing.assert_array_equal(fitted.predict(frame), fitted.predict(table))


def test_regression_speaks_in_the_unit_of_the_target() -> None:
    rng = np.random.default_rng(3)
    x = rng.normal(size=(300, 3))
    y = 5e4 + 2e4 * x[:, 0] - 1e4 * x[:, 1]
    data = np.column_stack([x, y])
    model = fit(data, "x3", runs_dir=None, verbose=False, dropout=0.0, lr=3e-3)
    assert model.task == "regression"
    predicted = model.predict(data)
    assert predicted.dtype == np.float64
    assert abs(predicted.mean() - 5e4) < 2e3
    assert model.metrics["r2"] > 0.95
    assert 0.7 < model.baseline["rmse"] / 2.2e4 < 1.3
    assert np.isclose(model.evaluate(data)["mae"], np.abs(predicted - y).mean())
    with pytest.raises(ConfigError, match="no probabilities"):
        model.predict_proba(data)


def test_multiclass_with_whole_number_labels() -> None:
    rng = np.random.default_rng(4)
    label = rng.integers(0, 3, 200) * 10
    columns = {"a": label + rng.normal(size=200), "b": rng.normal(size=200), "label": label}
    model = fit(columns, "label", runs_dir=None, verbose=False)
    assert model.task == "multiclass"
    assert model.classes == (0, 10, 20)
    assert model.predict(columns).dtype == np.int64
    assert model.metrics["accuracy"] > 0.9
    assert model.predict_proba(columns).shape == (200, 3)


def test_truth_values_stay_truth_values() -> None:
    rng = np.random.default_rng(4)
    x = rng.normal(size=100)
    model = fit({"x": x, "y": x > 0}, "y", runs_dir=None, verbose=False)
    assert model.predict({"x": [-3.0, 3.0]}).tolist() == [False, True]


def test_categories_alone_and_numbers_alone() -> None:
    table = people()
    town = {"town": table["town"], "third": [int(str(t).split()[1]) % 3 for t in table["town"]]}
    model = fit(town, "third", runs_dir=None, verbose=False, dropout=0.0, lr=1e-2)
    assert model.model.numeric == 0
    assert model.metrics["accuracy"] == 1.0
    linear = fit({"age": table["age"], "ill": table["ill"]}, "ill", layers=(), runs_dir=None,
                 epochs=5, verbose=False)  # fmt: skip
    assert [tuple(p.shape) for p in linear.model.parameters()] == [(1, 1), (1,)]


def test_one_row_can_be_predicted(fitted: TablePredictor, table: Any) -> None:
    one = {name: list(values[:1]) for name, values in table.items() if name != "ill"}
    assert fitted.predict(one).tolist() == fitted.predict(table)[:1].tolist()


def test_order_of_columns_and_extra_ones_do_not_matter(fitted: TablePredictor, table: Any) -> None:
    turned = {name: table[name] for name in reversed(list(table))} | {"note": ["x"] * 240}
    np.testing.assert_array_equal(fitted.predict_proba(turned), fitted.predict_proba(table))
    assert fitted.last_findings == ()


def test_a_missing_column_is_named(fitted: TablePredictor, table: Any) -> None:
    less = {name: values for name, values in table.items() if name != "income"}
    with pytest.raises(DataError, match="has no column `income`"):
        fitted.predict(less)


def test_unseen_categories_are_told_and_predicted(fitted: TablePredictor, table: Any) -> None:
    changed = copy.deepcopy(table) | {"smoker": ["sometimes"] * 240}
    assert len(fitted.predict(changed)) == 240
    assert [f.code for f in fitted.last_findings] == ["D201"]


def test_findings_and_settings_are_kept(tmp_path: Path) -> None:
    table = people() | {"same": [1.0] * 240}
    model = fit(table, "ill", epochs=1, missing={"age": [20]}, columns={"town": "ignored"},
                name="small", runs_dir=tmp_path, verbose=False)  # fmt: skip
    assert "D101" in [f.code for f in model.findings]
    assert model.settings.data.missing == {"age": (20,)}
    assert model.preprocessor.names[:2] == ("age", "age?")
    assert model.run is not None
    assert "-small-" in model.run.name
    assert [p.name for p in tmp_path.iterdir()] == [model.run.name]


def test_the_bundled_table_knows_its_target() -> None:
    model = fit("heart", epochs=3, runs_dir=None, verbose=False)
    assert model.target == "disease"
    assert model.settings.data.missing == {"chol": (0,)}
    assert "chol?" in model.preprocessor.names


def test_a_query_selects() -> None:
    model = fit("heart", "disease", query="SELECT age, chol, disease FROM data WHERE age > 40",
                epochs=1, runs_dir=None, verbose=False)  # fmt: skip
    assert model.preprocessor.names == ("age", "chol", "chol?")  # 0 still means missing


def test_what_the_clock_decided_gives_the_same_bits_without_it(tmp_path: Path) -> None:
    limited = fit(people(), "ill", time_limit=1e-9, ensemble=2, runs_dir=tmp_path, verbose=False)
    chosen = limited.facts["limited"]
    assert chosen == {"train.epochs": 1, "train.time_limit": 0.0}
    assert limited.settings.model.members == 2
    assert "train.epochs=1" in (limited.run / "log.txt").read_text()
    words = [f"{key}={value}" for key, value in chosen.items()]
    again = fit(people(), "ill", ensemble=2, settings=words, runs_dir=None, verbose=False)
    np.testing.assert_array_equal(again.predict_proba(people()), limited.predict_proba(people()))
    words = ["train.time_limit=1e-9", "train.schedule=cosine"]
    other = fit(people(), "ill", settings=words, runs_dir=None, verbose=False)
    assert other.facts["limited"] == {"train.stop_after": 1, "train.time_limit": 0.0}
    words = ["train.stop_after=1", "train.schedule=cosine"]
    again = fit(people(), "ill", settings=words, runs_dir=None, verbose=False)
    np.testing.assert_array_equal(again.predict_proba(people()), other.predict_proba(people()))


def test_a_time_limit_ends_training() -> None:
    model = fit("heart", epochs=10**6, patience=10**6, time_limit=0.3, runs_dir=None, verbose=False)
    assert 1 <= len(model.history.epoch) < 5000


def test_the_target_must_be_named(table: Any) -> None:
    with pytest.raises(ConfigError, match="no target column was given"):
        fit(table, runs_dir=None)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"lr": -1.0}, "`train.lr` is -1.0"),
        ({"lr": float("nan")}, "`train.lr` is nan"),
        ({"epochs": 0}, "`train.epochs` is 0"),
        ({"batch_size": -1}, "`train.batch_size` is -1"),
        ({"layers": (0,)}, "`model.layers` is [0]"),
        ({"dropout": 1.0}, "`model.dropout` is 1.0"),
        ({"seed": -1}, "`seed` is -1"),
        ({"split": (0.5, 0.0, 0.5)}, "the first two above 0, together 1"),
        ({"task": "classify"}, "`data.task` is 'classify'"),
        ({"columns": {"age": "numbr"}}, "did you mean 'number'"),
    ],
)
def test_wrong_settings_are_named(table: Any, wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        fit(table, "ill", runs_dir=None, verbose=False, **wrong)
    assert message in str(caught.value)


def test_diverging_is_an_error_and_leaves_its_trace(table: Any, tmp_path: Path) -> None:
    numbers = {"a": table["age"], "b": table["age"] ** 2}
    with pytest.raises(TrainingError, match="lower the learning rate"):
        fit(numbers, "b", lr=1000.0, layers=(16,) * 4, dropout=0.0, epochs=300, patience=300,
            runs_dir=tmp_path, verbose=False)  # fmt: skip
    (run,) = tmp_path.iterdir()
    assert '"status": "failed"' in (run / "run.json").read_text()


def test_numbers_of_numpy_are_settings() -> None:
    rng = np.random.default_rng(0)
    rows = {"x": rng.normal(size=40), "y": rng.integers(0, 2, 40)}
    options = {"epochs": np.int64(2), "lr": np.float64(0.25), "seed": np.uint8(3),
               "layers": (np.int32(4),), "missing": {"x": [np.float64(7.5)]}}  # fmt: skip
    found = fit(rows, "y", runs_dir=None, verbose=False, **options).settings
    assert (found.train.epochs, found.train.lr, found.seed) == (2, 0.25, 3)
    assert found.model.layers == (4,)
    assert found.data.missing == {"x": (7.5,)}


@pytest.mark.parametrize("source", [None, ""])
def test_no_table_is_no_folder(source: object) -> None:
    with pytest.raises(ConfigError, match="no table to learn from"):
        fit_table(source, "y", runs_dir=None)
