"""Stochastic gradient descent."""

from __future__ import annotations

from collections.abc import Callable

from ..errors import ConfigError
from ..frontend import Tensor
from .base import Initial, Optimizer, Params, Rates, Slots, Turn
from .group import Hyper, given
from .schedule import Schedule

__all__ = ["SGD"]


class SGD(Optimizer):
    """Gradient descent, with momentum if asked for::

        g ← g + weight_decay · p
        b ← momentum · b + (1 - dampening) · g        (first step: b ← g)
        p ← p - lr · b                                (nesterov: p ← p - lr · (g + momentum · b))

    The velocity form of Sutskever et al. 2013, "On the importance of initialization and momentum
    in deep learning", with PyTorch's choice to multiply by ``lr`` last.
    """

    def __init__(
        self,
        params: Params,
        lr: float | Schedule = 1e-3,
        momentum: float = 0.0,
        dampening: float = 0.0,
        weight_decay: float = 0.0,
        nesterov: bool = False,
        *,
        maximize: bool = False,
    ) -> None:
        super().__init__(params, given(locals()))

    def check_group(self, group: Hyper) -> None:
        if group["nesterov"] and (group["momentum"] == 0 or group["dampening"] != 0):
            raise ConfigError(
                f"nesterov with momentum {group['momentum']!r}, dampening {group['dampening']!r}",
                help="Nesterov momentum needs momentum above 0 and zero dampening",
            )

    def initial_state(self, p: Tensor, group: Hyper) -> Initial:
        return {"momentum_buffer": 0.0} if group["momentum"] else {}

    def rates(self, group: Hyper, t: Turn) -> dict[str, Callable[[int], float]]:
        rates = super().rates(group, t)
        if group["momentum"] and group["dampening"]:
            # The buffer is 0 before the first step, which takes the whole gradient.
            rates["fresh"] = lambda k: 1.0 if t(k) == 1 else 1 - group["dampening"]
        return rates

    def update(self, p: Tensor, g: Tensor, state: Slots, group: Hyper, rate: Rates) -> None:
        momentum = group["momentum"]
        if group["weight_decay"]:
            g = g + group["weight_decay"] * p
        if momentum:
            fresh = rate["fresh"] * g if "fresh" in rate else g
            buffer = momentum * state["momentum_buffer"] + fresh
            state["momentum_buffer"].assign_(buffer)
            g = g + momentum * buffer if group["nesterov"] else buffer
        p.assign_(p - rate["lr"] * g)
