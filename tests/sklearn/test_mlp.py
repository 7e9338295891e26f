"""Perceptrons: the weights of scikit-learn's, and what is added to them."""

from __future__ import annotations

import copy
import json
import pickle
import warnings
from typing import Any

import numpy as np
import pytest
import sklearn.neural_network as theirs
from scipy import sparse
from sklearn.base import clone
from sklearn.datasets import load_iris
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import chainrule as cr
from chainrule.optim import OPTIMIZERS
from chainrule.sklearn import MLPClassifier, MLPRegressor, programs
from chainrule.sklearn.examples import Rows, merged, rounded_up
from chainrule.sklearn.formulas import CLASSIFICATION_LOSSES, REGRESSION_LOSSES, Loss, values_of
from chainrule.sklearn.lbfgs import Objective
from chainrule.sklearn.parameters import SOLVERS

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

X, y = load_iris(return_X_y=True)
NUMBERS = np.column_stack([X[:, 0] * X[:, 1], X[:, 2] - X[:, 3]]) / 10
SMALL: dict[str, Any] = {"hidden_layer_sizes": (5,), "random_state": 0, "max_iter": 8}


def close(ours: Any, other: Any, atol: float = 2e-5) -> None:
    """Whether all weights are the same but for float32."""
    for mine, its in zip(
        (*ours.coefs_, *ours.intercepts_), (*other.coefs_, *other.intercepts_), strict=True
    ):
        np.testing.assert_allclose(mine, its, atol=atol)


@pytest.mark.parametrize("solver", ["sgd", "adam"])
@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"batch_size": 40},
        {"batch_size": 40, "shuffle": False, "activation": "logistic"},
        {"early_stopping": True, "activation": "tanh"},
        {"batch_size": 64, "learning_rate": "invscaling", "alpha": 0.1},
        {"learning_rate": "adaptive", "tol": 0.5, "n_iter_no_change": 1},
    ],
)
def test_weights_are_those_of_scikit_learn(solver: str, settings: dict[str, Any]) -> None:
    parameters = {**SMALL, "solver": solver, **settings}
    ours = MLPClassifier(**parameters).fit(X, y)
    other = theirs.MLPClassifier(**parameters).fit(X, y)
    close(ours, other)
    assert (ours.n_iter_, ours.t_, ours.out_activation_) == (
        other.n_iter_, other.t_, other.out_activation_,
    )  # fmt: skip
    np.testing.assert_allclose(ours.loss_curve_, other.loss_curve_, rtol=1e-5)
    assert ours.validation_scores_ == other.validation_scores_
    np.testing.assert_allclose(ours.predict_proba(X), other.predict_proba(X), atol=1e-5)


def test_weighted_fits_are_those_of_scikit_learn() -> None:
    weights = np.random.default_rng(0).uniform(0, 3, len(y))
    parameters = {**SMALL, "batch_size": 50}
    ours = MLPRegressor(**parameters).fit(X, NUMBERS, weights)
    other = theirs.MLPRegressor(**parameters).fit(X, NUMBERS, weights)
    close(ours, other)
    assert ours.loss_ == pytest.approx(other.loss_, rel=1e-5)


def test_rates() -> None:
    """After an epoch, of invscaling and adaptive: by what is written, not by private attributes."""
    seen: list[float] = []
    kept = {**SMALL, "solver": "sgd", "max_iter": 3, "learning_rate_init": 0.5}

    def note(model: Any, numbers: dict[str, float]) -> None:
        seen.append(numbers["lr"])

    MLPClassifier(**kept, learning_rate="invscaling", power_t=0.25, callbacks=note).fit(X, y)
    assert seen == [0.5 / (150 * n + 1) ** 0.25 if n else 0.5 for n in range(3)]
    seen.clear()
    adaptive = {**kept, "learning_rate": "adaptive", "tol": 100.0, "n_iter_no_change": 1}
    MLPClassifier(**{**adaptive, "max_iter": 7}, callbacks=note).fit(X, y)
    assert seen == pytest.approx([0.5, 0.5, 0.5, 0.1, 0.1, 0.02, 0.02])


