"""Lookahead against its two loops in float64, around several optimizers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from chainrule import optim
from chainrule.errors import ConfigError, StateError
from chainrule.frontend import Tensor, compile, no_grad
from chainrule.frontend.apply import new_tensor

START = np.array([3.0, -2.0, 0.5], np.float32)


def parameter() -> Tensor:
    return new_tensor(START, requires_grad=True)


def stepping(
    p: Tensor, optimizer: optim.Optimizer, way: Callable[..., Any] = compile
) -> Callable[[], Tensor]:
    def step() -> Tensor:
        optimizer.zero_grad()
        loss = (p * p * p * p).sum() / 40
        loss.backward()
        optimizer.step()
        return loss

    run: Callable[[], Tensor] = way(step)
    return run


@pytest.mark.parametrize("way", [compile, lambda step: step], ids=["compiled", "eager"])
@pytest.mark.parametrize(("k", "alpha"), [(5, 0.5), (3, 0.8), (1, 0.25), (4, 1.0)])
def test_follows_the_paper(k: int, alpha: float, way: Callable[..., Any]) -> None:
    p = parameter()
    step = stepping(p, optim.Lookahead(optim.SGD([p], lr=0.3, momentum=0.5), k, alpha), way)
    slow = START.astype(np.float64)
    velocity = np.zeros(3)
    for _ in range(4):
        fast = slow.copy()
        for _ in range(k):
            velocity = 0.5 * velocity + fast**3 / 10
            fast = fast - 0.3 * velocity
            step()
        slow = slow + alpha * (fast - slow)
        np.testing.assert_allclose(p.numpy(), slow, rtol=2e-6, atol=1e-7)


def test_alpha_of_one_is_the_optimizer_alone() -> None:
    p, q = parameter(), parameter()
    both = [
        stepping(p, optim.Lookahead(optim.Adam([p], lr=0.1), 3, alpha=1.0)),
        stepping(q, optim.Adam([q], lr=0.1)),
    ]
    for _ in range(8):
        assert both[0]().item() == both[1]().item()
    np.testing.assert_array_equal(p.numpy(), q.numpy())


def test_a_parameter_without_gradient_keeps_its_bits() -> None:
    p, still = parameter(), new_tensor(np.full(3, 0.1), requires_grad=True)
    step = stepping(p, optim.Lookahead(optim.SGD([p, still], lr=0.1), 1, alpha=0.3))
    for _ in range(5):
        step()
    np.testing.assert_array_equal(still.numpy(), np.full(3, 0.1, np.float32))


def test_one_program_for_both_kinds_of_step_and_any_rate() -> None:
    p = parameter()
    optimizer = optim.Lookahead(optim.SGD([p], lr=0.1), 2)
    traced = []

    @compile
    def step() -> Tensor:
        traced.append(1)
        optimizer.zero_grad()
        loss = (p * p).sum()
        loss.backward()
        optimizer.step()
        return loss

    for _ in range(3):
        step()
    optimizer.param_groups[0]["lr"] = 0.0
    before = p.numpy()
    step()
    step()
    assert len(traced) == 1
    assert (before != p.numpy()).all()  # step 4 pulled towards the slow weights, at a rate of 0
    assert optimizer.optimizer.param_groups[0]["lr"] == 0.0


@pytest.mark.parametrize("done", [0, 2, 5])
def test_state_continues_with_the_same_bits(done: int) -> None:
    p = parameter()
    optimizer = optim.Lookahead(optim.Adam([p], lr=0.1), 3)
    step = stepping(p, optimizer)
    for _ in range(done):
        step()
    q = new_tensor(p.numpy(), requires_grad=True)
    resumed = optim.Lookahead(optim.Adam([q], lr=1.0), 3)
    again = stepping(q, resumed)
    again()  # what it did before it was loaded is forgotten
    resumed.load_state_dict(optimizer.state_dict())
    with no_grad():
        q.assign_(p)
    for _ in range(7):
        step()
        again()
    np.testing.assert_array_equal(q.numpy(), p.numpy())


def test_foreign_states_are_refused() -> None:
    p = parameter()
    wrapped = optim.Lookahead(optim.SGD([p]))
    with pytest.raises(StateError, match="not the state of a Lookahead"):
        wrapped.load_state_dict(wrapped.optimizer.state_dict())
    state = wrapped.state_dict()
    state["lookahead"]["slow"] = {0: np.zeros(2)}
    with pytest.raises(StateError, match="do not match"):
        wrapped.load_state_dict(state)


def test_groups_of_both_are_one() -> None:
    p, q = parameter(), parameter()
    wrapped = optim.Lookahead(optim.SGD([p], lr=0.1))
    wrapped.add_param_group({"params": q, "lr": 0.5})
    assert [group["lr"] for group in wrapped.optimizer.param_groups] == [0.1, 0.5]
    assert "Lookahead(SGD(lr=0.1" in repr(wrapped)


@pytest.mark.parametrize("name_and_value", [("k", 0), ("k", 2.5), ("alpha", 0.0), ("alpha", 1.5)])
def test_bad_settings(name_and_value: tuple[str, Any]) -> None:
    name, value = name_and_value
    with pytest.raises(ConfigError, match=f"{name} is {value}"):
        optim.Lookahead(optim.SGD([parameter()]), **{name: value})


def test_what_is_no_optimizer() -> None:
    with pytest.raises(ConfigError, match="the optimizer to wrap is 'sgd'"):
        optim.Lookahead("sgd")  # type: ignore[arg-type]
