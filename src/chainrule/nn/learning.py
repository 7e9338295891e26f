"""Networks some of whose parameters learn at another rate than the others."""

from __future__ import annotations

from abc import abstractmethod
from typing import NamedTuple

from .module import Module, Parameter

__all__ = ["Learning", "LearningModule"]


class Learning(NamedTuple):
    """How a parameter learns: factors of the learning rate, and of the weight decay."""

    rate: float = 1.0
    decay: float = 1.0


class LearningModule(Module):
    """A network that says how each of its parameters learns; the trainer of a run asks it."""

    @abstractmethod
    def learning(self, name: str) -> Learning:
        """How the parameter of this name, as in ``named_parameters``, learns."""

    def by_learning(self) -> dict[Learning, list[Parameter]]:
        """The parameters that learn alike, in their order."""
        alike: dict[Learning, list[Parameter]] = {}
        for name, parameter in self.named_parameters():
            alike.setdefault(self.learning(name), []).append(parameter)
        return alike
