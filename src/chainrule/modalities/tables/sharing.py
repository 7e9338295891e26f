"""Whether workers that share a training read a table in shares: each some rows of it."""

from __future__ import annotations

from ...train.workers import Workers, present
from .settings import Settings

__all__ = ["readers"]


def readers(settings: Settings) -> Workers | None:
    """The workers that each read some rows; None if every process reads all of them.

    Everyone reads all of several tables, for several trainings, and where training rows are more
    than trained on: queried, weighed, evaluated, or joined with others.
    """
    data, train = settings.data, settings.train
    whole = (
        data.query, data.also, data.valid, data.test, data.fold,
        data.bag, settings.ensemble.folds, train.refit, train.guard.most,
        train.batch_size == "all", not data.split[1],
        data.weight, not isinstance(train.class_weights, str),  # none of some rows may count
    )  # fmt: skip
    return None if any(whole) else present()
