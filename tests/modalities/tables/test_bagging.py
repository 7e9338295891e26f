"""An ensemble by folds is one predictor, whose parts count what held-out rows say."""

from __future__ import annotations

import json
import math
import pickle
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.data import read_table
from chainrule.data.tables.divide import divide
from chainrule.data.tables.plan import Dividing, TablePlan
from chainrule.errors import ConfigError, DataError, StateError
from chainrule.modalities.tables import TABLES
from chainrule.modalities.tables.settings import Settings
from chainrule.report.group import write_group_report
from chainrule.runs.folder import write_group_facts
from chainrule.runs.mixture import best_temperature, greedy_weights
from chainrule.runs.settings.sources import from_overrides, gather
from chainrule.tasks.classification import Binary, Multiclass
from chainrule.tasks.regression import Regression
from chainrule.train import Scores

from .conftest import people

RECIPES = ["preset=best", "ensemble.folds=2", 'ensemble.recipes=["fast", "good"]',
           "model.layers=[8]", "train.epochs=2"]  # fmt: skip


def settings(*words: str) -> Settings:
    return gather([from_overrides(words, "test")], Settings).settings


@pytest.fixture(scope="module")
def ensemble(tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = tmp_path_factory.mktemp("runs")
    return cr.fit(people(), "ill", runs_dir=folder, settings=RECIPES, verbose=False)


def test_recipes_are_presets_but_for_what_is_said_otherwise() -> None:
    bagged = TABLES.bagged(settings("preset=best", "model.members=3", "data.target=y"))
    assert list(bagged) == ["good", "fast", "realmlp_short"]
    real = bagged["realmlp_short"]
    assert [each.data.bag for each in real] == [(k, 5) for k in range(1, 6)]
    assert {each.data.target for each in real} == {"y"}
    assert (real[0].model.network, real[0].train.schedule.name) == ("realmlp", "coslog")
    assert (real[0].model.members, real[0].ensemble.folds) == (3, 0)
    assert not TABLES.bagged(settings("preset=good"))


def test_an_ensemble_is_the_weighted_mean_of_its_networks(ensemble: Any) -> None:
    facts = json.loads((ensemble.run / "group.json").read_text())
    shares = facts["ensemble"]["weights"]
    assert sum(shares.values()) == pytest.approx(1)
    assert len(ensemble.members) == sum(share > 0 for share in shares.values())
    each = {
        name: cr.load_run(ensemble.run / member["run"]).predict_proba(people())
        for name, member in facts["members"].items()
    }
    mean = sum(shares[name] * own for name, own in each.items())
    powers = mean ** (1 / facts["ensemble"]["temperature"])
    expected = powers / powers.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(ensemble.predict_proba(people()), expected, rtol=1e-9)
    held = facts["ensemble"]["out_of_fold"]
    assert held["together"]["log_loss"] <= min(held[name]["log_loss"] for name in ("fast", "good"))
    assert ensemble.metrics == facts["together"]


def test_the_report_says_what_each_network_counts(ensemble: Any) -> None:
    page = write_group_report(ensemble.run).read_text()
    assert "what it counts in the common answer" in page
    assert all(f"{name}-fold-{k}" in page for name in ("fast", "good") for k in (1, 2))


def test_it_is_the_same_loaded_pickled_and_saved(ensemble: Any, tmp_path: Path) -> None:
    expected = ensemble.predict_proba(people(30, 8))
    loaded = cr.load_run(ensemble.run)
    unpickled = pickle.loads(pickle.dumps(loaded))
    unpickled.run = None  # as if there were no folder to copy
    saved = cr.load_run(unpickled.save(tmp_path / "saved"))
    copied = cr.load_run(loaded.save(tmp_path / "copied"))
    for other in (loaded, unpickled, saved, copied):
        np.testing.assert_array_equal(other.predict_proba(people(30, 8)), expected)
        assert (other.metrics, other.baseline) == (ensemble.metrics, ensemble.baseline)


def test_an_interrupted_ensemble_resumes_to_the_same_bits(ensemble: Any, tmp_path: Path) -> None:
    begun = tmp_path / "begun"
    shutil.copytree(ensemble.run, begun)
    facts = json.loads((begun / "group.json").read_text())
    last = list(facts["members"])[-1]
    shutil.rmtree(begun / facts["members"][last]["run"])
    resumed: Any = cr.resume(begun, people(), verbose=False)
    np.testing.assert_array_equal(resumed.predict_proba(people()), ensemble.predict_proba(people()))
    assert resumed.metrics == ensemble.metrics


def test_shares_that_are_not_those_of_the_runs_are_refused(ensemble: Any, tmp_path: Path) -> None:
    changed = tmp_path / "changed"
    shutil.copytree(ensemble.run, changed)
    facts = json.loads((changed / "group.json").read_text())
    facts.pop("checksum", None)
    facts["ensemble"]["weights"] = {"other": 1.0}
    write_group_facts(changed, facts)
    with pytest.raises(StateError, match="weights of the ensemble"):
        cr.load_run(changed)


def test_without_test_rows_the_held_out_ones_judge() -> None:
    rng = np.random.default_rng(1)
    x = rng.normal(size=(60, 2))
    words = [w for w in RECIPES if "recipes" not in w] + ['ensemble.recipes=["fast"]']
    found = cr.fit(x, x[:, 0] - x[:, 1], runs_dir=None, settings=words, verbose=False,
                   split=(0.8, 0.2, 0.0))  # fmt: skip
    held = found.group_facts["ensemble"]["out_of_fold"]
    assert found.metrics == held["together"] == held["fast"]
    assert found.predict(x).shape == (60,)


def test_what_does_not_go_together() -> None:
    with pytest.raises(ConfigError, match="cannot be repeated"):
        cr.cross_validate(people(), "ill", settings=RECIPES, runs_dir=None, verbose=False)
    for words, message in (("ensemble.folds=1", "`ensemble.folds` is 1"),
                           ("ensemble.recipes=[]", "is empty"),
                           ('ensemble.recipes=["good", "good"]', "once")):  # fmt: skip
        with pytest.raises(ConfigError, match=message):
            settings("preset=best", words)
    for words, message in (("data.fold=[1,2]", "data.fold"), ("data.valid=v.csv", "data.valid")):
        with pytest.raises(ConfigError, match=message):
            settings("data.bag=[1,2]", words)
    with pytest.raises(ConfigError, match=r"data\.bag"):
        settings("data.bag=[3,2]")


def test_every_row_that_is_not_for_the_test_validates_once() -> None:
    n = 61
    columns = {
        "x": list(range(n)),
        "g": [i % 7 for i in range(n)],
        "y": ["a", "b", "b"] * 20 + ["b"],
    }
    table = read_table(columns)
    for by in (Dividing(), Dividing(group="g")):
        parts = [divide(table, "y", TablePlan(bag=(k, 3), by=by)).parts for k in (1, 2, 3)]
        assert len({tuple(part.test) for part in parts}) == 1
        held = np.concatenate([part.val for part in parts])
        assert sorted([*held, *parts[0].test]) == list(range(n))
        for part in parts:
            assert sorted([*part.train, *part.val, *part.test]) == list(range(n))
            groups = [{columns["g"][i] for i in rows} for rows in (part.train, part.val)]
            assert not by.group or not groups[0] & groups[1]
    with pytest.raises(ConfigError, match="train on the future"):
        divide(table, "y", TablePlan(bag=(1, 3), by=Dividing(time="x")))
    with pytest.raises(DataError, match="folds"):
        divide(table, "y", TablePlan(bag=(1, 9), by=Dividing(group="g")))


def test_greedy_selection_weighs_what_helps() -> None:
    rng = np.random.default_rng(0)
    goal = Regression(0.0, 1.0)
    truth = rng.normal(size=400)
    noise = rng.normal(size=(3, 400, 1)) * np.array([0.3, 0.3, 3.0])[:, None, None]
    scores = [Scores(truth[:, None] + own, "identity") for own in noise]
    shares = greedy_weights(goal, "rmse", truth, scores)
    assert sum(shares) == pytest.approx(1)
    assert shares[0] == pytest.approx(0.5, abs=0.1)
    assert shares[2] < 0.05
    assert greedy_weights(goal, "rmse", truth, scores[:1]) == (1.0,)


@pytest.mark.parametrize("classes", [2, 3])
def test_the_temperature_undoes_what_is_too_sure(classes: int) -> None:
    rng = np.random.default_rng(4)
    logits = rng.normal(size=(4000, classes))
    odds = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    truth = np.array([rng.choice(classes, p=p) for p in odds])
    goal: Any = Binary(("a", "b")) if classes == 2 else Multiclass(("a", "b", "c"))
    sure = goal._scores(odds**2.5 / (odds**2.5).sum(1, keepdims=True))
    assert best_temperature(goal, truth, sure) == pytest.approx(2.5, rel=0.1)
    tempered = goal.probabilities(goal.tempered(sure, 2.5))
    np.testing.assert_allclose(tempered, odds, rtol=1e-9)
    certain = goal._scores(np.eye(classes)[truth])
    assert math.isfinite(float(goal.probabilities(goal.tempered(certain, 2.0)).min()))
    assert best_temperature(Regression(0.0, 1.0), truth, sure) == 1
