"""A small table, and searches on it that take a moment: rates of a tiny network, interpreted."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.tuning import Tuned, TuningListener
from chainrule.tuning.library import optuna
from chainrule.tuning.store import DATABASE
from chainrule.tuning.suggesting import quiet_optuna
from interpreting import interpreting

Tune = Callable[..., Tuned]

SPACE: Mapping[str, Any] = {
    "train.lr": {"low": 1e-3, "high": 0.3, "log": True},
    "model.numbers": {"choices": ["plain", "piecewise"]},
    "only": True,
}
SETTINGS = ("model.layers=[4]", "train.batch_size=64", "model.dropout=0.0", "observe.level=off")


@pytest.fixture(scope="session")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A table of which a third is held out."""
    draw = np.random.default_rng(3)
    inputs = draw.normal(size=(160, 2))
    rows = [f"{a:.4f},{b:.4f},{int(a + b > 0)}" for a, b in inputs]
    path = tmp_path_factory.mktemp("tuning") / "signs.csv"
    path.write_text("\n".join(["a,b,y", *rows]) + "\n")
    return path


@pytest.fixture(scope="session")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One without trials: making its tables costs more than a search."""
    path = tmp_path_factory.mktemp("tuning") / DATABASE
    with quiet_optuna():
        storage = optuna.storages.RDBStorage(f"sqlite:///{path}")
    storage.engine.dispose()
    return path


@pytest.fixture
def tune(table: Path, database: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Tune:
    """``tune(trials=3)`` in the folder of the test."""
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "runs" / "signs-tune"
    folder.mkdir(parents=True)
    shutil.copy(database, folder)

    def search(source: object = table, **arguments: Any) -> Tuned:
        given = {"target": "y", "space": SPACE, "settings": SETTINGS, "epochs": 4, "trials": 3,
                 "verbose": False, **arguments}  # fmt: skip
        with interpreting():
            return cr.tune(source, **given)

    return search


class KilledAfter(TuningListener):
    """As ``kill -9`` ends a process: nothing is written, closed or told any more."""

    def __init__(self, trials: int) -> None:
        self.trials = trials

    def trial(self, search: object, trial: Any, best: object, trials: int) -> None:
        if trial.index + 1 == self.trials:
            os._exit(9)


@pytest.fixture
def killed(tune: Tune) -> Callable[..., None]:
    """A search whose process is killed after so many trials."""

    def search(after: int, **arguments: Any) -> None:
        process = os.fork()
        if not process:
            try:
                tune(listener=KilledAfter(after), **arguments)
            finally:
                os._exit(1)
        _, status = os.waitpid(process, 0)
        assert os.waitstatus_to_exitcode(status) == 9

    return search
