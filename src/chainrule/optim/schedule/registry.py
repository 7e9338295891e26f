"""Schedules by name, with lengths as a configuration writes them."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import MISSING, dataclass, fields
from typing import Any

from ...errors import ConfigError, meant
from ...ir.types import is_real, is_whole
from .base import Schedule, check_rate, check_whole
from .compose import Sequential, Warmup
from .cycles import Cosine, CosineWarmRestarts, Coslog, Cyclical, OneCycle
from .decay import Constant, Exponential, InverseSquareRoot, Linear, MultiStep, Polynomial, Step
from .plateau import ReduceOnPlateau

__all__ = ["SCHEDULES", "check_length", "from_dict", "make"]

SCHEDULES: dict[str, type[Schedule]] = {
    kind.name: kind
    for kind in (
        Constant, Step, MultiStep, Exponential, Polynomial, Linear, Cyclical, Cosine,
        CosineWarmRestarts, Coslog, OneCycle, InverseSquareRoot, ReduceOnPlateau,
    )
}  # fmt: skip

#: settings that are numbers of steps
_LENGTHS = ("every", "steps", "up", "down", "T_0")
_UNITS = re.compile(r"(\d+(?:\.\d+)?) ?(step|epoch)s?")

Settings = Mapping[str, Any]

#: what is left out, from the base rate, the steps that are left for the schedule, what is given
_DEFAULTS: dict[str, Callable[[float, int, Settings], dict[str, Any]]] = {
    "constant": lambda base, steps, given: {},
    "step": lambda base, steps, given: {"every": math.ceil(steps / 3)},
    "multi_step": lambda base, steps, given: {"milestones": _halves(steps)},
    "exponential": lambda base, steps, given: (
        {} if {"gamma", "every"} & set(given) else {"gamma": 0.01, "every": steps}
    ),
    "polynomial": lambda base, steps, given: {"steps": steps},
    "linear": lambda base, steps, given: {"steps": steps},
    "cyclical": lambda base, steps, given: {"low": base / 4, "up": max(1, steps // 8)},
    "cosine": lambda base, steps, given: {"steps": steps},
    "cosine_restarts": lambda base, steps, given: {"T_0": _third(steps, given.get("T_mult", 1))},
    "coslog": lambda base, steps, given: {"steps": steps},
    "one_cycle": lambda base, steps, given: {"steps": steps},
    "inverse_sqrt": lambda base, steps, given: {},
    "reduce_on_plateau": lambda base, steps, given: {},
}
#: these rise by themselves: `warmup` is the length of that; else this share of the run
_OWN_RISE = {"one_cycle": 0.3, "inverse_sqrt": 0.04}


def _halves(steps: int) -> tuple[int, ...]:
    """Half of the run and three quarters of it."""
    return tuple(sorted({max(1, steps // 2), max(1, steps * 3 // 4)}))


def _third(steps: int, growth: int) -> int:
    """The first of three periods, each ``growth`` times as long as the one before, over a run."""
    check_whole("T_mult", growth)
    periods = 1 + growth + growth * growth
    return (steps + periods - 1) // periods


@dataclass(frozen=True)
class _Run:
    """Turns lengths into steps."""

    steps: int
    steps_per_epoch: int | None

    def count(self, name: str, value: Any) -> int:
        """``value`` as a number of steps: 500, 0.1 of the run, "500 steps" or "5 epochs"."""
        if is_whole(value) and value >= 0:
            return int(value)
        if is_real(value) and 0 < value < 1:
            return max(1, round(float(value) * self.steps))
        match = _UNITS.fullmatch(value.strip()) if isinstance(value, str) else None
        if match is None:
            raise ConfigError(
                f"{name} is {value!r}",
                help=f"{name} must be a whole number of steps, a fraction of the run in (0, 1), "
                "or text such as '5 epochs'",
            )
        if match[2] == "epoch" and self.steps_per_epoch is None:
            raise ConfigError(
                f"{name} is {value!r}, but the number of steps per epoch is unknown here",
                help="pass steps_per_epoch, or a number of steps",
            )
        unit = self.steps_per_epoch if match[2] == "epoch" else None
        return round(float(match[1]) * (unit or 1))


def make(
    name: str,
    base: float,
    total_steps: int,
    *,
    warmup: float | str = 0,
    steps_per_epoch: int | None = None,
    **settings: Any,
) -> Schedule:
    """The schedule ``name`` of `SCHEDULES` for a run of ``total_steps`` steps.

    Lengths (``warmup``, ``every``, ``steps``, ``up``, ``down``, ``T_0``, ``milestones``) are whole
    numbers of steps, shares of the run in (0, 1), or text: ``"500 steps"``, ``"5 epochs"``. What is
    left out suits the run: a cosine falls over all of it. ``warmup`` comes first, and the schedule
    begins where it ends; one_cycle and inverse_sqrt rise by themselves, for ``warmup`` steps.
    ``milestones`` are counted from the start of the run.

    Raises ConfigError for an unknown name or setting, with the nearest one, for values out of
    range, and for a schedule that is longer than the run.
    """
    kind = _kind(name, SCHEDULES)
    check_rate("lr", base)
    check_whole("total_steps", total_steps)
    if steps_per_epoch is not None:
        check_whole("steps_per_epoch", steps_per_epoch)
    run = _Run(int(total_steps), steps_per_epoch)
    rise = run.count("warmup", warmup)
    if rise >= run.steps:
        raise ConfigError(
            f"a warm-up of {rise} steps takes up the whole run of {run.steps}",
            help="make the warm-up shorter, or train longer",
        )
    delay = 0 if name in _OWN_RISE else rise
    given = _in_steps(settings, run, delay)
    if name in _OWN_RISE:
        given.update(_own_rise(name, rise, run.steps, given))
    left = _DEFAULTS[name](base, run.steps - delay, given)
    schedule = _build(kind, {**left, **given, "base": base})
    whole = Warmup(schedule, delay) if delay else schedule
    check_length(whole, run.steps)
    return whole


def _in_steps(settings: Settings, run: _Run, delay: int) -> dict[str, Any]:
    """``settings`` with lengths in steps; milestones as the schedule counts, after ``delay``."""
    in_steps = {k: run.count(k, v) if k in _LENGTHS else v for k, v in settings.items()}
    if "milestones" in in_steps:
        steps = in_steps["milestones"]
        if isinstance(steps, str) or not isinstance(steps, Iterable):
            raise ConfigError(f"milestones is {steps!r}", help="milestones must be a list")
        steps = [run.count("milestones", m) for m in steps]
        if steps and min(steps) <= delay:
            raise ConfigError(
                f"the milestone at step {min(steps)} lies within the warm-up of {delay} steps",
                help="milestones count from the start of the run, and must be at least 1",
            )
        in_steps["milestones"] = tuple(m - delay for m in steps)
    return in_steps


def _own_rise(name: str, rise: int, steps: int, given: Settings) -> dict[str, Any]:
    """The setting that says how long a schedule rises by itself."""
    if name == "inverse_sqrt":
        return {"warmup": rise or max(1, round(_OWN_RISE[name] * steps))}
    if rise and "rise" in given:
        raise ConfigError(
            "one_cycle cannot take both warmup and rise", help="they mean the same: choose one"
        )
    return {"rise": given.get("rise", rise / steps if rise else _OWN_RISE[name])}


def check_length(schedule: Schedule, total_steps: int) -> None:
    """ConfigError, naming both lengths, if ``schedule`` needs a longer run to do what it says."""
    if schedule.length > total_steps:
        raise ConfigError(
            f"the schedule {_title(schedule)} takes {schedule.length} steps, "
            f"but the run has {total_steps}",
            help="make the schedule shorter, or train longer",
        )


def _title(schedule: Schedule) -> str:
    if isinstance(schedule, Warmup):
        return f"{_title(schedule.schedule)} with {schedule.steps} steps of warm-up"
    return schedule.name


def _kind(name: Any, known: Mapping[str, type[Schedule]]) -> type[Schedule]:
    if isinstance(name, str) and name in known:
        return known[name]
    hint = meant(str(name).lower(), known)
    raise ConfigError(f"unknown schedule {name!r}", help=f"{hint}known: {', '.join(known)}")


def _build(kind: type[Schedule], settings: Settings) -> Schedule:
    """``kind(**settings)``, or ConfigError for what it does not know or misses."""
    known = {f.name: f for f in fields(kind) if f.init}
    for name in settings:
        if name not in known:
            raise ConfigError(
                f"the schedule {kind.name} has no setting {name!r}",
                help=f"{meant(name, known)}known: {', '.join(k for k in known if k != 'base')}",
            )
    for name, setting in known.items():
        if setting.default is MISSING and name not in settings:
            raise ConfigError(
                f"the schedule {kind.name} needs {name!r}",
                help=f"settings: {', '.join(k for k in known if k != 'base')}",
            )
    return kind(**settings)


def from_dict(settings: Mapping[str, Any]) -> Schedule:
    """The schedule of which `Schedule.to_dict` gave ``settings``; ConfigError if none did."""
    kinds: dict[str, type[Schedule]] = {
        **SCHEDULES,
        Warmup.name: Warmup,
        Sequential.name: Sequential,
    }
    kind = _kind(settings.get("name"), kinds)
    arguments = {k: v for k, v in settings.items() if k != "name"}
    if kind is Warmup and isinstance(arguments.get("schedule"), Mapping):
        arguments["schedule"] = from_dict(arguments["schedule"])
    if kind is Sequential and isinstance(arguments.get("schedules"), list | tuple):
        arguments["schedules"] = tuple(from_dict(part) for part in arguments["schedules"])
    return _build(kind, arguments)
