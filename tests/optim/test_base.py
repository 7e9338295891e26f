"""Groups, step counts, state and settings: everything but the formulas."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from chainrule import nn, optim
from chainrule.errors import ConfigError, StateError, TraceError
from chainrule.frontend import Tensor, compile, no_grad
from chainrule.frontend.apply import from_array, new_tensor
from chainrule.frontend.modes import structure
from chainrule.optim.schedule import Exponential, Step


def parameter(*values: float) -> Tensor:
    return new_tensor(np.array(values, np.float32), requires_grad=True)


def set_grad(p: Tensor, *values: float) -> None:
    p.grad = from_array(np.array(values, np.float32))


def numbers(p: Tensor) -> list[float]:
    return [round(float(v), 6) for v in p.numpy()]


def test_groups_keep_their_own_settings() -> None:
    a, b = parameter(1.0), parameter(1.0)
    optimizer = optim.SGD([{"params": a}, {"params": [b], "lr": 0.5}], lr=0.1)
    set_grad(a, 1.0)
    set_grad(b, 1.0)
    optimizer.step()
    assert (numbers(a), numbers(b)) == ([0.9], [0.5])


def test_parameters_without_gradient_stay() -> None:
    a, b = parameter(1.0), parameter(1.0)
    optimizer = optim.Adam([a, b], lr=0.1)
    set_grad(a, 1.0)
    optimizer.step()
    assert (numbers(a), numbers(b)) == ([0.9], [1.0])


def test_a_late_parameter_starts_its_own_count() -> None:
    """Adam's first step is lr whatever the gradient; a shared count would make it smaller."""
    a, b = parameter(1.0), parameter(1.0)
    optimizer = optim.Adam([a, b], lr=0.1)
    for _ in range(5):
        set_grad(a, 1.0)
        optimizer.step()
    set_grad(b, 3.0)
    optimizer.step()
    assert numbers(b) == [0.9]
    steps = [entry["step"] for entry in optimizer.state_dict()["state"].values()]
    assert steps == [6, 1]


def test_zero_grad() -> None:
    p = parameter(1.0)
    optimizer = optim.SGD([p])
    set_grad(p, 2.0)
    optimizer.zero_grad(set_to_none=False)
    assert p.grad is not None
    assert numbers(p.grad) == [0.0]
    optimizer.zero_grad()
    assert p.grad is None


def test_closure_computes_the_gradients() -> None:
    p = parameter(3.0)
    optimizer = optim.SGD([p], lr=0.1)

    def closure() -> Tensor:
        optimizer.zero_grad()
        loss = (p * p).sum()
        loss.backward()
        return loss

    assert optimizer.step(closure).item() == 9.0
    assert numbers(p) == [2.4]


@pytest.mark.parametrize(
    ("kind", "settings", "named"),
    [
        (optim.SGD, {"lr": -1.0}, "lr is -1.0"),
        (optim.SGD, {"lr": float("nan")}, "lr is nan"),
        (optim.SGD, {"lr": "fast"}, "lr is 'fast'"),
        (optim.SGD, {"momentum": -0.1}, "momentum is -0.1"),
        (optim.SGD, {"nesterov": True}, "nesterov"),
        (optim.Adam, {"betas": (0.9, 1.0)}, "betas is"),
        (optim.Adam, {"betas": 0.9}, "betas is 0.9"),
        (optim.AdamW, {"weight_decay": -1}, "weight_decay is -1"),
        (optim.RMSprop, {"alpha": 1.5}, "alpha is 1.5"),
        (optim.Adagrad, {"eps": -1e-3}, "eps is"),
    ],
)
def test_settings_out_of_range(kind: Any, settings: dict[str, Any], named: str) -> None:
    with pytest.raises(ConfigError, match=named):
        kind([parameter(1.0)], **settings)


def test_parameters_that_cannot_be() -> None:
    p = parameter(1.0)
    with pytest.raises(ConfigError, match="no parameters"):
        optim.SGD([])
    with pytest.raises(ConfigError, match="twice"):
        optim.SGD([p, p])
    with pytest.raises(ConfigError, match="float"):
        optim.SGD([1.0])  # type: ignore[list-item]
    with pytest.raises(ConfigError, match="did you mean 'momentum'"):
        optim.SGD([{"params": [p], "momentun": 0.9}])


