"""Layers (outputs, gradients, running statistics) and what initialisers promise."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn

from make_losses import labels
from make_pointwise import gradient, unit

LAYERS: list[tuple[str, list[Any], dict[str, Any], list[tuple[int, ...]]]] = [
    ("Linear", [5, 3], {}, [(4, 5)]),
    ("Linear", [5, 3], {"bias": False}, [(4, 5)]),
    ("Linear", [5, 3], {}, [(2, 4, 5)]),
    ("Linear", [5, 3], {}, [(5,)]),
    ("Bilinear", [3, 4, 2], {}, [(5, 3), (5, 4)]),
    ("Bilinear", [3, 4, 2], {"bias": False}, [(5, 3), (5, 4)]),
    ("BatchNorm1d", [3], {}, [(6, 3)]),
    ("BatchNorm1d", [3], {}, [(4, 3, 5)]),
    ("BatchNorm1d", [3], {"momentum": None, "eps": 1e-3}, [(6, 3)]),
    ("BatchNorm1d", [3], {"affine": False}, [(6, 3)]),
    ("BatchNorm1d", [3], {"track_running_stats": False}, [(6, 3)]),
    ("LayerNorm", [4], {}, [(5, 4)]),
    ("LayerNorm", [[3, 4]], {}, [(2, 3, 4)]),
    ("LayerNorm", [4], {"bias": False, "eps": 1e-3}, [(5, 4)]),
    ("LayerNorm", [4], {"elementwise_affine": False}, [(5, 4)]),
    ("RMSNorm", [4], {}, [(5, 4)]),
    ("RMSNorm", [4], {"eps": 1e-3}, [(5, 4)]),
    ("RMSNorm", [[3, 4]], {"eps": 1e-6}, [(2, 3, 4)]),
    ("RMSNorm", [4], {"elementwise_affine": False}, [(5, 4)]),
]


def state(module: nn.Module) -> dict[str, Any]:
    return {key: value.tolist() for key, value in module.state_dict().items()}


def fill(module: nn.Module) -> None:
    """Parameters that are neither ones nor zeros, so that a forgotten one shows."""
    with torch.no_grad():
        for i, parameter in enumerate(module.parameters()):
            parameter.copy_(0.8 * unit(30 + i, *parameter.shape))


def calls(module: nn.Module, batches: list[list[Tensor]]) -> list[dict[str, Any]]:
    """Each call in turn: inputs, output, cotangent, gradients, state afterwards."""
    found = []
    for inputs in batches:
        module.zero_grad()
        real = [x for x in inputs if x.is_floating_point()]
        for x in real:
            x.requires_grad_()
        y: Tensor = module(*inputs)
        g = unit(40, *y.shape)
        y.backward(g)
        found.append(
            {
                "inputs": [x.tolist() for x in inputs],
                "y": y.tolist(),
                "g": g.tolist(),
                "dinputs": [gradient(x) for x in inputs],
                "dparameters": {key: gradient(p) for key, p in module.named_parameters()},
                "state_after": state(module),
            }
        )
    return found


def layer(
    name: str, args: list[Any], kwargs: dict[str, Any], shapes: list[tuple[int, ...]]
) -> list[dict[str, Any]]:
    """Two training calls; then, where it matters, one in evaluation mode."""
    module: nn.Module = getattr(nn, name)(*args, **kwargs).double()
    fill(module)
    head = {"name": name, "args": args, "kwargs": kwargs}
    batches = [[0.3 + 1.7 * unit(50 + 2 * k + i, *s) for i, s in enumerate(shapes)] for k in (0, 1)]
    cases = [{**head, "mode": "train", "state": state(module), "calls": calls(module, batches)}]
    if name == "BatchNorm1d":
        module.eval()
        again = [[0.3 + 1.7 * unit(60, *s) for s in shapes]]
        cases.append(
            {**head, "mode": "eval", "state": state(module), "calls": calls(module, again)}
        )
    return cases


def embedding(kwargs: dict[str, Any]) -> dict[str, Any]:
    """Repeated indices, so that gradients add up; the padding row keeps gradient zero."""
    module = nn.Embedding(7, 3, **kwargs).double()
    fill(module)
    before = state(module)
    batches = [[labels(70, 7, 4, 5)], [torch.tensor([2, 2, 0, 6])]]
    head = {"name": "Embedding", "args": [7, 3], "kwargs": kwargs, "mode": "train"}
    return {**head, "state": before, "calls": calls(module, batches)}


def layers() -> dict[str, Any]:
    cases = [case for spec in LAYERS for case in layer(*spec)]
    return {"cases": [*cases, embedding({}), embedding({"padding_idx": 2})]}


SHAPE = (600, 400)

FILLS: list[tuple[str, dict[str, Any]]] = [
    ("uniform_", {"a": -0.3, "b": 0.7}),
    ("normal_", {"mean": 0.2, "std": 0.5}),
    ("trunc_normal_", {"mean": 0.0, "std": 1.0, "a": -2.0, "b": 2.0}),
    ("trunc_normal_", {"mean": 0.5, "std": 2.0, "a": -1.0, "b": 1.5}),
    ("xavier_uniform_", {}),
    ("xavier_uniform_", {"gain": 2.0}),
    ("xavier_normal_", {}),
    ("kaiming_uniform_", {}),
    ("kaiming_uniform_", {"a": math.sqrt(5)}),
    ("kaiming_uniform_", {"mode": "fan_out", "nonlinearity": "relu"}),
    ("kaiming_normal_", {}),
    ("kaiming_normal_", {"mode": "fan_out", "nonlinearity": "tanh"}),
    ("orthogonal_", {}),
    ("orthogonal_", {"gain": 3.0}),
    ("sparse_", {"sparsity": 0.1, "std": 0.01}),
]

GAINS = ["linear", "sigmoid", "tanh", "relu", "leaky_relu", "selu"]


def facts(x: Tensor) -> dict[str, Any]:
    """Sample statistics; ``zeros`` counts exact zeros per column (dimension 0)."""
    x = x.detach().double()
    zeros = (x == 0).sum(0) if x.ndim > 1 else (x == 0).sum()
    return {
        "mean": x.mean().item(),
        "std": x.std(correction=0).item(),
        "min": x.min().item(),
        "max": x.max().item(),
        "zeros": sorted(set(zeros.reshape(-1).tolist())),
    }


def fans() -> list[dict[str, Any]]:
    """(fan_in, fan_out) as PyTorch counts them: dimension 1, dimension 0, times the rest."""
    found = []
    for shape in [(6, 4), (6, 4, 3, 3), (8, 2, 5)]:
        fan_in, fan_out = nn.init._calculate_fan_in_and_fan_out(torch.empty(shape))
        found.append({"shape": shape, "fan_in": fan_in, "fan_out": fan_out})
    return found


def defaults() -> list[dict[str, Any]]:
    """What a freshly made layer holds."""
    made = {
        "Linear": [400, 600],
        "Bilinear": [40, 30, 200],
        "Embedding": [600, 400, 3],
        "BatchNorm1d": [50],
        "LayerNorm": [50],
        "RMSNorm": [50],
        "PReLU": [5],
    }
    found = []
    for name, args in made.items():
        module: nn.Module = getattr(nn, name)(*args)
        entries = {key: {"shape": list(v.shape), **facts(v)} for key, v in named(module)}
        found.append({"name": name, "args": args, "state": entries})
    return found


def named(module: nn.Module) -> list[tuple[str, Tensor]]:
    return [(key, value) for key, value in module.state_dict().items() if value.ndim]


def initializers() -> dict[str, Any]:
    torch.manual_seed(0)
    cases = []
    for name, kwargs in FILLS:
        x = torch.empty(SHAPE)
        getattr(nn.init, name)(x, **kwargs)
        cases.append({"name": name, "kwargs": kwargs, "shape": SHAPE, **facts(x)})
    gains = {name: nn.init.calculate_gain(name) for name in GAINS}
    gains["leaky_relu 0.2"] = nn.init.calculate_gain("leaky_relu", 0.2)
    return {"cases": cases, "gains": gains, "fans": fans(), "defaults": defaults()}
