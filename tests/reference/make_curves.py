"""Loss curves of the two benchmark models, and how far PyTorch strays from itself."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from problems import PROBLEMS, Problem

PERMUTATION_SEEDS = tuple(range(1, 9))


def build(problem: Problem, dtype: torch.dtype, seed: int | None) -> nn.Sequential:
    """The network with the problem's weights; with a seed, its hidden units reordered."""
    orders: list[Any] = [slice(None)] * len(problem.widths)
    if seed is not None:
        orders[1:-1] = problem.hidden_permutations(seed)
    modules: list[nn.Module] = []
    for i, (weight, bias) in enumerate(problem.weights()):
        layer = nn.Linear(weight.shape[1], weight.shape[0], dtype=dtype)
        with torch.no_grad():
            layer.weight.copy_(torch.from_numpy(weight[orders[i + 1]][:, orders[i]].copy()))
            layer.bias.copy_(torch.from_numpy(bias[orders[i + 1]].copy()))
        modules += [layer, nn.ReLU()]
    return nn.Sequential(*modules[:-1])


def train(
    problem: Problem,
    dtype: torch.dtype,
    seed: int | None = None,
    model: nn.Sequential | None = None,
) -> list[float]:
    """Loss of every step, before its update."""
    model = model or build(problem, dtype, seed)
    optimizer = torch.optim.Adam(model.parameters(), lr=problem.lr, foreach=False)
    x, y = (torch.from_numpy(a) for a in problem.data())
    x, binary = x.to(dtype), problem.widths[-1] == 1
    y = y.to(dtype) if binary else y
    losses = []
    for rows in problem.batches():
        optimizer.zero_grad()
        logits: Tensor = model(x[rows])
        target = y[rows]
        loss = (
            F.binary_cross_entropy_with_logits(logits, target)
            if binary
            else F.cross_entropy(logits, target)
        )
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


def kink_distance(problem: Problem, steps: int = 10) -> float:
    """Smallest |pre-activation| of any hidden unit in the first steps, in float64.

    ReLU's derivative jumps at zero. A pre-activation within rounding of zero lets the last bit
    decide a gradient, and two correct programs part at once; the problems' seeds are chosen so
    that this distance is many times float32's rounding error.
    """
    model = build(problem, torch.float64, None)
    seen: list[float] = []
    for module in model:
        if isinstance(module, nn.ReLU):
            module.register_forward_hook(lambda _, x, __: seen.append(x[0].abs().min().item()))
    train(replace(problem, steps=steps), torch.float64, model=model)
    return min(seen)


def drift(a: list[float], b: list[float]) -> float:
    """Largest relative distance of two curves."""
    return max(abs(p - q) / abs(p) for p, q in zip(a, b, strict=True))


def curve(problem: Problem) -> dict[str, Any]:
    plain = train(problem, torch.float32)
    permuted = [train(problem, torch.float32, seed) for seed in PERMUTATION_SEEDS]
    exact = train(problem, torch.float64)
    return {
        "name": problem.name,
        "digest": problem.digest(),
        "float32": plain,
        "float64": exact,
        "permuted": permuted,
        "permutation_seeds": PERMUTATION_SEEDS,
        "drift_permuted": [drift(plain, p) for p in permuted],
        "drift_permuted_last": [abs(plain[-1] - p[-1]) / abs(plain[-1]) for p in permuted],
        "drift_float64": drift(plain, exact),
        "kink_distance": kink_distance(problem),
    }


def curves() -> dict[str, Any]:
    return {"cases": [curve(problem) for problem in PROBLEMS.values()]}
