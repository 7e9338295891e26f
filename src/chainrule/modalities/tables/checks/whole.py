"""All checks, in the order in which a mistake of one explains those of the next."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from ....errors import TrainingError
from ....runs.checks.result import Check, check
from ..readying import Ready, readied
from ..settings import Settings
from . import columns, cost, leaking, model, rows
from .model import Trial

__all__ = ["MODEL_CHECKS", "TABLE_CHECKS", "check_settings"]

TABLE_CHECKS: tuple[Callable[[Ready], Check], ...] = (
    columns.schema,
    columns.missing_values,
    columns.constant_columns,
    columns.duplicate_columns,
    rows.duplicate_rows,
    leaking.leaking_columns,
    rows.target_balance,
    rows.split_sizes,
    rows.feature_ranges,
)

MODEL_CHECKS: tuple[Callable[[Trial], Check], ...] = (
    model.first_loss,
    model.gradient_check,
    model.difference_check,
    model.one_batch,
    cost.training_time,
    cost.memory,
)


def check_settings(settings: Settings, source: object = None) -> Iterator[Check]:
    """Each check as soon as it is done, of what `fit_settings` would train with.

    ``source`` stands for the table of ``settings.data.path`` if it is given. No run folder is made,
    nothing is written, and random numbers go on as before. Raises what `fit` raises before it
    trains: a table that cannot be learned from is an error, and no failed check.
    """
    with readied(settings, source) as ready:
        for look in TABLE_CHECKS:
            yield look(ready)
        trial = Trial.of(ready)
        for try_out in MODEL_CHECKS:
            yield _tried(try_out, trial)


def _tried(try_out: Callable[[Trial], Check], trial: Trial) -> Check:
    """A training that fails is a failed check."""
    try:
        return try_out(trial)
    except TrainingError as error:
        return check(try_out.__name__.replace("_", " "), "failed", error.what, [error.help])
