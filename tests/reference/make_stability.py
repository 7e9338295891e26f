"""Clipped gradients, and weight and spectral normalisation."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils import clip_grad_norm_, clip_grad_value_, parametrizations

from make_layers import calls, fill, state
from make_pointwise import unit

SHAPES: list[tuple[int, ...]] = [(3, 4), (3,), (2, 3)]

CLIPS: list[tuple[str, dict[str, Any]]] = [
    ("clip_grad_value_", {"clip_value": 0.7}),
    ("clip_grad_norm_", {"max_norm": 1.0}),
    ("clip_grad_norm_", {"max_norm": 100.0}),
    ("clip_grad_norm_", {"max_norm": 1.0, "norm_type": 1.0}),
    ("clip_grad_norm_", {"max_norm": 0.5, "norm_type": 3.0}),
    ("clip_grad_norm_", {"max_norm": 0.5, "norm_type": math.inf}),
]

NORMS: list[tuple[str, dict[str, Any]]] = [
    ("weight_norm", {}),
    ("weight_norm", {"dim": 1}),
    ("weight_norm", {"dim": None}),
    ("spectral_norm", {}),
    ("spectral_norm", {"n_power_iterations": 3, "dim": 1}),
]


def gradients() -> list[Tensor]:
    return [unit(80 + i, *shape) for i, shape in enumerate(SHAPES)]


def clip(name: str, kwargs: dict[str, Any]) -> dict[str, Any]:
    """Gradients after clipping, and the total norm where it is returned."""
    params = [torch.zeros(s, dtype=torch.float64, requires_grad=True) for s in SHAPES]
    for p, g in zip(params, gradients(), strict=True):
        p.grad = g.clone()
    function = {"clip_grad_norm_": clip_grad_norm_, "clip_grad_value_": clip_grad_value_}[name]
    total = function(params, **kwargs)
    clipped = [p.grad.tolist() for p in params if p.grad is not None]
    norm = None if total is None else total.item()
    return {"name": name, "kwargs": kwargs, "clipped": clipped, "total": norm}


def clipping() -> dict[str, Any]:
    return {
        "gradients": [g.tolist() for g in gradients()],
        "cases": [clip(name, kwargs) for name, kwargs in CLIPS],
    }


def parametrized(name: str, kwargs: dict[str, Any]) -> list[dict[str, Any]]:
    """Two training calls of Linear(5, 3), whose buffers move on, then one in evaluation mode."""
    torch.manual_seed(0)
    module = nn.Linear(5, 3).double()
    fill(module)
    getattr(parametrizations, name)(module, **kwargs)
    head = {"name": name, "kwargs": kwargs}
    cases = []
    for mode, count in (("train", 2), ("eval", 1)):
        module.train(mode == "train")
        batches = [[0.3 + 1.7 * unit(90 + k, 4, 5)] for k in range(count)]
        cases.append(
            {**head, "mode": mode, "state": state(module), "calls": calls(module, batches)}
        )
    return cases


def parametrized_layers() -> dict[str, Any]:
    return {"cases": [case for spec in NORMS for case in parametrized(*spec)]}
