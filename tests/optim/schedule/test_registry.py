"""Schedules made from configuration: names, lengths, defaults, errors."""

from __future__ import annotations

from typing import Any

import pytest

from chainrule.errors import ConfigError
from chainrule.optim.schedule import (
    Constant,
    Cosine,
    CosineWarmRestarts,
    Coslog,
    Cyclical,
    Exponential,
    InverseSquareRoot,
    Linear,
    MultiStep,
    OneCycle,
    ReduceOnPlateau,
    Schedule,
    Step,
    Warmup,
    check_length,
    from_dict,
    make,
)


@pytest.mark.parametrize(
    ("name", "settings", "expected"),
    [
        ("constant", {}, Constant(0.1)),
        ("step", {}, Step(0.1, 100)),
        ("step", {"every": "5 epochs"}, Step(0.1, 50)),
        ("step", {"every": 0.25, "gamma": 0.5}, Step(0.1, 75, 0.5)),
        ("multi_step", {}, MultiStep(0.1, (150, 225))),
        ("multi_step", {"milestones": ["1 epoch", 0.5, 200]}, MultiStep(0.1, (10, 150, 200))),
        ("exponential", {}, Exponential(0.1, 0.01, 300)),
        ("exponential", {"gamma": 0.9, "every": "1 epoch"}, Exponential(0.1, 0.9, 10)),
        ("exponential", {"gamma": 0.99}, Exponential(0.1, 0.99, 1)),
        ("linear", {"steps": "200 steps"}, Linear(0.1, 200)),
        ("cyclical", {"up": "1.5 epochs"}, Cyclical(0.1, 0.025, 15)),
        ("cosine", {}, Cosine(0.1, 300)),
        ("cosine", {"steps": 0.5, "final": 0.01}, Cosine(0.1, 150, 0.01)),
        ("cosine_restarts", {"T_mult": 2}, CosineWarmRestarts(0.1, 43, 2)),
        ("coslog", {}, Coslog(0.1, 300)),
        ("coslog", {"cycles": 2, "steps": 0.5}, Coslog(0.1, 150, 2)),
        ("one_cycle", {}, OneCycle(0.1, 300)),
        ("one_cycle", {"warmup": 0.1}, OneCycle(0.1, 300, 0.1)),
        ("one_cycle", {"warmup": "3 epochs"}, OneCycle(0.1, 300, 0.1)),
        ("inverse_sqrt", {}, InverseSquareRoot(0.1, 12)),
        ("inverse_sqrt", {"warmup": 20}, InverseSquareRoot(0.1, 20)),
        ("reduce_on_plateau", {"patience": 3}, ReduceOnPlateau(0.1, patience=3)),
        ("cosine", {"warmup": "2 epochs"}, Warmup(Cosine(0.1, 280), 20)),
        ("cosine", {"warmup": 0.1, "steps": 100}, Warmup(Cosine(0.1, 100), 30)),
        ("multi_step", {"warmup": 20, "milestones": [50]}, Warmup(MultiStep(0.1, (30,)), 20)),
    ],
)
def test_a_run_of_300_steps(name: str, settings: dict[str, Any], expected: Schedule) -> None:
    assert make(name, 0.1, 300, steps_per_epoch=10, **settings) == expected


@pytest.mark.parametrize(
    ("name", "settings", "message"),
    [
        ("cosin", {}, "unknown schedule 'cosin'\n.*did you mean 'cosine'"),
        ("OneCycle", {}, "unknown schedule 'OneCycle'\n.*did you mean 'one_cycle'"),
        ("cosine", {"stepz": 3}, "no setting 'stepz'\n.*did you mean 'steps'"),
        ("exponential", {"every": 3}, "needs 'gamma'"),
        ("cosine", {"steps": 301}, "cosine takes 301 steps, but the run has 300"),
        (
            "cosine",
            {"steps": 290, "warmup": 20},
            "20 steps of warm-up takes 310 steps, but the run",
        ),
        ("multi_step", {"milestones": [300]}, "takes 301 steps, but the run has 300"),
        ("multi_step", {"milestones": [10], "warmup": 20}, "step 10 lies within the warm-up of 20"),
        ("multi_step", {"milestones": "10"}, "milestones is '10'"),
        ("step", {"every": 301}, "step takes 301 steps, but the run has 300"),
        ("cyclical", {"up": 200}, "cyclical takes 400 steps, but the run has 300"),
        ("cosine", {"warmup": 300}, "a warm-up of 300 steps takes up the whole run of 300"),
        ("cosine", {"steps": -1}, "steps is -1"),
        ("cosine", {"warmup": -0.1}, "warmup is -0.1"),
        ("cosine", {"warmup": True}, "warmup is True"),
        ("cosine", {"steps": 2.5}, "steps is 2.5"),
        ("cosine", {"steps": "5 weeks"}, "steps is '5 weeks'"),
        ("cosine", {"steps": "5 epochs"}, "the number of steps per epoch is unknown"),
        ("one_cycle", {"warmup": 3, "rise": 0.1}, "both warmup and rise"),
        ("cosine_restarts", {"T_mult": 0}, "T_mult is 0"),
    ],
)
def test_bad_settings(name: str, settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        make(name, 0.1, 300, **settings)


@pytest.mark.parametrize("total", [0, -1, 2.5])
def test_a_run_without_steps(total: Any) -> None:
    with pytest.raises(ConfigError, match="total_steps is"):
        make("cosine", 0.1, total)


def test_bad_rates() -> None:
    with pytest.raises(ConfigError, match=r"lr is -0\.1"):
        make("cosine", -0.1, 10)


def test_lengths_of_schedules_made_by_hand() -> None:
    check_length(Cosine(0.1, 10), 10)
    with pytest.raises(ConfigError, match="cosine takes 10 steps, but the run has 9"):
        check_length(Cosine(0.1, 10), 9)


@pytest.mark.parametrize("settings", [{}, {"name": "cosines"}, {"name": "cosine", "base": 1}])
def test_what_is_no_schedule(settings: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        from_dict(settings)
