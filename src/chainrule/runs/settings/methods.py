"""The settings of optimizers, schedules and averages, with the defaults of runs."""

from __future__ import annotations

import dataclasses
import functools
import inspect
from collections.abc import Mapping
from typing import Any

from ...optim import EMA, OPTIMIZERS, settings_of
from ...optim.schedule import SCHEDULES
from . import defaults

__all__ = ["averages", "optimizers", "schedules"]

Options = Mapping[str, Mapping[str, Any]]

#: arguments that are not settings of ``run.toml``: all have the rate ``train.lr`` and the ``seed``
#: of the run, the examples are the training rows, and a loss is always minimised
EXCLUDED = ("lr", "base", "maximize", "seed", "examples")
#: settings of schedules that by default follow from the length of the run: a whole number of
#: steps, a fraction of the run, or text such as "5 epochs"
LENGTHS = ("every", "steps", "up", "down", "T_0", "milestones")


@functools.cache
def optimizers() -> Options:
    """Every optimizer with its settings and their defaults, without the learning rate."""
    options = {}
    for name in OPTIMIZERS:
        settings = {n: v for n, v in settings_of(name).items() if n not in EXCLUDED}
        options[name] = {**settings, **defaults.OPTIMIZER_SETTINGS.get(name, {})}
    return options


@functools.cache
def schedules() -> Options:
    """Every schedule with its settings and their defaults; None follows from the run's length."""
    options: dict[str, Mapping[str, Any]] = {}
    for name, cls in SCHEDULES.items():
        fields = [f for f in dataclasses.fields(cls) if f.init and f.name not in EXCLUDED]
        settings = {
            f.name: None if f.name in LENGTHS or f.default is dataclasses.MISSING else f.default
            for f in fields
        }
        options[name] = settings | {"warmup": None}
    return options


@functools.cache
def averages() -> Options:
    """Every average of weights with its settings; those of ``swa`` count epochs."""
    parameters = inspect.signature(EMA).parameters.values()
    ema = {p.name: p.default for p in parameters if p.default is not inspect.Parameter.empty}
    return {"none": {}, "ema": ema | defaults.EMA_SETTINGS, "swa": {"start": 10, "every": 1}}
