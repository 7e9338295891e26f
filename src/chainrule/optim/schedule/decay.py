"""Schedules that fall, or stay."""

from __future__ import annotations

import math
from bisect import bisect_right
from dataclasses import dataclass
from itertools import pairwise
from typing import ClassVar

from ...ir.types import is_real
from .base import Schedule, check_factor, check_rate, check_share, check_whole, require

__all__ = [
    "Constant",
    "Exponential",
    "InverseSquareRoot",
    "Linear",
    "MultiStep",
    "Polynomial",
    "Step",
]


@dataclass(frozen=True)
class Constant(Schedule):
    """``base``."""

    name: ClassVar[str] = "constant"
    base: float

    def __post_init__(self) -> None:
        check_rate("lr", self.base)

    def lr_at(self, step: int) -> float:
        return float(self.base)


@dataclass(frozen=True)
class Exponential(Schedule):
    """``base * gamma**(step / every)``: a factor ``gamma`` in ``every`` steps, a little in each."""

    name: ClassVar[str] = "exponential"
    base: float
    gamma: float
    every: int = 1

    def __post_init__(self) -> None:
        check_rate("lr", self.base)
        check_factor("gamma", self.gamma)
        check_whole("every", self.every)

    def lr_at(self, step: int) -> float:
        return float(self.base * self.gamma ** (step / self.every))


@dataclass(frozen=True)
class Step(Schedule):
    """``base * gamma**(step // every)``: a factor ``gamma`` after each ``every`` steps."""

    name: ClassVar[str] = "step"
    base: float
    every: int
    gamma: float = 0.1

    def __post_init__(self) -> None:
        check_rate("lr", self.base)
        check_whole("every", self.every)
        check_factor("gamma", self.gamma)

    def lr_at(self, step: int) -> float:
        return float(self.base * self.gamma ** (step // self.every))

    @property
    def length(self) -> int:
        return self.every


@dataclass(frozen=True)
class MultiStep(Schedule):
    """``base * gamma**(number of milestones <= step)``: a factor ``gamma`` at each milestone."""

    name: ClassVar[str] = "multi_step"
    base: float
    milestones: tuple[int, ...]
    gamma: float = 0.1

    def __post_init__(self) -> None:
        object.__setattr__(self, "milestones", tuple(self.milestones))
        check_rate("lr", self.base)
        check_factor("gamma", self.gamma)
        check_milestones(self.milestones)

    def lr_at(self, step: int) -> float:
        return float(self.base * self.gamma ** bisect_right(self.milestones, step))

    @property
    def length(self) -> int:
        return self.milestones[-1] + 1


def check_milestones(milestones: tuple[int, ...]) -> None:
    """Steps at which something changes."""
    for milestone in milestones:
        check_whole("milestones", milestone)
    rising = all(a < b for a, b in pairwise(milestones))
    require(bool(milestones) and rising, "milestones", milestones, "steps in ascending order")


@dataclass(frozen=True)
class Polynomial(Schedule):
    """From ``base`` to ``final`` in ``steps`` steps, then ``final``::

    final + (base - final) · (1 - step / steps)**power
    """

    name: ClassVar[str] = "polynomial"
    base: float
    steps: int
    power: float = 1.0
    final: float = 0.0

    def __post_init__(self) -> None:
        check_rate("lr", self.base)
        check_whole("steps", self.steps)
        fine = is_real(self.power) and 0 < self.power < math.inf
        require(fine, "power", self.power, "a finite number above 0")
        check_rate("final", self.final, most=self.base)

    def lr_at(self, step: int) -> float:
        left = 1 - min(step, self.steps) / self.steps
        return float(self.final + (self.base - self.final) * left**self.power)

    @property
    def length(self) -> int:
        return self.steps


@dataclass(frozen=True)
class Linear(Schedule):
    """From ``base * start_factor`` to ``base * end_factor`` in ``steps`` steps, then that::

    base · (start_factor + (end_factor - start_factor) · step / steps)
    """

    name: ClassVar[str] = "linear"
    base: float
    steps: int
    start_factor: float = 1.0
    end_factor: float = 0.0

    def __post_init__(self) -> None:
        check_rate("lr", self.base)
        check_whole("steps", self.steps)
        check_share("start_factor", self.start_factor)
        check_share("end_factor", self.end_factor)

    def lr_at(self, step: int) -> float:
        done = min(step, self.steps) / self.steps
        factor = self.start_factor + (self.end_factor - self.start_factor) * done
        return float(self.base * factor)

    @property
    def length(self) -> int:
        return self.steps


@dataclass(frozen=True)
class InverseSquareRoot(Schedule):
    """A linear rise to ``base`` in ``warmup`` steps, then a fall with 1/√n, n = step + 1::

        base · min(n / warmup, √(warmup / n))

    Vaswani et al. 2017, "Attention is all you need", section 5.3; there the highest rate is
    written as 1 / √(d_model · warmup).
    """

    name: ClassVar[str] = "inverse_sqrt"
    base: float
    warmup: int = 1

    def __post_init__(self) -> None:
        check_rate("lr", self.base)
        check_whole("warmup", self.warmup)

    def lr_at(self, step: int) -> float:
        n = step + 1
        return float(self.base * min(n / self.warmup, math.sqrt(self.warmup / n)))

    @property
    def length(self) -> int:
        return self.warmup
