"""Fifty steps of every optimiser, in float64: PyTorch's, and two papers' formulas in NumPy.

The problem is a network of two layers on sixteen rows,

    f(W1, b1, W2, b2) = mean((tanh(x W1ᵀ + b1) W2ᵀ + b2 - y)²)

and for L-BFGS also Rosenbrock's valley. The learning rate changes twice on the way. The first case
of each optimiser also runs on gradients given beforehand, where rounding has nothing to grow in.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, ClassVar
from unittest.mock import patch

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from make_pointwise import unit
from problems import Words

STEPS = 50
#: parameters are stored after these steps, the loss before every one
SHOWN = (1, 2, 10, 50)
#: from this step on (counted from 0), the learning rate times this
CHANGES = {15: 0.5, 35: 3.0}
#: PyTorch's default eps of Adafactor is the resolution of the dtype; this is that of float32
RESOLUTION = float(np.finfo(np.float32).eps)

Settings = dict[str, Any]

CASES: list[tuple[str, Settings]] = [
    ("SGD", {"lr": 0.05}),
    ("SGD", {"lr": 0.05, "momentum": 0.9}),
    ("SGD", {"lr": 0.05, "momentum": 0.9, "nesterov": True}),
    ("SGD", {"lr": 0.05, "momentum": 0.9, "dampening": 0.5}),
    ("SGD", {"lr": 0.05, "momentum": 0.8, "nesterov": True, "weight_decay": 0.1}),
    ("SGD", {"lr": 0.003, "momentum": 0.5, "maximize": True}),
    ("Adagrad", {"lr": 0.1}),
    ("Adagrad", {"lr": 0.1, "lr_decay": 0.05, "eps": 0.01}),
    ("Adagrad", {"lr": 0.1, "weight_decay": 0.1, "initial_accumulator_value": 0.25}),
    ("Adagrad", {"lr": 0.01, "maximize": True}),
    ("Adadelta", {}),
    ("Adadelta", {"lr": 0.5, "rho": 0.7, "eps": 1e-3, "weight_decay": 0.1}),
    ("Adadelta", {"lr": 0.1, "maximize": True}),
    ("RMSprop", {"lr": 0.01}),
    ("RMSprop", {"lr": 0.01, "alpha": 0.9, "eps": 1e-3}),
    ("RMSprop", {"lr": 0.005, "centered": True}),
    ("RMSprop", {"lr": 0.002, "momentum": 0.9, "centered": True, "weight_decay": 0.1}),
    ("RMSprop", {"lr": 0.002, "momentum": 0.5, "maximize": True}),
    ("Adam", {"lr": 0.05}),
    ("Adam", {"lr": 0.05, "betas": (0.8, 0.99), "eps": 1e-3, "weight_decay": 0.1}),
    ("Adam", {"lr": 0.05, "weight_decay": 0.1, "decoupled_weight_decay": True}),
    ("Adam", {"lr": 0.2, "amsgrad": True, "betas": (0.9, 0.9)}),
    ("Adam", {"lr": 0.01, "maximize": True}),
    ("AdamW", {"lr": 0.05}),
    ("AdamW", {"lr": 0.05, "weight_decay": 0.3}),
    ("AdamW", {"lr": 0.2, "weight_decay": 0.3, "amsgrad": True, "betas": (0.9, 0.9)}),
    ("AMSGrad", {"lr": 0.2, "betas": (0.8, 0.9), "weight_decay": 0.1}),
    ("Adamax", {"lr": 0.05}),
    ("Adamax", {"lr": 0.05, "betas": (0.8, 0.9), "eps": 1e-3, "weight_decay": 0.1}),
    ("Adamax", {"lr": 0.01, "maximize": True}),
    ("NAdam", {"lr": 0.05}),
    ("NAdam", {"lr": 0.05, "momentum_decay": 0.1, "weight_decay": 0.1}),
    ("NAdam", {"lr": 0.05, "weight_decay": 0.1, "decoupled_weight_decay": True}),
    ("NAdam", {"lr": 0.01, "betas": (0.7, 0.9), "maximize": True}),
    ("RAdam", {"lr": 0.05}),
    ("RAdam", {"lr": 0.05, "betas": (0.8, 0.9), "weight_decay": 0.1}),
    ("RAdam", {"lr": 0.05, "betas": (0.9, 0.5)}),
    ("RAdam", {"lr": 0.05, "weight_decay": 0.1, "decoupled_weight_decay": True}),
    ("RAdam", {"lr": 0.01, "maximize": True}),
    ("Lion", {"lr": 0.01}),
    ("Lion", {"lr": 0.01, "betas": (0.8, 0.9), "weight_decay": 0.3}),
    ("Lion", {"lr": 0.003, "maximize": True}),
    ("LAMB", {"lr": 0.02}),
    ("LAMB", {"lr": 0.02, "betas": (0.8, 0.9), "eps": 1e-3, "weight_decay": 0.0}),
    ("LAMB", {"lr": 0.01, "maximize": True}),
    ("Adafactor", {"lr": 0.1}),
    ("Adafactor", {"lr": 0.3, "beta2_decay": -0.5, "d": 2.0, "weight_decay": 0.1}),
    ("Adafactor", {"lr": 0.1, "eps": (0.1, 0.5)}),
    ("Adafactor", {"lr": 0.02, "maximize": True}),
    ("Muon", {"lr": 0.02}),
    ("Muon", {"lr": 0.02, "weight_decay": 0.3, "momentum": 0.8, "nesterov": False}),
    ("Muon", {"lr": 0.02, "adjust_lr_fn": "match_rms_adamw", "ns_steps": 3, "eps": 0.5}),
    ("Muon", {"lr": 0.02, "ns_coefficients": (2.0, -1.5, 0.5), "ns_steps": 8}),
    ("Rprop", {"lr": 1 / 128}),
    ("Rprop", {"lr": 1 / 64, "etas": (0.25, 1.5), "step_sizes": (1e-3, 0.05)}),
    ("Rprop", {"lr": 1 / 512, "step_sizes": (1e-6, 0.01), "maximize": True}),
]

#: settings of the second layer that win over the optimiser's
GROUPS: list[tuple[str, Settings, Settings]] = [
    ("SGD", {"lr": 0.05, "momentum": 0.9}, {"lr": 0.01, "weight_decay": 0.1}),
    ("AdamW", {"lr": 0.05}, {"lr": 0.01, "weight_decay": 0.0}),
    ("LAMB", {"lr": 0.02}, {"lr": 0.01, "betas": (0.5, 0.8)}),
    ("Adafactor", {"lr": 0.1}, {"lr": 0.03, "d": 1.5}),
]


def network() -> dict[str, Tensor]:
    """Data and first parameters, in numbers that float32 can hold."""
    exact = {
        "x": unit(90, 16, 3),
        "y": unit(91, 16, 2),
        "W1": unit(92, 4, 3) / 2,
        "b1": unit(93, 4) / 4,
        "W2": unit(94, 2, 4) / 2,
        "b2": unit(95, 2) / 4,
    }
    return {name: value.float().double() for name, value in exact.items()}


PARAMETERS = ("W1", "b1", "W2", "b2")


def loss_of(p: dict[str, Tensor], x: Tensor, y: Tensor) -> Tensor:
    hidden = torch.tanh(x @ p["W1"].T + p["b1"])
    return (hidden @ p["W2"].T + p["b2"] - y).square().mean()


# ------------------------------------------------------ two formulas that PyTorch does not have


class _Plain:
    """The part of an optimiser's interface that is used here, around a formula in NumPy."""

    defaults: ClassVar[Settings]

    def __init__(self, groups: list[dict[str, Any]], **settings: Any) -> None:
        self.param_groups = [{"maximize": False, **self.defaults, **settings, **g} for g in groups]
        self.steps = 0
        self.memory: dict[int, list[NDArray[np.float64]]] = {}

    def zero_grad(self) -> None:
        for group in self.param_groups:
            for p in group["params"]:
                p.grad = None

    def step(self) -> None:
        self.steps += 1
        for group in self.param_groups:
            for p in group["params"]:
                g = p.grad.numpy() * (-1 if group["maximize"] else 1)
                kept = self.memory.setdefault(id(p), [np.zeros(g.shape) for _ in range(2)])
                new = self.formula(p.detach().numpy(), g, kept, group)
                p.data.copy_(torch.from_numpy(new))

    def formula(
        self, x: NDArray[Any], g: NDArray[Any], kept: list[NDArray[Any]], s: Settings
    ) -> NDArray[Any]:
        raise NotImplementedError


