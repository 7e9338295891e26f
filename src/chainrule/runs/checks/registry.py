"""All checks, ordered so that an earlier failure explains later ones."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from ...errors import TrainingError
from ..dry_run import PreparedRun, prepare_run
from ..modality import Modality
from ..settings.document import RunSettings
from . import cost, model, parts
from .model import Trial
from .result import Check, check

__all__ = ["MODEL_CHECKS", "PART_CHECKS", "DataCheck", "run_checks"]

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


def run_checks(kind: Modality[S, Any], settings: S, source: object = None) -> Iterator[Check]:
    """Checks what `training.train` would train; gives each result as soon as it is there.

    ``source``, unless it is None, replaces the data of ``settings.data.path``. Nothing is written,
    and the state of the random generator stays as it was. Raises what `train` raises before it
    trains: data that cannot be learned from is an error, not a failed check.
    """
    with prepare_run(kind, settings, source) as run:
        for check_data in (*kind.checks, *PART_CHECKS):
            yield check_data(run)
        trial = Trial.of(run)
        for check_model in MODEL_CHECKS:
            yield _run_check(check_model, trial)


def _run_check(check_model: Callable[[Trial], Check], trial: Trial) -> Check:
    """The result of a check; a TrainingError makes it a failed one."""
    try:
        return check_model(trial)
    except TrainingError as error:
        return check(check_model.__name__.replace("_", " "), "failed", error.what, [error.help])
