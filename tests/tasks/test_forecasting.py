"""Forecasts against the truth: metrics by hand, cautions, what a report gets."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest

from chainrule.tasks.forecast_metrics import METRICS, judge
from chainrule.tasks.forecasting import Forecasting, truth_type
from chainrule.train import Scores

NAN = math.nan


def truth_of(values: Any, series: Any, errors: Any, **fields: Any) -> Any:
    values = np.asarray(values, float)
    truth = np.zeros(len(values), truth_type(values.shape[1], 3))
    truth["value"], truth["series"], truth["error"] = values, series, errors
    truth["scale"] = 1.0
    truth["origin"] = "2020-01-01"
    for name, value in fields.items():
        truth[name.replace("_", " ")] = value
    return truth


def test_metrics_by_hand() -> None:
    truth = truth_of([[1.0, 3.0], [4.0, NAN], [10.0, 10.0]], [0, 0, 1], [2.0, 2.0, 5.0])
    found = judge(truth, np.array([[2.0, 3.0], [1.0, 7.0], [10.0, 5.0]]))
    assert found["mae"] == pytest.approx((1 + 0 + 3 + 0 + 5) / 5)
    assert found["rmse"] == pytest.approx(math.sqrt((1 + 9 + 25) / 5))
    assert found["smape"] == pytest.approx(200 * (1 / 3 + 3 / 5 + 5 / 15) / 5)
    # by series: (0.5 + 0 + 1.5) / 3 and (0 + 1) / 2
    assert found["mase"] == pytest.approx((2 / 3 + 0.5) / 2)
    assert found["wql"] == pytest.approx(9 / 28)
    assert math.isnan(found["coverage"])
    assert set(found) == set(METRICS)


def test_quantiles_and_intervals() -> None:
    goal = Forecasting(2, (0.1, 0.5, 0.9), ("a",), 1)
    truth = truth_of([[1.0, 5.0]], [0], [1.0])
    # The quantiles cross, and are put in order.
    outputs = np.array([[[2.0, 0.0, 1.0], [1.0, 2.0, 3.0]]])
    found = goal.compute_metrics(truth, Scores(outputs, "identity"))
    assert found["coverage"] == 0.5
    assert found["mae"] == pytest.approx((0 + 3) / 2)
    pinball = 0.1 * 1 + 0 + 0.1 * 1 + 0.1 * 4 + 0.5 * 3 + 0.9 * 2
    assert found["wql"] == pytest.approx(2 * pinball / 3 / 6)


def test_nothing_known_is_no_number() -> None:
    found = judge(truth_of([[NAN, NAN]], [0], [1.0]), np.zeros((1, 2)))
    assert all(math.isnan(value) for value in found.values())
    constant = judge(truth_of([[1.0, 2.0]], [0], [0.0]), np.zeros((1, 2)))
    assert math.isnan(constant["mase"])
    assert constant["mae"] == 1.5


def test_outputs_are_scaled_back() -> None:
    goal = Forecasting(1, (), ("a", "b"), 4)
    truth = truth_of([[30.0], [8.0]], [0, 1], [1.0, 1.0], center=[10.0, 2.0], scale=[2.0, 3.0])
    found = goal.compute_metrics(truth, Scores(np.array([[[10.0]], [[2.0]]]), "identity"))
    assert found["mae"] == 0.0
    assert goal.outputs == 1
    assert set(goal.baselines(truth, truth)) == {"naive"}


@pytest.mark.parametrize(
    ("error", "naive", "seasonal", "said"),
    [
        (0.8, 0.9, 1.2, ""),
        (0.8, 0.7, 1.2, "Worse than the naive forecast: the error (MASE) is 0.8, and that of the "
         "naive forecast 0.7. Use the latter."),
        (1.5, 1.0, 0.9, "Worse than the seasonal naive forecast: the error (MASE) is 1.5, and that "
         "of the seasonal naive forecast 0.9. Use the latter."),
        (1.0, 1.0, 2.0, "Worse than the naive forecast"),
        (None, 1.0, 2.0, ""),
        (0.8, None, "x", ""),
    ],
)  # fmt: skip
def test_caution(error: Any, naive: Any, seasonal: Any, said: str) -> None:
    guesses = {"seasonal naive": {"mase": seasonal}, "naive": {"mase": naive}}
    told = Forecasting.caution({"mase": error}, guesses)
    assert told.startswith(said) if said else told == ""


def test_the_evaluation_is_bounded_and_plain() -> None:
    rng = np.random.default_rng(0)
    names = tuple(f"series {i}" for i in range(300))
    goal = Forecasting(4, (0.1, 0.5, 0.9), names, 4)
    truth = truth_of(rng.normal(size=(600, 4)), np.repeat(np.arange(300), 2), np.ones(600))
    truth["value"][7] = NAN
    document = goal.evaluation(truth, Scores(rng.normal(size=(600, 4, 3)), "identity"))
    text = json.dumps(document, allow_nan=False)
    assert len(text) < 20_000
    table, worst = document["tables"]
    assert len(table["rows"]) == 40
    errors = [row[2] for row in worst["rows"]]
    assert errors == sorted(errors, reverse=True)
    assert [worst["rows"][0][0], len(errors)] == [names[truth["series"][worst["examples"][0]]], 12]
    errors = [row[1] for row in table["rows"]]
    assert errors == sorted(errors, reverse=True)
    assert [c["title"].split(" ")[0] for c in document["charts"]] == ["Forecast"] * 3 + ["Error"]
    assert table["rows"][0][0] in document["charts"][0]["title"]


def test_the_monitored_error_leaves_out_what_is_not_known() -> None:
    goal = Forecasting(2, (0.1, 0.5, 0.9), ("a",), 1)
    target = np.array([[[1.0, 1.0], [9.0, 0.0]]])
    outputs = np.array([[[0.0, 3.0, 5.0], [0.0, 0.0, 0.0]]])
    assert goal.monitored_metric(target, Scores(outputs, "identity")) == 2.0
    assert goal.middle == 1
