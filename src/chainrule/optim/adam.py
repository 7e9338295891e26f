"""Adam and its descendants: steps from running means of the gradient and of its square."""

from __future__ import annotations

import math
from collections.abc import Callable

from ..frontend import Tensor
from ..frontend.operations.arithmetic import maximum, sqrt, where
from .base import Initial, Optimizer, Params, Rates, Slots, Turn
from .group import Hyper, given, lr_at
from .running import lerp
from .schedule import Schedule

__all__ = ["AMSGrad", "Adam", "AdamW", "Adamax", "NAdam", "RAdam"]


class _Moments(Optimizer):
    """What the formulas of this file share: where weight decay goes, and the two means."""

    def initial_state(self, p: Tensor, group: Hyper) -> Initial:
        return {"exp_avg": 0.0, "exp_avg_sq": 0.0}

    def rates(self, group: Hyper, t: Turn) -> dict[str, Callable[[int], float]]:
        if not (group["weight_decay"] and group["decoupled_weight_decay"]):
            return {}
        return {"keep": lambda k: 1 - lr_at(group, t(k)) * group["weight_decay"]}

    def decayed(self, p: Tensor, g: Tensor, group: Hyper, rate: Rates) -> tuple[Tensor, Tensor]:
        """p and g with weight decay: ``((1 - lr λ) p, g)`` if decoupled, else ``(p, g + λ p)``."""
        if "keep" in rate:
            return p * rate["keep"], g
        return p, g + group["weight_decay"] * p if group["weight_decay"] else g

    def moments(self, g: Tensor, state: Slots, group: Hyper) -> tuple[Tensor, Tensor]:
        """The running means of g and of g², brought up to date."""
        beta1, beta2 = group["betas"]
        m = lerp(state["exp_avg"], g, 1 - beta1)
        v = beta2 * state["exp_avg_sq"] + (1 - beta2) * g * g
        state["exp_avg"].assign_(m)
        state["exp_avg_sq"].assign_(v)
        return m, v


class _Corrected(_Moments):
    """The formula of `Adam`, `AMSGrad` and `AdamW`, which differ in their settings alone."""

    def initial_state(self, p: Tensor, group: Hyper) -> Initial:
        state = super().initial_state(p, group)
        return {**state, "max_exp_avg_sq": 0.0} if group["amsgrad"] else state

    def rates(self, group: Hyper, t: Turn) -> dict[str, Callable[[int], float]]:
        beta1, beta2 = group["betas"]
        return super().rates(group, t) | {
            "step_size": lambda k: lr_at(group, n := t(k)) / (1 - beta1**n),
            # Its reciprocal: the step then multiplies each weight instead of dividing.
            "correction": lambda k: 1 / math.sqrt(1 - beta2 ** t(k)),
        }

    def update(self, p: Tensor, g: Tensor, state: Slots, group: Hyper, rate: Rates) -> None:
        start, g = self.decayed(p, g, group, rate)
        m, v = self.moments(g, state, group)
        if group["amsgrad"]:
            v = maximum(state["max_exp_avg_sq"], v)
            state["max_exp_avg_sq"].assign_(v)
        p.assign_(start - rate["step_size"] * m / (sqrt(v) * rate["correction"] + group["eps"]))


class Adam(_Corrected):
    """Running means of gradient and squared gradient, corrected for their start at zero::

        m ← beta1 m + (1 - beta1) g
        v ← beta2 v + (1 - beta2) g²
        p ← p - lr / (1 - beta1ᵗ) · m / (√v / √(1 - beta2ᵗ) + eps)

    ``weight_decay`` is added to the gradient (L2), or with ``decoupled_weight_decay`` taken from p
    as `AdamW` does. ``amsgrad`` divides by the largest v so far, see `AMSGrad`. Kingma, Ba 2015,
    "Adam: a method for stochastic optimization".
    """

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
        decoupled_weight_decay: bool = False,
    ) -> None:
        super().__init__(params, given(locals()))


