"""The tasks by name."""

from __future__ import annotations

from collections.abc import Mapping

from ..runs.task import Task
from .classification import Binary, Multiclass
from .forecasting import Forecasting
from .language import Language
from .quantiles import Quantiles
from .regression import Regression
from .transcription import Transcription
from .translation import Translation

__all__ = ["TASKS"]

#: by the name in ``run.json`` and ``data.task``
TASKS: Mapping[str, type[Task]] = {
    task.name: task
    for task in (
        Binary,
        Multiclass,
        Regression,
        Quantiles,
        Forecasting,
        Transcription,
        Language,
        Translation,
    )
}
