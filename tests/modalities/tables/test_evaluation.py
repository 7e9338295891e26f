"""``evaluation.json`` holds true counts and is never large."""

from __future__ import annotations

import json

import numpy as np
import pytest

from chainrule.data import Preprocessor, infer_schema, read_table
from chainrule.modalities.tables.missing import missing_counts
from chainrule.modalities.tables.predictor import TablePredictor
from chainrule.tasks.evaluation import CLASSES, POINTS, confusion, residuals


def test_confusion_counts_pairs() -> None:
    truth, predicted = np.array([0, 0, 1, 2, 2]), np.array([0, 1, 1, 0, 2])
    found = confusion(truth, predicted, ["a", "b", "c"])
    assert found["confusion"] == [[1, 1, 0], [0, 1, 0], [1, 0, 1]]
    assert found["rows"] == 5
    assert found["merged"] == 0


def test_rare_classes_are_merged() -> None:
    rng = np.random.default_rng(0)
    truth = np.minimum(rng.geometric(0.02, 5000) - 1, 299)
    found = confusion(truth, truth, [str(k) for k in range(300)])
    counts = np.array(found["confusion"])
    assert counts.shape == (CLASSES, CLASSES)
    assert counts.sum() == np.trace(counts) == 5000
    assert found["labels"][-1] == f"{found['merged']} other classes"
    often = np.argsort(-np.bincount(truth), kind="stable")[: CLASSES - 1]
    assert found["labels"][:-1] == [str(k) for k in sorted(often)]
    assert counts[0, 0] == np.count_nonzero(truth == int(found["labels"][0]))


def test_residuals_are_sampled_evenly_and_counted_all() -> None:
    rng = np.random.default_rng(0)
    truth = rng.normal(size=20_000)
    rest = rng.normal(0.5, 0.1, 20_000)
    rest[7] = 1e9
    found = residuals(truth, truth + rest)
    points = np.array(found["points"])
    assert len(points) == POINTS
    assert points[0, 0] == truth.min()
    assert points[-1, 0] == truth.max()
    assert np.median(points[:, 0]) == pytest.approx(np.median(truth), abs=0.01)
    counts, edges = found["histogram"]["counts"], found["histogram"]["edges"]
    assert sum(counts) + found["histogram"]["outside"] == 20_000
    assert 1 <= found["histogram"]["outside"] <= 202
    assert edges[-1] < 1
    assert len(json.dumps(found)) < 40_000


@pytest.mark.filterwarnings("error")
def test_residuals_of_odd_predictions() -> None:
    empty = residuals(np.array([1.0]), np.array([np.nan]))
    assert empty["unusable"] == 1
    assert empty["points"] == []
    assert residuals(np.array([1e308]), np.array([-1e308]))["unusable"] == 1
    exact = residuals(np.arange(5.0), np.arange(5.0))
    assert exact["histogram"]["counts"] == [5]
    close = residuals(np.zeros(3), 1e15 + np.array([0.0, 0.125, 0.25]))
    assert sum(close["histogram"]["counts"]) == 3


def test_missing_values_are_counted_from_the_inputs() -> None:
    rng = np.random.default_rng(0)
    table = read_table({
        "full": rng.normal(size=90),
        "gaps": [None if i % 9 == 0 else float(i % 7) + 0.5 for i in range(90)],
        "town": [None if i % 3 == 0 else f"t{i % 5}" for i in range(90)],
        "many": [None if i % 4 == 0 else f"m{i % 30}" for i in range(90)],
    })  # fmt: skip
    schema, _ = infer_schema(table)
    pipeline = Preprocessor.fit(table, schema)
    found = missing_counts(pipeline, pipeline.transform(table))
    assert found["full"] == 0
    assert found["gaps"] == 10
    assert found["town"] == 30
    assert found["many"] in (23, 0)  # 0 where the column is free text and left out


def test_a_fit_writes_it(fitted: TablePredictor) -> None:
    assert fitted.run is not None
    found = json.loads((fitted.run / "evaluation.json").read_text())
    counts = np.array(found["test"]["confusion"])
    assert np.trace(counts) / counts.sum() == pytest.approx(fitted.metrics["accuracy"])
    assert set(found["validation"]) == set(fitted.metrics)
    assert found["missing"]["income"] > 0
