"""Metrics: NumPy, float64, one fixed order, so equal predictions give equal bits.

The functions take targets and predictions like scikit-learn's and can be used alone::

    accuracy([0, 1, 1], [0, 1, 0])            # 0.666...
    roc_auc([0, 0, 1, 1], [.1, .4, .35, .8])  # 0.75

A `Metric` adds what a trainer must know: its name, which form of the predictions it takes, and
whether more is better. ``Trainer(metrics=["accuracy", my_function])`` takes names, functions
``(target, values) -> float`` and `Metric` objects.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, SupportsFloat

import numpy as np
import numpy.typing as npt

from ..elementary import log
from ..errors import ConfigError, ShapeError, meant
from .scores import Scores

__all__ = [
    "METRICS",
    "Metric",
    "accuracy",
    "balanced_accuracy",
    "f1",
    "log_loss",
    "mae",
    "mse",
    "r2",
    "resolve",
    "rmse",
    "roc_auc",
]

Form = Literal["labels", "ranking", "probabilities", "values"]
Floats = npt.NDArray[np.float64]


def accuracy(target: npt.ArrayLike, labels: npt.ArrayLike) -> float:
    """Share of equal entries: ``mean(target == labels)``."""
    t, p = _pair(target, labels)
    return float(np.mean(t == p))


def balanced_accuracy(target: npt.ArrayLike, labels: npt.ArrayLike) -> float:
    """Mean over the classes of the target of the share found (recall)."""
    t, p = _pair(target, labels)
    return float(np.mean([np.mean(p[t == c] == c) for c in np.unique(t)]))


def f1(
    target: npt.ArrayLike,
    labels: npt.ArrayLike,
    average: Literal["auto", "binary", "macro"] = "auto",
) -> float:
    """``2 TP / (2 TP + FP + FN)``: of class 1 (``binary``) or as mean over all classes (``macro``).

    A class with neither target nor prediction counts 0. ``auto`` is ``binary`` when only the
    classes 0 and 1 occur.
    """
    t, p = _pair(target, labels)
    classes = np.union1d(t, p)
    if average == "binary" or (average == "auto" and bool(np.isin(classes, (0, 1)).all())):
        return _f1_of(t, p, 1)
    return float(np.mean([_f1_of(t, p, c) for c in classes]))


def _f1_of(t: npt.NDArray[Any], p: npt.NDArray[Any], c: Any) -> float:
    both = int(np.sum((t == c) & (p == c)))
    either = int(np.sum(t == c)) + int(np.sum(p == c))
    return 2 * both / either if either else 0.0


def f1_macro(target: npt.ArrayLike, labels: npt.ArrayLike) -> float:
    """`f1` as the mean over all classes."""
    return f1(target, labels, "macro")


def roc_auc(target: npt.ArrayLike, scores: npt.ArrayLike) -> float:
    """Area under the ROC curve: P(score of a positive > score of a negative), ties count half.

    From ranks: ``(R - P (P + 1) / 2) / (P N)`` with R the sum of the positives' mean ranks (Mann
    and Whitney). Several score columns with class labels: mean of one-against-rest over the
    classes of the target; with a target of the same shape: mean over the columns. NaN when a class
    or its rest is missing.
    """
    t, s = np.asarray(target), np.asarray(scores, np.float64)
    if s.ndim == 2 and s.shape[1] == 1:
        s = s[:, 0]
    if s.ndim == 1:
        return _binary_auc(t.reshape(-1) > 0, s)
    columns = t > 0 if t.shape == s.shape else t.reshape(-1, 1) == np.arange(s.shape[1])
    every = range(s.shape[1])
    present = every if t.shape == s.shape else [c for c in every if columns[:, c].any()]
    return float(np.mean([_binary_auc(columns[:, c], s[:, c]) for c in present]))


def _binary_auc(positive: npt.NDArray[np.bool_], scores: Floats) -> float:
    if positive.shape != scores.shape:
        raise _unequal(positive, scores)
    p = int(positive.sum())
    n = len(positive) - p
    if p == 0 or n == 0:
        return float("nan")
    _, group, size = np.unique(scores, return_inverse=True, return_counts=True)
    last = np.cumsum(size)
    mean_rank = last - (size - 1) / 2
    return float((mean_rank[group][positive].sum() - p * (p + 1) / 2) / (p * n))


def log_loss(target: npt.ArrayLike, probabilities: npt.ArrayLike) -> float:
    """``-mean(log p[target])`` in nats, p kept at least 2.2e-16 away from 0.

    ``probabilities``: of class 1, with targets of the same count; or [n, C] rows with classes [n].
    """
    t, p = np.asarray(target), np.asarray(probabilities, np.float64)
    tiny = np.finfo(np.float64).eps
    if p.ndim >= 2 and p.shape[1] > 1 and t.size != p.size:
        picked = np.take_along_axis(p, t.reshape(len(p), 1, *p.shape[2:]).astype(np.int64), axis=1)
        return float(-np.mean(log(np.clip(picked, tiny, 1))))
    t, p = _pair(t.astype(np.float64), p)
    yes, no = log(np.maximum(p, tiny)), log(np.maximum(1 - p, tiny))
    return float(-np.mean(t * yes + (1 - t) * no))


def r2(target: npt.ArrayLike, values: npt.ArrayLike) -> float:
    """``1 - sum (y - f)^2 / sum (y - mean y)^2``. Of a constant target: 1 if exact, else 0."""
    y, f = _numbers(target, values)
    residual = float(np.sum((y - f) ** 2))
    total = float(np.sum((y - y.mean()) ** 2))
    if total == 0:
        return 1.0 if residual == 0 else 0.0
    return 1 - residual / total


def mae(target: npt.ArrayLike, values: npt.ArrayLike) -> float:
    """``mean |y - f|``, in the target's unit."""
    y, f = _numbers(target, values)
    return float(np.mean(np.abs(y - f)))