@pytest.mark.parametrize("name", [*CLASSIFICATION_LOSSES, *REGRESSION_LOSSES])
@pytest.mark.parametrize("activation", ["identity", "logistic", "tanh", "relu"])
def test_gradients_are_those_of_scikit_learn(name: str, activation: str) -> None:
    """By differences of the loss in float64; and where scikit-learn has the loss, equal to its."""
    rng = np.random.default_rng(1)
    link = {"log_loss": "softmax", "focal": "logistic", "poisson": "exp"}.get(name, "identity")
    loss = Loss(name, link, number={"focal": 2.0, "huber": 0.3, "quantile": 0.8}.get(name, 0.0))
    units = (4, 3, 3)
    if link == "softmax":
        target: Any = y[:20].astype(np.int32)
    else:
        target = (rng.random((20, 3)) > 0.5).astype(np.float32)
    rows = Rows(X[:20].astype(np.float32), target, rng.uniform(0, 2, 20), 20)
    objective = Objective(rows, units, activation, loss, alpha=0.3)
    vector = rng.normal(0, 0.5, 4 * 3 + 3 * 3 + 3 + 3)
    _, gradient = objective(vector)
    for i in range(0, len(vector), 5):
        step = np.zeros(len(vector))
        step[i] = 1e-4
        slope = (objective(vector + step)[0] - objective(vector - step)[0]) / 2e-4
        assert slope == pytest.approx(gradient[i], rel=0.05, abs=4e-3)


@pytest.mark.parametrize("name", [*CLASSIFICATION_LOSSES, *REGRESSION_LOSSES])
def test_losses_on_the_host_are_those_of_the_step(name: str) -> None:
    rng = np.random.default_rng(2)
    z = rng.normal(size=(6, 3)).astype(np.float32)
    links = ("softmax", "logistic") if name in CLASSIFICATION_LOSSES else ("identity",)
    for link in links:
        loss = Loss(name, "exp" if name == "poisson" else link, 0.7, 0.1)
        target = np.arange(6) % 3 if link == "softmax" else rng.integers(0, 2, (6, 3))
        encoded = target.astype(np.int32 if link == "softmax" else np.float32)
        step = programs.formulas.row_losses(loss, cr.tensor(z), cr.tensor(encoded)).numpy()
        np.testing.assert_allclose(values_of(loss, z, encoded), step, rtol=3e-5, atol=1e-6)


@pytest.mark.parametrize("solver", [s for s in SOLVERS if s not in ("lbfgs", "sgd", "adam")])
def test_any_optimizer(solver: str) -> None:
    model = MLPClassifier(**{**SMALL, "max_iter": 2}, solver=solver).fit(X, y)
    assert np.isfinite(model.loss_)
    assert solver in OPTIMIZERS


@pytest.mark.parametrize(
    "settings",
    [
        {"dropout": 0.5},
        {"label_smoothing": 0.2},
        {"loss": "focal"},
        {"class_weight": {0: 5, 1: 1, 2: 1}},
        {"activation": "gelu"},
        {"learning_rate": "cosine"},
        {"learning_rate": "one_cycle", "schedule_settings": {"warmup": 0.5}},
        {"solver": "sgd", "solver_settings": {"weight_decay": 1.0}},
    ],
)
def test_what_is_added_changes_the_fit_and_is_reproducible(settings: dict[str, Any]) -> None:
    plain = MLPClassifier(**SMALL, **{k: v for k, v in settings.items() if k == "solver"})
    plain.fit(X, y)
    first, second = (MLPClassifier(**SMALL, **settings).fit(X, y) for _ in range(2))
    assert np.array_equal(first.coefs_[0], second.coefs_[0])
    assert not np.array_equal(first.coefs_[0], plain.coefs_[0])


