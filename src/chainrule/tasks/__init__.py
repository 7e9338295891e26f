"""The tasks by name: losses, metrics, decoding, baselines, and how to describe results.

The names are loaded when first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..lazily import loaded
from ..runs.task import Task

if TYPE_CHECKING:
    from .classification import Binary as Binary
    from .classification import Multiclass as Multiclass
    from .forecasting import Forecasting as Forecasting
    from .known import TASKS as TASKS
    from .language import Language as Language
    from .quantiles import Quantiles as Quantiles
    from .regression import Regression as Regression
    from .transcription import Transcription as Transcription
    from .translation import Translation as Translation

#: where each public name is defined
_HOMES = {
    "Binary": "classification",
    "Multiclass": "classification",
    "Forecasting": "forecasting",
    "Language": "language",
    "Quantiles": "quantiles",
    "Regression": "regression",
    "Transcription": "transcription",
    "Translation": "translation",
    "TASKS": "known",
}

__all__ = ["Task", *_HOMES]


def __getattr__(name: str) -> Any:
    return loaded(name, _HOMES, __name__)
