"""Ways out of a local minimum: random moves whose size or acceptance falls as training goes on.

All random numbers come from a generator of the optimizer's own, so a run is repeated by its seed.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import numpy as np

from ..arguments import check_state
from ..errors import ConfigError, StateError
from ..frontend import Generator, Tensor, enable_grad, host_effect, host_scalar, no_grad
from ..frontend.apply import from_array
from ..frontend.operations.arithmetic import cast, less, less_equal, log, where
from ..frontend.random import rand, randn
from ..ir.memory import aligned_copy
from ..ir.types import DType
from .base import Initial, Optimizer, Params, Rates, Slots, Turn
from .checking import not_negative
from .group import NOT_NEGATIVE, Clock, Hyper, Rule, lr_at
from .schedule import Schedule
from .schedule.base import check_factor, check_whole, require
from .wrapper import Wrapper

__all__ = ["SGLD", "GradientNoise", "SimulatedAnnealing"]

#: temperature after t steps, as a share of the first, from ``rate`` and ``steps``
COOLINGS: dict[str, Callable[[int, float, int], float]] = {
    "geometric": lambda t, rate, steps: rate**t,
    "linear": lambda t, rate, steps: max(0.0, 1 - t / steps),
    "logarithmic": lambda t, rate, steps: math.log(2) / math.log(2 + t),
}


class SimulatedAnnealing(Optimizer):
    """Random moves, accepted by the rule of Metropolis; no gradient is used::

        q = p + scale · ξ                                  ξ ~ N(0, 1), all parameters at once
        p ← q  if  loss(q) - loss(p) <= -T ln u            u uniform in (0, 1]

    so a better place is always accepted, one that is worse by d with probability exp(-d / T). The
    temperature T is ``temperature`` times, after t steps, with ``cooling``

    ============= =================== =====================================================
    "geometric"   rate**t             Kirkpatrick, Gelatt, Vecchi 1983, "Optimization by
                                      simulated annealing"
    "linear"      max(0, 1 - t/steps)
    "logarithmic" ln 2 / ln(2 + t)    Geman and Geman 1984: slow enough to be sure, in theory
    ============= =================== =====================================================

    ``step(closure)`` needs a closure that returns the loss, without gradients. It is called twice,
    where the parameters are and at the proposal, so that both losses are of the same batch; step
    returns that of the place where it stays. The best place so far is kept: `restore_best`.
    ``scale`` may differ from group to group. Raises ConfigError for settings out of their range.
    """

    legal: ClassVar[Mapping[str, Rule]] = {"scale": NOT_NEGATIVE}

    def __init__(
        self,
        params: Params,
        temperature: float = 1.0,
        cooling: str = "geometric",
        scale: float = 0.1,
        *,
        rate: float = 0.999,
        steps: int = 1000,
        seed: int = 0,
    ) -> None:
        require(cooling in COOLINGS, "cooling", cooling, " or ".join(COOLINGS))
        check_factor("rate", rate)
        check_whole("steps", steps)
        self.temperature = not_negative("temperature", temperature)
        super().__init__(params, {"scale": scale})
        self.cooling, self.rate, self.steps = cooling, rate, steps
        self.generator = Generator(seed)
        self._clock = Clock(1)
        self._best_loss = from_array(aligned_copy(np.array(np.inf, np.float32)))
        self._accepted = from_array(aligned_copy(np.array(0, np.int32)))

    def initial_state(self, p: Tensor, group: Hyper) -> Initial:
        return {"best": 0.0}

    def update(self, p: Tensor, g: Tensor, state: Slots, group: Hyper, rate: Rates) -> None:
        raise ConfigError("SimulatedAnnealing does not use gradients", help="call step(closure)")

    def temperature_at(self, t: int) -> float:
        """The temperature after ``t`` steps."""
        return self.temperature * COOLINGS[self.cooling](t, self.rate, self.steps)

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        if closure is None:
            raise ConfigError(
                "SimulatedAnnealing needs a closure",
                help="call step(closure) with a function that returns the loss",
            )
        turn = self._clock.turn()
        temperature = host_scalar(lambda k: self.temperature_at(turn(k) - 1))
        with no_grad():
            before = closure()
            old_values = [(p, p.detach(), g) for g in self.param_groups for p in g["params"]]
            for p, values, group in old_values:
                scale = _setting(group, "scale")
                p.assign_(values + scale * randn(*p.shape, generator=self.generator))
            after = closure()
            u = 1 - rand(generator=self.generator)
            accept = less_equal(after - before, -temperature * log(u))
            stay = where(accept, after, before)
            self._keep_best(before, [(p, values) for p, values, _ in old_values])
            self._keep_best(after, [(p, p) for p, _, _ in old_values])
            for p, values, _ in old_values:
                p.assign_(where(accept, p, values))
            self._accepted.assign_(self._accepted + cast(accept, DType.i32))
        host_effect(self._clock.advance)
        return stay

    def _keep_best(self, loss: Tensor, candidates: list[tuple[Tensor, Tensor]]) -> None:
        better = less(loss, self._best_loss)
        for p, values in candidates:
            best = self.state[p]["best"]
            best.assign_(where(better, values, best))
        self._best_loss.assign_(where(better, loss, self._best_loss))

    @property
    def best_loss(self) -> float:
        """The lowest loss that was met, infinite before the first step.

        With a closure over mini-batches it is that of a batch, and as noisy.
        """
        return float(self._best_loss.item())

    @property
    def acceptance(self) -> float:
        """The share of proposals that were accepted; around a quarter to a half is healthy."""
        return int(self._accepted.item()) / max(self._clock.steps, 1)

    def restore_best(self) -> None:
        """Puts the parameters where the loss was lowest."""
        if self.best_loss == math.inf:
            return
        with no_grad():
            for p in self._params():
                p.assign_(self.state[p]["best"])

    def state_dict(self) -> dict[str, Any]:
        """As of every optimizer, and ``"annealing"``: its counts, best loss and generator."""
        own = {
            "step": self._clock.steps,
            "accepted": int(self._accepted.item()),
            "best_loss": None if self.best_loss == math.inf else self.best_loss,
            "generator": list(self.generator.get_state()),
        }
        return {**super().state_dict(), "annealing": own}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        own = _own(state_dict, "annealing", "SimulatedAnnealing")
        super().load_state_dict(state_dict)
        best = own["best_loss"]
        self._best_loss.assign_(math.inf if best is None else best)
        self._accepted.assign_(own["accepted"])
        self._clock.steps = int(own["step"])
        self.generator.set_state(tuple(own["generator"]))


class GradientNoise(Wrapper):
    """Noise on the gradients that ``optimizer`` gets, less and less of it::

        g ← g + ξ · √(eta / (1 + t)**gamma)        ξ ~ N(0, 1), t = 0, 1, ...

    ``.grad`` is the gradient without noise again after the step. Neelakantan et al. 2015, "Adding
    gradient noise improves learning for very deep networks"; there eta is 0.01, 0.3 or 1 and gamma
    0.55. Raises ConfigError for a negative eta or gamma.
    """

    def __init__(
        self, optimizer: Optimizer, eta: float = 0.3, gamma: float = 0.55, *, seed: int = 0
    ) -> None:
        super().__init__(optimizer)
        self.eta, self.gamma = not_negative("eta", eta), not_negative("gamma", gamma)
        self.generator = Generator(seed)
        self._clock = Clock(1)

    def deviation_at(self, t: int) -> float:
        """The standard deviation of the noise after ``t`` steps."""
        return math.sqrt(self.eta / (1 + t) ** self.gamma)

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        loss = None
        if closure is not None:
            with enable_grad():
                loss = closure()
        turn = self._clock.turn()
        deviation = host_scalar(lambda k: self.deviation_at(turn(k) - 1))
        exact = [(p, p.grad) for p in self._params() if p.grad is not None]
        with no_grad():
            for p, g in exact:
                p.grad = g + deviation * randn(*p.shape, generator=self.generator)
        try:
            self.optimizer.step()
        finally:
            for p, g in exact:
                p.grad = g
        host_effect(self._clock.advance)
        return loss

    def state_dict(self) -> dict[str, Any]:
        """That of the optimizer, and ``"noise": {"step": n, "generator": [...]}``."""
        own = {"step": self._clock.steps, "generator": list(self.generator.get_state())}
        return {**self.optimizer.state_dict(), "noise": own}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        own = _own(state_dict, "noise", "GradientNoise")
        self.optimizer.load_state_dict(state_dict)
        self._clock.steps = int(own["step"])
        self.generator.set_state(tuple(own["generator"]))


class SGLD(Optimizer):
    """Stochastic gradient Langevin dynamics: draws weights from their posterior distribution::

        p ← p - lr/2 · (examples · g + weight_decay · p) + √(lr · temperature) · ξ,   ξ ~ N(0, 1)

    With a loss that is the mean negative log-likelihood over rows, ``examples`` the rows of the
    training set and ``weight_decay`` the precision of a normal prior, the weights wander, for small
    ``lr``, through exp(-U / temperature), U the negative log of the posterior. With a temperature
    above 1 they wander wider, with 0 this is gradient descent. Welling and Teh 2011, "Bayesian
    learning via stochastic gradient Langevin dynamics"; there lr falls as a (b + t)**-γ.
    """

    legal: ClassVar[Mapping[str, Rule]] = {"examples": NOT_NEGATIVE, "temperature": NOT_NEGATIVE}

    def __init__(
        self,
        params: Params,
        lr: float | Schedule = 1e-4,
        examples: float = 1,
        temperature: float = 1.0,
        weight_decay: float = 0.0,
        *,
        seed: int = 0,
    ) -> None:
        settings = {
            "lr": lr,
            "examples": examples,
            "temperature": temperature,
            "weight_decay": weight_decay,
        }
        super().__init__(params, settings)
        self.generator = Generator(seed)

    def rates(self, group: Hyper, t: Turn) -> dict[str, Callable[[int], float]]:
        return {
            "half": lambda k: lr_at(group, t(k)) / 2,
            "spread": lambda k: math.sqrt(lr_at(group, t(k)) * group["temperature"]),
        }

    def update(self, p: Tensor, g: Tensor, state: Slots, group: Hyper, rate: Rates) -> None:
        g = group["examples"] * g
        if group["weight_decay"]:
            g = g + group["weight_decay"] * p
        noise = rate["spread"] * randn(*p.shape, generator=self.generator)
        p.assign_(p - rate["half"] * g + noise)

    def state_dict(self) -> dict[str, Any]:
        """As of every optimizer, and ``"noise": {"generator": [...]}``."""
        return {**super().state_dict(), "noise": {"generator": list(self.generator.get_state())}}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        own = _own(state_dict, "noise", "SGLD")
        super().load_state_dict(state_dict)
        self.generator.set_state(tuple(own["generator"]))


def _setting(group: Hyper, name: str) -> Tensor | float:
    """A setting that may change without compiling anything anew."""
    return host_scalar(lambda k: float(group[name]))


def _own(state_dict: Mapping[str, Any], key: str, kind: str) -> Mapping[str, Any]:
    """The part of a state that ``kind`` added; StateError if it is missing."""
    check_state(state_dict, f"a {kind}", "optimizer.state_dict()")
    if key not in state_dict:
        raise StateError(
            f"this is not the state of a {kind}: it has {', '.join(map(str, state_dict))}",
            help="load a state saved by the same optimizer",
        )
    own_state: Mapping[str, Any] = state_dict[key]
    return own_state
