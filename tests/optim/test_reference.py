"""Twenty steps of every optimizer against PyTorch's numbers, compiled and eager."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from chainrule import optim
from chainrule.frontend import Tensor, compile
from chainrule.frontend.apply import new_tensor
from reference.problems import load

REFERENCE = load("optimizers")
PROBLEM = {key: np.array(value) for key, value in REFERENCE["problem"].items()}
CASES = REFERENCE["cases"]


def name_of(case: dict[str, Any]) -> str:
    settings = {**case["kwargs"], **case.get("second_group", {})}
    return case["name"] + "-" + "-".join(f"{k}={v}" for k, v in settings.items())


def gradients(w: NDArray[Any], m: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    a, b = PROBLEM["A"], PROBLEM["b"]
    return a.T @ (a @ w - b) - np.sin(w) + m.sum() / 10, m**3 + w.sum() / 10


def optimizer_for(case: dict[str, Any], w: Tensor, m: Tensor) -> optim.Optimizer:
    settings = {k: tuple(v) if k == "betas" else v for k, v in case["kwargs"].items()}
    groups = [{"params": [w]}, {"params": [m], **case.get("second_group", {})}]
    made: optim.Optimizer = getattr(optim, case["name"])(groups, **settings)
    return made


@pytest.mark.parametrize("way", [compile, lambda step: step], ids=["compiled", "eager"])
@pytest.mark.parametrize("case", CASES, ids=name_of)
def test_follows_pytorch(case: dict[str, Any], way: Callable[..., Any]) -> None:
    """PyTorch's numbers are float64, ours float32: rounding of 20 steps is what may differ."""
    w, m = (new_tensor(PROBLEM[key], requires_grad=True) for key in ("w", "M"))
    optimizer = optimizer_for(case, w, m)

    def step(dw: Tensor, dm: Tensor) -> Tensor:
        optimizer.zero_grad()
        loss = (w * dw).sum() + (m * dm).sum()  # its gradient is (dw, dm)
        loss.backward()
        optimizer.step()
        return loss

    run = way(step)
    for expected_w, expected_m in zip(case["w"], case["M"], strict=True):
        dw, dm = gradients(w.numpy().astype(np.float64), m.numpy().astype(np.float64))
        run(new_tensor(dw), new_tensor(dm))
        np.testing.assert_allclose(w.numpy(), expected_w, rtol=1e-5, atol=2e-6)
        np.testing.assert_allclose(m.numpy(), expected_m, rtol=1e-5, atol=2e-6)
