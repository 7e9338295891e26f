"""Loss curves of the two benchmark models, compiled, against PyTorch's."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import chainrule as cr
import chainrule.nn.functional as F
from chainrule import nn, optim
from reference.problems import PROBLEMS, load

CURVES = {case["name"]: case for case in load("curves")["cases"]}


def losses(problem: Any) -> list[float]:
    layers: list[nn.Module] = []
    arrays = {}
    for i, (weight, bias) in enumerate(problem.weights()):
        layers += [nn.Linear(weight.shape[1], weight.shape[0]), nn.ReLU()]
        arrays |= {f"{2 * i}.weight": weight, f"{2 * i}.bias": bias}
    model = nn.Sequential(*layers[:-1])
    model.load_state_dict(arrays)
    optimizer = optim.Adam(model.parameters(), lr=problem.lr)
    binary = problem.widths[-1] == 1
    criterion = F.binary_cross_entropy_with_logits if binary else F.cross_entropy

    @cr.compile
    def step(x: Any, y: Any) -> cr.Tensor:
        optimizer.zero_grad()
        loss = criterion(model(x), y)
        loss.backward()
        optimizer.step()
        return loss

    x, y = problem.data()
    return [step(x[rows], y[rows]).item() for rows in problem.batches()]


@pytest.mark.parametrize("name", PROBLEMS)
def test_curve_is_pytorchs(name: str) -> None:
    reference = CURVES[name]
    ours, theirs = np.array(losses(PROBLEMS[name])), np.array(reference["float32"])
    distance = np.abs(ours - theirs) / theirs
    assert distance[:10].max() <= 1e-5
    # PyTorch's own distance from itself with permuted hidden units
    assert distance[-1] <= max(reference["drift_permuted_last"])
