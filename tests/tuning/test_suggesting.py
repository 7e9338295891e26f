"""What is tried next is a function of what was tried, and so is what is cut short."""

from __future__ import annotations

import dataclasses

from chainrule.runs.space import Choices, Number
from chainrule.tuning.importance import importance_of
from chainrule.tuning.library import optuna
from chainrule.tuning.suggesting import (
    STARTUP,
    Trial,
    bounds_for,
    distributions,
    frozen_trial,
    suggest,
    thawed_trial,
)

PARAMETERS = {
    "lr": Number(1e-4, 1e-1, log=True),
    "width": Number(16, 64, step=16),
    "numbers": Choices(("plain", "periodic")),
}


def trials(count: int) -> list[Trial]:
    """A search whose values fall with the rate."""
    told: list[Trial] = []
    for index in range(count):
        chosen = suggest(PARAMETERS, told, index, 7, False)
        value = 1.0 - chosen["lr"]
        told.append(Trial(index, chosen, "complete", (2.0, value), 1, 0.5))
    return told


def test_equal_searches_try_the_same() -> None:
    told = trials(12)
    assert trials(12) == told
    assert len({t.chosen["lr"] for t in told}) == 12
    assert all(t.chosen["width"] in (16, 32, 48, 64) for t in told)
    # It has learned that large rates are good.
    later = [suggest(PARAMETERS, told, index, 7, False)["lr"] for index in range(12, 20)]
    earlier = [t.chosen["lr"] for t in told[:8]]
    assert sum(later) / 8 > sum(earlier) / 8


def test_seed_and_number_count() -> None:
    first = [suggest(PARAMETERS, [], 3, seed, False) for seed in (0, 0, 1)]
    assert first[0] == first[1] != first[2]
    assert suggest(PARAMETERS, [], 4, 0, False) != first[0]


def test_a_first_trial_outside_of_the_space_counts_where_it_is_inside() -> None:
    told = [Trial(0, {"lr": 0.05}, "complete", (1.0,), 0)]
    assert set(suggest(PARAMETERS, told, 1, 0, False)) == set(PARAMETERS)


def test_bounds_are_the_median_of_complete_trials() -> None:
    curves = [(3.0, 2.0, 1.0, 1.5), (5.0, 4.0, 4.5), (9.0, 8.0, 7.0, 6.0), (4.0, 3.5, 3.0, 2.0),
              (6.0, 5.0, 5.5, 4.0)]  # fmt: skip
    told = [Trial(i, {}, "complete", values) for i, values in enumerate(curves)]
    told.append(Trial(5, {}, "pruned", (0.0,)))
    assert bounds_for(told[: STARTUP - 1], 4, False) == []
    # The second curve ends after three epochs, and stays at its best.
    assert bounds_for(told, 4, False) == [None, None, 4.0, 4.0]
    assert bounds_for(told, 4, True) == [None, None, 5.0, 5.0]


def test_trials_as_optuna_keeps_them() -> None:
    known = distributions(PARAMETERS)
    complete = trials(2)[1]
    for trial in (
        complete,
        dataclasses.replace(complete, state="pruned"),
        Trial(3, complete.chosen, "failed", error="no"),
    ):
        assert thawed_trial(frozen_trial(trial, known)) == trial
    other = optuna.trial.create_trial(value=1.0)
    assert thawed_trial(other) is None


def test_importance_with_and_without_scikit_learn(monkeypatch: object) -> None:
    import importlib.util

    told = trials(16)
    shares = importance_of(PARAMETERS, told, False)
    assert shares.method == "fANOVA"
    assert next(iter(shares.shares)) == "lr"
    assert importance_of(PARAMETERS, told, False) == shares
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)  # type: ignore[attr-defined]
    without = importance_of(PARAMETERS, told, False)
    assert without.method == "PED-ANOVA"
    assert set(without.shares) == set(PARAMETERS)
    assert "8 trials" in importance_of(PARAMETERS, told[:5], False).words
