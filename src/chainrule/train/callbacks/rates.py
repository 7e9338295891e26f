"""Learning rates that change between epochs, whether they are numbers or schedules."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from ...errors import ConfigError
from ...frontend import Tensor
from ...ir.types import is_real, is_whole
from ...optim import Optimizer
from ...optim.group import ParamGroup, lr_at
from ...optim.schedule import Schedule
from ..callback import Callback, Logs, Mode, direction, watched

__all__ = [
    "LearningRateScheduler",
    "ReduceLROnPlateau",
    "Scaled",
    "observing",
    "rates_of",
    "scale_rates",
    "schedule_states",
    "set_rates",
    "set_schedule_states",
    "update_counts",
]


@dataclass(frozen=True)
class Scaled(Schedule):
    """``max(factor * schedule, least)``: what becomes of a schedule when rates are reduced."""

    name: ClassVar[str] = "scaled"
    schedule: Schedule
    factor: float
    least: float = 0.0

    def lr_at(self, step: int) -> float:
        return max(self.factor * self.schedule.lr_at(step), self.least)

    @property
    def length(self) -> int:
        return self.schedule.length

    def observe(self, value: float) -> bool:
        return self.schedule.observe(value)

    def state_dict(self) -> dict[str, Any]:
        return self.schedule.state_dict()

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        self.schedule.load_state_dict(state_dict)


def _with_rates(optimizer: Optimizer) -> list[ParamGroup]:
    """The groups that have a learning rate: all of them, or none (simulated annealing)."""
    return [group for group in optimizer.param_groups if "lr" in group]


def scale_rates(optimizer: Optimizer, factor: float, least: float = 0.0) -> None:
    """Multiplies every group's learning rate by ``factor``, down to ``least`` at the lowest.

    A schedule goes on, scaled. Nothing is compiled anew.
    """
    for group in _with_rates(optimizer):
        lr = group["lr"]
        if isinstance(lr, Scaled):
            group["lr"] = Scaled(lr.schedule, lr.factor * factor, max(lr.least, least))
        elif isinstance(lr, Schedule):
            group["lr"] = Scaled(lr, factor, least)
        else:
            # Never upwards: a rate that is below the least already stays.
            group["lr"] = min(float(lr), max(float(lr) * factor, least))


def set_rates(optimizer: Optimizer, rate: float) -> None:
    """Makes ``rate`` the largest learning rate of the coming update; those of other groups change
    by the same factor, and schedules go on, scaled. Without a rate above 0, nothing happens.
    """
    present = max(rates_of(optimizer), default=0.0)
    for group in _with_rates(optimizer) if present > 0 else ():
        lr, factor = group["lr"], rate / present
        if isinstance(lr, Scaled):
            group["lr"] = Scaled(lr.schedule, lr.factor * factor, lr.least)
        elif isinstance(lr, Schedule):
            group["lr"] = Scaled(lr, factor)
        else:
            group["lr"] = float(lr) * factor


def schedule_states(optimizer: Optimizer) -> list[dict[str, Any]]:
    """What checkpoints keep of each group's schedule: how it was scaled, what it has observed.

    A rate that is a number is part of the optimizer's own state.
    """
    states = []
    for group in _with_rates(optimizer):
        lr = group["lr"]
        factor, least = (lr.factor, lr.least) if isinstance(lr, Scaled) else (1.0, 0.0)
        seen = lr.state_dict() if isinstance(lr, Schedule) else {}
        states.append({"factor": factor, "least": least, "seen": seen})
    return states


def set_schedule_states(optimizer: Optimizer, states: Sequence[Mapping[str, Any]]) -> None:
    """Takes over what `schedule_states` gave; groups whose rate is a number are left alone."""
    for group, state in zip(_with_rates(optimizer), states, strict=True):
        lr = group["lr"]
        plain = lr.schedule if isinstance(lr, Scaled) else lr
        if isinstance(plain, Schedule):
            plain.load_state_dict(state["seen"])
            scaled = Scaled(plain, state["factor"], state["least"])
            group["lr"] = plain if (scaled.factor, scaled.least) == (1.0, 0.0) else scaled


def observing(optimizer: Optimizer) -> list[Schedule]:
    """The schedules that depend on what they observe, each once."""
    rates = {id(r): r for g in _with_rates(optimizer) if isinstance(r := g["lr"], Schedule)}
    return [r for r in rates.values() if r.state_dict()]


def update_counts(optimizer: Optimizer) -> list[int]:
    """How many updates each group has had (its most advanced parameter, where they differ)."""
    clocks = optimizer._clocks
    return [
        max((clocks[p].steps for p in group["params"]), default=0)
        for group in _with_rates(optimizer)
    ]


def rates_of(optimizer: Optimizer) -> list[float]:
    """Each group's learning rate in the coming update; empty if the optimizer has none."""
    counts = zip(_with_rates(optimizer), update_counts(optimizer), strict=True)
    return [lr_at(group, count + 1) for group, count in counts]