def test_quantiles_enclose() -> None:
    fits = [
        MLPRegressor(loss="quantile", quantile=q, random_state=0, max_iter=60, solver="lbfgs")
        for q in (0.1, 0.9)
    ]
    low, high = (fit.fit(X, NUMBERS[:, 0]).predict(X) for fit in fits)
    assert 0.6 < np.mean((low <= NUMBERS[:, 0]) & (NUMBERS[:, 0] <= high)) <= 1


def test_balanced_classes_weigh_alike() -> None:
    few = np.r_[0:50, 50:60]
    weights = np.r_[np.full(50, 0.6), np.full(10, 3.0)]
    balanced = MLPClassifier(**SMALL, class_weight="balanced").fit(X[few], y[few])
    weighted = MLPClassifier(**SMALL).fit(X[few], y[few], weights)
    np.testing.assert_allclose(balanced.coefs_[0], weighted.coefs_[0], atol=1e-6)


def test_validation_loss_is_watched() -> None:
    settings = {**SMALL, "max_iter": 60, "early_stopping": True, "learning_rate_init": 0.05}
    model = MLPClassifier(**settings, monitor="loss", n_iter_no_change=2).fit(X, y)
    assert len(model.validation_loss_) == len(model.validation_scores_) == model.n_iter_
    least = int(np.argmin(model.validation_loss_))
    assert model.n_iter_ - 1 - least <= 3 or model.n_iter_ == 60


def test_callbacks_hear_of_every_epoch_and_stop() -> None:
    heard: list[dict[str, float]] = []

    def stop(model: Any, numbers: dict[str, float]) -> bool:
        heard.append(numbers)
        assert model.coefs_[0].shape == (4, 5)
        return len(heard) == 3

    model = MLPClassifier(**SMALL, early_stopping=True, callbacks=[stop]).fit(X, y)
    assert model.n_iter_ == 3
    assert [n["epoch"] for n in heard] == [1, 2, 3]
    assert {"loss", "validation_score", "validation_loss", "lr"} <= heard[0].keys()


def test_threads_are_as_before_and_change_no_bit() -> None:
    before = cr.get_num_threads()
    one, two = (MLPClassifier(**SMALL, n_jobs=n).fit(X, y) for n in (1, 2))
    assert cr.get_num_threads() == before
    assert np.array_equal(one.coefs_[0], two.coefs_[0])


# -------------------------------------------------------------------------------- data


def test_sparse_rows_in_parts_are_the_dense_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = {**SMALL, "batch_size": 16}
    dense = MLPClassifier(**settings).fit(X, y)
    monkeypatch.setattr("chainrule.sklearn.examples.DENSE_BYTES", 1600)
    parts = MLPClassifier(**settings).fit(sparse.csr_matrix(X), y)
    assert np.array_equal(dense.coefs_[0], parts.coefs_[0])
    assert np.array_equal(parts.predict_proba(sparse.csr_matrix(X)), dense.predict_proba(X))


def test_a_row_predicts_the_same_alone_and_among_many() -> None:
    model = MLPClassifier(**SMALL).fit(X, y)
    many = np.tile(X, (20, 1))
    together = model.predict_proba(many)
    alone = np.vstack([model.predict_proba(X[i : i + 1]) for i in range(0, 150, 37)])
    assert np.array_equal(together[0:150:37], alone)
    assert np.array_equal(together[2850:3000:37], alone)


def test_data_of_like_sizes_share_programs() -> None:
    assert {rounded_up(n) for n in range(129, 257)} == {256}
    assert all(n <= rounded_up(n) <= 1.0625 * n for n in range(2000, 9000, 61))


def test_rows_are_merged() -> None:
    rows = np.array([[1.0, 2], [3, 4], [1, 2], [5, 6]])
    table, target, weights = merged(rows, np.array([0, 1, 0, 1]), np.array([1.0, 2, 3, 0]))
    assert table.tolist() == [[1, 2], [3, 4]]
    assert target.tolist() == [0, 1]
    assert weights.tolist() == [4, 2]


