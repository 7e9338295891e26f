"""All checks, in the order in which a mistake of one explains those of the next."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from ...errors import TrainingError
from ..dry_run import PreparedRun, prepared_run
from ..modality import Modality
from ..settings.document import RunSettings
from . import cost, model, parts
from .model import Trial
from .result import Check, check

__all__ = ["MODEL_CHECKS", "PART_CHECKS", "DataCheck", "check_settings"]

S = TypeVar("S", bound=RunSettings)

#: a check of data, before anything is trained on it
DataCheck = Callable[[PreparedRun[Any]], Check]

PART_CHECKS: tuple[DataCheck, ...] = (parts.target_balance, parts.split_sizes)

MODEL_CHECKS: tuple[Callable[[Trial], Check], ...] = (
    model.first_loss,
    model.gradient_check,
    model.difference_check,
    model.one_batch,
    cost.training_time,
    cost.memory,
)


def check_settings(kind: Modality[S, Any], settings: S, source: object = None) -> Iterator[Check]:
    """Each check as soon as it is done, of what `training.fit` would train with.

    ``source`` stands for the data of ``settings.data.path`` unless it is None. No run folder is
    made, nothing is written, and random numbers go on as before. Raises what `fit` raises before it
    trains: data that cannot be learned from is an error, and no failed check.
    """
    with prepared_run(kind, settings, source) as run:
        for look in (*kind.checks, *PART_CHECKS):
            yield look(run)
        trial = Trial.of(run)
        for try_out in MODEL_CHECKS:
            yield _tried(try_out, trial)


def _tried(try_out: Callable[[Trial], Check], trial: Trial) -> Check:
    """A training that fails is a failed check."""
    try:
        return try_out(trial)
    except TrainingError as error:
        return check(try_out.__name__.replace("_", " "), "failed", error.what, [error.help])