class Lion(_Plain):
    """Chen et al. 2023, algorithm 2."""

    defaults: ClassVar[Settings] = {"betas": (0.9, 0.99), "weight_decay": 0.0}

    def formula(
        self, x: NDArray[Any], g: NDArray[Any], kept: list[NDArray[Any]], s: Settings
    ) -> NDArray[Any]:
        beta1, beta2 = s["betas"]
        c = beta1 * kept[0] + (1 - beta1) * g
        kept[0] = beta2 * kept[0] + (1 - beta2) * g
        return x - s["lr"] * (np.sign(c) + s["weight_decay"] * x)


class LAMB(_Plain):
    """You et al. 2020, algorithm 2, with φ(x) = x."""

    defaults: ClassVar[Settings] = {"betas": (0.9, 0.999), "eps": 1e-6, "weight_decay": 0.01}

    def formula(
        self, x: NDArray[Any], g: NDArray[Any], kept: list[NDArray[Any]], s: Settings
    ) -> NDArray[Any]:
        beta1, beta2 = s["betas"]
        kept[0] = beta1 * kept[0] + (1 - beta1) * g
        kept[1] = beta2 * kept[1] + (1 - beta2) * g**2
        m, v = kept[0] / (1 - beta1**self.steps), kept[1] / (1 - beta2**self.steps)
        r = m / (np.sqrt(v) + s["eps"])
        update = r + s["weight_decay"] * x
        return x - s["lr"] * np.linalg.norm(x) / np.linalg.norm(update) * update


