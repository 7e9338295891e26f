"""Validation chooses the encoding of numbers, where the rows suffice for either."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.modalities.tables.encodings import MOST_ROWS, encodings
from chainrule.modalities.tables.kind import TABLES
from chainrule.modalities.tables.settings import Settings
from chainrule.runs.choosing import Candidates, choose
from chainrule.runs.fitting import settings_from_arguments
from chainrule.train import History
from interpreting import interpreting

#: a `good` of a moment
SMALL = ["preset=good", "model.members=2", "model.layers=[8]", "model.trial_epochs=2",
         "train.batch_size=70", "train.lr=0.02", "train.epochs=3"]  # fmt: skip


def history(losses: list[float]) -> History:
    told = History()
    for epoch, loss in enumerate(losses):
        told.append(epoch, {"val_loss": loss})
    return told


@pytest.mark.parametrize(
    ("losses", "value"),
    [
        ({"a": [3.0, 2.0], "b": [2.5, 1.0]}, "b"),
        ({"a": [1.0, 9.0], "b": [2.0, 2.0]}, "a"),
        ({"a": [1.0], "b": [1.0]}, "a"),
        ({"a": [math.nan], "b": [math.nan, 7.0]}, "b"),
        ({"a": [math.nan], "b": [math.nan]}, "a"),
    ],
)
def test_the_least_validation_loss_is_chosen(losses: dict[str, list[float]], value: str) -> None:
    settings = {name: Settings(name=name) for name in losses}
    tried = []

    def measure(short: Settings) -> History:
        tried.append((short.train.stop_after, short.observe.name))
        return history(losses[short.name])

    choice = choose(Candidates("k", settings, 5), measure)
    assert choice.value == value
    assert choice.settings is settings[value]
    assert tried == [(5, "off"), (5, "off")]
    facts = json.loads(json.dumps(choice.facts(), allow_nan=False))
    assert facts["value"] == value
    assert set(facts["val_loss"]) == {"a", "b"}


def asked(*overrides: str) -> Settings:
    return settings_from_arguments(TABLES, {"x": [0]}, {"target": "y"}, [*SMALL, *overrides])


def tried(rows: int, *overrides: str) -> Any:
    own = asked(*overrides)
    return encodings(own, own.resolved(rows, "regression", 4), rows)


def test_what_is_left_to_try() -> None:
    both = tried(700)
    assert [s.model.numbers for s in both.settings.values()] == ["piecewise", "plain"]
    assert list(both.settings) == ["piecewise", "plain"]
    assert both.epochs == 2
    rest = {replace(s, model=s.model.changed(numbers="plain")).to_toml()
            for s in both.settings.values()}  # fmt: skip
    assert len(rest) == 1, "they differ in nothing else"
    assert tried(MOST_ROWS) is not None
    assert tried(MOST_ROWS + 1) is None
    assert tried(500) is None, "too few rows for intervals"
    for fixed in ("model.numbers=plain", "model.numbers=piecewise", "model.trial_epochs=0"):
        assert tried(700, fixed) is None


@pytest.fixture(scope="module")
def line() -> dict[str, Any]:
    x = np.random.default_rng(0).normal(size=(1000, 3))
    return {"a": x[:, 0], "b": x[:, 1], "c": x[:, 2], "y": x @ [1.0, -2.0, 0.5]}


def fitted(table: Any, runs: Path | None, *overrides: str, **arguments: Any) -> Any:
    with interpreting():
        return cr.fit(table, "y", settings=[*SMALL, *overrides], runs_dir=runs, verbose=False,
                      **arguments)  # fmt: skip


def test_the_choice_is_what_the_run_is_of(line: Any, tmp_path: Path) -> None:
    model = fitted(line, tmp_path)
    facts = json.loads((model.run / "run.json").read_text())
    chosen = facts["chosen"]
    assert (chosen["key"], chosen["epochs"]) == ("model.numbers", 2)
    best = min(chosen["val_loss"], key=lambda value: chosen["val_loss"][value])
    assert model.settings.model.numbers == chosen["value"] == best
    assert f"model.numbers is {best}" in (model.run / "log.txt").read_text()
    # A trial is the beginning of the training that it stands for.
    assert chosen["val_loss"][best] == min(model.history["val_loss"][:2])
    alone = fitted(line, None, f"model.numbers={best}")
    assert "chosen" not in alone.facts
    for name, values in alone.model.state_dict().items():
        np.testing.assert_array_equal(values, model.model.state_dict()[name])
    assert alone.metrics == model.metrics


def test_with_a_time_limit_nothing_is_tried_and_the_run_says_how_to_repeat_it(line: Any) -> None:
    limited = fitted(line, None, "train.epochs=40", time_limit=1e-9)
    assert "chosen" not in limited.facts
    again = limited.facts["limited"]
    assert again == {"train.epochs": 1, "train.time_limit": 0.0, "model.trial_epochs": 0}
    same = fitted(line, None, *(f"{key}={value}" for key, value in again.items()))
    assert same.metrics == limited.metrics
