"""Two optimizers that share a model: one for its matrices, one for the rest."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ..arguments import check_state
from ..errors import StateError
from ..frontend import Tensor
from . import Optimizer
from .base import Rates, Slots
from .group import Hyper

__all__ = ["Together"]


class Together(Optimizer):
    """Steps each of ``parts``; their groups, one after the other, are its own.

    A change of a group, such as another learning rate, is seen by the part it belongs to.
    """

    def __init__(self, *parts: Optimizer) -> None:
        self.parts = parts
        self.defaults: dict[str, Any] = {}
        self.param_groups = [group for part in parts for group in part.param_groups]
        self.state = {p: slots for part in parts for p, slots in part.state.items()}
        self._clocks = {p: clock for part in parts for p, clock in part._clocks.items()}

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        loss = None if closure is None else closure()
        for part in self.parts:
            part.step()
        return loss

    def update(self, p: Tensor, g: Tensor, state: Slots, group: Hyper, rate: Rates) -> None:
        """Each part updates its own parameters."""

    def state_dict(self) -> dict[str, Any]:
        """The states of the parts."""
        return {"parts": [part.state_dict() for part in self.parts]}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Takes over what `state_dict` gave. Raises StateError if it does not fit."""
        check_state(state_dict, "an optimizer", "optimizer.state_dict()")
        states = state_dict.get("parts", ())
        if len(states) != len(self.parts):
            raise StateError(
                f"the state is of {len(states)} optimizers, there are {len(self.parts)}",
                help="resume with the settings that the run began with",
            )
        for part, state in zip(self.parts, states, strict=True):
            part.load_state_dict(state)
