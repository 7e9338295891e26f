"""Lookahead: slow weights that follow the fast ones of any optimizer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from ..arguments import check_state
from ..errors import ConfigError, StateError
from ..frontend import Tensor, host_effect, host_scalar, no_grad, paused
from ..frontend.apply import from_array
from ..frontend.modes import structure
from ..frontend.operations.arithmetic import where
from ..ir.memory import aligned_copy
from .base import Optimizer
from .group import Clock
from .wrapper import Wrapper

__all__ = ["Lookahead"]


class Lookahead(Wrapper):
    """After every ``k`` steps of ``optimizer`` the slow weights s go a part of the way to p::

        s ← (1 - alpha) s + alpha p
        p ← s

    s begins as the weights before the first step. The optimizer's own state is kept. Zhang, Lucas,
    Hinton, Ba 2019, "Lookahead optimizer: k steps forward, 1 step back". Raises ConfigError for a
    ``k`` below 1 and an ``alpha`` outside (0, 1].
    """

    def __init__(self, optimizer: Optimizer, k: int = 5, alpha: float = 0.5) -> None:
        super().__init__(optimizer)
        if not isinstance(k, int) or isinstance(k, bool) or k < 1:
            raise ConfigError(f"k is {k!r}", help="k must be a whole number of at least 1")
        if not isinstance(alpha, float | int) or not 0 < alpha <= 1:
            raise ConfigError(f"alpha is {alpha!r}", help="alpha must be a number in (0, 1]")
        self.k, self.alpha = k, float(alpha)
        self._slow: dict[Tensor, Tensor] = {}
        self._clock = Clock(1)

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        for p in self._params():
            self._slow_of(p)
        loss = self.optimizer.step(closure)
        turn = self._clock.turn()
        # A number for each step, so that one program does both kinds of step.
        pull = host_scalar(lambda k: 0.0 if turn(k) % self.k else self.alpha)
        with no_grad():
            for p in self._params():
                if p.grad is not None:
                    slow = self._slow_of(p)
                    pulled = (1 - pull) * slow + pull * p
                    slow.assign_(pulled)
                    p.assign_(where(pull > 0, pulled, p))
        host_effect(self._clock.advance)
        return loss

    def _slow_of(self, p: Tensor) -> Tensor:
        if p not in self._slow:
            with paused():
                self._slow[p] = from_array(aligned_copy(p.concrete))
        return self._slow[p]

    def state_dict(self) -> dict[str, Any]:
        """That of the optimizer, and ``"lookahead": {"step": n, "slow": {i: array}}``."""
        slow = {i: self._slow[p].numpy() for i, p in enumerate(self._params()) if p in self._slow}
        own = {"step": self._clock.steps, "slow": slow}
        return {**self.optimizer.state_dict(), "lookahead": own}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        check_state(state_dict, "a Lookahead", "optimizer.state_dict()")
        own = state_dict.get("lookahead")
        if own is None:
            raise StateError(
                "this is not the state of a Lookahead",
                help="load the state of the optimizer inside: lookahead.optimizer.load_state_dict",
            )
        params = dict(enumerate(self._params()))
        slow = {int(i): np.asarray(array) for i, array in own["slow"].items()}
        misfits = [i for i, s in slow.items() if i not in params or s.shape != params[i].shape]
        if misfits:
            raise StateError(
                f"slow weights {misfits} do not match the parameters",
                help="the state belongs to a different model",
            )
        self.optimizer.load_state_dict(state_dict)
        self._clock.steps = int(own["step"])
        for i, p in params.items():
            if i in slow:
                self._slow_of(p).assign_(from_array(slow[i]))
            elif self._slow.pop(p, None) is not None:
                structure.touch()  # compiled steps hold slow weights that are no more
