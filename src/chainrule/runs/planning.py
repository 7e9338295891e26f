"""How long a run will be, before it is trained: its steps, and its learning rate over them."""

from __future__ import annotations

import math

from ..optim import schedule
from .settings.training import TrainSettings

__all__ = ["draw_schedule", "make_schedule", "steps_per_epoch"]


def steps_per_epoch(settings: TrainSettings, rows: int) -> int:
    """Optimizer steps in one epoch of ``rows`` training examples."""
    size = settings.batch_size
    if size == "auto":
        size = settings.usual_batch_size(rows)
    batch = min(size, rows) if isinstance(size, int) and size else rows
    return math.ceil(math.ceil(rows / batch) / settings.accumulate)


def make_schedule(settings: TrainSettings, rows: int) -> schedule.Schedule:
    """The learning rate as a function of the step. Raises ConfigError for one that does not fit."""
    steps = steps_per_epoch(settings, rows)
    options = {k: v for k, v in settings.schedule.settings.items() if v is not None}
    lr = settings.lr
    if lr == "auto":
        lr = settings.usual_lr(rows)
    return schedule.make(
        settings.schedule.name, lr, steps * settings.epochs, steps_per_epoch=steps, **options
    )


def draw_schedule(settings: TrainSettings, rows: int, width: int = 60) -> str:
    """The learning rate of a training on ``rows`` examples, drawn as text."""
    steps = steps_per_epoch(settings, rows)
    drawing = schedule.sketch(make_schedule(settings, rows), steps * settings.epochs, width)
    return f"{settings.schedule.name}: {settings.epochs} epochs of {steps} steps\n{drawing}"
