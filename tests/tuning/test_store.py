"""Folders that mean something in an address."""

from __future__ import annotations

from pathlib import Path

import pytest

from chainrule.runs.space import Number
from chainrule.tuning.store import DIFFERENT, Store
from chainrule.tuning.suggesting import Trial, quiet_optuna


@pytest.mark.parametrize("name", ["a b", "what?mode=ro", "100%25#1"])
def test_any_folder(tmp_path: Path, name: str) -> None:
    identity = dict.fromkeys(DIFFERENT, "x")
    trial = Trial(0, {"lr": 0.5}, "complete", (1.0, 0.5), 1)
    for known in ({}, {0: trial}):
        with quiet_optuna():
            store = Store(tmp_path / name, identity, {"lr": Number(0.0, 1.0)}, False)
        assert store.trials == known
        if not known:
            store.add(trial)
        store.close()
    assert (tmp_path / name / "study.db").is_file()
