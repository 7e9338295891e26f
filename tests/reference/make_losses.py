"""Losses: values and gradients in float64, for every reduction."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn

from make_pointwise import gradient, unit
from problems import Words

Case = tuple[str, dict[str, Any], dict[str, Tensor]]

ROWS, COLUMNS = 5, 4


def uniform(seed: int, *shape: int) -> Tensor:
    return torch.from_numpy(Words(seed).uniform(*shape))


def labels(seed: int, count: int, *shape: int) -> Tensor:
    return torch.floor(count * uniform(seed, *shape)).long()


def signs(seed: int, *shape: int) -> Tensor:
    return 2.0 * labels(seed, 2, *shape).double() - 1


def regression() -> Iterator[Case]:
    x, t = unit(1, ROWS, COLUMNS), unit(2, ROWS, COLUMNS)
    pair = {"input": x, "target": t}
    yield "MSELoss", {}, pair
    yield "L1Loss", {}, pair
    for delta in (1.0, 0.5):
        yield "HuberLoss", {"delta": delta}, pair
        yield "SmoothL1Loss", {"beta": delta}, pair
    yield "SmoothL1Loss", {"beta": 0.0}, pair
    counts = labels(3, 6, ROWS, COLUMNS).double()
    for log_input in (True, False):
        rate = x if log_input else x.exp()
        for full in (False, True):
            poisson = {"input": rate, "target": counts}
            yield "PoissonNLLLoss", {"log_input": log_input, "full": full}, poisson
    for full in (False, True):
        for var in (0.1 + uniform(4, ROWS, COLUMNS), 0.1 + uniform(5, ROWS, 1)):
            yield "GaussianNLLLoss", {"full": full}, {**pair, "var": var}


def binary() -> Iterator[Case]:
    x, t = unit(6, ROWS, COLUMNS), labels(7, 2, ROWS, COLUMNS).double()
    p, soft = uniform(8, ROWS, COLUMNS), uniform(9, ROWS, COLUMNS)
    weight, pos = 0.5 + uniform(10, COLUMNS), 0.5 + 3 * uniform(11, COLUMNS)
    for target in (t, soft):
        yield "BCELoss", {}, {"input": p, "target": target}
        yield "BCEWithLogitsLoss", {}, {"input": x, "target": target}
    yield "BCELoss", {"weight": weight}, {"input": p, "target": t}
    yield "BCELoss", {}, {"input": torch.tensor([0.0, 1.0, 0.0, 1.0]).double(), "target": t[0]}
    yield "BCEWithLogitsLoss", {"pos_weight": pos}, {"input": x, "target": t}
    yield "BCEWithLogitsLoss", {"weight": weight, "pos_weight": pos}, {"input": x, "target": soft}
    yield "BCEWithLogitsLoss", {}, {"input": 100 * x, "target": t}


def classes() -> Iterator[Case]:
    x, t = unit(12, ROWS, COLUMNS), labels(13, COLUMNS, ROWS)
    weight = 0.5 + uniform(14, COLUMNS)
    some, every = t.clone(), torch.full_like(t, -100)
    some[1] = some[3] = -100
    plain = {"input": x, "target": t}
    for smoothing in (0.0, 0.1):
        for extra in ({}, {"weight": weight}):
            options = {"label_smoothing": smoothing, **extra}
            yield "CrossEntropyLoss", options, plain
            yield "CrossEntropyLoss", options, {"input": x, "target": some}
            soft = unit(15, ROWS, COLUMNS).softmax(-1)
            yield "CrossEntropyLoss", options, {"input": x, "target": soft}
    yield "CrossEntropyLoss", {"ignore_index": 2}, plain
    yield "CrossEntropyLoss", {}, {"input": x, "target": every}
    yield "CrossEntropyLoss", {}, {"input": 200 * x, "target": t}
    images = {"input": unit(16, 2, 3, 4), "target": labels(17, 3, 2, 4)}
    yield "CrossEntropyLoss", {"label_smoothing": 0.1}, images
    logp = x.log_softmax(-1)
    yield "NLLLoss", {}, {"input": logp, "target": t}
    yield "NLLLoss", {"weight": weight}, {"input": logp, "target": some}
    yield "NLLLoss", {"ignore_index": 1}, {"input": logp, "target": t}
    q = unit(18, ROWS, COLUMNS).softmax(-1)
    yield "KLDivLoss", {"log_target": False}, {"input": logp, "target": q}
    yield "KLDivLoss", {"log_target": True}, {"input": logp, "target": q.log()}
    zero = q.clone()
    zero[0, 0] = 0.0
    yield "KLDivLoss", {"log_target": False}, {"input": logp, "target": zero}
    for p in (1, 2):
        yield "MultiMarginLoss", {"p": p, "margin": 0.8}, plain
    yield "MultiMarginLoss", {"weight": weight}, plain


def margins() -> Iterator[Case]:
    x, y = unit(19, ROWS, COLUMNS), unit(20, ROWS, COLUMNS)
    one, two = unit(21, ROWS), unit(22, ROWS)
    ranking = {"input1": one, "input2": two, "target": signs(23, ROWS)}
    cosine = {"input1": x, "input2": y, "target": signs(25, ROWS)}
    for margin in (1.0, 0.4):
        hinge = {"input": x, "target": signs(24, ROWS, COLUMNS)}
        yield "HingeEmbeddingLoss", {"margin": margin}, hinge
    for margin in (0.0, 0.5):
        yield "MarginRankingLoss", {"margin": margin}, ranking
        yield "CosineEmbeddingLoss", {"margin": margin}, cosine
    yield "SoftMarginLoss", {}, {"input": x, "target": signs(26, ROWS, COLUMNS)}


def plain(value: Any) -> Any:
    """JSON for tensors and numbers."""
    return value.tolist() if isinstance(value, Tensor) else value


def record(case: Case, reduction: str) -> dict[str, Any]:
    """One loss and the gradients of all real inputs; cotangent g for ``reduction="none"``."""
    name, kwargs, given = case
    inputs = {key: value.clone() for key, value in given.items()}
    differentiable = [key for key in inputs if key != "target"]
    for key in differentiable:
        inputs[key].requires_grad_()
    output: Tensor = getattr(nn, name)(reduction=reduction, **kwargs)(*inputs.values())
    g = unit(27, *output.shape) if output.ndim else torch.ones((), dtype=torch.float64)
    output.backward(g)
    return {
        "name": name,
        "kwargs": {key: plain(value) for key, value in kwargs.items()},
        "reduction": reduction,
        "inputs": {key: plain(value) for key, value in inputs.items()},
        "output": plain(output),
        "g": plain(g),
        "gradients": {key: gradient(inputs[key]) for key in differentiable},
    }


def losses() -> dict[str, Any]:
    cases = [*regression(), *binary(), *classes(), *margins()]
    reductions = ("mean", "sum", "none")
    found = [record(case, r) for case in cases for r in reductions]
    found += [record(c, "batchmean") for c in cases if c[0] == "KLDivLoss"]
    return {"cases": found}