def test_a_network_without_hidden_layers_is_linear() -> None:
    model = MLPClassifier(**{**SMALL, "hidden_layer_sizes": ()}).fit(X, y)
    assert [w.shape for w in model.coefs_] == [(4, 3)]


# ---------------------------------------------------------------------- as an estimator


def test_a_pickle_holds_arrays_and_text_alone() -> None:
    model = MLPClassifier(**{**SMALL, "random_state": np.random.RandomState(3)}).fit(
        X, np.array(["a", "b", "c"], object)[y]
    )
    state = model.__getstate__()
    assert set(state) == {"format", "version", "settings", "arrays"}
    assert isinstance(json.loads(state["settings"]), dict)
    assert all(a.dtype != object for a in state["arrays"].values())
    again = pickle.loads(pickle.dumps(model))
    assert np.array_equal(again.predict_proba(X), model.predict_proba(X))
    assert again.predict(X[:1]).tolist() == model.predict(X[:1]).tolist()
    assert np.array_equal(copy.deepcopy(model).coefs_[0], model.coefs_[0])


def test_partial_fit_goes_on_after_a_pickle() -> None:
    model = MLPRegressor(**SMALL)
    for _ in range(2):
        model.partial_fit(X, NUMBERS)
    again = pickle.loads(pickle.dumps(model))
    assert np.array_equal(
        again.partial_fit(X, NUMBERS).coefs_[0], model.partial_fit(X, NUMBERS).coefs_[0]
    )


def test_a_pickle_of_another_version_is_refused() -> None:
    state = MLPClassifier(**SMALL).fit(X, y).__getstate__() | {"version": "0.0.1"}
    with pytest.raises(cr.StateError, match=r"pickled by version 0.0.1"):
        MLPClassifier().__setstate__(state)
    with pytest.raises(cr.StateError, match="not a pickled MLPClassifier"):
        MLPClassifier().__setstate__({"coefs_": []})


def test_code_is_not_pickled() -> None:
    with pytest.raises(cr.StateError, match="callbacks is a function"):
        pickle.dumps(MLPClassifier(callbacks=lambda model, numbers: None))


def test_searches_pipelines_and_clones() -> None:
    search = GridSearchCV(
        make_pipeline(StandardScaler(), MLPClassifier(**SMALL)),
        {"mlpclassifier__alpha": [1e-4, 1.0]},
        cv=2,
    ).fit(X, y)
    assert search.best_score_ > 0.3
    assert clone(search.best_estimator_[-1]).get_params()["alpha"] in (1e-4, 1.0)
    assert "MLPClassifier" in search.best_estimator_._repr_html_()


@pytest.mark.parametrize(
    ("parameters", "said"),
    [
        ({"solver": "sdg"}, "did you mean 'sgd'"),
        ({"activation": "rleu"}, "did you mean 'relu'"),
        ({"alpha": -1}, "of at least 0"),
        ({"dropout": 1.0}, "below 1"),
        ({"hidden_layer_sizes": (5, 0)}, "must be > 0"),
        ({"batch_size": 0}, "batch_size"),
        ({"callbacks": [3]}, "callbacks"),
        ({"n_jobs": 0}, "n_jobs"),
        ({"loss": "hinge"}, "loss"),
        ({"solver": "lbfgs", "dropout": 0.5}, "dropout"),
        ({"solver_settings": {"lr": 1.0}}, "learning rate is set twice"),
        ({"learning_rate": "cosin"}, "did you mean 'cosine'"),
    ],
)
def test_parameters_that_cannot_be_are_refused(parameters: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        MLPClassifier(**parameters).fit(X, y)


def test_a_schedule_needs_an_end() -> None:
    with pytest.raises(cr.ConfigError, match="length of the training"):
        MLPRegressor(learning_rate="cosine").partial_fit(X, NUMBERS)


def test_it_warns_as_scikit_learn_does() -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        MLPClassifier(**SMALL).fit(X, y)
    assert [w.category for w in caught] == [ConvergenceWarning]
