"""Several optimizers as one: nothing of a part is kept twice."""

from __future__ import annotations

import numpy as np
import pytest

import chainrule as cr
from chainrule import errors, nn, optim
from chainrule.optim.combined import CombinedOptimizer
from chainrule.train.callbacks.rates import update_counts


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