def test_settings_are_checked_when_changed() -> None:
    optimizer = optim.SGD([parameter(1.0)])
    with pytest.raises(ConfigError, match="lr is -1"):
        optimizer.param_groups[0]["lr"] = -1
    with pytest.raises(ConfigError, match="did you mean 'lr'"):
        optimizer.param_groups[0]["lrr"] = 1


def descend(optimizer: optim.Optimizer, p: Tensor) -> Any:
    @compile
    def step() -> Tensor:
        optimizer.zero_grad()
        loss = (p * p * p).sum()
        loss.backward()
        optimizer.step()
        return loss

    return step


def test_a_changed_learning_rate_is_seen_by_the_compiled_step() -> None:
    p = parameter(1.0)
    optimizer = optim.SGD([p], lr=0.1)
    step = descend(optimizer, p)
    step()
    assert numbers(p) == [0.7]
    optimizer.param_groups[0]["lr"] = 0.0
    step()
    assert numbers(p) == [0.7]


def test_another_changed_setting_is_seen_by_the_compiled_step() -> None:
    p = parameter(1.0)
    optimizer = optim.SGD([p], lr=0.1)
    step = descend(optimizer, p)
    step()
    optimizer.param_groups[0].update(weight_decay=1.0, lr=0.5)
    step()
    assert numbers(p) == [round(0.7 - 0.5 * (3 * 0.49 + 0.7), 6)]


def test_momentum_switched_on_later_gets_its_buffer() -> None:
    p = parameter(1.0)
    optimizer = optim.SGD([p], lr=0.1)
    step = descend(optimizer, p)
    step()
    optimizer.param_groups[0]["momentum"] = 0.5
    step()
    step()
    first = 0.7 - 0.1 * 1.47
    assert numbers(p) == [round(first - 0.1 * (0.5 * 1.47 + 3 * first**2), 6)]


def test_two_updates_in_one_compiled_call_count_twice() -> None:
    def gradient_one(p: Tensor, optimizer: optim.Optimizer) -> None:
        optimizer.zero_grad()
        p.sum().backward()
        optimizer.step()

    p, q = parameter(1.0), parameter(1.0)
    schedule = Exponential(1.0, 0.5)
    once, twice = optim.SGD([p], lr=schedule), optim.SGD([q], lr=schedule)

    @compile
    def both() -> Tensor:
        gradient_one(q, twice)
        gradient_one(q, twice)
        return q.sum()

    for _ in range(4):
        gradient_one(p, once)
    both()
    both()
    assert numbers(q) == numbers(p) == [1 - 1 - 0.5 - 0.25 - 0.125]


def test_schedules() -> None:
    assert [Exponential(1.0, 0.5).lr_at(i) for i in range(3)] == [1.0, 0.5, 0.25]
    assert [Step(1.0, 2, 0.5).lr_at(i) for i in range(5)] == [1.0, 1.0, 0.5, 0.5, 0.25]
    with pytest.raises(ConfigError, match="lr is -1"):
        Exponential(-1.0, 0.5)


def test_nothing_of_an_optimizer_changes_inside_a_trace() -> None:
    p = parameter(1.0)
    optimizer = optim.SGD([p], lr=0.1)

    @compile
    def setting() -> Tensor:
        optimizer.param_groups[0]["lr"] = 0.5
        return p.sum()

    @compile
    def attribute() -> Tensor:
        optimizer.defaults = {}
        return p.sum()

    with pytest.raises(TraceError, match="'lr' of an optimizer"):
        setting()
    with pytest.raises(TraceError, match="'defaults' of an optimizer"):
        attribute()