class LearningRateScheduler(Callback):
    """Sets the learning rate of every group before each epoch: ``schedule(epoch, lr) -> lr``.

    ``lr`` is the present rate. For rates that change from step to step give the optimizer a
    schedule instead: ``optim.Adam(params, lr=optim.schedule.Exponential(...))``.
    """

    def __init__(self, schedule: Callable[[int, float], float]) -> None:
        if not callable(schedule):
            raise ConfigError(
                f"the function of LearningRateScheduler is {schedule!r}",
                help="pass a function of (epoch, lr); schedules go to the optimizer: "
                "Adam(params, lr=schedule)",
            )
        self.schedule = schedule

    def on_epoch_begin(self, epoch: int, logs: Logs) -> None:
        optimizer = self.trainer.optimizer
        for group, rate in zip(_with_rates(optimizer), rates_of(optimizer), strict=True):
            group["lr"] = self._rate(epoch, rate)

    def _rate(self, epoch: int, rate: float) -> float:
        returned: Any = self.schedule(epoch, rate)
        if isinstance(returned, np.ndarray | Tensor) and returned.shape == ():
            returned = returned.item()
        if not is_real(returned):
            raise ConfigError(
                f"the function of LearningRateScheduler returned {returned!r} for epoch {epoch}",
                help="return the learning rate, a number: lambda epoch, lr: 0.9 * lr",
            )
        return float(returned)


class ReduceLROnPlateau(Callback):
    """Multiplies the learning rate by ``factor`` when ``monitor`` has not improved by more than
    ``min_delta`` for ``patience`` epochs; then waits ``cooldown`` epochs before it counts again.

    The rate does not fall below ``min_lr``. Schedules go on, scaled. ``reductions`` lists the
    epochs after which it happened.
    """

    def __init__(
        self,
        monitor: str = "val_loss",
        factor: float = 0.1,
        patience: int = 10,
        mode: Mode = "auto",
        min_delta: float = 1e-4,
        cooldown: int = 0,
        min_lr: float = 0.0,
    ) -> None:
        numbers = all(map(is_real, (factor, min_delta, min_lr)))
        counts = all(is_whole(n) and n >= 0 for n in (patience, cooldown))
        if not (numbers and counts and 0 < factor < 1 and min_delta >= 0 and min_lr >= 0):
            raise ConfigError(
                f"invalid rate reduction: factor={factor!r}, patience={patience!r}, "
                f"min_delta={min_delta!r}, cooldown={cooldown!r}, min_lr={min_lr!r}",
                help="factor must be between 0 and 1, the others at least 0; patience and cooldown "
                "are whole numbers",
            )
        self.monitor, self.factor, self.patience = monitor, factor, patience
        self.min_delta, self.cooldown, self.min_lr = min_delta, cooldown, min_lr
        self.sign = direction("ReduceLROnPlateau", monitor, mode)
        self.on_train_begin({})

    def on_train_begin(self, logs: Logs) -> None:
        self.best = self.sign * np.inf
        self.reductions: list[int] = []
        self._wait = self._rest = 0

    def on_epoch_end(self, epoch: int, logs: Logs) -> None:
        value = watched("ReduceLROnPlateau", self.monitor, logs)
        if self._rest:
            self._rest -= 1
            self._wait = 0
        if self.sign * value < self.sign * self.best - self.min_delta:
            self.best, self._wait = value, 0
            return
        if self._rest:
            return
        self._wait += 1
        if self._wait >= max(self.patience, 1):
            before = rates_of(self.trainer.optimizer)
            scale_rates(self.trainer.optimizer, self.factor, self.min_lr)
            self._wait, self._rest = 0, self.cooldown
            after = rates_of(self.trainer.optimizer)
            if after != before:
                self.reductions.append(epoch)
                self.trainer.tell(
                    f"epoch {epoch + 1}: {self.monitor} stopped improving at {self.best:.4g}; "
                    f"learning rate reduced from {max(before):.3g} to {max(after):.3g}"
                )

    def state(self) -> dict[str, Any]:
        return {
            "best": float(self.best),
            "wait": self._wait,
            "rest": self._rest,
            "reductions": list(self.reductions),
        }

    def set_state(self, state: Mapping[str, Any]) -> None:
        self.best, self._wait, self._rest = state["best"], state["wait"], state["rest"]
        self.reductions = list(state["reductions"])
