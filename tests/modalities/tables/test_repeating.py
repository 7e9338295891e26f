"""Seeds and folds: what each is trained on, and what they say together."""

from __future__ import annotations

import io
import json
import math
import statistics
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.data.split import fold_rows
from chainrule.errors import ConfigError, DataError, StateError
from chainrule.modalities.doors import cross_validate, fit
from chainrule.modalities.doors import resume as resume_group
from chainrule.runs.groups import Repeated
from chainrule.runs.listeners import Listener, Talk
from chainrule.runs.loading import read_group_facts
from chainrule.train import Callback
from chainrule.train.callbacks import LambdaCallback


def test_folds_are_stratified_and_every_row_is_tested_once() -> None:
    classes = np.array([0] * 70 + [1] * 25 + [2] * 8)
    splits = [fold_rows(103, k, 5, classes=classes, seed=3) for k in range(1, 6)]
    assert sorted(np.concatenate([s.test for s in splits])) == list(range(103))
    for s in splits:
        assert sorted(np.concatenate([s.train, s.val, s.test])) == list(range(103))
        assert 20 <= len(s.test) <= 21
        counts = np.bincount(classes[s.test], minlength=3)
        assert abs(counts - np.array([14, 5, 1.6])).max() <= 1
        assert (
            abs(np.bincount(classes[s.val], minlength=3) / len(s.val) - [0.68, 0.24, 0.08]).max()
            < 0.1
        )
    other = fold_rows(103, 1, 5, classes=classes, seed=4)
    assert not np.array_equal(other.test, splits[0].test)


@pytest.mark.parametrize(("n", "fold", "folds"), [(6, 1, 5), (100, 0, 5), (100, 6, 5), (9, 1, 1)])
def test_folds_that_cannot_be(n: int, fold: int, folds: int) -> None:
    with pytest.raises((ConfigError, DataError)):
        fold_rows(n, fold, folds)


def test_cross_validation(table: Any, tmp_path: Path) -> None:
    found = cross_validate(
        table, "ill", folds=3, epochs=3, layers=(8,), runs_dir=tmp_path, verbose=False
    )
    assert found.names == ("fold-1", "fold-2", "fold-3")
    values = [p.metrics["accuracy"] for p in found.predictors]
    assert len(set(values)) > 1
    assert found.mean["accuracy"] == pytest.approx(sum(values) / 3)
    assert found.std["accuracy"] == pytest.approx(statistics.stdev(values))
    assert found.run is not None
    facts = json.loads((found.run / "group.json").read_text())
    assert facts["status"] == "done"
    assert [m["metrics"]["accuracy"] for m in facts["members"].values()] == values
    runs = [found.run / m["run"] for m in facts["members"].values()]
    sizes = [json.loads((r / "run.json").read_text())["split"]["test"] for r in runs]
    assert sizes == [80, 80, 80]
    assert cr.load_run(runs[1]).settings.data.fold == (2, 3)
    assert "accuracy" in repr(found)


def test_a_metric_that_one_training_lacks_has_no_summary() -> None:
    """ROC-AUC of a fold with one class does not exist; the other metrics keep their summary."""
    rng = np.random.default_rng(0)
    rows = {"x": rng.normal(size=24), "y": np.array([0] * 22 + [1] * 2)}
    found = cross_validate(rows, "y", folds=6, epochs=1, runs_dir=None, verbose=False)
    auc = [p.metrics["roc_auc"] for p in found.predictors]
    assert any(map(math.isnan, auc))
    assert not all(map(math.isnan, auc))
    assert all(map(math.isnan, found.summary["roc_auc"].values()))
    assert all(map(math.isfinite, found.summary["accuracy"].values()))


def test_seeds(table: Any) -> None:
    options: dict[str, Any] = {"epochs": 2, "layers": (8,), "runs_dir": None, "verbose": False}
    found = cross_validate(table, "ill", folds=None, seeds=[4, 7], **options)
    assert found.names == ("seed-4", "seed-7")
    split = fit(table, "ill", seed=7, settings=["data.split_seed=0"], **options)
    assert found.predictors[1].metrics == split.metrics
    alone = fit(table, "ill", seed=7, **options)
    assert alone.metrics != split.metrics
    counted = cross_validate(table, "ill", folds=None, seeds=1, seed=7, **options)
    assert counted.predictors[0].metrics == alone.metrics
    own = cross_validate(
        table, "ill", folds=None, seeds=[4, 7], settings=["data.split_seed=seed"], **options
    )
    assert own.predictors[1].metrics == alone.metrics
    assert (own.together, bool(found.together)) == ({}, True)
    assert np.isnan(counted.std["accuracy"])


