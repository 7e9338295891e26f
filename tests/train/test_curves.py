"""The two benchmark models follow PyTorch's loss curves from the same weights and batches."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from chainrule import nn, optim
from chainrule.train import Trainer
from chainrule.train.stepper import CallStepper
from reference.problems import PROBLEMS, Problem, load

CURVES = {case["name"]: case for case in load("curves")["cases"]}


def trainer_for(problem: Problem) -> Trainer:
    layers: list[nn.Module] = []
    for fan_in, fan_out in zip(problem.widths, problem.widths[1:], strict=False):
        layers += [nn.Linear(fan_in, fan_out), nn.ReLU()]
    model = nn.Sequential(*layers[:-1])
    state: dict[str, Any] = {}
    for i, (weight, bias) in enumerate(problem.weights()):
        state |= {f"{2 * i}.weight": weight, f"{2 * i}.bias": bias}
    model.load_state_dict(state)
    loss = nn.BCEWithLogitsLoss() if problem.widths[-1] == 1 else nn.CrossEntropyLoss()
    return Trainer(model, loss, optim.Adam(model.parameters(), lr=problem.lr))


def batches(problem: Problem) -> Any:
    return np.array(list(problem.batches()), np.int32)


@pytest.mark.parametrize("name", PROBLEMS)
def test_follows_pytorch(name: str) -> None:
    """Close at first; after 100 steps as close as PyTorch is to itself with its units reordered."""
    problem, case = PROBLEMS[name], CURVES[name]
    trainer = trainer_for(problem)
    train, _ = trainer.read(problem.data())
    losses = trainer.make_stepper().run(train, batches(problem))
    np.testing.assert_allclose(losses[:10], case["float32"][:10], rtol=1e-5)
    drift = abs(float(losses[-1]) / case["float32"][-1] - 1)
    assert drift <= max(case["drift_permuted_last"])


def test_a_loop_has_the_bits_of_single_calls() -> None:
    problem = PROBLEMS["tabular"]
    looped, called = trainer_for(problem), trainer_for(problem)
    train, _ = looped.read(problem.data())
    rows = batches(problem)
    losses = looped.make_stepper().run(train, rows)
    each = CallStepper(called.train_step).run(train, rows)
    np.testing.assert_array_equal(losses, each)
    for p, q in zip(looped.model.parameters(), called.model.parameters(), strict=True):
        np.testing.assert_array_equal(p.numpy(), q.numpy())
