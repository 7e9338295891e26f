"""Schedules made of schedules."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from ...arguments import check_state
from ...errors import StateError
from .base import Schedule, check_whole, require
from .decay import check_milestones

__all__ = ["Sequential", "Warmup"]


@dataclass(frozen=True)
class Warmup(Schedule):
    """A linear rise to the first rate of ``schedule`` in ``steps`` steps, then ``schedule``::

        schedule.lr_at(0) · (step + 1) / steps         for step < steps
        schedule.lr_at(step - steps)                   from there on

    The first step has a rate above 0: a step that changes nothing would be a step lost. Goyal et
    al. 2017, "Accurate, large minibatch SGD", section 2.2.
    """

    name: ClassVar[str] = "warmup"
    schedule: Schedule
    steps: int

    def __post_init__(self) -> None:
        _check_schedule(self.schedule)
        check_whole("steps", self.steps)

    def lr_at(self, step: int) -> float:
        if step < self.steps:
            return self.schedule.lr_at(0) * ((step + 1) / self.steps)
        return self.schedule.lr_at(step - self.steps)

    @property
    def length(self) -> int:
        return self.steps + self.schedule.length

    def observe(self, value: float) -> bool:
        return self.schedule.observe(value)

    def state_dict(self) -> dict[str, Any]:
        return self.schedule.state_dict()

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        self.schedule.load_state_dict(state_dict)


@dataclass(frozen=True)
class Sequential(Schedule):
    """One schedule after the other: the next begins, at its own step 0, at each milestone."""

    name: ClassVar[str] = "sequential"
    schedules: tuple[Schedule, ...]
    milestones: tuple[int, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "schedules", tuple(self.schedules))
        object.__setattr__(self, "milestones", tuple(self.milestones))
        for schedule in self.schedules:
            _check_schedule(schedule)
        check_milestones(self.milestones)
        fits = len(self.milestones) == len(self.schedules) - 1
        require(fits, "milestones", self.milestones, "one fewer than the schedules")

    def lr_at(self, step: int) -> float:
        part = bisect_right(self.milestones, step)
        begun = self.milestones[part - 1] if part else 0
        return self.schedules[part].lr_at(step - begun)

    @property
    def length(self) -> int:
        return self.milestones[-1] + max(self.schedules[-1].length, 1)

    def observe(self, value: float) -> bool:
        fell = [schedule.observe(value) for schedule in self.schedules]  # each takes notice
        return any(fell)

    def state_dict(self) -> dict[str, Any]:
        states = {str(i): schedule.state_dict() for i, schedule in enumerate(self.schedules)}
        return {i: state for i, state in states.items() if state}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        check_state(state_dict, f"the schedule {self.name}", "schedule.state_dict()")
        if unknown := set(state_dict) - {str(i) for i in range(len(self.schedules))}:
            raise StateError(
                f"the state has {', '.join(sorted(unknown))}, which this schedule does not have",
                help="create the schedule exactly as it was when the state was saved",
            )
        for i, schedule in enumerate(self.schedules):
            schedule.load_state_dict(state_dict.get(str(i), {}))


def _check_schedule(schedule: Any) -> None:
    require(isinstance(schedule, Schedule), "schedule", schedule, "a schedule")