class AMSGrad(_Corrected):
    """`Adam` that never forgets a large gradient: it divides by the largest v so far::

        m ← beta1 m + (1 - beta1) g
        v ← beta2 v + (1 - beta2) g²
        w ← max(w, v)
        p ← p - lr / (1 - beta1ᵗ) · m / (√w / √(1 - beta2ᵗ) + eps)

    The same as ``Adam(..., amsgrad=True)``. Reddi, Kale, Kumar 2018, "On the convergence of Adam
    and beyond".
    """

    def __init__(
        self,
        params: Params,
        lr: float | Schedule = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        *,
        maximize: bool = False,
        decoupled_weight_decay: bool = False,
    ) -> None:
        super().__init__(params, {**given(locals()), "amsgrad": True})


class AdamW(_Corrected):
    """`Adam` whose weight decay leaves the running means alone: before each step
    ``p ← (1 - lr · weight_decay) p``.

    Loshchilov, Hutter 2019, "Decoupled weight decay regularization".
    """

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
        super().__init__(params, {**given(locals()), "decoupled_weight_decay": True})


class Adamax(Optimizer):
    """`Adam` with the largest recent gradient in place of the root mean square::

        m ← beta1 m + (1 - beta1) g
        u ← max(beta2 u, |g| + eps)
        p ← p - lr / (1 - beta1ᵗ) · m / u

    ``weight_decay`` is added to the gradient (L2). Kingma, Ba 2015, "Adam: a method for stochastic
    optimization", section 7.1.
    """

    def __init__(
        self,
        params: Params,
        lr: float | Schedule = 2e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        *,
        maximize: bool = False,
    ) -> None:
        super().__init__(params, given(locals()))

    def initial_state(self, p: Tensor, group: Hyper) -> Initial:
        return {"exp_avg": 0.0, "exp_inf": 0.0}

    def rates(self, group: Hyper, t: Turn) -> dict[str, Callable[[int], float]]:
        beta1, _ = group["betas"]
        return {"step_size": lambda k: lr_at(group, n := t(k)) / (1 - beta1**n)}

    def update(self, p: Tensor, g: Tensor, state: Slots, group: Hyper, rate: Rates) -> None:
        beta1, beta2 = group["betas"]
        if group["weight_decay"]:
            g = g + group["weight_decay"] * p
        m = lerp(state["exp_avg"], g, 1 - beta1)
        largest = maximum(beta2 * state["exp_inf"], maximum(g, -g) + group["eps"])
        state["exp_avg"].assign_(m)
        state["exp_inf"].assign_(largest)
        p.assign_(p - rate["step_size"] * m / largest)


class NAdam(_Moments):
    """`Adam` with Nesterov's look ahead, and a momentum that grows towards beta1::

        μₜ = beta1 (1 - 0.96^(t · momentum_decay) / 2)
        m ← beta1 m + (1 - beta1) g
        v ← beta2 v + (1 - beta2) g²
        n ← (1 - μₜ) / (1 - μ₁…μₜ) · g + μₜ₊₁ / (1 - μ₁…μₜ₊₁) · m
        p ← p - lr · n / (√v / √(1 - beta2ᵗ) + eps)

    ``weight_decay`` is added to the gradient, or with ``decoupled_weight_decay`` taken from p. The
    products of μ follow from t and are no part of the state. Dozat 2016, "Incorporating Nesterov
    momentum into Adam".
    """

    def __init__(
        self,
        params: Params,
        lr: float | Schedule = 2e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        momentum_decay: float = 4e-3,
        decoupled_weight_decay: bool = False,
        *,
        maximize: bool = False,
    ) -> None:
        self._products: dict[tuple[float, float], list[float]] = {}
        super().__init__(params, given(locals()))

    def rates(self, group: Hyper, t: Turn) -> dict[str, Callable[[int], float]]:
        (beta1, beta2), decay = group["betas"], group["momentum_decay"]

        def of_gradient(k: int) -> float:
            n = t(k)
            share = (1 - momentum_at(n, beta1, decay)) / (1 - self._product(n, beta1, decay))
            return lr_at(group, n) * share

        def of_mean(k: int) -> float:
            n = t(k)
            share = momentum_at(n + 1, beta1, decay) / (1 - self._product(n + 1, beta1, decay))
            return lr_at(group, n) * share

        return super().rates(group, t) | {
            "of_gradient": of_gradient,
            "of_mean": of_mean,
            "correction": lambda k: 1 / math.sqrt(1 - beta2 ** t(k)),
        }

    def _product(self, t: int, beta1: float, decay: float) -> float:
        """μ₁…μₜ, from a table that grows with t."""
        table = self._products.setdefault((beta1, decay), [1.0])
        # Below 2⁻⁶⁴ a product no longer changes 1 - product, so the table ends.
        while len(table) <= t and table[-1] > 2.0**-64:
            table.append(table[-1] * momentum_at(len(table), beta1, decay))
        return table[t] if t < len(table) else 0.0

    def update(self, p: Tensor, g: Tensor, state: Slots, group: Hyper, rate: Rates) -> None:
        start, g = self.decayed(p, g, group, rate)
        m, v = self.moments(g, state, group)
        ahead = rate["of_gradient"] * g + rate["of_mean"] * m
        p.assign_(start - ahead / (sqrt(v) * rate["correction"] + group["eps"]))


