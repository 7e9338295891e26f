"""How good predictions are, in the target's own units, and how good a guess without inputs is."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ..data import Preprocessor, Task
from ..train import Scores, metrics

__all__ = ["HIGHER_IS_BETTER", "baseline", "classification", "metric_names", "regression"]

Codes = npt.NDArray[np.int32]
Floats = npt.NDArray[np.float64]

HIGHER_IS_BETTER = {name: m.higher_is_better for name, m in metrics.METRICS.items()}


def metric_names(task: Task) -> tuple[str, ...]:
    """What is computed for a task, the most telling first."""
    if task == "regression":
        return ("r2", "mae", "rmse")
    if task == "binary":
        return ("accuracy", "f1", "roc_auc", "log_loss")
    return ("accuracy", "f1_macro", "roc_auc", "log_loss")


def classification(task: Task, codes: Codes, scores: Scores) -> dict[str, float]:
    """Metrics of class codes against the outputs of a network."""
    return {name: metrics.METRICS[name](codes, scores) for name in metric_names(task)}


def regression(truth: Floats, predicted: Floats) -> dict[str, float]:
    """Metrics of numbers, both in the target's unit."""
    return {name: float(metrics.METRICS[name].function(truth, predicted))
            for name in metric_names("regression")}  # fmt: skip


def baseline(pipeline: Preprocessor, fitted: npt.NDArray[Any], truth: Floats) -> dict[str, float]:
    """Metrics of always saying the same: the training rows' class shares, or their mean.

    ``fitted`` are the training rows' class codes, ``truth`` the codes or numbers judged. The mean
    of a regression is the one the pipeline standardises with.
    """
    task = pipeline.schema.task
    assert task is not None
    if task == "regression":
        return regression(np.asarray(truth), np.full(len(truth), pipeline.target_mean))
    shares = np.bincount(fitted.astype(np.int64), minlength=len(pipeline.classes)) / len(fitted)
    if task == "binary":
        # Exactly one half is no majority; Scores calls class 1 only what is above.
        constant = np.full((len(truth), 1), shares[1])
        return classification(task, truth.astype(np.int32), Scores(constant, "probability"))
    with np.errstate(divide="ignore"):
        logs = np.tile(np.log(shares), (len(truth), 1))
    return classification(task, truth.astype(np.int32), Scores(logs, "exp"))