# --------------------------------------------------------------------------------- trajectories


@contextmanager
def in_double() -> Iterator[None]:
    """Inside, PyTorch keeps its counters in float64, and Muon iterates in what it is given.

    PyTorch rounds Muon's iteration to bfloat16 for the sake of GPUs. What is compared here is the
    formula.
    """
    torch.set_default_dtype(torch.float64)
    try:
        with patch.object(Tensor, "bfloat16", Tensor.clone):
            yield
    finally:
        torch.set_default_dtype(torch.float32)


def optimizer_for(name: str, groups: list[dict[str, Any]], settings: Settings) -> Any:
    if name in ("Lion", "LAMB"):
        return {"Lion": Lion, "LAMB": LAMB}[name](groups, **settings)
    if name == "AMSGrad":
        return torch.optim.Adam(groups, **settings, amsgrad=True, foreach=False)
    if name == "Adafactor":
        settings = {"eps": (RESOLUTION, 1e-3), **settings}
    if name == "Muon":
        return torch.optim.Muon(groups, **settings)
    kind: Callable[..., Any] = getattr(torch.optim, name)
    return kind(groups, **settings, foreach=False)


def trained(
    name: str, settings: Settings, second: Settings, gradients: Callable[[dict[str, Tensor]], float]
) -> dict[str, Any]:
    """What ``gradients`` gives before every step, and the parameters after some.

    It sets the gradients. Muon gets the matrices alone.
    """
    fixed = network()
    p = {key: fixed[key].clone().requires_grad_() for key in PARAMETERS}
    layers = [["W1"], ["W2"]] if name == "Muon" else [["W1", "b1"], ["W2", "b2"]]
    groups = [{"params": [p[key] for key in keys]} for keys in layers]
    groups[1].update(second)
    optimizer = optimizer_for(name, groups, settings)
    losses, shown = [], []
    for step in range(STEPS):
        for group in optimizer.param_groups:
            group["lr"] *= CHANGES.get(step, 1.0)
        optimizer.zero_grad()
        losses.append(gradients(p))
        optimizer.step()
        if step + 1 in SHOWN:
            shown.append([p[key].tolist() for key in PARAMETERS])
    return {"losses": losses, "parameters": shown}


