"""Baselines against numbers worked out by hand, and what tasks make of outputs."""

from __future__ import annotations

import math

import numpy as np
import pytest

from chainrule.errors import ConfigError
from chainrule.tasks import TASKS, Binary, Multiclass, Regression, Task
from chainrule.train import Scores


def test_binary_baseline() -> None:
    found = Binary(("a", "b")).baseline(np.array([0, 1, 1, 1]), np.array([0.0, 1.0]))
    assert found["accuracy"] == 0.5
    assert found["f1"] == pytest.approx(2 / 3)
    assert found["roc_auc"] == 0.5
    assert found["log_loss"] == pytest.approx(-(math.log(0.25) + math.log(0.75)) / 2)


def test_multiclass_baseline() -> None:
    task = Multiclass(("a", "b", "c"))
    found = task.baseline(np.array([0, 1, 1, 2]), np.array([0.0, 1.0, 2.0]))
    assert found["accuracy"] == pytest.approx(1 / 3)
    assert found["f1_macro"] == pytest.approx(0.5 / 3)
    assert found["log_loss"] == pytest.approx(-(2 * math.log(0.25) + math.log(0.5)) / 3)


def test_a_class_without_training_rows_costs_much_and_breaks_nothing() -> None:
    found = Multiclass(("a", "b", "c")).baseline(np.array([0, 1]), np.array([2.0]))
    assert found["accuracy"] == 0
    assert 30 < found["log_loss"] < 40


def test_regression_baseline() -> None:
    found = Regression(2.0, 1.0).baseline(np.array([]), np.array([1.0, 5.0]))
    assert found == {"r2": 1 - 10 / 8, "mae": 2.0, "rmse": math.sqrt(5)}


@pytest.mark.parametrize(
    ("task", "link", "width"),
    [(Binary(("a", "b")), "sigmoid", 1), (Multiclass(("a", "b", "c")), "softmax", 3)],
)
def test_every_metric_is_a_number(task: Task, link: str, width: int) -> None:
    rng = np.random.default_rng(0)
    codes = rng.integers(0, max(width, 2), 50).astype(np.int32)
    scores = Scores(rng.normal(size=(50, width)).astype(np.float32), link)  # type: ignore[arg-type]
    found = task.compute_metrics(codes, scores)
    assert tuple(found) == task.metrics
    assert all(0 <= v < 3 for v in found.values())
    labels = scores.labels.reshape(-1)
    assert found["accuracy"] == np.mean(labels == codes)
    shares = task.probabilities(scores)
    assert shares.shape == (50, len(task.labels))
    np.testing.assert_allclose(shares.sum(axis=1), 1)
    assert (np.array(task.labels)[shares.argmax(axis=1)] == task.decode(scores)).all()


@pytest.mark.parametrize("classes", [("no", "yes"), (False, True), (0, 4), (0.5, 1.5)])
def test_labels_keep_their_type(classes: tuple[bool | int | float | str, ...]) -> None:
    scores = Scores(np.array([[-3.0], [3.0]], np.float32), "sigmoid")
    decoded = Binary(classes).decode(scores)
    assert decoded.tolist() == list(classes)
    assert [type(v) for v in decoded.tolist()] == [type(c) for c in classes]


def test_numbers_are_in_their_own_unit() -> None:
    task = Regression(mean=10.0, std=4.0)
    scores = Scores(np.array([[-1.0], [0.5]], np.float32), "identity")
    assert task.decode(scores).tolist() == [6.0, 12.0]
    assert task.compute_metrics(np.array([6.0, 12.0]), scores) == {
        "r2": 1.0,
        "mae": 0.0,
        "rmse": 0.0,
    }
    with pytest.raises(ConfigError, match="a regression has no probabilities"):
        task.probabilities(scores)


def test_each_task_has_one_name() -> None:
    assert [task.name for task in TASKS.values()] == list(TASKS)
