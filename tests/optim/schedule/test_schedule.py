"""What all schedules promise, those made of others, and the one that observes."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chainrule import optim
from chainrule.errors import ConfigError, StateError
from chainrule.frontend import Tensor, compile
from chainrule.frontend.apply import new_tensor
from chainrule.optim.schedule import (
    SCHEDULES,
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
    Polynomial,
    ReduceOnPlateau,
    Schedule,
    Sequential,
    Step,
    Warmup,
    from_dict,
    make,
)


@given(
    name=st.sampled_from(sorted(SCHEDULES)),
    base=st.floats(0, 10),
    total=st.integers(8, 500),
    warmup=st.sampled_from([0, 3, 0.1, 0.5]),
)
def test_made_by_name_alone(name: str, base: float, total: int, warmup: float) -> None:
    """Any run can have any schedule: rates from 0 to base, base is reached, JSON gives it back."""
    made = make(name, base, total, warmup=warmup)
    rates = [made.lr_at(step) for step in range(total)]
    assert all(0 <= rate <= base * (1 + 1e-12) for rate in rates)
    assert made.length <= total
    if name not in ("one_cycle", "coslog"):  # their tops may fall between two steps
        assert max(rates) == pytest.approx(base, rel=1e-12)
    again = from_dict(json.loads(json.dumps(made.to_dict())))
    assert again == made
    assert [again.lr_at(step) for step in range(total)] == rates


def test_cycles_that_double() -> None:
    """Four tops and four ends, each cycle twice as long as the one before."""
    rates = Coslog(0.1, 1500)
    ends = [0, 100, 300, 700, 1500]
    assert [rates.lr_at(step) for step in ends] == pytest.approx([0] * 5, abs=1e-9)
    tops = [(2 ** (cycle + 0.5) - 1) * 100 for cycle in range(4)]
    assert [rates.lr_at(round(step)) for step in tops] == pytest.approx([0.1] * 4, rel=1e-3)
    assert rates.lr_at(2000) == rates.lr_at(1500)


def test_ends_of_a_run() -> None:
    """What is trained with last: falling schedules end at, or one step before, their final rate."""
    total = 100
    for name in ("polynomial", "linear"):
        assert make(name, 1.0, total).lr_at(total - 1) == pytest.approx(0.01)
    assert make("cosine", 1.0, total).lr_at(total - 1) == pytest.approx(
        math.sin(math.pi / 200) ** 2
    )
    assert make("exponential", 1.0, total).lr_at(total) == pytest.approx(0.01)
    assert make("one_cycle", 1.0, total).lr_at(total - 1) == pytest.approx(1 / 25e4)
    assert make("step", 1.0, total).lr_at(total - 1) == pytest.approx(0.01)


@pytest.mark.parametrize(
    ("kind", "settings", "named"),
    [
        (Constant, {"base": -1.0}, "lr is -1"),
        (Constant, {"base": math.nan}, "lr is nan"),
        (Constant, {"base": "fast"}, "lr is 'fast'"),
        (Constant, {"base": True}, "lr is True"),
        (Step, {"base": 1, "every": 0}, "every is 0"),
        (Step, {"base": 1, "every": 2.5}, "every is 2.5"),
        (Step, {"base": 1, "every": 2, "gamma": 1.5}, "gamma is 1.5"),
        (MultiStep, {"base": 1, "milestones": ()}, "milestones"),
        (MultiStep, {"base": 1, "milestones": (5, 5)}, "ascending"),
        (MultiStep, {"base": 1, "milestones": (-5, 5)}, "milestones is -5"),
        (Exponential, {"base": 1, "gamma": 0}, "gamma is 0"),
        (Polynomial, {"base": 1, "steps": -3}, "steps is -3"),
        (Polynomial, {"base": 1, "steps": 3, "power": -1}, "power is -1"),
        (Polynomial, {"base": 1, "steps": 3, "final": 2}, "final is 2"),
        (Linear, {"base": 1, "steps": 3, "end_factor": 1.5}, "end_factor is 1.5"),
        (Cyclical, {"base": 1, "low": 2, "up": 3}, "low is 2"),
        (Cyclical, {"base": 1, "low": 0.1, "up": 3, "down": 0}, "down is 0"),
        (Cyclical, {"base": 1, "low": 0.1, "up": 3, "mode": "round"}, "mode is 'round'"),
        (Cosine, {"base": 1, "steps": 0}, "steps is 0"),
        (CosineWarmRestarts, {"base": 1, "T_0": 5, "T_mult": 1.5}, "T_mult is 1.5"),
        (OneCycle, {"base": 1, "steps": 5, "rise": 1.0}, "rise is 1.0"),
        (OneCycle, {"base": 1, "steps": 5, "div": 0.5}, "div is 0.5"),
        (OneCycle, {"base": 1, "steps": 5, "shape": "poly"}, "shape is 'poly'"),
        (InverseSquareRoot, {"base": 1, "warmup": 0}, "warmup is 0"),
        (ReduceOnPlateau, {"base": 1, "factor": 1.0}, "factor is 1.0"),
        (ReduceOnPlateau, {"base": 1, "patience": -1}, "patience is -1"),
        (ReduceOnPlateau, {"base": 1, "min_lr": 2}, "min_lr is 2"),
        (ReduceOnPlateau, {"base": 1, "mode": "lowest"}, "mode is 'lowest'"),
        (Warmup, {"schedule": 0.1, "steps": 3}, "schedule is 0.1"),
        (Warmup, {"schedule": Constant(1), "steps": 0}, "steps is 0"),
        (Sequential, {"schedules": (Constant(1),), "milestones": (3,)}, "one fewer"),
    ],
)
def test_settings_out_of_range(kind: Any, settings: dict[str, Any], named: str) -> None:
    with pytest.raises(ConfigError, match=named):
        kind(**settings)


def test_warm_up_meets_what_follows() -> None:
    warm = Warmup(Cosine(1.0, 10), 4)
    assert [warm.lr_at(step) for step in range(4)] == [0.25, 0.5, 0.75, 1.0]
    assert [warm.lr_at(step) for step in (4, 9, 14)] == pytest.approx([1.0, 0.5, 0.0])
    assert warm.length == 14


def test_one_after_the_other() -> None:
    parts = Sequential((Constant(1.0), Linear(0.5, 4), Constant(0.125)), (2, 5))
    assert [parts.lr_at(step) for step in range(7)] == [1, 1, 0.5, 0.375, 0.25, 0.125, 0.125]
    assert from_dict(parts.to_dict()) == parts


def test_a_plateau_survives_saving() -> None:
    values = [3.0, 2.0, 2.5, 2.5, 2.5, 1.0, 2.0, 2.0, 2.0, 2.0, 2.0]
    whole, part = (ReduceOnPlateau(1.0, 0.5, patience=1, cooldown=1) for _ in range(2))
    expected = [(whole.observe(v), whole.lr_at(0)) for v in values]
    for value in values[:4]:
        part.observe(value)
    resumed = from_dict(part.to_dict())
    resumed.load_state_dict(json.loads(json.dumps(part.state_dict())))
    assert [(resumed.observe(v), resumed.lr_at(0)) for v in values[4:]] == expected[4:]
    assert expected[-1][1] < 0.5


def test_negative_values_improve_by_falling() -> None:
    """-1 and again -1 is no improvement, although -1 < -1 · (1 - threshold) would say so."""
    plateau = ReduceOnPlateau(1.0, 0.5, patience=0, threshold=0.01)
    assert [plateau.observe(v) for v in (-1.0, -1.0, -1.02, -1.021)] == [False, True, False, True]


def test_observation_reaches_the_schedule_inside() -> None:
    for wrapped in (
        Warmup(ReduceOnPlateau(1.0, 0.5, patience=0), 2),
        Sequential((Constant(1.0), ReduceOnPlateau(1.0, 0.5, patience=0)), (2,)),
    ):
        assert [wrapped.observe(v) for v in (1.0, 2.0)] == [False, True]
        assert wrapped.lr_at(5) == 0.5
        other = from_dict(wrapped.to_dict())
        assert other.lr_at(5) == 1.0
        other.load_state_dict(wrapped.state_dict())
        assert other.lr_at(5) == 0.5


def test_states_of_others_are_refused() -> None:
    plateau = ReduceOnPlateau(1.0)
    with pytest.raises(StateError, match="has no state"):
        Cosine(1.0, 5).load_state_dict(plateau.state_dict())
    with pytest.raises(StateError, match="the state of a reduce_on_plateau"):
        plateau.load_state_dict({"lr": 1.0})
    with pytest.raises(StateError, match="which this schedule does not have"):
        Sequential((Constant(1.0), plateau), (2,)).load_state_dict({"7": {}})
    with pytest.raises(ConfigError, match="observed 'loss'"):
        plateau.observe("loss")  # type: ignore[arg-type]


def test_each_group_follows_its_own_and_nothing_compiles_anew() -> None:
    a, b = (new_tensor(np.zeros(1), requires_grad=True) for _ in range(2))
    plateau: Schedule = ReduceOnPlateau(1.0, 0.5, patience=0)
    groups = [{"params": a, "lr": Linear(1.0, 4)}, {"params": b, "lr": plateau}]
    optimizer = optim.SGD(groups)
    traced = []

    @compile
    def step() -> Tensor:
        traced.append(1)
        optimizer.zero_grad()
        loss = a.sum() + b.sum()
        loss.backward()
        optimizer.step()
        return loss

    step()
    step()
    plateau.observe(1.0)
    plateau.observe(1.0)
    step()
    assert (a.item(), b.item()) == (-(1 + 0.75 + 0.5), -(1 + 1 + 0.5))
    assert len(traced) == 1


@pytest.mark.parametrize("steps", [1, 2, 3])
def test_one_cycle_of_a_few_steps_begins_at_the_top(steps: int) -> None:
    cycle = OneCycle(0.5, steps)
    assert cycle.lr_at(0) == 0.5
    rates = [cycle.lr_at(k) for k in range(steps)]
    assert rates == sorted(rates, reverse=True)
    assert steps == 1 or rates[-1] == pytest.approx(0.5 / 25 / 1e4)
