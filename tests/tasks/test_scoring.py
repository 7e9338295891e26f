"""Baselines against numbers worked out by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from chainrule.data import Preprocessor, Schema, Target
from chainrule.tasks.scoring import baseline, classification, metric_names
from chainrule.train import Scores


def pipeline(task: str, classes: tuple[str, ...], mean: float = 0.0) -> Preprocessor:
    return Preprocessor(Schema((), Target("y", task, classes)), (), target_mean=mean)  # type: ignore[arg-type]


def test_binary_baseline() -> None:
    fitted = np.array([0, 1, 1, 1])
    found = baseline(pipeline("binary", ("a", "b")), fitted, np.array([0.0, 1.0]))
    assert found["accuracy"] == 0.5
    assert found["f1"] == pytest.approx(2 / 3)
    assert found["roc_auc"] == 0.5
    assert found["log_loss"] == pytest.approx(-(math.log(0.25) + math.log(0.75)) / 2)


def test_multiclass_baseline() -> None:
    fitted = np.array([0, 1, 1, 2])
    found = baseline(pipeline("multiclass", ("a", "b", "c")), fitted, np.array([0.0, 1.0, 2.0]))
    assert found["accuracy"] == pytest.approx(1 / 3)
    assert found["f1_macro"] == pytest.approx(0.5 / 3)
    assert found["log_loss"] == pytest.approx(-(2 * math.log(0.25) + math.log(0.5)) / 3)


def test_a_class_without_training_rows_costs_much_and_breaks_nothing() -> None:
    found = baseline(pipeline("multiclass", ("a", "b", "c")), np.array([0, 1]), np.array([2.0]))
    assert found["accuracy"] == 0
    assert 30 < found["log_loss"] < 40


def test_regression_baseline() -> None:
    found = baseline(pipeline("regression", (), mean=2.0), np.array([]), np.array([1.0, 5.0]))
    assert found == {"r2": 1 - 10 / 8, "mae": 2.0, "rmse": math.sqrt(5)}


@pytest.mark.parametrize(("task", "link", "width"), [("binary", "sigmoid", 1),
                                                     ("multiclass", "softmax", 3)])  # fmt: skip
def test_every_metric_is_a_number(task: str, link: str, width: int) -> None:
    rng = np.random.default_rng(0)
    codes = rng.integers(0, max(width, 2), 50).astype(np.int32)
    scores = Scores(rng.normal(size=(50, width)).astype(np.float32), link)  # type: ignore[arg-type]
    found = classification(task, codes, scores)  # type: ignore[arg-type]
    assert tuple(found) == metric_names(task)  # type: ignore[arg-type]
    assert all(0 <= v < 3 for v in found.values())
    labels = scores.labels.reshape(-1)
    assert found["accuracy"] == np.mean(labels == codes)
