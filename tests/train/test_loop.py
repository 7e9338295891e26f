"""Loops find their programs again; every kind of step has one."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule import nn, optim
from chainrule.frontend import host_scalar
from chainrule.frontend.modes import structure
from chainrule.train import loop
from chainrule.train.examples import Examples
from chainrule.train.loop import LoopStepper

rng = np.random.default_rng(0)
X = rng.standard_normal((20, 3)).astype(np.float32)
Y = rng.standard_normal(20).astype(np.float32)
ROWS = rng.permutation(20).astype(np.int32).reshape(5, 4)


@pytest.fixture
def loaded(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The programs that were made, in order."""
    programs: list[Any] = []
    load = loop.load

    def counted(*args: Any, **kwargs: Any) -> Any:
        programs.append(load(*args, **kwargs))
        return programs[-1]

    monkeypatch.setattr(loop, "load", counted)
    return programs


class Problem:
    """A small network with dropout and the step that trains it."""

    def __init__(self) -> None:
        cr.manual_seed(0)
        self.model = nn.Sequential(nn.Linear(3, 4), nn.Dropout(0.5), nn.Linear(4, 1))
        self.optimizer = optim.SGD(self.model.parameters(), lr=0.01)
        self.stepper = LoopStepper(self.step)
        self.traces = 0

    def step(self, x: cr.Tensor, y: cr.Tensor) -> cr.Tensor:
        self.traces += 1
        self.optimizer.zero_grad()
        loss = ((self.model(x).reshape(-1) - y) ** 2).mean()
        loss.backward()
        self.optimizer.step()
        return loss

    def run(self) -> list[float]:
        losses: list[float] = self.stepper.run(Examples((X, Y)), ROWS).tolist()
        return losses


def test_a_new_recording_that_says_the_same_uses_the_program_again(loaded: list[Any]) -> None:
    problem, undisturbed = Problem(), Problem()
    cr.manual_seed(5)
    want = [undisturbed.run() for _ in range(3)]
    del loaded[:]
    cr.manual_seed(5)
    got = [problem.run()]
    structure.touch()  # something changed, but nothing the step depends on
    got += [problem.run()]
    problem.optimizer.param_groups[0]["lr"] = 0.01
    got += [problem.run()]
    assert problem.traces == 2
    assert len(loaded) == 1
    assert got == want
    assert problem.optimizer.state_dict()["state"][0]["step"] == 15


def test_training_and_evaluation_take_turns(loaded: list[Any]) -> None:
    problem = Problem()
    for _ in range(3):
        problem.model.eval()
        problem.run()
        problem.model.train()
        problem.run()
    assert problem.traces == 2
    assert len(loaded) == 2
    assert problem.optimizer.state_dict()["state"][0]["step"] == 30


def test_another_structure_needs_another_program(loaded: list[Any]) -> None:
    problem = Problem()
    problem.run()
    problem.model[0].weight.requires_grad = False
    frozen = problem.model[0].weight.numpy().copy()
    problem.run()
    assert len(loaded) == 2
    np.testing.assert_array_equal(problem.model[0].weight.numpy(), frozen)
    problem.model[0].weight.requires_grad = True
    problem.run()
    assert len(loaded) == 3  # its updates are counted apart from the others' from now on
    assert (problem.model[0].weight.numpy() != frozen).any()


def test_each_mode_of_gradients_has_its_recording(loaded: list[Any]) -> None:
    w = cr.zeros(1)
    w.requires_grad = True

    def step(x: cr.Tensor) -> cr.Tensor:
        y = (w * x).sum()
        return y * 0 + (1.0 if y.requires_grad else 2.0)

    stepper = LoopStepper(step)
    assert stepper.run(Examples((X,)), ROWS).tolist() == [1.0] * 5
    with cr.no_grad():
        assert stepper.run(Examples((X,)), ROWS).tolist() == [2.0] * 5
    assert stepper.run(Examples((X,)), ROWS).tolist() == [1.0] * 5
    assert len(loaded) == 2


def test_loops_without_and_with_scalars() -> None:
    total = cr.zeros(1)
    rates = [0.5, 2.0, 4.0]

    def plain(x: cr.Tensor) -> cr.Tensor:
        total.assign_(total + 1)
        return x.mean()

    def rated(x: cr.Tensor) -> cr.Tensor:
        total.assign_(total + host_scalar(lambda k: rates[k]))
        return total.sum() + 10 * host_scalar(lambda k: float(k))

    rows = np.zeros((3, 2), np.int32)
    np.testing.assert_allclose(
        LoopStepper(plain).run(Examples((X,)), rows), [X[0].mean()] * 3, rtol=1e-6
    )
    assert total.tolist() == [3.0]
    assert LoopStepper(rated).run(Examples((X,)), rows).tolist() == [3.5, 15.5, 29.5]
    assert total.tolist() == [9.5]
