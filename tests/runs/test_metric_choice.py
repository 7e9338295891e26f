"""What chooses the epoch, and what is said of metrics."""

from __future__ import annotations

import copy
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.errors import ConfigError, nearest
from chainrule.runs.wording import result_lines, result_rows
from chainrule.tasks import TASKS, Binary
from chainrule.train import Scores

RNG = np.random.default_rng(1)
X = RNG.normal(size=(200, 4))
Y = np.where(X[:, 0] + RNG.normal(size=200) > 0.8, "yes", "no")
NUMBERS = X[:, 0] + RNG.normal(size=200)


def fit(target: Any, **arguments: Any) -> Any:
    return cr.fit(X, target, epochs=6, batch_size=64, runs_dir=None, verbose=False, **arguments)


@pytest.mark.parametrize("metric", ["f1", "balanced_accuracy", "auc", "log_loss"])
def test_a_metric_chooses_the_epoch(metric: str) -> None:
    model = fit(Y, metric=metric)
    name = {"auc": "roc_auc"}.get(metric, metric)
    assert model.settings.train.early_stopping.monitor == f"val_{name}"
    values = model.history[f"val_{name}"]
    best = min(values) if name == "log_loss" else max(values)
    assert model.facts["best"]["epoch"] == values.index(best) + 1


def test_numbers_have_metrics_of_their_own() -> None:
    model = fit(NUMBERS, metric="mae")
    values = model.history["val_mae"]
    assert model.facts["best"]["epoch"] == values.index(min(values)) + 1


def test_the_epoch_of_another_monitor_is_recorded() -> None:
    model = fit(Y, settings=["train.early_stopping.monitor=val_accuracy"])
    values = model.history["val_accuracy"]
    assert model.facts["best"]["epoch"] == values.index(max(values)) + 1


@pytest.mark.parametrize(
    ("target", "setting", "problem", "advice"),
    [
        (NUMBERS, "train.metric=f1", "metric f1 does not fit a regression", "r2, mae, mse, rmse"),
        (Y, "train.metric=r2", "metric r2 does not fit a binary", "accuracy"),
        (Y, "train.metric=F1", "metric F1 does not fit a binary", "did you mean 'f1'"),
        (Y, "train.early_stopping.monitor=val_acc", "which is not computed", "'val_accuracy'"),
        (Y, "train.early_stopping.monitor=val_f1", "which is not computed", "train.metric=f1"),
        (NUMBERS, "train.early_stopping.monitor=val_accuracy", "not computed", "val_r2"),
    ],
)
def test_what_cannot_be_monitored_is_refused_before_anything_is_written(
    target: Any, setting: str, problem: str, advice: str, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match=problem) as raised:
        cr.fit(X, target, settings=[setting], runs_dir=tmp_path / "runs", verbose=False)
    assert advice in raised.value.help
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize("task", TASKS.values(), ids=TASKS)
def test_metrics_that_can_be_chosen_say_what_is_better(task: Any) -> None:
    assert all(task.higher_is_better(name) is not None for name in task.selectable)


def test_f1_names_its_class() -> None:
    model = fit(Y)
    assert [row[0] for row in result_rows(model.facts)][1:3] == ["accuracy", "f1 of yes"]
    assert "f1" in model.metrics  # programs read the plain name


def test_one_class_that_is_nearly_all_rows_is_said() -> None:
    rare = np.where(np.arange(200) % 15 == 0, "sick", "well")
    (said,) = (f for f in fit(rare).findings if f.code == "D125")
    assert said.message.startswith("`well` is 93.0% of the rows")
    assert said.evidence == "sick: 14, well: 186"
    assert not [f for f in fit(Y).findings if f.code == "D125"]


def test_names_that_differ_in_case_alone_are_nearest() -> None:
    assert nearest("adamW", ["adam", "adamw"]) == "adamw"
    assert nearest("ReLU", ["elu", "relu"]) == "relu"
    with pytest.raises(ConfigError) as raised:
        fit(Y, optimizer="adamW")
    assert raised.value.help.startswith("did you mean 'adamw'?")


def test_a_name_with_a_point_is_to_be_quoted_and_then_works() -> None:
    rows = {"zip.code": [i % 7 for i in range(60)], "x": list(range(60)), "y": [0, 1] * 30}
    few: dict[str, Any] = {"epochs": 1, "runs_dir": None, "verbose": False}
    with pytest.raises(ConfigError) as raised:
        cr.fit(rows, "y", settings=["data.columns.zip.code=category"], **few)
    assert raised.value.help.startswith("quote a name that has a point: '")
    advised = raised.value.help.split("'")[1]
    model = cr.fit(rows, "y", settings=[advised], **few)
    assert model.settings.data.columns == {"zip.code": "category"}


def test_the_threshold_serves_the_metric_and_is_kept(tmp_path: Path) -> None:
    rare = np.where(X[:, 0] + RNG.normal(size=200) > 1.9, "yes", "no")
    model = fit(rare, metric="f1")
    threshold = model.facts["decisions"]["threshold"]
    assert 0 < threshold < 0.5
    second = model.predict_proba(X)[:, 1]
    assert model.predict(X).tolist() == np.where(second > threshold, "yes", "no").tolist()
    plain = Binary(("no", "yes"))
    scores = Scores(second[:, None], "probability")
    truth = (rare == "yes").astype(float)
    assert (
        replace(plain, threshold=threshold).compute_metrics(truth, scores)["f1"]
        >= (plain.compute_metrics(truth, scores)["f1"])
    )
    assert any("is predicted from a probability of" in line for line in result_lines(model.facts))
    for again in (cr.load_run(model.save(tmp_path / "model")), copy.deepcopy(model)):
        assert again.predict(X).tolist() == model.predict(X).tolist()
        assert again.goal == model.goal
    assert "decisions" not in fit(rare, metric="roc_auc").facts


def test_of_equally_good_thresholds_the_one_near_a_half_is_taken() -> None:
    scores = Scores(np.array([[0.1], [0.2], [0.9], [0.95]]), "probability")
    assert Binary((0, 1)).tuned("f1", np.array([0, 0, 1, 1]), scores).threshold == 0.5
    shifted = Scores(np.array([[0.1], [0.2], [0.3], [0.95]]), "probability")
    assert Binary((0, 1)).tuned("f1", np.array([0, 0, 1, 1]), shifted).threshold == 0.25
    one = Scores(np.full((4, 1), 0.3), "probability")
    assert Binary((0, 1)).tuned("f1", np.array([0, 0, 1, 1]), one).threshold == 0.5
