"""Twenty steps of every optimiser configuration, in float64, on a problem with a known gradient.

f(w, M) = |A w - b|^2 / 2 + sum(cos w) + sum(M^4) / 4 + sum(w) sum(M) / 10
df/dw   = A^T (A w - b) - sin w + sum(M) / 10
df/dM   = M^3 + sum(w) / 10
"""

from __future__ import annotations

from typing import Any

import torch
from make_pointwise import unit
from torch import Tensor

STEPS = 20

CONFIGURATIONS: list[tuple[str, dict[str, Any]]] = [
    ("SGD", {"lr": 0.05}),
    ("SGD", {"lr": 0.05, "momentum": 0.9}),
    ("SGD", {"lr": 0.05, "momentum": 0.9, "nesterov": True}),
    ("SGD", {"lr": 0.05, "momentum": 0.9, "dampening": 0.5}),
    ("SGD", {"lr": 0.05, "weight_decay": 0.1}),
    ("SGD", {"lr": 0.05, "momentum": 0.8, "nesterov": True, "weight_decay": 0.1}),
    ("SGD", {"lr": 0.01, "momentum": 0.5, "maximize": True}),
    ("Adagrad", {"lr": 0.1}),
    ("Adagrad", {"lr": 0.1, "lr_decay": 0.05}),
    ("Adagrad", {"lr": 0.1, "weight_decay": 0.1, "initial_accumulator_value": 0.2}),
    ("Adagrad", {"lr": 0.1, "eps": 0.01}),
    ("RMSprop", {"lr": 0.01}),
    ("RMSprop", {"lr": 0.01, "alpha": 0.9, "eps": 1e-3}),
    ("RMSprop", {"lr": 0.01, "centered": True}),
    ("RMSprop", {"lr": 0.01, "momentum": 0.9}),
    ("RMSprop", {"lr": 0.01, "momentum": 0.9, "centered": True, "weight_decay": 0.1}),
    ("Adam", {"lr": 0.05}),
    ("Adam", {"lr": 0.05, "betas": (0.8, 0.99), "eps": 1e-3}),
    ("Adam", {"lr": 0.05, "weight_decay": 0.1}),
    ("Adam", {"lr": 0.3, "amsgrad": True}),
    ("Adam", {"lr": 0.3, "amsgrad": True, "weight_decay": 0.1}),
    ("Adam", {"lr": 0.05, "maximize": True}),
    ("AdamW", {"lr": 0.05}),
    ("AdamW", {"lr": 0.05, "weight_decay": 0.3}),
    ("AdamW", {"lr": 0.3, "weight_decay": 0.3, "amsgrad": True}),
]

# The second group's settings win over the optimiser's for M.
GROUPS: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    ("SGD", {"lr": 0.05, "momentum": 0.9}, {"lr": 0.01, "weight_decay": 0.1}),
    ("AdamW", {"lr": 0.05}, {"lr": 0.01, "weight_decay": 0.0}),
]


def problem() -> dict[str, Tensor]:
    return {"A": unit(80, 6, 5) / 2, "b": unit(81, 6), "w": unit(82, 5), "M": unit(83, 2, 3)}


def value(w: Tensor, m: Tensor, a: Tensor, b: Tensor) -> Tensor:
    residual = a @ w - b
    coupling = w.sum() * m.sum() / 10
    return residual.square().sum() / 2 + w.cos().sum() + (m**4).sum() / 4 + coupling


def run(name: str, kwargs: dict[str, Any], second: dict[str, Any] | None) -> dict[str, Any]:
    """Both parameters after every step, and each value of f before it."""
    fixed = problem()
    w, m = (fixed[key].clone().requires_grad_() for key in ("w", "M"))
    groups = [{"params": [w]}, {"params": [m], **(second or {})}]
    extra = {"foreach": False}
    optimizer: torch.optim.Optimizer = getattr(torch.optim, name)(groups, **kwargs, **extra)
    values, ws, ms = [], [], []
    for _ in range(STEPS):
        optimizer.zero_grad()
        f = value(w, m, fixed["A"], fixed["b"])
        f.backward()
        optimizer.step()
        values.append(f.item())
        ws.append(w.tolist())
        ms.append(m.tolist())
    case = {"name": name, "kwargs": kwargs, "values": values, "w": ws, "M": ms}
    return case if second is None else {**case, "second_group": second}


def optimizers() -> dict[str, Any]:
    cases = [run(name, kwargs, None) for name, kwargs in CONFIGURATIONS]
    cases += [run(name, kwargs, second) for name, kwargs, second in GROUPS]
    return {"problem": {key: v.tolist() for key, v in problem().items()}, "cases": cases}
