"""Gradient descent and Adam as scikit-learn has them."""

from __future__ import annotations

import math
from collections.abc import Callable

from ..frontend import Tensor
from ..frontend.operations.arithmetic import sqrt
from ..optim import Optimizer
from ..optim.base import Initial, Params, Rates, Slots, Turn
from ..optim.group import Hyper, given, lr_at

__all__ = ["SGD", "Adam"]


class SGD(Optimizer):
    """Gradient descent with momentum::

        v ← momentum · v - lr g
        p ← p + v                     (nesterov: p ← p + momentum · v - lr g)

    Here a change of ``lr`` leaves the velocity as it is, in `chainrule.optim.SGD` not. Sutskever et
    al. 2013, "On the importance of initialization and momentum in deep learning".
    """

    def __init__(
        self, params: Params, lr: float = 1e-3, momentum: float = 0.9, nesterov: bool = True
    ) -> None:
        super().__init__(params, given(locals()))

    def initial_state(self, p: Tensor, group: Hyper) -> Initial:
        return {"velocity": 0.0} if group["momentum"] else {}

    def update(self, p: Tensor, g: Tensor, state: Slots, group: Hyper, rate: Rates) -> None:
        momentum, step = group["momentum"], rate["lr"] * g
        if momentum:
            velocity = momentum * state["velocity"] - step
            state["velocity"].assign_(velocity)
            p.assign_(p + (momentum * velocity - step if group["nesterov"] else velocity))
        else:
            p.assign_(p - step)


class Adam(Optimizer):
    """Running means of gradient and squared gradient, corrected for their start at zero::

        m ← beta1 m + (1 - beta1) g
        v ← beta2 v + (1 - beta2) g²
        p ← p - lr √(1 - beta2ᵗ) / (1 - beta1ᵗ) · m / (√v + eps)

    Here ``eps`` is added before v is corrected, in `chainrule.optim.Adam` after it. That matters
    where gradients are as small as ``eps``, as those of weight decay are. Kingma, Ba 2015, "Adam: a
    method for stochastic optimization", the end of section 2.
    """

    def __init__(
        self,
        params: Params,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
    ) -> None:
        super().__init__(params, given(locals()))

    def initial_state(self, p: Tensor, group: Hyper) -> Initial:
        return {"exp_avg": 0.0, "exp_avg_sq": 0.0}

    def rates(self, group: Hyper, t: Turn) -> dict[str, Callable[[int], float]]:
        beta1, beta2 = group["betas"]
        return {
            "step_size": lambda k: (
                lr_at(group, n := t(k)) * math.sqrt(1 - beta2**n) / (1 - beta1**n)
            )
        }

    def update(self, p: Tensor, g: Tensor, state: Slots, group: Hyper, rate: Rates) -> None:
        beta1, beta2 = group["betas"]
        m = beta1 * state["exp_avg"] + (1 - beta1) * g
        v = beta2 * state["exp_avg_sq"] + (1 - beta2) * g * g
        state["exp_avg"].assign_(m)
        state["exp_avg_sq"].assign_(v)
        p.assign_(p - rate["step_size"] * m / (sqrt(v) + group["eps"]))
