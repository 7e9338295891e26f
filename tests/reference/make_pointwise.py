"""Activations: outputs and gradients in float64."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from problems import Words

# Kinks, saturation and the ends of the exponent, where formulas break first.
SPECIAL = [-1000.0, -100.0, -20.0, -6.0, -3.0, -1.0, -0.5, 0.0, 0.5, 1.0, 3.0, 6.0, 20.0, 100.0]

CASES: list[tuple[str, dict[str, Any]]] = [
    ("ReLU", {}),
    ("ReLU6", {}),
    ("LeakyReLU", {}),
    ("LeakyReLU", {"negative_slope": 0.2}),
    ("PReLU", {}),
    ("PReLU", {"num_parameters": 6, "init": 0.1}),
    ("RReLU", {}),
    ("RReLU", {"lower": 0.1, "upper": 0.5}),
    ("ELU", {}),
    ("ELU", {"alpha": 0.7}),
    ("SELU", {}),
    ("CELU", {}),
    ("CELU", {"alpha": 2.0}),
    ("GELU", {}),
    ("GELU", {"approximate": "tanh"}),
    ("SiLU", {}),
    ("Mish", {}),
    ("Sigmoid", {}),
    ("LogSigmoid", {}),
    ("Tanh", {}),
    ("Softplus", {}),
    ("Softplus", {"beta": 2.0, "threshold": 3.0}),
    ("Softsign", {}),
    ("Hardtanh", {}),
    ("Hardtanh", {"min_val": -0.4, "max_val": 1.5}),
    ("Hardsigmoid", {}),
    ("Hardswish", {}),
    ("Tanhshrink", {}),
    ("Softshrink", {}),
    ("Softshrink", {"lambd": 0.8}),
    ("Hardshrink", {}),
    ("Hardshrink", {"lambd": 0.8}),
    ("Threshold", {"threshold": 0.1, "value": -0.3}),
    ("Softmax", {"dim": -1}),
    ("Softmax", {"dim": 0}),
    ("LogSoftmax", {"dim": -1}),
    ("LogSoftmax", {"dim": 0}),
    ("Softmin", {"dim": -1}),
    ("GLU", {"dim": -1}),
    ("GLU", {"dim": 0}),
]


def unit(seed: int, *shape: int) -> Tensor:
    """Uniform numbers with mean 0 and variance 1, as for the training problems."""
    return torch.from_numpy(Words(seed).unit(*shape))


def record(name: str, kwargs: dict[str, Any], x: Tensor, at: str) -> dict[str, Any]:
    """One call in evaluation mode and its vector-Jacobian product with cotangent g."""
    module: nn.Module = getattr(nn, name)(**kwargs).double().eval()
    x = x.clone().requires_grad_()
    y: Tensor = module(x)
    g = unit(8, *y.shape)
    y.backward(g)
    case = {"name": name, "kwargs": kwargs, "at": at}
    case |= {"x": x.tolist(), "y": y.tolist(), "g": g.tolist(), "dx": gradient(x)}
    parameters = dict(module.named_parameters())
    if parameters:
        case["parameters"] = {key: p.tolist() for key, p in parameters.items()}
        case["dparameters"] = {key: gradient(p) for key, p in parameters.items()}
    return case


def gradient(x: Tensor) -> Any:
    return None if x.grad is None else x.grad.tolist()


def activations() -> dict[str, Any]:
    cases = []
    for name, kwargs in CASES:
        cases.append(record(name, kwargs, 1.5 * unit(7, 4, 6), "regular"))
        if "num_parameters" not in kwargs:
            special = torch.tensor(SPECIAL, dtype=torch.float64)
            cases.append(record(name, kwargs, special, "special"))
    return {"cases": cases}
