"""What is observed of a training, and how often."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, get_args

from ...durations import interval, steps_counted
from ...errors import ConfigError
from ...ir.types import is_whole

__all__ = ["LEVELS", "SHARE", "Level", "Observe"]

Level = Literal["off", "basic", "full"]
LEVELS: tuple[Level, ...] = get_args(Level)
#: the most of a training's time that observing may take
SHARE: dict[Level, float] = {"off": 0.0, "basic": 0.02, "full": 0.1}


@dataclass(frozen=True)
class Observe:
    """``level`` says what is measured; ``every``, a time such as ``"2s"``, or a number of updates
    such as ``100`` or ``"100 steps"``, how often.

    * ``basic``: of each layer the norms of weights, gradient and update, mean and deviation of its
      outputs, the norm of the gradient that arrives there, dead and saturated units;
    * ``full``: histograms of weights, gradients and outputs too, and the noise of the gradients.

    By time, the first observation comes once that much time has passed, and then at least one an
    epoch; but observing takes at most 2 % (``full``: 10 %) of the time, which wins. Which steps are
    observed then depends on the machine; a number of updates makes it reproducible.
    """

    level: Level = "basic"
    every: str | int = "2s"

    def __post_init__(self) -> None:
        if self.level not in LEVELS:
            raise ConfigError(
                f"there is no level {self.level!r} of observation",
                help=f"use one of {', '.join(LEVELS)}",
            )
        if not self.steps and not self.seconds:
            raise ConfigError(
                f"a training cannot be observed every {self.every!r}",
                help='give a time such as "2s", or a number of steps such as "100 steps"',
            )

    @classmethod
    def of(cls, value: Any) -> Observe:
        """From a level, or as it is. Raises ConfigError."""
        return value if isinstance(value, cls) else cls(value)

    @property
    def seconds(self) -> float | None:
        """The time between two observations; None if steps are counted."""
        return interval(self.every) if isinstance(self.every, str) else None

    @property
    def steps(self) -> int | None:
        """The updates between two observations; None if time is what counts."""
        if is_whole(self.every):
            return max(int(self.every), 0)
        return steps_counted(str(self.every))
