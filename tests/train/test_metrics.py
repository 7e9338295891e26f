"""Metrics against their definitions, counted by hand or by brute force."""

from __future__ import annotations

import numpy as np
import pytest

from chainrule.errors import ConfigError, ShapeError
from chainrule.train.metrics import (
    METRICS,
    accuracy,
    balanced_accuracy,
    f1,
    log_loss,
    mae,
    r2,
    resolve,
    rmse,
    roc_auc,
)
from chainrule.train.scores import Scores


def test_accuracy_and_balanced_accuracy() -> None:
    t, p = [0, 0, 0, 1, 2, 2], [0, 0, 1, 1, 2, 0]
    assert accuracy(t, p) == pytest.approx(4 / 6)
    assert balanced_accuracy(t, p) == pytest.approx((2 / 3 + 1 + 1 / 2) / 3)


def test_f1() -> None:
    assert f1([1, 1, 1, 0, 0], [1, 0, 1, 1, 0]) == pytest.approx(2 * 2 / (4 + 1 + 1))
    assert f1([0, 0], [0, 0]) == 0.0
    t, p = [0, 0, 1, 2, 2], [0, 1, 1, 2, 3]
    assert f1(t, p) == pytest.approx((2 / 3 + 2 / 3 + 2 / 3 + 0) / 4)
    assert f1([0, 1, 1], [0, 1, 0], "macro") == pytest.approx((2 / 3 + 2 / 3) / 2)


def pairwise_auc(t: np.ndarray, s: np.ndarray) -> float:
    wins = [(a > b) + 0.5 * (a == b) for a in s[t == 1] for b in s[t == 0]]
    return float(np.mean(wins))


@pytest.mark.parametrize("levels", [3, 10, 1000])
def test_roc_auc_counts_pairs_with_ties_as_half(levels: int) -> None:
    rng = np.random.default_rng(levels)
    t = rng.integers(0, 2, 80)
    s = (rng.integers(0, levels, 80) + t).astype(np.float64)
    assert roc_auc(t, s) == pytest.approx(pairwise_auc(t, s), abs=1e-14)
    assert roc_auc(t, -s) == pytest.approx(1 - pairwise_auc(t, s), abs=1e-14)


def test_roc_auc_of_several_classes_is_the_mean_of_one_against_rest() -> None:
    rng = np.random.default_rng(0)
    t, s = rng.integers(0, 3, 60), rng.random((60, 4))
    each = [pairwise_auc((t == c).astype(int), s[:, c]) for c in range(3)]
    assert roc_auc(t, s) == pytest.approx(np.mean(each))


def test_roc_auc_of_one_class_is_undefined() -> None:
    assert np.isnan(roc_auc([1, 1], [0.2, 0.3]))


def test_log_loss() -> None:
    assert log_loss([1, 0], [0.8, 0.4]) == pytest.approx(-(np.log(0.8) + np.log(0.6)) / 2)
    p = np.array([[0.7, 0.2, 0.1], [0.3, 0.3, 0.4]])
    assert log_loss([0, 2], p) == pytest.approx(-(np.log(0.7) + np.log(0.4)) / 2)
    assert log_loss([1.0], [0.0]) == pytest.approx(-np.log(np.finfo(float).eps))


def test_regression() -> None:
    y, f = [1.0, 2.0, 3.0, 6.0], [1.0, 2.0, 4.0, 4.0]
    assert mae(y, f) == 0.75
    assert rmse(y, f) == pytest.approx((5 / 4) ** 0.5)
    assert r2(y, f) == pytest.approx(1 - 5 / 14)
    assert (r2([2, 2], [2, 2]), r2([2, 2], [2, 3])) == (1.0, 0.0)


def test_shapes_that_do_not_fit() -> None:
    with pytest.raises(ShapeError, match="one prediction per target"):
        accuracy([0, 1], [0])
    with pytest.raises(ShapeError):
        rmse([], [])


def test_logits_become_what_each_metric_takes() -> None:
    logits = np.array([[50.0], [40.0], [-1.0], [2.0]], np.float32)
    scores = Scores(logits, "sigmoid")
    target = np.array([[1.0], [0.0], [0.0], [1.0]])
    assert scores.labels.ravel().tolist() == [1, 1, 0, 1]
    assert METRICS["accuracy"](target, scores) == 0.75
    # 50 and 40 both round to probability 1, yet they differ in rank.
    assert METRICS["roc_auc"](target, scores) == 0.75
    p = 1 / (1 + np.exp(-logits.astype(np.float64)))
    assert METRICS["log_loss"](target, scores) == pytest.approx(log_loss(target, p))


def test_class_scores() -> None:
    logits = np.array([[1.0, 3.0, 0.0], [1000.0, 0.0, -1000.0]], np.float32)
    scores = Scores(logits, "softmax")
    assert scores.labels.tolist() == [1, 0]
    np.testing.assert_allclose(scores.probabilities[1], [1, 0, 0])
    expected = np.exp([1, 3, 0]) / np.exp([1, 3, 0]).sum()
    np.testing.assert_allclose(scores.probabilities[0], expected, rtol=1e-12)
    two = Scores(np.array([[0.0, 1.5], [2.0, 0.0]]), "softmax")
    assert two.ranking.tolist() == [1.5, -2.0]


def test_resolve() -> None:
    def bias(target: np.ndarray, values: np.ndarray) -> float:
        return float(np.mean(values - target))

    assert resolve("rmse") is METRICS["rmse"]
    mine = resolve(bias)
    assert mine.name == "bias"
    assert mine(np.array([1.0]), Scores(np.array([3.0]), "identity")) == 2.0
    with pytest.raises(ConfigError, match="unknown metric 'acuracy'") as raised:
        resolve("acuracy")
    assert "did you mean 'accuracy'" in str(raised.value)
