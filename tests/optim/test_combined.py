"""Several optimizers as one: nothing of a part is kept twice."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule import errors, nn, optim
from chainrule.optim.combined import CombinedOptimizer
from chainrule.train.callbacks.rates import scale_rates, update_counts


def two_layers() -> tuple[nn.Linear, nn.Linear, CombinedOptimizer]:
    first, second = nn.Linear(3, 3), nn.Linear(3, 3)
    parts = (optim.Adam(first.parameters(), lr=0.1), optim.SGD(second.parameters(), lr=0.1))
    return first, second, CombinedOptimizer(*parts)


def learn(optimizer: optim.Optimizer, *layers: nn.Linear) -> None:
    optimizer.zero_grad()
    x = cr.tensor(np.ones((2, 3), np.float32))
    for layer in layers:
        layer(x).sum().backward()
    optimizer.step()


def test_counts_are_those_of_the_parts() -> None:
    """Also after a step of some parameters alone, and after a state was taken over."""
    first, second, both = two_layers()
    learn(both, first, second)
    before = both.state_dict()
    first.bias.requires_grad = False
    learn(both, first)
    learn(both, first)
    assert update_counts(both) == [3, 1]
    assert [both._clocks[p].steps for p in first.parameters()] == [3, 1]
    both.load_state_dict(before)
    assert update_counts(both) == [1, 1]


def test_parameters_that_a_part_gets_later_belong_to_the_whole() -> None:
    first, second, both = two_layers()
    third = nn.Linear(3, 3)
    with pytest.raises(errors.ConfigError, match="which of them"):
        both.add_param_group({"params": third.parameters()})
    both.parts[0].add_param_group({"params": third.parameters()})
    for _ in range(2):
        learn(both, first, second, third)
    assert third.bias.grad is not None
    np.testing.assert_array_equal(third.bias.grad.numpy(), np.full(3, 2.0))  # of one step alone
    assert both.state[third.bias]["exp_avg"].shape == (3,)


def test_groups_that_a_part_gets_later_are_groups_of_the_whole() -> None:
    """A rate that is set on the groups of the whole reaches all, also through a wrapper."""
    first, second, both = two_layers()
    around, kept = optim.Lookahead(both), both.param_groups
    third = nn.Linear(3, 3)
    both.parts[0].add_param_group({"params": third.parameters(), "lr": 0.5})
    added = both.parts[0].param_groups[1]
    for optimizer in (both, around):
        assert [g["lr"] for g in optimizer.param_groups] == [0.1, 0.5, 0.1]
        assert optimizer.param_groups[1] is added
    assert kept == both.param_groups
    for group in both.param_groups:
        group["lr"] = 0.0
    before = third.bias.numpy().copy()
    learn(both, first, second, third)
    np.testing.assert_array_equal(third.bias.numpy(), before)


def test_what_scales_rates_reaches_groups_that_a_part_gets_later() -> None:
    _, _, both = two_layers()
    both.parts[1].add_param_group({"params": nn.Linear(3, 3).parameters(), "lr": 0.5})
    scale_rates(both, 0.5)
    assert [group["lr"] for group in both.parts[1].param_groups] == [0.05, 0.25]


@pytest.mark.parametrize(
    "change",
    [
        lambda both, group: both.param_groups.append(group),
        lambda both, group: both.param_groups.pop(),
        lambda both, group: setattr(both, "param_groups", [group]),
    ],
)
def test_groups_that_no_part_would_know_of_are_refused(change: Any) -> None:
    first, second, both = two_layers()
    group = optim.SGD(nn.Linear(3, 3).parameters(), lr=0.1).param_groups[0]

    def attempt() -> None:
        change(both, group)
        learn(both, first, second)

    with pytest.raises(errors.ConfigError, match="which of them"):
        attempt()


def test_groups_are_read_in_a_compiled_step() -> None:
    model = nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 1))
    halves = [list(layer.parameters()) for layer in model]
    both = CombinedOptimizer(optim.SGD(halves[0], lr=0.1), optim.SGD(halves[1], lr=0.1))

    @cr.compile
    def step(x: cr.Tensor) -> cr.Tensor:
        for group in both.param_groups:
            for p in group["params"]:
                p.grad = None
        loss = (model(x) ** 2).mean()
        loss.backward()
        both.step()
        return loss

    x = np.ones((2, 3), np.float32)
    assert step(x).item() > step(x).item()
