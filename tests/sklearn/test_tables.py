"""Estimators for tables: frames as they come, settings, pickles, pipelines, routing."""

from __future__ import annotations

import copy
import datetime
import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
import sklearn
from sklearn.base import clone
from sklearn.compose import make_column_transformer
from sklearn.exceptions import NotFittedError
from sklearn.metrics import make_scorer, mean_absolute_error
from sklearn.model_selection import GridSearchCV, cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import chainrule as cr
from chainrule.sklearn import ChainruleClassifier, ChainruleRegressor
from chainrule.sklearn.frames import merged_rows
from chainrule.sklearn.overrides import as_overrides

RNG = np.random.default_rng(0)
ROWS = 80
BRIEF: dict[str, Any] = {"epochs": 12, "layers": [8], "lr": 0.05}
SIZES = RNG.normal(size=ROWS)
TABLE: dict[str, Any] = {
    "size": np.where(np.arange(ROWS) % 9 == 0, np.nan, SIZES),
    "colour": [["red", "green", None][i % 3] for i in range(ROWS)],
    "seen": [datetime.date(2024, 1, 1) + datetime.timedelta(days=i) for i in range(ROWS)],
    "small": [bool(s < 0) for s in SIZES],
}
LABELS = np.array(["cheap", "dear"], object)[(SIZES > 0).astype(int)]


@pytest.fixture(scope="module")
def fitted() -> ChainruleClassifier:
    return ChainruleClassifier(**BRIEF).fit(pd.DataFrame(TABLE), LABELS)


def test_frames_of_pandas_and_polars_predict_the_same(fitted: ChainruleClassifier) -> None:
    other = ChainruleClassifier(**BRIEF).fit(pl.DataFrame(TABLE), pl.Series("y", LABELS.tolist()))
    expected = fitted.predict_proba(pd.DataFrame(TABLE))
    np.testing.assert_array_equal(other.predict_proba(pl.DataFrame(TABLE)), expected)
    assert fitted.score(pd.DataFrame(TABLE), LABELS) > 0.9
    assert fitted.feature_names_in_.tolist() == list(TABLE)
    assert fitted.classes_.tolist() == ["cheap", "dear"]


def test_what_a_fit_leaves_behind(fitted: ChainruleClassifier) -> None:
    assert fitted.n_iter_ == len(fitted.history_["val_loss"]) == 12
    assert fitted.task_ == "binary"
    assert any("rows are few" in text for text in fitted.findings_)


def test_a_row_predicts_the_same_alone_and_among_many(fitted: ChainruleClassifier) -> None:
    frame = pd.DataFrame(TABLE)
    together = fitted.predict_proba(frame)
    alone = fitted.predict_proba(frame.iloc[7:8])
    np.testing.assert_array_equal(alone[0], together[7])


