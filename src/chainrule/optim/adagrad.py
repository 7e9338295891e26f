"""Adagrad, whose steps only shrink, and Adadelta, which forgets and needs no learning rate."""

from __future__ import annotations

from collections.abc import Callable

from ..frontend import Tensor
from ..frontend.operations.arithmetic import sqrt
from .base import Initial, Optimizer, Params, Rates, Slots, Turn
from .group import Hyper, given, lr_at
from .schedule import Schedule

__all__ = ["Adadelta", "Adagrad"]


class Adagrad(Optimizer):
    """Steps shrink with the sum of squared gradients::

        s ← s + g²
        p ← p - lr / (1 + (t - 1) lr_decay) · g / (√s + eps)

    ``weight_decay`` is added to the gradient (L2). Duchi, Hazan, Singer 2011, "Adaptive subgradient
    methods for online learning and stochastic optimization".
    """

    def __init__(
        self,
        params: Params,
        lr: float | Schedule = 1e-2,
        lr_decay: float = 0.0,
        weight_decay: float = 0.0,
        initial_accumulator_value: float = 0.0,
        eps: float = 1e-10,
        *,
        maximize: bool = False,
    ) -> None:
        super().__init__(params, given(locals()))

    def initial_state(self, p: Tensor, group: Hyper) -> Initial:
        return {"sum": group["initial_accumulator_value"]}

    def rates(self, group: Hyper, t: Turn) -> dict[str, Callable[[int], float]]:
        return {"lr": lambda k: lr_at(group, n := t(k)) / (1 + (n - 1) * group["lr_decay"])}

    def update(self, p: Tensor, g: Tensor, state: Slots, group: Hyper, rate: Rates) -> None:
        if group["weight_decay"]:
            g = g + group["weight_decay"] * p
        total = state["sum"] + g * g
        state["sum"].assign_(total)
        p.assign_(p - rate["lr"] * g / (sqrt(total) + group["eps"]))


class Adadelta(Optimizer):
    """Steps as large as recent steps were, relative to recent gradients::

        v ← rho v + (1 - rho) g²
        Δ ← √(u + eps) / √(v + eps) · g
        u ← rho u + (1 - rho) Δ²
        p ← p - lr · Δ

    Δ has the unit of p, so ``lr`` is 1 in the paper. ``weight_decay`` is added to the gradient.
    Zeiler 2012, "ADADELTA: an adaptive learning rate method".
    """

    def __init__(
        self,
        params: Params,
        lr: float | Schedule = 1.0,
        rho: float = 0.9,
        eps: float = 1e-6,
        weight_decay: float = 0.0,
        *,
        maximize: bool = False,
    ) -> None:
        super().__init__(params, given(locals()))

    def initial_state(self, p: Tensor, group: Hyper) -> Initial:
        return {"square_avg": 0.0, "acc_delta": 0.0}

    def update(self, p: Tensor, g: Tensor, state: Slots, group: Hyper, rate: Rates) -> None:
        rho, eps = group["rho"], group["eps"]
        if group["weight_decay"]:
            g = g + group["weight_decay"] * p
        v = rho * state["square_avg"] + (1 - rho) * g * g
        u = state["acc_delta"]
        delta = sqrt(u + eps) / sqrt(v + eps) * g
        p.assign_(p - rate["lr"] * delta)
        state["square_avg"].assign_(v)
        state["acc_delta"].assign_(rho * u + (1 - rho) * delta * delta)
