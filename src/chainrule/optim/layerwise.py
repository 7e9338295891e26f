"""Optimizers that measure whole layers: LAMB by norms, Adafactor by rows and columns, and Muon.

All of these see a parameter as the matrix it is, so cutting one into two changes the steps.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import ClassVar

import numpy as np

from ..errors import ConfigError
from ..frontend import Tensor
from ..frontend.operations.arithmetic import clamp, maximum, sqrt, where
from .base import Initial, Optimizer, Params, Rates, Slots, Turn
from .group import NOT_NEGATIVE, SHARE, Hyper, Rule, given, lr_at
from .running import lerp, norm, rms
from .schedule import Schedule

__all__ = ["LAMB", "Adafactor", "Muon"]


class LAMB(Optimizer):
    """`AdamW` whose step for each parameter is as long as the parameter itself, times ``lr``::

        m ← beta1 m + (1 - beta1) g
        v ← beta2 v + (1 - beta2) g²
        u ← m / (1 - beta1ᵗ) / (√v / √(1 - beta2ᵗ) + eps) + weight_decay · p
        p ← p - lr · ‖p‖ / ‖u‖ · u               (without the factor where a norm is 0)

    For batches of thousands of rows. You et al. 2020, "Large batch optimization for deep learning:
    training BERT in 76 minutes", algorithm 2, with φ(x) = x.
    """

    def __init__(
        self,
        params: Params,
        lr: float | Schedule = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-6,
        weight_decay: float = 1e-2,
        *,
        maximize: bool = False,
    ) -> None:
        super().__init__(params, given(locals()))

    def initial_state(self, p: Tensor, group: Hyper) -> Initial:
        return {"exp_avg": 0.0, "exp_avg_sq": 0.0}

    def rates(self, group: Hyper, t: Turn) -> dict[str, Callable[[int], float]]:
        beta1, beta2 = group["betas"]
        return super().rates(group, t) | {
            "correction1": lambda k: 1 / (1 - beta1 ** t(k)),
            "correction2": lambda k: 1 / math.sqrt(1 - beta2 ** t(k)),
        }

    def update(self, p: Tensor, g: Tensor, state: Slots, group: Hyper, rate: Rates) -> None:
        beta1, beta2 = group["betas"]
        m = lerp(state["exp_avg"], g, 1 - beta1)
        v = beta2 * state["exp_avg_sq"] + (1 - beta2) * g * g
        state["exp_avg"].assign_(m)
        state["exp_avg_sq"].assign_(v)
        u = rate["correction1"] * m / (sqrt(v) * rate["correction2"] + group["eps"])
        if group["weight_decay"]:
            u = u + group["weight_decay"] * p
        p_norm, u_norm = norm(p), norm(u)
        trust = where((p_norm > 0) & (u_norm > 0), p_norm / u_norm, 1.0)
        p.assign_(p - rate["lr"] * trust * u)


#: the resolution of float32, which stands for an ``eps`` of None
_RESOLUTION = float(np.finfo(np.float32).eps)


class Adafactor(Optimizer):
    """Keeps the squared gradients of an n x m matrix as n + m numbers::

        β ← 1 - t^beta2_decay
        R ← β R + (1 - β) mean of g² along rows          (n x 1)
        C ← β C + (1 - β) mean of g² along columns       (1 x m)
        V ← R C / max(mean of R, eps₁)                   (vectors: V ← β V + (1 - β) g²)
        u ← g / max(√V, eps₁)
        u ← u / max(1, rms(u) / d)
        p ← (1 - lr · weight_decay) p
        p ← p - max(eps₂, rms(p)) min(lr, 1/√t) u        (rms of p before the decay)

    ``lr`` bounds the step relative to the size of p. ``eps`` is (eps₁, eps₂), an eps₁ of None the
    resolution of float32. Of more than two axes the last two are factored. Shazeer, Stern 2018,
    "Adafactor: adaptive learning rates with sublinear memory cost", where PyTorch's form puts eps₁
    and ``lr``.
    """

    legal: ClassVar[dict[str, Rule]] = {
        "eps": (
            "a pair (None or a number of at least 0, a number of at least 0)",
            lambda v: (
                len(v) == 2 and NOT_NEGATIVE[1](v[1]) and (v[0] is None or NOT_NEGATIVE[1](v[0]))
            ),
        )
    }

    def __init__(
        self,
        params: Params,
        lr: float | Schedule = 1e-2,
        beta2_decay: float = -0.8,
        eps: tuple[float | None, float] = (None, 1e-3),
        d: float = 1.0,
        weight_decay: float = 0.0,
        *,
        maximize: bool = False,
    ) -> None:
        super().__init__(params, given(locals()))

    def initial_state(self, p: Tensor, group: Hyper) -> Initial:
        if p.ndim < 2:
            return {"variance": 0.0}
        *outer, rows, columns = p.shape
        return {
            "row_var": np.zeros((*outer, rows, 1), np.float32),
            "col_var": np.zeros((*outer, 1, columns), np.float32),
        }

    def rates(self, group: Hyper, t: Turn) -> dict[str, Callable[[int], float]]:
        rates = {
            "relative": lambda k: min(lr_at(group, n := t(k)), 1 / math.sqrt(n)),
            "newest": lambda k: float(t(k) ** group["beta2_decay"]),
        }
        if group["weight_decay"]:
            rates["keep"] = lambda k: 1 - lr_at(group, t(k)) * group["weight_decay"]
        return rates

    def update(self, p: Tensor, g: Tensor, state: Slots, group: Hyper, rate: Rates) -> None:
        eps1, eps2 = group["eps"]
        eps1 = _RESOLUTION if eps1 is None else eps1
        u, unit = self._direction(g, state, rate["newest"], eps1)
        step = clamp(rms(p), min=eps2) * rate["relative"]
        start = p * rate["keep"] if "keep" in rate else p
        length = rms(u) * unit
        p.assign_(start - step * unit / clamp(length / group["d"], min=1.0) * u)

    def _direction(
        self, g: Tensor, state: Slots, newest: float, eps1: float
    ) -> tuple[Tensor, Tensor | float]:
        """g / max(√V, eps1) as an array and a number to multiply it by.

        Of a matrix, 1/√V = 1/√R · 1/√C · √mean of R: roots of rows, of columns and of a number
        instead of one for each element.
        """
        square = g * g
        if "variance" in state:
            v = mixed(state["variance"], square, newest)
            state["variance"].assign_(v)
            return g / sqrt(clamp(v, min=eps1 * eps1)), 1.0
        rows = mixed(state["row_var"], square.mean(-1, keepdim=True), newest)
        columns = mixed(state["col_var"], square.mean(-2, keepdim=True), newest)
        state["row_var"].assign_(rows)
        state["col_var"].assign_(columns)
        unit = sqrt(clamp(rows.mean(-2, keepdim=True), min=eps1))
        u = g * clamp((1 / sqrt(rows)) * (1 / sqrt(columns)), max=1 / (eps1 * unit))
        return (u, unit) if g.ndim == 2 else (u * unit, 1.0)


def mixed(old: Tensor, new: Tensor, share: float) -> Tensor:
    """``(1 - share) old + share new``, for a share that changes from step to step."""
    return old + share * (new - old)


class Muon(Optimizer):
    """Momentum whose matrix is made orthogonal before it becomes the step, for matrices alone::

        b ← momentum b + (1 - momentum) g
        x ← (1 - momentum) g + momentum b           (without nesterov: x ← b)
        x ← x / max(‖x‖, eps)
        x ← a x + (b₁ x xᵀ + c (x xᵀ)²) x           (ns_steps times, ns_coefficients are a b₁ c)
        p ← (1 - lr · weight_decay) p
        p ← p - lr · √max(1, rows / columns) · x    (match_rms_adamw: 0.2 √max(rows, columns))

    The iteration (Newton-Schulz, of degree 5) brings all singular values close to 1; it runs on the
    wide side of x, in float32 where PyTorch rounds to bfloat16. Jordan et al. 2024, "Muon: an
    optimizer for hidden layers in neural networks"; match_rms_adamw: Liu et al. 2025, "Muon is
    scalable for LLM training". Biases and embeddings belong to another optimizer, such as `AdamW`.
    """

    legal: ClassVar[dict[str, Rule]] = {"momentum": SHARE}

    def __init__(
        self,
        params: Params,
        lr: float | Schedule = 1e-3,
        weight_decay: float = 0.1,
        momentum: float = 0.95,
        nesterov: bool = True,
        ns_coefficients: tuple[float, float, float] = (3.4445, -4.7750, 2.0315),
        eps: float = 1e-7,
        ns_steps: int = 5,
        adjust_lr_fn: str | None = None,
    ) -> None:
        super().__init__(params, given(locals()))

    def check_group(self, group: Hyper) -> None:
        for p in group["params"]:
            if p.ndim != 2:
                raise ConfigError(
                    f"Muon got a parameter of shape {p.shape}, but it works for matrices only",
                    help="use it for the weights of hidden layers, and AdamW for all others: "
                    "[p for p in model.parameters() if p.ndim == 2] and [... if p.ndim != 2]",
                )

    def initial_state(self, p: Tensor, group: Hyper) -> Initial:
        return {"momentum_buffer": 0.0}

    def rates(self, group: Hyper, t: Turn) -> dict[str, Callable[[int], float]]:
        rates = super().rates(group, t)
        if group["weight_decay"]:
            rates["keep"] = lambda k: 1 - lr_at(group, t(k)) * group["weight_decay"]
        return rates

    def update(self, p: Tensor, g: Tensor, state: Slots, group: Hyper, rate: Rates) -> None:
        momentum = group["momentum"]
        buffer = lerp(state["momentum_buffer"], g, 1 - momentum)
        state["momentum_buffer"].assign_(buffer)
        x = lerp(g, buffer, momentum) if group["nesterov"] else buffer
        x = orthogonalized(x, group["ns_coefficients"], group["ns_steps"], group["eps"])
        rows, columns = p.shape
        if group["adjust_lr_fn"] == "match_rms_adamw":
            scale = 0.2 * math.sqrt(max(rows, columns))
        else:
            scale = math.sqrt(max(1.0, rows / columns))
        start = p * rate["keep"] if "keep" in rate else p
        p.assign_(start - rate["lr"] * scale * x)


def orthogonalized(
    x: Tensor, coefficients: tuple[float, float, float], steps: int, eps: float
) -> Tensor:
    """x with singular values of about 1, by ``steps`` Newton-Schulz iterations of degree 5."""
    a, b, c = coefficients
    tall = x.shape[0] > x.shape[1]
    x = x.T if tall else x  # x xᵀ is then the smaller of the two products
    x = x / maximum(norm(x), eps)
    for _ in range(steps):
        gram = x @ x.T
        x = a * x + (b * gram + c * (gram @ gram)) @ x
    return x.T if tall else x