def test_large_tables_are_predicted_in_parts(
    fitted: ChainruleClassifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    frame = pd.DataFrame(TABLE)
    whole = fitted.predict_proba(frame)
    monkeypatch.setattr("chainrule.sklearn.tables.ROWS", 33)
    np.testing.assert_array_equal(fitted.predict_proba(frame), whole)


def test_a_pickle_holds_arrays_and_text_alone(fitted: ChainruleClassifier) -> None:
    state = fitted.__getstate__()
    assert set(state) == {"format", "version", "settings", "arrays"}
    assert isinstance(json.loads(state["settings"]), dict)
    assert all(isinstance(a, np.ndarray) and a.dtype != object for a in state["arrays"].values())
    frame = pd.DataFrame(TABLE)
    for again in (pickle.loads(pickle.dumps(fitted)), copy.deepcopy(fitted)):
        np.testing.assert_array_equal(again.predict_proba(frame), fitted.predict_proba(frame))


def test_a_pickle_of_another_version_is_refused(fitted: ChainruleClassifier) -> None:
    state = fitted.__getstate__() | {"version": "9.0"}
    with pytest.raises(cr.StateError, match=r"version 9.0.*version"):
        ChainruleClassifier().__setstate__(state)


def test_settings_reach_the_run(tmp_path: Path) -> None:
    settings = {"train": {"average": "ema"}, "model.activation": "gelu"}
    model = ChainruleRegressor(**BRIEF, settings=settings, runs_dir=tmp_path)
    model.fit(SIZES[:, None], SIZES**2)
    [run] = tmp_path.glob("*/run.toml")
    text = run.read_text(encoding="utf-8")
    assert 'activation = "gelu"' in text
    assert "[train.average]" in text
    assert model.score(SIZES[:, None], SIZES**2) > 0.3


def test_settings_as_overrides() -> None:
    assert as_overrides(None) == []
    assert as_overrides({"a": {"b": 1, "c": [2, 3]}, "d.e": "x", "f": True}) == [
        "a.b=1", "a.c=[2, 3]", 'd.e="x"', "f=true",
    ]  # fmt: skip
    assert as_overrides(["a=1"]) == ["a=1"]
    with pytest.raises(cr.ConfigError, match="settings is 'a=1'"):
        as_overrides("a=1")


def test_an_unknown_setting_is_refused() -> None:
    model = ChainruleClassifier(settings={"train.lrr": 1})
    with pytest.raises(cr.ConfigError, match=r"train\.lrr"):
        model.fit(SIZES[:, None], LABELS)


def test_weights_and_classes_that_do_not_count() -> None:
    labels = np.r_[np.repeat("a", 30), np.repeat("b", 30), np.repeat("c", 20)]
    weights = np.where(labels == "c", 0, 1)
    model = ChainruleClassifier(**BRIEF).fit(SIZES[:, None], labels, weights)
    assert model.classes_.tolist() == ["a", "b", "c"]
    assert (model.predict_proba(SIZES[:, None])[:, 2] == 0).all()
    with pytest.raises(cr.DataError, match="one class, 'a'"):
        ChainruleClassifier().fit(SIZES[:, None], labels, labels == "a")


def test_copies_of_rows_are_one_with_their_weight() -> None:
    columns = {"a": np.array([3.0, 1, 3, np.nan]), "b": np.array(["x", "y", "x", None], object)}
    merged, y, weights = merged_rows(columns, np.array([1, 0, 1, 1]), np.array([1.0, 2, 4, 1]))
    order = np.argsort(merged["a"])
    assert merged["b"][order].tolist() == ["y", "x", None]
    assert y[order].tolist() == [0, 1, 1]
    assert weights[order].tolist() == [2, 5, 1]
    few = {"a": np.zeros(20)}
    assert len(merged_rows(few, np.zeros(20), np.ones(20))[1]) == 20


def test_balanced_classes_change_the_fit(fitted: ChainruleClassifier) -> None:
    some = np.r_[np.flatnonzero(LABELS == "cheap")[:30], np.flatnonzero(LABELS == "dear")[:6]]
    frame, labels = pd.DataFrame(TABLE).iloc[some], LABELS[some]
    plain, balanced = (
        ChainruleClassifier(**BRIEF, class_weight=w).fit(frame, labels) for w in (None, "balanced")
    )
    dear = [model.predict_proba(frame)[:, 1].mean() for model in (plain, balanced)]
    assert dear[1] > dear[0]


def test_pipelines_searches_and_clones() -> None:
    frame = pd.DataFrame({"size": SIZES, "colour": TABLE["small"]})
    scaled = make_column_transformer((StandardScaler(), ["size"]), remainder="passthrough")
    pipeline = make_pipeline(scaled, ChainruleClassifier(**BRIEF)).set_output(transform="pandas")
    search = GridSearchCV(pipeline, {"chainruleclassifier__dropout": [0.1]}, cv=2)
    search.fit(frame, LABELS)
    best = search.best_estimator_[-1]
    assert best.feature_names_in_.tolist() == ["standardscaler__size", "remainder__colour"]
    assert clone(best).get_params()["dropout"] == 0.1
    assert "ChainruleClassifier" in best._repr_html_()


def test_sample_weights_are_routed() -> None:
    with sklearn.config_context(enable_metadata_routing=True):
        model = ChainruleRegressor(**BRIEF).set_fit_request(sample_weight=True)
        weights = np.where(SIZES > 0, 1.0, 2.0)
        scores = cross_validate(
            model, SIZES[:, None], SIZES, params={"sample_weight": weights}, cv=2,
            scoring=make_scorer(mean_absolute_error).set_score_request(sample_weight=True),
        )  # fmt: skip
    assert np.isfinite(scores["test_score"]).all()


def test_columns_are_those_of_the_fit(fitted: ChainruleClassifier) -> None:
    with pytest.raises(ValueError, match="feature names"):
        fitted.predict(pd.DataFrame(TABLE).rename(columns={"size": "length"}))
    with pytest.raises(NotFittedError):
        ChainruleClassifier().predict(SIZES[:, None])


def test_a_cell_that_no_table_can_hold_is_refused() -> None:
    rows = np.array([[{"a": 1}], [{"a": 2}]], object)
    with pytest.raises(cr.DTypeError, match="column `x0` holds a dict"):
        ChainruleClassifier().fit(rows, ["a", "b"])


def test_quantiles_and_ensembles_survive_a_pickle() -> None:
    rng = np.random.default_rng(2)
    X = rng.normal(size=(120, 2))
    y = np.exp(X[:, 0] + 0.1 * rng.normal(size=120))
    model = ChainruleRegressor(
        preset="best", quantiles=(0.2, 0.8), transform="log", epochs=2, layers=(8,),
        settings={"ensemble.folds": 2, "ensemble.recipes": ["fast", "good"]},
    ).fit(X, y)  # fmt: skip
    found = model.predict_quantiles(X)
    assert found.shape == (120, 2)
    assert (found[:, 1] >= found[:, 0]).all()
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(model)).predict_quantiles(X), found)
