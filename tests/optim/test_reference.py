"""Fifty steps of every optimizer against PyTorch's numbers, and against two papers' formulas.

The formulas are compared in float64, on a network; in float32, eager and native, one case of each
is followed as closely as rounding allows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import chainrule as cr
from chainrule import optim
from chainrule.frontend import Tensor
from chainrule.frontend.apply import new_tensor
from reference.problems import Words, load
from trajectories import double

REFERENCE = load("optimizers")
PROBLEM = {key: np.array(value, np.float32) for key, value in REFERENCE["problem"].items()}
CASES = REFERENCE["cases"]
SHOWN = REFERENCE["shown"]
CHANGES = dict(REFERENCE["changes"])
NAMES = ("W1", "b1", "W2", "b2")


def label(case: dict[str, Any]) -> str:
    settings = {**case["kwargs"], **case.get("second_group", {})}
    return case["name"] + "-" + "-".join(f"{k}={v}" for k, v in settings.items())


class Training:
    """The network of the reference with the optimizer of one case."""

    def __init__(self, case: dict[str, Any]) -> None:
        self.params = [new_tensor(PROBLEM[name], requires_grad=True) for name in NAMES]
        w1, b1, w2, b2 = self.params
        layers = [[w1], [w2]] if case["name"] == "Muon" else [[w1, b1], [w2, b2]]
        groups = [{"params": layers[0]}, {"params": layers[1], **case.get("second_group", {})}]
        self.optimizer = optim.make(case["name"], groups, **case["kwargs"])
        self.case, self.losses, self.shown = case, [], []

    def step(self, x: Tensor, y: Tensor) -> Tensor:
        w1, b1, w2, b2 = self.params
        for p in self.params:
            p.grad = None
        error = (x @ w1.T + b1).tanh() @ w2.T + b2 - y
        loss = (error * error).mean()
        loss.backward()
        self.optimizer.step()
        return loss

    def change_rate(self, done: int) -> None:
        for group in self.optimizer.param_groups:
            if done in CHANGES:
                group["lr"] *= CHANGES[done]

    def note(self, done: int, loss: float, value: Callable[[Tensor], NDArray[Any]]) -> None:
        self.losses.append(loss)
        if done + 1 in SHOWN:
            self.shown.append([value(p) for p in self.params])

    def check_parameters(self, rtol: float, atol: float) -> None:
        for ours, theirs in zip(self.shown, self.case["parameters"], strict=True):
            for a, b in zip(ours, theirs, strict=True):
                np.testing.assert_allclose(a, b, rtol, atol, err_msg=label(self.case))


STEPS = range(len(CASES[0]["losses"]))
DATA = (PROBLEM["x"], PROBLEM["y"])


@pytest.mark.parametrize("case", CASES, ids=label)
def test_formula_in_double(case: dict[str, Any]) -> None:
    """One recording serves all steps, although the learning rate changes on the way."""
    training = Training(case)
    with double() as precision:
        step = precision.compile(training.step)
        for done in STEPS:
            training.change_rate(done)
            loss = step(*DATA).item()
            training.note(done, loss, precision.value)
    assert len(precision.programs) == 1
    np.testing.assert_allclose(training.losses, case["losses"], rtol=1e-9)
    training.check_parameters(rtol=1e-9, atol=1e-11)


def test_every_optimizer_without_noise_has_a_case() -> None:
    others = {"lbfgs", "sgld", "simulatedannealing"}
    assert {case["name"].lower() for case in CASES} | others == set(optim.OPTIMIZERS)


def gradients() -> Iterator[list[NDArray[np.float32]]]:
    """Those that the reference was given."""
    words = Words(96)
    for _ in STEPS:
        yield [words.unit(*PROBLEM[name].shape).astype(np.float32) for name in NAMES]


def test_eager_and_compiled_in_single() -> None:
    """Gradients are given, so rounding has nothing to grow in: 50 steps of half an ulp are left.

    All optimizers are in one program, where their updates are scheduled beside one another.
    """
    eager, compiled = ([Training(case) for case in REFERENCE["given"]] for _ in "12")
    run = cr.compile(lambda *given: stepped(compiled, given))
    for done, given in enumerate(gradients()):
        for training in (*eager, *compiled):
            training.change_rate(done)
        stepped(eager, [new_tensor(g) for g in given])
        run(*given)
        for training in (*eager, *compiled):
            training.note(done, 0.0, Tensor.numpy)
    for training in (*eager, *compiled):
        training.check_parameters(rtol=1e-6, atol=1e-6)


def stepped(trainings: Iterable[Training], given: Sequence[Tensor]) -> Tensor:
    for training in trainings:
        for p, g in zip(training.params, given, strict=True):
            p.grad = None
            (p * g).sum().backward()
        training.optimizer.step()
    return given[0].sum()
