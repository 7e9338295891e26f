"""Whether workers that share a training read a table in shares: each some rows of it."""

from __future__ import annotations

from ...runs.readers import readers as usual_readers
from ...train.workers import Workers
from .settings import Settings

__all__ = ["readers"]


def readers(settings: Settings) -> Workers | None:
    """The workers that each read some rows; None if every process reads all of them.

    Beside what is true of all data, everyone reads all of several tables, and of rows that are
    queried or weighed.
    """
    data, train = settings.data, settings.train
    whole = (
        data.query, data.also, data.valid, data.test, data.bag, settings.ensemble.folds,
        data.weight, not isinstance(train.class_weights, str),  # none of some rows may count
    )  # fmt: skip
    return None if any(whole) else usual_readers(settings)
