"""The settings of optimizers, schedules and averages, with the table door's own defaults."""

from __future__ import annotations

import dataclasses
import functools
import inspect
from collections.abc import Mapping
from typing import Any

from ...optim import EMA, OPTIMIZERS, settings_of
from ...optim.schedule import SCHEDULES
from . import defaults

__all__ = ["LENGTHS", "averages", "optimizers", "schedules"]

Options = Mapping[str, Mapping[str, Any]]

#: not settings of ``run.toml``: ``train.lr`` is the rate of all, ``seed`` the seed of all, the
#: examples are the training rows, and a loss is always minimised
NOT_HERE = ("lr", "base", "maximize", "seed", "examples")
#: settings of schedules that suit the length of the run unless they are given: a whole number of
#: steps, a share of the run, or text such as "5 epochs"
LENGTHS = ("every", "steps", "up", "down", "T_0", "milestones")


@functools.cache
def optimizers() -> Options:
    """Every optimizer with its settings, the learning rate left out."""
    found = {}
    for name in OPTIMIZERS:
        known = {n: v for n, v in settings_of(name).items() if n not in NOT_HERE}
        found[name] = {**known, **defaults.OPTIMIZER_SETTINGS.get(name, {})}
    return found


@functools.cache
def schedules() -> Options:
    """Every schedule with its settings; None for what suits the length of the run."""
    found: dict[str, Mapping[str, Any]] = {}
    for name, kind in SCHEDULES.items():
        fields = [f for f in dataclasses.fields(kind) if f.init and f.name not in NOT_HERE]
        known = {f.name: None if f.default is dataclasses.MISSING else f.default for f in fields}
        settings = {n: None if n in LENGTHS else default for n, default in known.items()}
        found[name] = settings | {"warmup": None}
    return found


@functools.cache
def averages() -> Options:
    """Every average of weights with its settings; those of ``swa`` are counted in epochs."""
    known = inspect.signature(EMA).parameters.values()
    ema = {p.name: p.default for p in known if p.default is not inspect.Parameter.empty}
    return {"none": {}, "ema": ema | defaults.EMA_SETTINGS, "swa": {"start": 10, "every": 1}}