def of_network(p: dict[str, Tensor]) -> float:
    fixed = network()
    loss = loss_of(p, fixed["x"], fixed["y"])
    loss.backward()
    return loss.item()


def given() -> Callable[[dict[str, Tensor]], float]:
    """Normal-sized gradients in float32 numbers, for the parameters in order, step after step."""
    words = Words(96)

    def gradients(p: dict[str, Tensor]) -> float:
        for tensor in p.values():
            tensor.grad = torch.from_numpy(words.unit(*tensor.shape)).float().double()
        return 0.0

    return gradients


def run(name: str, settings: Settings, second: Settings | None) -> dict[str, Any]:
    case = {"name": name, "kwargs": settings} | ({"second_group": second} if second else {})
    return case | trained(name, settings, second or {}, of_network)


def run_given(name: str, settings: Settings) -> dict[str, Any]:
    found = trained(name, settings, {}, given())
    return {"name": name, "kwargs": settings, "parameters": found["parameters"]}


# ---------------------------------------------------------------------------------------- L-BFGS

LBFGS_CASES: list[tuple[str, int, Settings]] = [
    ("network", 6, {"line_search_fn": "strong_wolfe", "max_iter": 8}),
    ("network", 6, {"line_search_fn": "strong_wolfe", "max_iter": 10, "history_size": 3}),
    ("network", 5, {"lr": 0.3, "max_iter": 8}),
    ("valley", 8, {"line_search_fn": "strong_wolfe", "max_iter": 4}),
    ("valley", 3, {"line_search_fn": "strong_wolfe", "max_iter": 20, "max_eval": 9}),
    ("valley", 1, {"line_search_fn": "strong_wolfe", "max_iter": 100}),
    ("valley", 4, {"lr": 1e-3, "max_iter": 5}),
]


def valley(p: list[Tensor]) -> Tensor:
    """Rosenbrock's function of six numbers."""
    z = p[0]
    return (100 * (z[1:] - z[:-1] ** 2) ** 2 + (1 - z[:-1]) ** 2).sum()


def run_lbfgs(problem: str, steps: int, settings: Settings) -> dict[str, Any]:
    """The loss before, the evaluations until the end of, and the parameters after every step."""
    fixed = network()
    if problem == "valley":
        p = [torch.tensor([-1.25, 1.0, -0.5, 0.75, 0.25, -0.625]).requires_grad_()]
    else:
        p = [fixed[key].clone().requires_grad_() for key in PARAMETERS]
    optimizer = torch.optim.LBFGS(p, **settings)

    def closure() -> Tensor:
        optimizer.zero_grad()
        if problem == "valley":
            loss = valley(p)
        else:
            loss = loss_of(dict(zip(PARAMETERS, p, strict=True)), fixed["x"], fixed["y"])
        loss.backward()
        return loss

    found: dict[str, Any] = {"losses": [], "evaluations": [], "parameters": []}
    for _ in range(steps):
        found["losses"].append(optimizer.step(closure).item())
        found["evaluations"].append(optimizer.state[p[0]]["func_evals"])
        found["parameters"].append([q.tolist() for q in p])
    return {"name": "LBFGS", "problem": problem, "kwargs": settings, **found}


def optimizers() -> dict[str, Any]:
    with in_double():
        cases = [run(name, settings, None) for name, settings in CASES]
        cases += [run(name, settings, second) for name, settings, second in GROUPS]
        first = dict(reversed(CASES))
        beforehand = [run_given(name, settings) for name, settings in first.items()]
        lbfgs = [run_lbfgs(*case) for case in LBFGS_CASES]
    return {
        "problem": {key: value.tolist() for key, value in network().items()},
        "shown": SHOWN,
        "changes": list(CHANGES.items()),
        "cases": cases,
        "given": beforehand,
        "lbfgs": lbfgs,
    }
