"""Schedules that rise and fall, or follow a cosine."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

from ...ir.types import is_real
from .base import Schedule, check_factor, check_rate, check_whole, require

__all__ = ["Cosine", "CosineWarmRestarts", "Coslog", "Cyclical", "OneCycle"]

_CYCLICAL_MODES = ("triangular", "triangular2", "exp_range")
_ANNEALING = ("cos", "linear")


@dataclass(frozen=True)
class Cyclical(Schedule):
    """From ``low`` up to ``base`` in ``up`` steps, down in ``down`` (None: as many), and again::

        low + (base - low) · x · s

    x is the height within cycle c = 0, 1, ..., from 0 to 1 and back. s is 1 for ``triangular``,
    2**-c for ``triangular2`` and gamma**step for ``exp_range``.
    Smith 2017, "Cyclical learning rates for training neural networks"; there ``low`` is base_lr
    and ``base`` max_lr.
    """

    name: ClassVar[str] = "cyclical"
    base: float
    low: float
    up: int
    down: int | None = None
    mode: str = "triangular"
    gamma: float = 1.0

    def __post_init__(self) -> None:
        check_rate("lr", self.base)
        check_rate("low", self.low, most=self.base)
        check_whole("up", self.up)
        if self.down is not None:
            check_whole("down", self.down)
        require(self.mode in _CYCLICAL_MODES, "mode", self.mode, " or ".join(_CYCLICAL_MODES))
        check_factor("gamma", self.gamma)

    def lr_at(self, step: int) -> float:
        cycle, done = divmod(step, self.length)
        up = self.up
        height = done / up if done <= up else (self.length - done) / (self.length - up)
        scale = 1.0
        if self.mode == "triangular2":
            scale = 0.5**cycle
        elif self.mode == "exp_range":
            scale = self.gamma**step
        return float(self.low + (self.base - self.low) * height * scale)

    @property
    def length(self) -> int:
        return self.up + (self.up if self.down is None else self.down)


def _cosine(start: float, end: float, done: float) -> float:
    """From ``start`` to ``end`` along half a cosine; ``done`` goes from 0 to 1."""
    return end + (start - end) * (1 + math.cos(math.pi * done)) / 2


@dataclass(frozen=True)
class Cosine(Schedule):
    """From ``base`` to ``final`` in ``steps`` steps along half a cosine, then ``final``::

        final + (base - final) · (1 + cos(π · step / steps)) / 2

    Loshchilov and Hutter 2017, "SGDR: stochastic gradient descent with warm restarts", without
    restarts.
    """

    name: ClassVar[str] = "cosine"
    base: float
    steps: int
    final: float = 0.0

    def __post_init__(self) -> None:
        check_rate("lr", self.base)
        check_whole("steps", self.steps)
        check_rate("final", self.final, most=self.base)

    def lr_at(self, step: int) -> float:
        return float(_cosine(self.base, self.final, min(step, self.steps) / self.steps))

    @property
    def length(self) -> int:
        return self.steps


@dataclass(frozen=True)
class CosineWarmRestarts(Schedule):
    """`Cosine` over ``T_0`` steps, then again from ``base`` over ``T_mult`` times as many, ...

    Loshchilov and Hutter 2017, "SGDR: stochastic gradient descent with warm restarts".
    """

    name: ClassVar[str] = "cosine_restarts"
    base: float
    T_0: int
    T_mult: int = 1
    final: float = 0.0

    def __post_init__(self) -> None:
        check_rate("lr", self.base)
        check_whole("T_0", self.T_0)
        check_whole("T_mult", self.T_mult)
        check_rate("final", self.final, most=self.base)

    def lr_at(self, step: int) -> float:
        period = self.T_0
        if self.T_mult == 1:
            step %= period
        while step >= period:
            step -= period
            period *= self.T_mult
        return float(_cosine(self.base, self.final, step / period))

    @property
    def length(self) -> int:
        return self.T_0


@dataclass(frozen=True)
class Coslog(Schedule):
    """``cycles`` rises and falls over ``steps`` steps, each twice as long as the one before::

        base · (1 - cos(2π · log2(1 + (2**cycles - 1) · step / steps))) / 2

    Holzmüller et al. 2024, "Better by default: strong pre-tuned MLPs and boosted trees on tabular
    data". After the last step it is 0.
    """

    name: ClassVar[str] = "coslog"
    base: float
    steps: int
    cycles: int = 4

    def __post_init__(self) -> None:
        check_rate("lr", self.base)
        check_whole("steps", self.steps)
        check_whole("cycles", self.cycles)
        require(self.cycles <= 32, "cycles", self.cycles, "at most 32")

    def lr_at(self, step: int) -> float:
        done = min(step, self.steps) / self.steps
        turns = math.log2(1 + (2**self.cycles - 1) * done)
        return self.base * (1 - math.cos(2 * math.pi * turns)) / 2

    @property
    def length(self) -> int:
        return self.steps


@dataclass(frozen=True)
class OneCycle(Schedule):
    """One rise and one fall over a run of ``steps`` steps::

        base / div  ->  base  ->  base / div / final_div

    The rise takes ``rise`` of the run: it ends with step ``rise · steps - 1``, the fall with the
    last. ``shape`` is "cos" or "linear". Smith and Topin 2018, "Super-convergence: very fast
    training of neural networks using large learning rates". The paper lets momentum fall while the
    rate rises; here momentum is not cycled.
    """

    name: ClassVar[str] = "one_cycle"
    base: float
    steps: int
    rise: float = 0.3
    div: float = 25.0
    final_div: float = 1e4
    shape: str = "cos"

    def __post_init__(self) -> None:
        check_rate("lr", self.base)
        check_whole("steps", self.steps)
        require(is_real(self.rise) and 0 < self.rise < 1, "rise", self.rise, "in (0, 1)")
        for name, value in (("div", self.div), ("final_div", self.final_div)):
            fine = is_real(value) and 1 <= value < math.inf
            require(fine, name, value, "a finite number of at least 1")
        require(self.shape in _ANNEALING, "shape", self.shape, " or ".join(_ANNEALING))

    def lr_at(self, step: int) -> float:
        # A rise of less than one step would end before the run begins.
        first, top = self.base / self.div, max(self.rise * self.steps - 1, 0.0)
        last = self.steps - 1
        step = min(step, last)
        if step <= top:
            return self._between(first, self.base, step / top if top > 0 else 1.0)
        return self._between(self.base, first / self.final_div, (step - top) / (last - top))

    def _between(self, start: float, end: float, done: float) -> float:
        if self.shape == "cos":
            return float(_cosine(start, end, done))
        return float(start + (end - start) * done)

    @property
    def length(self) -> int:
        return self.steps
