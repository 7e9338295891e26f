"""How long a run will be, before it is trained: its steps, and its learning rate over them."""

from __future__ import annotations

import math

from ..optim import schedule
from .settings import defaults
from .settings.training import TrainSettings

__all__ = ["schedule_of", "sketch", "steps_of"]


def steps_of(train: TrainSettings, rows: int) -> int:
    """Optimizer steps of an epoch of ``rows`` training rows."""
    chosen = train.optimizer.name
    size = defaults.batch_size_for(rows, chosen) if train.batch_size == "auto" else train.batch_size
    batch = min(size, rows) if isinstance(size, int) and size else rows
    return math.ceil(math.ceil(rows / batch) / train.accumulate)


def schedule_of(train: TrainSettings, rows: int) -> schedule.Schedule:
    """The learning rate as a function of the step. Raises ConfigError for one that does not fit."""
    steps = steps_of(train, rows)
    settings = {k: v for k, v in train.schedule.settings.items() if v is not None}
    rate = defaults.lr_for(train.optimizer.name, rows) if train.lr == "auto" else train.lr
    return schedule.make(
        train.schedule.name, rate, steps * train.epochs, steps_per_epoch=steps, **settings
    )


def sketch(train: TrainSettings, rows: int, width: int = 60) -> str:
    """The learning rate of a training on ``rows`` rows as a drawing in text."""
    steps = steps_of(train, rows)
    drawn = schedule.sketch(schedule_of(train, rows), steps * train.epochs, width)
    return f"{train.schedule.name}: {train.epochs} epochs of {steps} steps\n{drawn}"
