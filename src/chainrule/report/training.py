"""The section on the course of training: curves, and the same numbers as a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..markup import EMPTY, Markup, element
from ..phrasing import counted, format_number
from ..train.metrics import METRICS
from .parts import data_table, figure, paragraph, section
from .plot import Series, curves
from .scales import log_is_useful

__all__ = ["training"]

ROWS = 40  # of the table below the curves
RATES = ("lr", "learning_rate")
TITLES = {"lr": "Learning rate", "roc_auc": "ROC AUC", "r2": "R²", "f1": "F1", "mae": "MAE",
          "mse": "MSE", "rmse": "RMSE"}  # fmt: skip

History = Mapping[str, Sequence[Any]]


def training(facts: Mapping[str, Any]) -> Markup:
    """Curves of the loss, of each metric, and of the learning rate."""
    history, best = facts["history"], facts["best"]
    names = _base_names(history)
    if not names:
        return EMPTY
    at = best["epoch"] if best else None
    parts = [_chart(name, history, at) for name in names]
    parts.append(_numbers(history, at))
    return section("Training", parts)


def _base_names(history: History) -> list[str]:
    """What was measured, without ``val_``: the loss first, learning rates last."""
    names = dict.fromkeys(name.removeprefix("val_") for name in history if name != "epoch")
    return sorted(names, key=lambda n: (n != "loss", n in RATES))


def _chart(name: str, history: History, best: int | None) -> Markup:
    epochs = history["epoch"]
    series = []
    if f"val_{name}" in history:
        series.append(Series("validation", history[f"val_{name}"]))
    if name in history:
        style = "second" if series else "main"
        series.append(Series(name if name in RATES else "training", history[name], style))
    values = [v for s in series for v in s.values if v is not None]
    title = _title(name)
    if name in RATES and min(values) == max(values):
        rate = format_number(values[0])
        return paragraph(f"The learning rate is {rate} in every epoch.", "quiet")
    # Accuracies and the like are read on a linear scale.
    log = log_is_useful(values) and not (name in METRICS and METRICS[name].higher_is_better)
    scale = " The scale is logarithmic." if log else ""
    height = 246.0 if name == "loss" else 96.0 if name in RATES else 166.0
    drawing = curves(
        f"curve-{name}", f"{title} by epoch", _words(series, epochs, best), epochs, series,
        best=best, height=height, log=log,
    )  # fmt: skip
    return figure(f"{title}.", _direction(name) + scale, drawing)


def _title(name: str) -> str:
    return TITLES.get(name, name.replace("_", " ").capitalize())


def _direction(name: str) -> str:
    if name == "loss":
        return "Lower is better."
    if name in METRICS:
        return f"{'Higher' if METRICS[name].higher_is_better else 'Lower'} is better."
    return ""


def _words(series: Sequence[Series], epochs: Sequence[int], best: int | None) -> str:
    """What the curves show, for readers who cannot see them."""
    parts = [f"{counted(len(epochs), 'epoch')}, from {epochs[0]} to {epochs[-1]}."]
    for s in series:
        points = [(v, e) for v, e in zip(s.values, epochs, strict=False) if v is not None]
        (first, _), (last, _) = points[0], points[-1]
        low, high = min(points), max(points)
        parts.append(
            f"{s.name.capitalize()} starts at {format_number(first)} and ends at "
            f"{format_number(last)}; lowest {format_number(low[0])} in epoch {low[1]}, highest "
            f"{format_number(high[0])} in epoch {high[1]}."
        )
    if best is not None:
        parts.append(f"The best epoch is {best}.")
    return " ".join(parts)


def _numbers(history: History, best: int | None) -> Markup:
    """The numbers as a table; of many epochs, evenly spaced ones and the best one."""
    epochs = history["epoch"]
    count = len(epochs)
    indices: Sequence[int] = range(count)
    if count > ROWS:
        even = {round(i * (count - 1) / (ROWS - 1)) for i in range(ROWS)}
        indices = sorted(even | {i for i in indices if epochs[i] == best})
    names = [name for name in history if name != "epoch"]
    rows = [
        [f"{epochs[i]} (best)" if epochs[i] == best else str(epochs[i])]
        + [format_number(history[name][i]) for name in names]
        for i in indices
    ]
    table = data_table(
        "Values of the curves by epoch", ["epoch", *names], rows, range(len(names) + 1)
    )
    what = "Values" if count <= ROWS else f"Values of {len(rows)} of {count:,} epochs"
    return element("details", element("summary", what), table, class_="numbers")
