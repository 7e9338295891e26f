"""A schedule that falls when nothing improves any more."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from ...arguments import check_state
from ...errors import ConfigError, StateError
from ...ir.types import is_real
from .base import Schedule, check_rate, check_whole, require

__all__ = ["ReduceOnPlateau"]

_KEYS = ("lr", "best", "bad", "resting")


@dataclass
class _Seen:
    """What the observations have come to: the rate now, the best value, and two counts."""

    lr: float
    best: float | None = None
    bad: int = 0
    resting: int = 0


@dataclass(frozen=True)
class ReduceOnPlateau(Schedule):
    """``base``, times ``factor`` whenever more than ``patience`` observations bring nothing better.

    Better than ``best`` is, with ``mode`` "min", a value below ``best - threshold · |best|``, with
    "max" one above ``best + threshold · |best|``. After a fall, ``cooldown`` observations are not
    counted. The rate does not go below ``min_lr``. A value that is not finite is never better.

    `observe` is called between steps, for example with the validation loss of each epoch; the
    coming steps, compiled ones too, then see the new rate. Groups that share one instance share
    its rate: it should observe each value once.
    """

    name: ClassVar[str] = "reduce_on_plateau"
    base: float
    factor: float = 0.1
    patience: int = 10
    threshold: float = 1e-4
    cooldown: int = 0
    min_lr: float = 0.0
    mode: str = "min"
    _seen: _Seen = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        check_rate("lr", self.base)
        require(is_real(self.factor) and 0 < self.factor < 1, "factor", self.factor, "in (0, 1)")
        check_whole("patience", self.patience, least=0)
        check_rate("threshold", self.threshold)
        check_whole("cooldown", self.cooldown, least=0)
        check_rate("min_lr", self.min_lr, most=self.base)
        require(self.mode in ("min", "max"), "mode", self.mode, "min or max")
        object.__setattr__(self, "_seen", _Seen(float(self.base)))

    def lr_at(self, step: int) -> float:
        """The rate now: it is the same for every coming step."""
        return self._seen.lr

    def observe(self, value: float) -> bool:
        if not is_real(value):
            raise ConfigError(f"observed {value!r}", help="observe a number, such as a loss")
        seen = self._seen
        if self._is_better(float(value)):
            seen.best, seen.bad = float(value), 0
        else:
            seen.bad += 1
        if seen.resting:
            seen.resting -= 1
            seen.bad = 0
        if seen.bad <= self.patience:
            return False
        before, seen.lr = seen.lr, max(seen.lr * self.factor, float(self.min_lr))
        seen.bad, seen.resting = 0, self.cooldown
        return seen.lr < before

    def _is_better(self, value: float) -> bool:
        best = self._seen.best
        if not math.isfinite(value) or best is None:
            return math.isfinite(value)
        margin = self.threshold * abs(best)
        return value < best - margin if self.mode == "min" else value > best + margin

    def state_dict(self) -> dict[str, Any]:
        return {key: getattr(self._seen, key) for key in _KEYS}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        check_state(state_dict, f"the schedule {self.name}", "schedule.state_dict()")
        if set(state_dict) != set(_KEYS):
            raise StateError(
                f"the state of a {self.name} has {sorted(_KEYS)}, "
                f"but this one has {sorted(state_dict)}",
                help="create the schedule exactly as it was when the state was saved",
            )
        check_rate("lr", state_dict["lr"])
        best = state_dict["best"]
        require(best is None or is_real(best), "best", best, "a number or nothing")
        for key in ("bad", "resting"):
            check_whole(key, state_dict[key], least=0)
        for key in _KEYS:
            setattr(self._seen, key, state_dict[key])
