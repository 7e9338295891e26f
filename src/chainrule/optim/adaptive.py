"""Optimizers with a step size for each weight, from the history of its gradient."""

from __future__ import annotations

import math
from collections.abc import Callable

from ..frontend import Tensor
from ..frontend.operations.arithmetic import maximum, sqrt
from .base import Initial, Optimizer, Params, Rates, Slots, Turn
from .group import Hyper, lr_at
from .schedule import Schedule

__all__ = ["Adagrad", "Adam", "AdamW", "RMSprop"]


class Adagrad(Optimizer):
    """Steps shrink with the sum of squared gradients::

        s ← s + g²
        p ← p - lr / (1 + (t - 1) lr_decay) · g / (√s + eps)

    Duchi, Hazan, Singer 2011, "Adaptive subgradient methods for online learning and stochastic
    optimization".
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
        super().__init__(
            params,
            {
                "lr": lr,
                "lr_decay": lr_decay,
                "weight_decay": weight_decay,
                "initial_accumulator_value": initial_accumulator_value,
                "eps": eps,
                "maximize": maximize,
            },
        )

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


class RMSprop(Optimizer):
    """Steps relative to the root mean square of recent gradients::

        v ← alpha v + (1 - alpha) g²
        a ← alpha a + (1 - alpha) g                    (centered only)
        d ← √v + eps                                   (centered: √(v - a²) + eps)
        b ← momentum b + g / d
        p ← p - lr · b

    Hinton 2012, lecture 6e of "Neural networks for machine learning"; centered: Graves 2013,
    "Generating sequences with recurrent neural networks".
    """

    def __init__(
        self,
        params: Params,
        lr: float | Schedule = 1e-2,
        alpha: float = 0.99,
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        momentum: float = 0.0,
        centered: bool = False,
        *,
        maximize: bool = False,
    ) -> None:
        super().__init__(
            params,
            {
                "lr": lr,
                "alpha": alpha,
                "eps": eps,
                "weight_decay": weight_decay,
                "momentum": momentum,
                "centered": centered,
                "maximize": maximize,
            },
        )

    def initial_state(self, p: Tensor, group: Hyper) -> Initial:
        state = {"square_avg": 0.0}
        if group["momentum"]:
            state["momentum_buffer"] = 0.0
        if group["centered"]:
            state["grad_avg"] = 0.0
        return state

    def update(self, p: Tensor, g: Tensor, state: Slots, group: Hyper, rate: Rates) -> None:
        alpha = group["alpha"]
        if group["weight_decay"]:
            g = g + group["weight_decay"] * p
        variance = alpha * state["square_avg"] + (1 - alpha) * g * g
        state["square_avg"].assign_(variance)
        if group["centered"]:
            mean = lerp(state["grad_avg"], g, 1 - alpha)
            state["grad_avg"].assign_(mean)
            variance = variance - mean * mean
        deviation = sqrt(variance) + group["eps"]
        if not group["momentum"]:
            p.assign_(p - rate["lr"] * g / deviation)
            return
        buffer = group["momentum"] * state["momentum_buffer"] + g / deviation
        state["momentum_buffer"].assign_(buffer)
        p.assign_(p - rate["lr"] * buffer)


class _Moments(Optimizer):
    """What `Adam` and `AdamW` share: all but where weight decay goes."""

    decoupled: bool

    def initial_state(self, p: Tensor, group: Hyper) -> Initial:
        state = {"exp_avg": 0.0, "exp_avg_sq": 0.0}
        return state | {"max_exp_avg_sq": 0.0} if group["amsgrad"] else state

    def rates(self, group: Hyper, t: Turn) -> dict[str, Callable[[int], float]]:
        beta1, beta2 = group["betas"]
        found = {
            "step_size": lambda k: lr_at(group, n := t(k)) / (1 - beta1**n),
            # Its reciprocal: the step then multiplies each weight instead of dividing.
            "correction": lambda k: 1 / math.sqrt(1 - beta2 ** t(k)),
        }
        if self.decoupled and group["weight_decay"]:
            found["keep"] = lambda k: 1 - lr_at(group, t(k)) * group["weight_decay"]
        return found

    def update(self, p: Tensor, g: Tensor, state: Slots, group: Hyper, rate: Rates) -> None:
        beta1, beta2 = group["betas"]
        start = p
        if "keep" in rate:
            start = p * rate["keep"]
        elif group["weight_decay"]:
            g = g + group["weight_decay"] * p
        m = lerp(state["exp_avg"], g, 1 - beta1)
        v = beta2 * state["exp_avg_sq"] + (1 - beta2) * g * g
        state["exp_avg"].assign_(m)
        state["exp_avg_sq"].assign_(v)
        if group["amsgrad"]:
            v = maximum(state["max_exp_avg_sq"], v)
            state["max_exp_avg_sq"].assign_(v)
        p.assign_(start - rate["step_size"] * m / (sqrt(v) * rate["correction"] + group["eps"]))


class Adam(_Moments):
    """Running means of gradient and squared gradient, corrected for their start at zero::

        m ← beta1 m + (1 - beta1) g
        v ← beta2 v + (1 - beta2) g²
        p ← p - lr / (1 - beta1ᵗ) · m / (√v / √(1 - beta2ᵗ) + eps)

    ``weight_decay`` is added to the gradient (L2). ``amsgrad`` divides by the largest v so far.
    Kingma, Ba 2015, "Adam: a method for stochastic optimization"; Reddi et al. 2018, "On the
    convergence of Adam and beyond".
    """

    decoupled = False

    def __init__(
        self,
        params: Params,
        lr: float | Schedule = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        amsgrad: bool = False,
        *,
        maximize: bool = False,
    ) -> None:
        super().__init__(
            params,
            {
                "lr": lr,
                "betas": betas,
                "eps": eps,
                "weight_decay": weight_decay,
                "amsgrad": amsgrad,
                "maximize": maximize,
            },
        )


class AdamW(_Moments):
    """`Adam` whose weight decay leaves the running means alone: before each step
    ``p ← (1 - lr · weight_decay) p``.

    Loshchilov, Hutter 2019, "Decoupled weight decay regularization".
    """

    decoupled = True

    def __init__(
        self,
        params: Params,
        lr: float | Schedule = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 1e-2,
        amsgrad: bool = False,
        *,
        maximize: bool = False,
    ) -> None:
        super().__init__(
            params,
            {
                "lr": lr,
                "betas": betas,
                "eps": eps,
                "weight_decay": weight_decay,
                "amsgrad": amsgrad,
                "maximize": maximize,
            },
        )


def lerp(start: Tensor, end: Tensor, weight: float) -> Tensor:
    """``(1 - weight) start + weight end``, in the form that is exact at the nearer end."""
    if weight < 0.5:
        return start + weight * (end - start)
    return end - (1 - weight) * (end - start)
