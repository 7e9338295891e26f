"""The task that a column sets, whatever it is predicted from."""

from __future__ import annotations

from ..data import Preprocessor
from ..runs.task import Task
from .classification import Binary, Multiclass
from .quantiles import Quantiles
from .regression import Regression

__all__ = ["goal_of"]


def goal_of(preprocessor: Preprocessor) -> Task:
    """The task that the target of a table sets."""
    task = preprocessor.schema.task
    if task == "regression":
        target = preprocessor.schema.target
        assert target is not None
        scale = (preprocessor.target_mean, preprocessor.target_std, target.transform)
        levels = target.quantiles
        return Quantiles(*scale, levels=levels) if levels else Regression(*scale)
    kind = Binary if task == "binary" else Multiclass
    return kind(preprocessor.classes)
