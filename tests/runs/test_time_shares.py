"""The time limit of an ensemble: how it is shared out, and that what it decided can be repeated."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.errors import ConfigError
from chainrule.runs.time_shares import TimeShares

N = 48
TABLE: Mapping[str, list[Any]] = {
    "a": [i % 7 for i in range(N)],
    "b": [i * 5 % 11 / 3 for i in range(N)],
    "y": [("no", "yes")[i % 7 > 3] for i in range(N)],
}
RECIPES = ["preset=best", "ensemble.folds=2", 'ensemble.recipes=["fast", "realmlp"]',
           "model.layers=[4]", "train.epochs=6", "train.early_stopping.patience=100"]  # fmt: skip


@dataclass
class Clock:
    """``monotonic`` goes on by a ``tick`` whenever somebody looks."""

    tick: float = 0.0
    now: float = 0.0

    def monotonic(self) -> float:
        self.now += self.tick
        return self.now


@pytest.mark.parametrize(
    ("seconds", "start", "epoch", "trained"),
    [
        (100.0, 1.0, 0.5, 10),
        (100.0, 9.0, 0.5, 10),  # a share of 10 each, nearly all of it for starting
        (100.0, 15.0, 1.0, 6),  # starting alone takes more than the share of each
        (100.0, 40.0, 1.0, 2),
        (50.0, 400.0, 1.0, 2),  # a fold at least
        (0.0, 400.0, 1.0, 10),
    ],
)
def test_the_limit_is_kept_by_epochs_and_folds(
    monkeypatch: pytest.MonkeyPatch, seconds: float, start: float, epoch: float, trained: int
) -> None:
    clock = Clock()
    monkeypatch.setattr("chainrule.runs.time_shares.time", clock)
    time, trainings = TimeShares(seconds, folds=5, recipes=2), 0
    for fold in range(5):
        if fold and not time.another_fold():
            break
        for _ in range(2):
            limit = time.next_limit()
            epochs = max(1, round((limit - 1.0) / epoch)) if seconds else 3
            clock.now += start + epochs * epoch
            trainings += 1
            time.ended()
    assert trainings == trained
    if seconds > 2 * start:
        assert clock.now == pytest.approx(seconds, rel=0.1)


def test_what_the_clock_decided_is_repeated_without_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    clock = Clock(1.0)
    monkeypatch.setattr("chainrule.runs.time_shares.time", clock)
    monkeypatch.setattr("chainrule.train.callbacks.stopping.time", clock)
    first = cr.fit(
        dict(TABLE), "y", runs_dir=tmp_path, time_limit=26, settings=RECIPES, verbose=False
    )
    assert first.run is not None
    limited = json.loads((first.run / "group.json").read_text())["limited"]
    epochs = limited["ensemble.epochs"]
    assert list(epochs)[:2] == ["fast-fold-1", "realmlp-fold-1"]
    assert 1 <= min(epochs.values()) < 6
    table = ", ".join(f'"{name}" = {count}' for name, count in epochs.items())
    again = cr.fit(
        dict(TABLE), "y", runs_dir=None, verbose=False,
        settings=[*RECIPES, f"ensemble.epochs={{{table}}}"],
    )  # fmt: skip
    np.testing.assert_array_equal(again.predict_proba(TABLE), first.predict_proba(TABLE))
    assert cr.load_run(first.run).metrics == first.metrics


def test_epochs_are_those_of_the_first_folds() -> None:
    with pytest.raises(ConfigError, match=r"ensemble\.epochs"):
        cr.fit(
            dict(TABLE), "y", runs_dir=None, verbose=False,
            settings=[*RECIPES, 'ensemble.epochs={"fast-fold-2" = 3}'],
        )  # fmt: skip
