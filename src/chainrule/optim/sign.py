"""Optimizers that look only at signs: of the gradient (Rprop) or of its running mean (Lion)."""

from __future__ import annotations

from collections.abc import Callable

from ..frontend import Tensor
from ..frontend.operations.arithmetic import clamp, sign, where
from .base import Initial, Optimizer, Params, Rates, Slots, Turn
from .group import Hyper, given, lr_at
from .running import lerp
from .schedule import Schedule

__all__ = ["Lion", "Rprop"]


class Rprop(Optimizer):
    """Each weight has a step size of its own, which grows while its slope keeps its sign::

        s ← clamp(s · etaplus,  step_sizes)            (g and g' have the same sign)
        s ← clamp(s · etaminus, step_sizes),  g ← 0    (opposite signs: no step this time)
        p ← p - s · sign(g)
        g' ← g

    s starts at the ``lr`` that holds when the optimizer is made, and ``lr`` is not read again.
    For full batches only: the noise of mini-batches changes signs. Riedmiller, Braun 1993, "A
    direct adaptive method for faster backpropagation learning: the RPROP algorithm", in the form
    without stepping back (Igel, Hüsken 2000, "Improving the Rprop learning algorithm": iRprop-).
    """

    def __init__(
        self,
        params: Params,
        lr: float | Schedule = 1e-2,
        etas: tuple[float, float] = (0.5, 1.2),
        step_sizes: tuple[float, float] = (1e-6, 50.0),
        *,
        maximize: bool = False,
    ) -> None:
        super().__init__(params, given(locals()))

    def initial_state(self, p: Tensor, group: Hyper) -> Initial:
        return {"prev": 0.0, "step_size": lr_at(group, 1)}

    def rates(self, group: Hyper, t: Turn) -> dict[str, Callable[[int], float]]:
        return {}

    def update(self, p: Tensor, g: Tensor, state: Slots, group: Hyper, rate: Rates) -> None:
        etaminus, etaplus = group["etas"]
        # Not the sign of the product, which is 0 where small gradients underflow.
        direction = sign(g)
        agreement = direction * sign(state["prev"])
        factor = where(agreement > 0, etaplus, where(agreement < 0, etaminus, 1.0))
        step = clamp(state["step_size"] * factor, *group["step_sizes"])
        state["step_size"].assign_(step)
        state["prev"].assign_(where(agreement < 0, 0.0, g))
        p.assign_(p - step * where(agreement < 0, 0.0, direction))


class Lion(Optimizer):
    """Steps of equal length for all weights, in the direction of a running mean::

        u ← sign(beta1 m + (1 - beta1) g)
        m ← beta2 m + (1 - beta2) g
        p ← p - lr (u + weight_decay · p)

    ``lr`` should be 3 to 10 times smaller than Adam's and ``weight_decay`` as much larger. Chen et
    al. 2023, "Symbolic discovery of optimization algorithms", algorithm 2.
    """

    def __init__(
        self,
        params: Params,
        lr: float | Schedule = 1e-4,
        betas: tuple[float, float] = (0.9, 0.99),
        weight_decay: float = 0.0,
        *,
        maximize: bool = False,
    ) -> None:
        super().__init__(params, given(locals()))

    def initial_state(self, p: Tensor, group: Hyper) -> Initial:
        return {"exp_avg": 0.0}

    def update(self, p: Tensor, g: Tensor, state: Slots, group: Hyper, rate: Rates) -> None:
        beta1, beta2 = group["betas"]
        m = state["exp_avg"]
        direction = sign(lerp(m, g, 1 - beta1))
        if group["weight_decay"]:
            direction = direction + group["weight_decay"] * p
        state["exp_avg"].assign_(lerp(m, g, 1 - beta2))
        p.assign_(p - rate["lr"] * direction)