def momentum_at(t: int, beta1: float, decay: float) -> float:
    """μₜ of `NAdam`."""
    return float(beta1 * (1 - 0.5 * 0.96 ** (t * decay)))


class RAdam(_Moments):
    """`Adam` that waits with dividing by √v until v has seen enough gradients to be believed::

        m ← beta1 m + (1 - beta1) g
        v ← beta2 v + (1 - beta2) g²
        ρ∞ = 2 / (1 - beta2) - 1
        ρₜ = ρ∞ - 2 t beta2ᵗ / (1 - beta2ᵗ)
        rₜ = √((ρₜ - 4) (ρₜ - 2) ρ∞ / ((ρ∞ - 4) (ρ∞ - 2) ρₜ))
        p ← p - lr / (1 - beta1ᵗ) · m · rₜ √(1 - beta2ᵗ) / (√v + eps)       (ρₜ > 5)
        p ← p - lr / (1 - beta1ᵗ) · m                                       (otherwise)

    ``weight_decay`` is added to the gradient, or with ``decoupled_weight_decay`` taken from p. Liu
    et al. 2020, "On the variance of the adaptive learning rate and beyond".
    """

    def __init__(
        self,
        params: Params,
        lr: float | Schedule = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        decoupled_weight_decay: bool = False,
        *,
        maximize: bool = False,
    ) -> None:
        super().__init__(params, given(locals()))

    def rates(self, group: Hyper, t: Turn) -> dict[str, Callable[[int], float]]:
        beta1, beta2 = group["betas"]
        return super().rates(group, t) | {
            "step_size": lambda k: lr_at(group, n := t(k)) / (1 - beta1**n),
            "rectified": lambda k: rectification(t(k), beta2),
        }

    def update(self, p: Tensor, g: Tensor, state: Slots, group: Hyper, rate: Rates) -> None:
        start, g = self.decayed(p, g, group, rate)
        m, v = self.moments(g, state, group)
        rectified = rate["rectified"]
        factor = where(rectified > 0, rectified / (sqrt(v) + group["eps"]), 1.0)
        p.assign_(start - rate["step_size"] * m * factor)


def rectification(t: int, beta2: float) -> float:
    """rₜ √(1 - beta2ᵗ) of `RAdam`; 0 where the variance of 1/√v is not finite (ρₜ <= 5)."""
    longest = 2 / (1 - beta2) - 1
    length = longest - 2 * t * beta2**t / (1 - beta2**t)
    if length <= 5:
        return 0.0
    ratio = (length - 4) * (length - 2) * longest / ((longest - 4) * (longest - 2) * length)
    return math.sqrt(ratio * (1 - beta2**t))
