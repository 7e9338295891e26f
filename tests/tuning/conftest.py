"""A small table, and searches on it that take a moment: rates of a tiny network, interpreted."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import launched
from chainrule.tuning import Tuned
from chainrule.tuning.library import optuna
from chainrule.tuning.store import DATABASE
from chainrule.tuning.suggesting import quiet_optuna

from .searches import search

Tune = Callable[..., Tuned]


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

    def begin(source: object = table, **arguments: Any) -> Tuned:
        return search(source, **arguments)

    return begin


@pytest.fixture
def killed(tune: Tune, table: Path) -> Callable[[int], None]:
    """A search of eight trials whose process is killed after so many of them."""

    def begin(after: int) -> None:
        done = launched.run([sys.executable, "-m", "tuning.searches", str(table), str(after)])
        assert done.returncode == 9, done.stderr

    return begin
