"""Metrics and times in words."""

from __future__ import annotations

import datetime
from collections.abc import Mapping

from .. import durations
from ..tasks import Task
from ..unverified import number, text

__all__ = ["METRIC_WORDS", "duration", "moment", "verdict"]

METRIC_WORDS: Mapping[str, str] = {
    "loss": "loss",
    "accuracy": "share of correct predictions",
    "balanced_accuracy": "recall averaged over the classes",
    "f1": "harmonic mean of precision and recall for the second class",
    "f1_macro": "harmonic mean of precision and recall, averaged over the classes",
    "roc_auc": "probability that a member of a class ranks above a non-member; 0.5 is chance",
    "log_loss": "mean negative log of the probability assigned to the true class",
    "r2": "share of the variance explained; 0 is no better than the mean, 1 is perfect",
    "mae": "mean absolute error, in the unit of the target",
    "mse": "mean squared error",
    "rmse": "root mean squared error, in the unit of the target",
}


def duration(seconds: object) -> str:
    """`durations.duration` of a value from a file; empty unless it is a number from 0."""
    value = number(seconds)
    return "" if value is None or value < 0 else durations.duration(value)


def moment(started: object) -> str:
    """``21 Nov 2026, 08:33 UTC+01:00``; anything that is not a time is returned as it is."""
    try:
        time = datetime.datetime.fromisoformat(text(started))
    except ValueError:
        return text(started)
    return f"{time.day} {time:%b %Y, %H:%M}" + (f" {time.tzname()}" if time.tzinfo else "")


def verdict(name: str, value: float | None, baseline: float | None, task: type[Task] = Task) -> str:
    """``better`` or ``not better`` than the baseline; empty if they cannot be compared."""
    rises = task.higher_is_better(name)
    if value is None or baseline is None or rises is None:
        return ""
    sign = 1 if rises else -1
    return "better" if sign * value > sign * baseline else "not better"
