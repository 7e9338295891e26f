"""An optimizer around another: what it adds stands in `step`, all else is the other's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..errors import ConfigError
from ..frontend import Tensor
from .base import Optimizer, Rates, Slots
from .group import Hyper, ParamGroup

__all__ = ["Wrapper"]


class Wrapper(Optimizer):
    """Has the groups, gradients and state of ``optimizer``, which it steps.

    ``param_groups`` and ``state`` are those of ``optimizer`` itself: a change of either is seen in
    both.
    """

    def __init__(self, optimizer: Optimizer) -> None:
        if not isinstance(optimizer, Optimizer):
            raise ConfigError(
                f"the optimizer to wrap is {optimizer!r}",
                help="pass an instance, for example optim.SGD(model.parameters(), lr=0.1)",
            )
        self.optimizer = optimizer
        self.defaults, self.state = optimizer.defaults, optimizer.state
        self._clocks = optimizer._clocks

    @property
    def param_groups(self) -> list[ParamGroup]:
        """Those of the optimizer at this moment."""
        return self.optimizer.param_groups

    @param_groups.setter
    def param_groups(self, groups: list[ParamGroup]) -> None:
        self.optimizer.param_groups = groups

    def update(self, p: Tensor, g: Tensor, state: Slots, group: Hyper, rate: Rates) -> None:
        self.optimizer.update(p, g, state, group, rate)

    def add_param_group(self, group: Mapping[str, Any]) -> None:
        self.optimizer.add_param_group(group)

    def state_dict(self) -> dict[str, Any]:
        """That of the wrapped optimizer, and one key more."""
        return self.optimizer.state_dict()

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        self.optimizer.load_state_dict(state_dict)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.optimizer!r})"
