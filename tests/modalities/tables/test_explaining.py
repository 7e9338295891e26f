"""What the report says of a network for a table: columns it needs, what they do, worst rows."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.data import Features, Preprocessor, infer_schema, read_table
from chainrule.modalities.tables.explaining import (
    MOST_PREDICTIONS,
    MOST_PRODUCTS,
    _affordable,
    explained,
)
from chainrule.report import write_report
from chainrule.tasks import Regression
from chainrule.tasks.curves import binary_charts, calibration_chart
from chainrule.train import Scores
from chainrule.train.metrics import roc_auc


@pytest.fixture(scope="module", params=["class", "number"])
def run(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    rng = np.random.default_rng(3)
    x, town = rng.normal(size=(300, 2)), rng.integers(0, 3, 300)
    y = 3 * x[:, 0] + 2 * (town == 1)
    columns = {"strong": x[:, 0], "idle": x[:, 1], "town": [f"t{t}" for t in town]}
    target = np.where(y > 0, "up", "down").tolist() if request.param == "class" else y
    return cr.fit(
        {**columns, "y": target}, "y", preset="fast", epochs=40, verbose=False,
        runs_dir=tmp_path_factory.mktemp("runs"),
    )  # fmt: skip


def test_columns_count_as_much_as_they_are_needed(run: Any) -> None:
    test = json.loads((run.run / "evaluation.json").read_text())["test"]
    *_, needed, worst = test["tables"]
    rise = {name: mean for name, mean, _ in needed["rows"]}
    assert next(iter(rise)) == "strong"
    assert rise["strong"] > rise["town"] > abs(rise["idle"])
    assert all(spread >= 0 for _, _, spread in needed["rows"])
    effect = next(c for c in test["charts"] if c["title"] == "What “strong” does")
    values = effect["lines"][0]["values"]
    assert effect["x"] == list(range(0, 101, 10))
    assert values == sorted(values)
    assert all(1 <= row[0] <= 300 for row in worst["rows"])
    off = [row[3] if run.classes else -abs(row[3]) for row in worst["rows"]]
    assert off == sorted(off)
    # The rows themselves, by the columns that are needed most, and where the test part has them.
    assert worst["heads"][4:6] == ["strong", "town"]
    strong = np.random.default_rng(3).normal(size=(300, 2))[:, 0]
    cells = [float(row[4]) for row in worst["rows"]]
    np.testing.assert_allclose(cells, [strong[row[0] - 1] for row in worst["rows"]], rtol=1e-12)
    assert len(set(worst["examples"])) == len(worst["rows"])


def test_the_page_shows_them(run: Any) -> None:
    page = write_report(run.run).read_text()
    for words in ("What the predictions need", "What “strong” does", "Worst predictions"):
        assert words in page
    assert ("ROC curve of “up”" in page) == bool(run.classes)


def test_wide_tables_are_explained_in_few_calls() -> None:
    rng = np.random.default_rng(0)
    names = [f"c{i}" for i in range(300)]
    table = read_table({**{n: rng.normal(size=20) for n in names}, "y": rng.normal(size=20)})
    preprocessor = Preprocessor.fit(table, infer_schema(table, "y")[0])
    features, asked = preprocessor.transform(table), []

    def ask(rows: Features) -> Scores:
        asked.append(len(rows))
        return Scores(rows.numeric[:, 7:8] + 0.1 * rows.numeric[:, 9:10], "identity")

    truth = features.numeric[:, 7].astype(np.float64)
    scores, goal = ask(features), Regression(0.0, 1.0)
    found = explained(
        ask, features, truth, scores, preprocessor, goal, np.arange(20),
        lambda columns, rows: [[""] * len(columns) for _ in rows],
    )  # fmt: skip
    assert len(asked) < 60
    assert max(asked) <= 4096
    (needed, _), charts = found["tables"], found["charts"]
    assert needed["rows"][0][0] == "c7"
    assert len(charts) == 3


@pytest.mark.parametrize(
    ("rows", "columns", "products"),
    [
        (200, 3, 1),
        (1200, 20, 170_000),
        (200_000, 20, 170_000),
        (1200, 20, 2_000_000),
        (300, 2000, 1),
    ],
)
def test_a_large_network_is_asked_for_fewer_predictions(
    rows: int, columns: int, products: int
) -> None:
    some, repeats = _affordable(rows, columns, products)
    assert some <= rows
    assert repeats >= 2
    assert some * columns * repeats <= MOST_PREDICTIONS
    assert some * columns * repeats * products <= MOST_PRODUCTS
    more = (some + 1) * columns * (repeats + 1) > MOST_PREDICTIONS
    assert more or some == rows or some * columns * repeats * products > 0.9 * MOST_PRODUCTS


def test_some_rows_of_a_large_test_part_are_enough() -> None:
    rng = np.random.default_rng(0)
    columns = {n: rng.normal(size=1500) for n in "abc"}
    truth = columns["b"] + 0.1 * columns["a"]
    table = read_table({**columns, "y": truth})
    preprocessor = Preprocessor.fit(table, infer_schema(table, "y")[0])
    features, asked = preprocessor.transform(table), []

    def ask(rows: Features) -> Scores:
        asked.append(len(rows))
        return Scores(rows.numeric[:, 1:2] + 0.1 * rows.numeric[:, :1], "identity")

    scores, goal = ask(features), Regression(0.0, 1.0)
    asked.clear()
    found = explained(
        ask, features, truth, scores, preprocessor, goal, np.arange(1500),
        lambda columns, rows: [[""] * len(columns) for _ in rows], MOST_PRODUCTS // 6000,
    )  # fmt: skip
    needed, worst = found["tables"]
    assert [row[0] for row in needed["rows"]] == ["b", "a", "c"]
    assert "on 375 rows of the test part" in needed["words"]
    assert sum(asked) == 375 * (3 * 5 + 3 * 11)
    assert len(worst["rows"]) == 12


def test_the_curves_of_two_classes() -> None:
    rng = np.random.default_rng(0)
    probability = rng.random(2000)
    positive = rng.random(2000) < probability
    roc, precision, calibration = binary_charts(positive, probability, "yes")
    heights = np.array(roc["lines"][0]["values"])
    area = float(np.mean((heights[1:] + heights[:-1]) / 2)) / 100
    assert area == pytest.approx(roc_auc(positive.astype(int), probability), abs=0.01)
    assert (np.diff(heights) >= 0).all()
    assert heights[0] < 25
    assert heights[-1] == 100
    right = precision["lines"][0]["values"]
    assert 0 <= right[-1] - 100 * positive.mean() < 3
    assert right == sorted(right, reverse=True)
    seen = np.array(calibration["lines"][0]["values"])
    np.testing.assert_allclose(seen, calibration["x"], atol=8)


def test_curves_that_there_are_none_of() -> None:
    one = np.ones(30, bool)
    assert binary_charts(one, np.linspace(0, 1, 30), "yes") == []
    assert calibration_chart(one[:9], np.linspace(0, 1, 9), "yes") == []
    assert calibration_chart(one, np.full(30, 0.5), "yes") == []
    assert len(binary_charts(np.arange(30) > 3, np.full(30, 0.5), "yes")) == 2
