"""Many steps in one native call do what they do one by one: schedules, averages, noise, pulls."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from chainrule import optim
from chainrule.frontend import Tensor
from chainrule.frontend.apply import new_tensor
from chainrule.optim.schedule import Cosine, Linear, Warmup
from chainrule.train.examples import Examples
from chainrule.train.loop import LoopStepper
from chainrule.train.stepper import CallStepper

Make = Callable[[Tensor], tuple[optim.Optimizer, Any]]

CASES: dict[str, Make] = {
    "ema": lambda w: (
        optim.Adam([w], lr=Warmup(Cosine(0.1, 14), 5)),
        optim.EMA([w], 0.8, warmup=True),
    ),
    "swa": lambda w: (optim.SGD([w], lr=Linear(0.3, 20)), optim.SWA([w], start=3, every=4)),
    "lookahead": lambda w: (
        optim.Lookahead(optim.SGD([w], lr=0.1, momentum=0.5), k=4),
        optim.EMA([w], 0.9, debias=True),
    ),
    "noise": lambda w: (
        optim.GradientNoise(optim.Lookahead(optim.Adam([w], lr=0.05), k=3), eta=1.0, seed=5),
        optim.SWA([w]),
    ),
    "sgld": lambda w: (optim.SGLD([w], lr=Linear(0.1, 30), seed=5), optim.SWA([w])),
}


def trained(make: Make, stepper: Callable[..., Any], slices: tuple[int, ...]) -> list[NDArray[Any]]:
    """Losses, weights and averages after 20 steps in ``slices``."""
    rng = np.random.default_rng(1)
    x = rng.normal(size=(50, 6)).astype(np.float32)
    rows = rng.integers(0, 50, (20, 8)).astype(np.int32)
    w = new_tensor(rng.normal(size=6), requires_grad=True)
    optimizer, average = make(w)

    def step(x: Tensor) -> Tensor:
        optimizer.zero_grad()
        loss = ((x * w).sum(1) - 1).square().mean()
        loss.backward()
        optimizer.step()
        average.update()
        return loss

    run, done, losses = stepper(step), 0, []
    for length in slices:
        losses.append(run.run(Examples((x,)), rows[done : done + length]))
        done += length
    [averaged] = average.state_dict()["averages"].values()
    return [np.concatenate(losses), w.numpy(), averaged]


@pytest.mark.parametrize("name", CASES)
def test_the_same_bits(name: str) -> None:
    one_by_one = trained(CASES[name], CallStepper, (20,))
    together = trained(CASES[name], LoopStepper, (1, 12, 7))
    assert np.isfinite(one_by_one[0]).all()
    for a, b in zip(one_by_one, together, strict=True):
        np.testing.assert_array_equal(a, b)