def mse(target: npt.ArrayLike, values: npt.ArrayLike) -> float:
    """``mean (y - f)^2``, in the target's unit squared."""
    y, f = _numbers(target, values)
    return float(np.mean((y - f) ** 2))


def rmse(target: npt.ArrayLike, values: npt.ArrayLike) -> float:
    """``sqrt(mean (y - f)^2)``, in the target's unit."""
    return float(np.sqrt(mse(target, values)))


def _pair(
    target: npt.ArrayLike, predicted: npt.ArrayLike
) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """Both flat, of one length that is not 0."""
    t, p = np.asarray(target), np.asarray(predicted)
    if t.size != p.size or t.size == 0:
        raise _unequal(t, p)
    return t.reshape(-1), p.reshape(-1)


def _numbers(target: npt.ArrayLike, predicted: npt.ArrayLike) -> tuple[Floats, Floats]:
    return _pair(np.asarray(target, np.float64), np.asarray(predicted, np.float64))


def _unequal(t: npt.NDArray[Any], p: npt.NDArray[Any]) -> ShapeError:
    return ShapeError(
        f"a metric needs one prediction per target, got shapes {p.shape} and {t.shape}",
        help="pass targets and predictions for the same rows, at least one",
    )


@dataclass(frozen=True)
class Metric:
    """``function(target, predictions)`` with its name.

    ``takes`` is the form of the predictions: ``labels`` (class indices), ``ranking`` (scores whose
    order matters), ``probabilities`` or ``values`` (numbers of a regression, outputs as they are).
    """

    name: str
    function: Callable[[npt.NDArray[Any], npt.NDArray[Any]], float]
    takes: Form = "values"
    higher_is_better: bool = True

    def __call__(self, target: npt.NDArray[Any], scores: Scores) -> float:
        value: object = self.function(target, getattr(scores, self.takes))
        if not isinstance(value, SupportsFloat):
            raise ConfigError(
                f"the metric {self.name} returned {value!r}",
                help=f"return a number from a function of (target, {self.takes})",
            )
        return float(value)


METRICS: dict[str, Metric] = {
    m.name: m
    for m in (
        Metric("accuracy", accuracy, "labels"),
        Metric("balanced_accuracy", balanced_accuracy, "labels"),
        Metric("f1", f1, "labels"),
        Metric("f1_macro", f1_macro, "labels"),
        Metric("roc_auc", roc_auc, "ranking"),
        Metric("log_loss", log_loss, "probabilities", higher_is_better=False),
        Metric("r2", r2, "values"),
        Metric("mae", mae, "values", higher_is_better=False),
        Metric("mse", mse, "values", higher_is_better=False),
        Metric("rmse", rmse, "values", higher_is_better=False),
    )
}


def resolve(metric: str | Metric | Callable[..., float]) -> Metric:
    """The `Metric` meant by a name or a function. Raises ConfigError for an unknown name."""
    if isinstance(metric, Metric):
        return metric
    if not isinstance(metric, str) and not callable(metric):
        raise ConfigError(
            f"a metric is {metric!r}", help="pass a name, or a function(target, values)"
        )
    if not isinstance(metric, str):
        return Metric(getattr(metric, "__name__", type(metric).__name__), metric)
    if metric not in METRICS:
        hint = f"{meant(metric, METRICS)}known metrics: {', '.join(METRICS)}"
        raise ConfigError(
            f"unknown metric {metric!r}", help=f"{hint}; or pass a function(target, values)"
        )
    return METRICS[metric]
