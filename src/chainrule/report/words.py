"""Numbers and results in plain words."""

from __future__ import annotations

import datetime
import math
from collections.abc import Mapping, Sequence
from typing import Any

from .. import durations
from ..train.metrics import METRICS
from .reading import number, text, whole

__all__ = ["METRIC_WORDS", "counted", "duration", "interval", "listed", "model_words", "moment",
           "percent", "quoted", "result_words", "shown", "verdict"]  # fmt: skip

METRIC_WORDS: Mapping[str, str] = {
    "loss": "loss",
    "accuracy": "share that is right",
    "balanced_accuracy": "mean share of each class that is found",
    "f1": "harmonic mean of precision and recall of the second class",
    "f1_macro": "harmonic mean of precision and recall, averaged over the classes",
    "roc_auc": "how often one of the class is ranked above one of another; 0.5 is chance",
    "log_loss": "mean negative log of the probability given to the true class",
    "r2": "share of the variance explained; 0 is the mean, 1 is perfect",
    "mae": "mean distance from the truth, in the unit of the target",
    "mse": "mean squared distance from the truth",
    "rmse": "root of the mean squared distance, in the unit of the target",
}

SPACE = "\N{NO-BREAK SPACE}"
Z95 = 1.959963984540054  # 97.5 % of a normal distribution lie below


def shown(value: object) -> str:
    """Four digits, or a dash for a number that does not exist."""
    found = number(value)
    if found is None:
        return "\N{EN DASH}"
    digits = f"{found:,.0f}" if 1e4 <= abs(found) < 1e15 else f"{found:.4g}"
    return digits.replace("-", "\N{MINUS SIGN}")


def counted(value: object, noun: str, plural: str = "") -> str:
    """``1 row``, ``1,234 rows``."""
    count = whole(value)
    if count is None:
        return f"an unknown number of {plural or noun + 's'}"
    return f"{count:,} {noun if count == 1 else plural or noun + 's'}"


def percent(share: float) -> str:
    """``81.2 %``, which no line end divides."""
    return f"{100 * share:.1f}{SPACE}%"


def quoted(name: object) -> str:
    """A name from the data, in quotation marks."""
    return f"\N{LEFT DOUBLE QUOTATION MARK}{text(name)}\N{RIGHT DOUBLE QUOTATION MARK}"


def listed(words: Sequence[str], last: str = "and", most: int = 6) -> str:
    """``a, b and c``; of many the first ones."""
    if len(words) > most:
        return f"{', '.join(words[:most])} {last} {len(words) - most} more"
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} {last} {words[-1]}"


def duration(seconds: object) -> str:
    """`durations.duration` of a number from a file; empty for what is none, or below 0."""
    known = number(seconds)
    return "" if known is None or known < 0 else durations.duration(known)


def moment(started: object) -> str:
    """``21 Nov 2026, 08:33 UTC+01:00``; what is no time stays as it is."""
    try:
        found = datetime.datetime.fromisoformat(text(started))
    except ValueError:
        return text(started)
    return f"{found.day} {found:%b %Y, %H:%M}" + (f" {found.tzname()}" if found.tzinfo else "")


def interval(share: float, rows: int) -> tuple[float, float]:
    """The 95 % confidence interval of a share that was counted on ``rows`` rows (Wilson 1927)."""
    z = Z95**2 / rows
    middle = (share + z / 2) / (1 + z)
    half = Z95 * math.sqrt(share * (1 - share) / rows + z / (4 * rows)) / (1 + z)
    return max(0.0, middle - half), min(1.0, middle + half)


def model_words(layers: object) -> str:
    """``a network with hidden layers of 64 and 64 units``."""
    widths = layers if isinstance(layers, list) else None
    if widths is None:
        return "a model"
    if not widths:
        return "a linear model"
    kind = "a hidden layer" if len(widths) == 1 else "hidden layers"
    return f"a network with {kind} of {listed([text(w) for w in widths])} units"


def verdict(name: str, value: float | None, baseline: float | None) -> str:
    """``better`` or ``not better`` than the baseline; empty when nobody can tell."""
    if value is None or baseline is None or name not in METRICS:
        return ""
    sign = 1 if METRICS[name].higher_is_better else -1
    return "better" if sign * value > sign * baseline else "not better"


def result_words(
    task: str,
    metrics: Mapping[str, Any],
    baseline: Mapping[str, Any],
    rows: int | None,
    unit: str = "row",
) -> str:
    """What the test metrics say, in two or three sentences; empty without any."""
    on = f"On {counted(rows, f'test {unit}')} that it never saw"
    if task == "regression":
        return _regression_words(on, metrics, baseline)
    value, guess = number(metrics.get("accuracy")), number(baseline.get("accuracy"))
    if value is None:
        return ""
    words = f"{on}, it is right for {percent(value)}"
    if rows and 0 <= value <= 1:
        low, high = interval(value, rows)
        words += f" (95{SPACE}% interval {100 * low:.0f} to {100 * high:.0f}{SPACE}%)"
    if guess is None:
        return f"{words}."
    words += f"; always giving the most frequent answer would be right for {percent(guess)}."
    if value > guess:
        return words
    return f"{words} So by this measure it has learned nothing that helps."


def _regression_words(on: str, metrics: Mapping[str, Any], baseline: Mapping[str, Any]) -> str:
    error, guess = number(metrics.get("mae")), number(baseline.get("mae"))
    if error is None:
        return ""
    words = f"{on}, its predictions are off by {shown(error)} on average"
    if guess is not None:
        words += f"; always predicting the mean would be off by {shown(guess)}"
    words += "."
    explained = number(metrics.get("r2"))
    if guess is not None and error >= guess:
        return f"{words} So by this measure it has learned nothing that helps."
    if explained is not None and explained > 0:
        words += f" It explains {percent(explained)} of the variance."
    return words
