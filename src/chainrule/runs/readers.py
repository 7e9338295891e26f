"""Whether workers that share a training each read a part of its data."""

from __future__ import annotations

from ..train.workers import Workers, present
from .settings.document import RunSettings

__all__ = ["readers"]


def readers(settings: RunSettings) -> Workers | None:
    """The workers that each read some of the examples; None if every process reads all of them.

    Everyone reads all for several trainings, and where training examples are more than trained on:
    evaluated, looked at once more, or joined with others.
    """
    data, train = settings.data, settings.train
    whole = (
        data.fold, train.refit, train.guard.most, train.batch_size == "all", not data.split[1],
    )  # fmt: skip
    return None if any(whole) else present()
