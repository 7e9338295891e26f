"""Several optimizers for one model, each with its own parameters."""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Callable, Iterator, Mapping
from itertools import chain
from operator import is_
from typing import Any

from ..arguments import check_state
from ..errors import ConfigError, StateError
from ..frontend import Tensor
from . import Optimizer
from .base import Rates, Slots
from .group import Hyper, ParamGroup

__all__ = ["CombinedOptimizer"]


class CombinedOptimizer(Optimizer):
    """One optimizer made of ``parts``: a step steps each of them, in order.

    Its ``param_groups`` are those of the parts, also those that a part gets later, and the same
    objects, so that a schedule which changes the learning rate of a group changes it for the part.
    Its state is that of the parts, whatever becomes of them. New parameters go to a part.
    """

    def __init__(self, *parts: Optimizer) -> None:
        self.parts = parts
        self.defaults: dict[str, Any] = {}
        self._groups: list[ParamGroup] = []
        self._known: list[ParamGroup] = []
        self._gather()
        self.state = ChainMap(*(part.state for part in parts))
        self._clocks = ChainMap(*(part._clocks for part in parts))

    @property
    def param_groups(self) -> list[ParamGroup]:
        """Those of all parts at this moment. ConfigError if groups were put into the list, or taken
        out of it: no part would know."""
        self._gather()
        return self._groups

    @param_groups.setter
    def param_groups(self, groups: list[ParamGroup]) -> None:
        raise self._undecided()

    def _gather(self) -> None:
        same = len(self._groups) == len(self._known) and all(map(is_, self._groups, self._known))
        if not same:
            raise self._undecided()
        # In place: a compiled step asks for the groups, too, and assigns no attributes.
        self._known[:] = [group for part in self.parts for group in part.param_groups]
        self._groups[:] = self._known

    def _undecided(self) -> ConfigError:
        return ConfigError(
            f"an optimizer made of {len(self.parts)} cannot tell which of them new parameters "
            "belong to",
            help="add them to one: optimizer.parts[0].add_param_group(...)",
        )

    def _params(self) -> Iterator[Tensor]:
        return chain.from_iterable(part._params() for part in self.parts)

    def add_param_group(self, group: Mapping[str, Any]) -> None:
        """Raises ConfigError: nothing says which of the parts it is for."""
        raise self._undecided()

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        loss = None if closure is None else closure()
        self._gather()
        for part in self.parts:
            part.step()
        return loss

    def update(self, p: Tensor, g: Tensor, state: Slots, group: Hyper, rate: Rates) -> None:
        """Does nothing: each part updates its own parameters."""

    def state_dict(self) -> dict[str, Any]:
        """``{"parts": [...]}``, the state of each part."""
        return {"parts": [part.state_dict() for part in self.parts]}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Restores what `state_dict` gave. Raises StateError if it does not fit."""
        check_state(state_dict, "an optimizer", "optimizer.state_dict()")
        states = state_dict.get("parts", ())
        if len(states) != len(self.parts):
            raise StateError(
                f"expected the state of {len(self.parts)} optimizers, got {len(states)}",
                help="resume with the settings that the run began with",
            )
        for part, state in zip(self.parts, states, strict=True):
            part.load_state_dict(state)
