"""RMSprop."""

from __future__ import annotations

from ..frontend import Tensor
from ..frontend.operations.arithmetic import sqrt
from .base import Initial, Optimizer, Params, Rates, Slots
from .group import Hyper, given
from .running import lerp
from .schedule import Schedule

__all__ = ["RMSprop"]


class RMSprop(Optimizer):
    """Steps relative to the root mean square of recent gradients::

        v ← alpha v + (1 - alpha) g²
        a ← alpha a + (1 - alpha) g                    (centered only)
        d ← √v + eps                                   (centered: √(v - a²) + eps)
        b ← momentum b + g / d
        p ← p - lr · b

    ``weight_decay`` is added to the gradient (L2). Hinton 2012, lecture 6e of "Neural networks for
    machine learning"; centered: Graves 2013, "Generating sequences with recurrent neural networks".
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
        super().__init__(params, given(locals()))

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