@pytest.mark.parametrize("name", optim.OPTIMIZERS)
def test_state_round_trip_continues_with_the_same_bits(name: str) -> None:
    """Settings pass through JSON on the way, as they do in checkpoints."""
    settings = {"amsgrad": True} if name in ("adam", "adamw") else {}

    def rate(lr: float) -> dict[str, float]:
        return {"lr": lr} if "lr" in optim.settings_of(name) else {"scale": lr}

    def trained(steps: int) -> tuple[Tensor, optim.Optimizer]:
        p = new_tensor(np.array([[1.0, -2.0, 0.5]], np.float32), requires_grad=True)
        optimizer = optim.make(name, [p], **rate(0.05), **settings)
        more(p, optimizer, steps)
        return p, optimizer

    def more(p: Tensor, optimizer: optim.Optimizer, steps: int) -> None:
        def closure() -> Tensor:
            optimizer.zero_grad()
            loss = (p * p * p * p).sum()
            if "lr" in optimizer.defaults:
                loss.backward()
            return loss

        for _ in range(steps):
            optimizer.step(closure)

    whole, _ = trained(7)
    part, optimizer = trained(4)
    other = new_tensor(part.numpy(), requires_grad=True)
    resumed = optim.make(name, [other], **rate(1.0), **settings)
    saved = optimizer.state_dict()
    saved["param_groups"] = json.loads(json.dumps(saved["param_groups"]))
    resumed.load_state_dict(saved)
    more(other, resumed, 3)
    np.testing.assert_array_equal(other.numpy(), whole.numpy())
    assert resumed.param_groups[0] == optimizer.param_groups[0] | {"params": [other]}


def test_settings_that_a_file_gave_as_lists_are_no_change() -> None:
    p = parameter(1.0)
    optimizer = optim.Rprop([p])
    step = descend(optimizer, p)
    step()
    saved = optimizer.state_dict()
    epoch = structure.epoch
    optimizer.load_state_dict(json.loads(json.dumps({**saved, "state": {}})))
    assert structure.epoch == epoch


def test_state_is_a_copy_and_can_be_reset_under_a_compiled_step() -> None:
    p = parameter(1.0)
    optimizer = optim.Adam([p], lr=0.1)
    fresh = optimizer.state_dict()
    step = descend(optimizer, p)
    step()
    step()
    after = p.numpy().copy()
    assert fresh["state"][0]["exp_avg"] == [0.0]
    optimizer.load_state_dict(fresh)
    with no_grad():
        p.assign_(1.0)
    step()
    step()
    np.testing.assert_array_equal(p.numpy(), after)


def test_foreign_states_are_refused() -> None:
    mine = optim.Adam([parameter(1.0, 2.0)])
    for other, message in (
        (optim.Adam([parameter(1.0), parameter(1.0)]), "groups of"),
        (optim.Adam([parameter(1.0)]), "shape"),
        (optim.SGD([parameter(1.0, 2.0)], momentum=0.9), "momentum_buffer"),
    ):
        with pytest.raises(StateError, match=message):
            mine.load_state_dict(other.state_dict())
    with pytest.raises(StateError, match="not the state of an optimizer"):
        mine.load_state_dict({"weight": 1})


def test_a_model_is_not_its_parameters() -> None:
    with pytest.raises(ConfigError, match="the optimizer got a Linear for its parameters"):
        optim.SGD(nn.Linear(2, 1), lr=0.1)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="the optimizer got a Linear for its parameters"):
        optim.SGD([{"params": nn.Linear(2, 1)}], lr=0.1)
    with pytest.raises(ConfigError, match="the optimizer got a NoneType for its parameters"):
        optim.SGD([{"lr": 0.1}])


def test_gradients_are_zeroed_whatever_they_were() -> None:
    w = parameter(1.0, 2.0)
    optimizer = optim.SGD([w], lr=0.1)
    assert w.grad is None
    w.grad = new_tensor([np.nan, np.inf])
    optimizer.zero_grad(set_to_none=False)
    assert w.grad.tolist() == [0.0, 0.0]
    (w**3).sum().backward(create_graph=True)
    optimizer.zero_grad(set_to_none=False)
    assert w.grad.tolist() == [0.0, 0.0]
    assert not w.grad.requires_grad
