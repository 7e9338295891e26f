"""What a schedule is, and the checks that all of them share."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, fields
from numbers import Integral, Real
from typing import Any, ClassVar

from ...arguments import check_state
from ...errors import ConfigError, StateError
from ...ir.types import is_real, is_whole

__all__ = ["Schedule"]


@dataclass(frozen=True)
class Schedule(ABC):
    """``lr_at(step)``: the learning rate of step 0, 1, 2, ..., in float64.

    No rate is above ``base``, the rate that would stand there without a schedule. Settings never
    change. `ReduceOnPlateau` alone depends on more than the step: on what it has observed.
    """

    #: its name in a configuration
    name: ClassVar[str]

    @abstractmethod
    def lr_at(self, step: int) -> float:
        """The learning rate of the step with this number, counted from 0."""

    @property
    def length(self) -> int:
        """The shortest run, in steps, in which it does what it says; 0 if any run will do."""
        return 0

    def to_dict(self) -> dict[str, Any]:
        """Its name and settings as JSON values; `from_dict` makes it again."""
        settings = {f.name: getattr(self, f.name) for f in fields(self) if f.init}
        return {"name": self.name, **{key: _plain(value) for key, value in settings.items()}}

    def observe(self, value: float) -> bool:
        """``value`` was measured, usually a validation loss; whether the rate falls because of it.

        Most schedules take no notice.
        """
        return False

    def state_dict(self) -> dict[str, Any]:
        """What was observed so far, as JSON values: nothing for most."""
        return {}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Continues from what `state_dict` gave; StateError if another kind of schedule gave it."""
        check_state(state_dict, f"the schedule {self.name}", "schedule.state_dict()")
        if state_dict:
            raise StateError(
                f"the schedule {self.name} has no state, but got {', '.join(state_dict)}",
                help="create the schedule exactly as it was when the state was saved",
            )


def _plain(value: Any) -> Any:
    """``value`` as JSON knows it."""
    if isinstance(value, Schedule):
        return value.to_dict()
    if isinstance(value, tuple):
        return [_plain(v) for v in value]
    if isinstance(value, Integral):
        return int(value)
    return float(value) if isinstance(value, Real) else value


def require(fine: bool, name: str, value: Any, words: str) -> None:
    """ConfigError, saying in ``words`` what ``name`` must be, unless ``value`` is fine."""
    if not fine:
        raise ConfigError(f"{name} is {value!r}", help=f"{name} must be {words}")


def check_rate(name: str, value: Any, most: float | None = None) -> None:
    """A learning rate: finite, at least 0, at most ``most``."""
    fine = is_real(value) and 0 <= value < math.inf and (most is None or value <= most)
    bound = "" if most is None else f", at most {most:g}"
    require(fine, name, value, f"a finite number of at least 0{bound}")


def check_whole(name: str, value: Any, least: int = 1) -> None:
    """A count."""
    require(is_whole(value) and value >= least, name, value, f"a whole number of at least {least}")


def check_factor(name: str, value: Any) -> None:
    """What a rate is multiplied by, again and again."""
    require(is_real(value) and 0 < value <= 1, name, value, "in (0, 1]")


def check_share(name: str, value: Any) -> None:
    """A part of a whole."""
    require(is_real(value) and 0 <= value <= 1, name, value, "in [0, 1]")
