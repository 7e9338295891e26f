"""The update of one weight: the optimizer's own terms, with the state that it keeps.

The numbers before and after are those of a real update by the compiled step; the terms between them
are split here, and shown only where they lead to the same number.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from ..optim import SGD, Adam, AdamW, Optimizer
from ..optim.adam import AMSGrad
from ..optim.combined import CombinedOptimizer
from ..optim.group import lr_at
from .shown import MisfitError, Part, Table, Term, Text, number, sum_of
from .walk import Parameter, Step, Walker

__all__ = ["sentence", "update_of"]

Index = tuple[int, ...]
#: how far the formula in float64 may be from the engine's float32
CLOSE = 2e-5


def update_of(walker: Walker, step: Step, parameter: Parameter, index: Index) -> list[Part]:
    """What the optimizer does to one number of ``parameter``."""
    before, after = float(parameter.before[index]), float(parameter.after[index])
    raw, used = parameter.grad, parameter.used
    if step.loss is None:
        return []
    if raw is None or used is None or not _updated(walker, parameter):
        return [Text(f"{parameter.name} stays as it is: the optimizer does not update it, or it "
                     "gets no gradient.")]  # fmt: skip
    g = float(used[index])
    parts: list[Part] = []
    if g != float(raw[index]):
        parts.append(Text(f"clipped: the gradient {float(raw[index]):.6g} becomes {g:.6g}"))
    group, optimizer = _group_of(walker, parameter), _optimizer_of(walker, parameter)
    t = step.steps_before + 1
    state = {name: (float(a[index]), float(b[index])) for name, (a, b) in parameter.state.items()
             if a.shape == parameter.before.shape}  # fmt: skip
    try:
        return [*parts, *_terms(optimizer, group, g, before, after, state, t)]
    except MisfitError:
        rows = [("w", before, after), ("gradient", g, None)]
        rows += [(name, a, b) for name, (a, b) in state.items()]
        words = f"{type(optimizer).__name__}: its state of this weight, and the weight itself"
        return [*parts, Table("The update", ("", "before", "after"), tuple(rows), words)]


def _updated(walker: Walker, parameter: Parameter) -> bool:
    try:
        return bool(_group_of(walker, parameter))
    except MisfitError:
        return False


def _optimizer_of(walker: Walker, parameter: Parameter) -> Optimizer:
    """What updates a parameter; of several optimizers the one that has it."""
    whole, tensors = walker.learner.optimizer, dict(walker.learner.model.named_parameters())
    for part in whole.parts if isinstance(whole, CombinedOptimizer) else ():
        if any(p is tensors[parameter.name] for g in part.param_groups for p in g["params"]):
            return part
    return whole


def _group_of(walker: Walker, parameter: Parameter) -> Mapping[str, Any]:
    tensors = dict(walker.learner.model.named_parameters())
    for group in walker.learner.optimizer.param_groups:
        if any(p is tensors[parameter.name] for p in group["params"]):
            return group
    raise MisfitError("not updated")


def _terms(
    optimizer: Optimizer, group: Mapping[str, Any], g: float, before: float, after: float,
    state: Mapping[str, tuple[float, float]], t: int,
) -> list[Part]:  # fmt: skip
    if group.get("maximize"):
        raise MisfitError("other settings")
    if type(optimizer) is SGD:
        return _sgd(group, g, before, after, state, t)
    if type(optimizer) in (Adam, AdamW, AMSGrad):
        return _adam(group, g, before, after, state, t)
    raise MisfitError("another optimizer")


def _rate(group: Mapping[str, Any], t: int) -> float:
    return float(lr_at(group, t))


def _sgd(
    group: Mapping[str, Any], g: float, before: float, after: float,
    state: Mapping[str, tuple[float, float]], t: int,
) -> list[Part]:  # fmt: skip
    lr, momentum, decay = _rate(group, t), float(group["momentum"]), float(group["weight_decay"])
    terms = [Term("- lr · gradient", (lr, g), -lr * g)]
    rows: list[tuple[Any, ...]] = [("lr", lr), ("gradient g", g)]
    share = 1.0
    if decay:
        rows.append(("weight decay λ · w", decay * before))
    full = g + decay * before
    if momentum:
        old, new = state["momentum_buffer"]
        share = 1.0 if t == 1 else 1.0 - float(group["dampening"])
        rows += [("momentum b before", old), (f"b after = {momentum:g} · b + g", new)]
        if not _close(momentum * old + share * full, new):
            raise MisfitError("momentum")
        weight = momentum if group["nesterov"] else 1.0
        fresh = share * weight + (1.0 if group["nesterov"] else 0.0)
        terms = [Term("- lr · gradient", (lr, g * fresh), -lr * g * fresh),
                 Term("- lr · momentum", (lr, momentum * old * weight),
                      -lr * momentum * old * weight)]  # fmt: skip
        share = fresh
    if decay:
        terms.append(Term("- lr · decay", (lr, decay * before * share),
                          -lr * decay * before * share))  # fmt: skip
    formula = "w' = w - lr·g" + " - lr·μ·b" * bool(momentum) + " - lr·λ·w" * bool(decay)
    return [
        Table("What it takes", ("", "value"), tuple(rows)),
        _whole(before, after, terms, formula),
    ]


def _adam(
    group: Mapping[str, Any], g: float, before: float, after: float,
    state: Mapping[str, tuple[float, float]], t: int,
) -> list[Part]:  # fmt: skip
    lr, (beta1, beta2), eps = _rate(group, t), group["betas"], float(group["eps"])
    decay, apart = float(group["weight_decay"]), bool(group["decoupled_weight_decay"])
    full = g if apart else g + decay * before
    (m0, m), (v0, v) = state["exp_avg"], state["exp_avg_sq"]
    if not _close(m0 + (1 - beta1) * (full - m0), m):
        raise MisfitError("m")
    if not _close(beta2 * v0 + (1 - beta2) * full * full, v):
        raise MisfitError("v")
    largest = state["max_exp_avg_sq"][1] if group["amsgrad"] else v
    m_hat, v_hat = m / (1 - beta1**t), largest / (1 - beta2**t)
    step = lr * m_hat / (math.sqrt(v_hat) + eps)
    rows: list[tuple[Any, ...]] = [
        ("step t", t), ("lr", lr), ("gradient g", g),
        *([("λ · w, added to the gradient", decay * before)] if decay and not apart else []),
        ("m before", m0), (f"m = {beta1:g} m + {1 - beta1:.4g} g", m),
        ("v before", v0), (f"v = {beta2:g} v + {1 - beta2:.4g} g²", v),
        (f"m̂ = m / (1 - {beta1:g}^{t})", m_hat), (f"v̂ = v / (1 - {beta2:g}^{t})", v_hat),
        ("step = lr · m̂ / (√v̂ + eps)", step),
    ]  # fmt: skip
    terms = [Term("- lr · m̂ / (√v̂ + eps)", (lr, step / lr if lr else 0.0), -step)]
    if decay and apart:
        terms.append(Term("- lr · λ · w", (lr, decay * before), -lr * decay * before))
    formula = "w' = w - lr·m̂/(√v̂ + eps)" + " - lr·λ·w" * bool(decay and apart)
    return [Table("What it takes", ("", "value"), tuple(rows)),
            _whole(before, after, terms, formula)]  # fmt: skip


def _close(a: float, b: float) -> bool:
    return abs(a - b) <= CLOSE * max(abs(a), abs(b)) + 1e-30


def _whole(before: float, after: float, terms: list[Term], formula: str) -> Part:
    return sum_of("The update", formula, ("term", "", "", "value"),
                  [Term("w before", (), before), *terms], after)  # fmt: skip


def sentence(parameter: Parameter, index: Index) -> str:
    """``fc1.weight[3, 2]: gradient 0.031, and the weight goes from 0.5120 to 0.5119``."""
    before, after = float(parameter.before[index]), float(parameter.after[index])
    if parameter.used is None and before == after:
        return f"{parameter.name}{list(index)} is {before:.6g}, and stays so"
    g = None if parameter.grad is None else float(parameter.grad[index])
    return (f"{parameter.name}{list(index)}: gradient {number(g)}, and the weight goes from "
            f"{before:.6g} to {after:.6g}")  # fmt: skip
