"""Learning rates as functions of the step number.

A schedule stands where a learning rate stands: ``SGD(params, lr=Exponential(0.1, 0.999))``. It is
a pure function, so the rates of many coming steps can be written before they run in one call.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

from ..errors import ConfigError

__all__ = ["Constant", "Exponential", "Schedule", "Step"]


class Schedule(ABC):
    """``lr_at(step)``: the learning rate of step 0, 1, 2, ..."""

    @abstractmethod
    def lr_at(self, step: int) -> float:
        """The learning rate of the step with this number, counted from 0."""


def _check_base(base: float) -> None:
    if not 0 <= base < float("inf"):
        raise ConfigError(f"lr is {base!r}", help="lr must be a finite number of at least 0")


@dataclass(frozen=True)
class Constant(Schedule):
    """``base``."""

    base: float

    def __post_init__(self) -> None:
        _check_base(self.base)

    def lr_at(self, step: int) -> float:
        return self.base


@dataclass(frozen=True)
class Exponential(Schedule):
    """``base * gamma**step``."""

    base: float
    gamma: float

    def __post_init__(self) -> None:
        _check_base(self.base)
        if not 0 < self.gamma <= 1:
            raise ConfigError(f"gamma is {self.gamma!r}", help="gamma must be in (0, 1]")

    def lr_at(self, step: int) -> float:
        return float(self.base * self.gamma**step)


@dataclass(frozen=True)
class Step(Schedule):
    """``base * gamma**(step // every)``: a factor ``gamma`` after each ``every`` steps."""

    base: float
    every: int
    gamma: float = 0.1

    def __post_init__(self) -> None:
        _check_base(self.base)
        if self.every < 1 or not 0 < self.gamma <= 1:
            raise ConfigError(
                f"every is {self.every!r} and gamma {self.gamma!r}",
                help="every is at least 1, gamma in (0, 1]",
            )

    def lr_at(self, step: int) -> float:
        return float(self.base * self.gamma ** (step // self.every))
