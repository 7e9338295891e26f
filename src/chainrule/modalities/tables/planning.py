"""The learning rate of a run on a table, before it is trained."""

from __future__ import annotations

from ...optim import schedule
from ...runs.planning import schedule_of, steps_of
from .opening import open_table
from .settings import Settings

__all__ = ["sketch"]


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