class EndsInSecond(Listener):
    """Ctrl-C after the first epoch of the second training."""

    def __init__(self) -> None:
        self.number = -1

    def member(self, index: int, count: int, name: str) -> None:
        self.number = index

    def callbacks(self, epochs: int) -> list[Callback]:
        return [LambdaCallback(self.end)] if self.number == 1 else []

    def end(self, epoch: int, logs: Any) -> None:
        raise KeyboardInterrupt


def bits(found: Any) -> list[dict[str, bytes]]:
    return [
        {n: np.asarray(v).tobytes() for n, v in p.model.state_dict().items()}
        for p in found.predictors
    ]


def test_a_group_goes_on_with_what_is_not_done(table: Any, tmp_path: Path) -> None:
    options: dict[str, Any] = {
        "folds": 3, "epochs": 3, "layers": (8,), "settings": ["output.checkpoints.every=epoch"],
        "verbose": False,
    }  # fmt: skip
    whole = cross_validate(table, "ill", runs_dir=None, **options)
    with pytest.raises(KeyboardInterrupt):
        cross_validate(table, "ill", runs_dir=tmp_path, listener=EndsInSecond(), **options)
    [group] = tmp_path.iterdir()
    facts = json.loads((group / "group.json").read_text())
    assert (facts["status"], list(facts["members"])) == ("interrupted", ["fold-1"])
    done = group / facts["members"]["fold-1"]["run"] / "model.safetensors"
    written = done.stat().st_mtime_ns
    with pytest.raises(StateError, match="came from Python"):
        resume_group(group, verbose=False)
    with pytest.raises(ConfigError, match="keep their number of epochs"):
        cr.resume(group, table, epochs=5, verbose=False)
    with pytest.raises(StateError, match="1 of 3 runs is done"):
        cr.load_run(group)
    found = cr.resume(group, table, verbose=False)
    assert isinstance(found, Repeated)
    assert found.names == ("fold-1", "fold-2", "fold-3")
    assert bits(found) == bits(whole)
    assert found.summary == whole.summary
    assert done.stat().st_mtime_ns == written
    facts = json.loads((group / "group.json").read_text())
    assert facts["status"] == "done"
    assert len([p for p in group.iterdir() if p.is_dir()]) == 3
    # Nothing is left to do: what there is is loaded.
    assert resume_group(group, table, verbose=False).summary == whole.summary


def test_what_is_no_group(tmp_path: Path) -> None:
    with pytest.raises(StateError, match=r"it has no group\.json"):
        read_group_facts(tmp_path)
    facts = {"format": "chainrule.group", "version": 1, "name": "old", "status": "done",
             "started": "x", "members": {}, "summary": {}}  # fmt: skip
    (tmp_path / "group.json").write_text(json.dumps(facts))
    with pytest.raises(StateError, match="does not say what was planned"):
        resume_group(tmp_path)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"folds": 1}, "folds is 1"),
        ({"folds": 2.5}, "folds is 2.5"),
        ({"folds": "3"}, "folds is '3'"),
        ({"seeds": [1, 1]}, "each once"),
        ({"seeds": []}, "one or more"),
        ({"epoch": 1}, "no argument 'epoch'"),
        ({"lr": -1.0}, "`train.lr` is -1.0"),
    ],
)
def test_mistakes(table: Any, wrong: dict[str, Any], message: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=message):
        cross_validate(table, "ill", runs_dir=tmp_path, verbose=False, **wrong)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("target", "options", "message"),
    [
        ("ill", {"folds": 239}, "240 rows cannot be split into 239 folds"),
        ("il", {"folds": 3}, "did you mean `ill`"),
        ("ill", {"folds": None, "seeds": 3, "task": "regression"}, "is not numeric"),
    ],
)
def test_what_no_training_can_use_is_said_first(
    table: Any, target: str, options: dict[str, Any], message: str, tmp_path: Path
) -> None:
    heard = io.StringIO()
    with pytest.raises(DataError, match=message):
        cross_validate(table, target, runs_dir=tmp_path, listener=Talk(heard), **options)
    assert heard.getvalue() == ""
    assert not list(tmp_path.iterdir())
