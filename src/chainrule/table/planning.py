"""How long a run will be, before it is trained: its steps, and its learning rate over them."""

from __future__ import annotations

import math

from ..optim import schedule
from . import defaults
from .opening import open_table
from .settings import Settings, TrainSettings

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


def sketch(settings: Settings, width: int = 60) -> str:
    """The learning rate of a run as a drawing in text; reads how many rows the table has."""
    table, _ = open_table(settings.data.path, settings.data.query or None)
    data = settings.data
    share = data.split[0]
    if data.fold:
        share = (1 - 1 / data.fold[1]) * data.split[0] / (data.split[0] + data.split[1])
    rows = max(1, round(table.n_rows * share))
    train = settings.train
    steps = steps_of(train, rows)
    drawn = schedule.sketch(schedule_of(train, rows), steps * train.epochs, width)
    return f"{train.schedule.name}: {train.epochs} epochs of {steps} steps\n{drawn}"
