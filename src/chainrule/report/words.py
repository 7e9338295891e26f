"""Numbers, names and times in plain words."""

from __future__ import annotations

import datetime
import math
from collections.abc import Mapping, Sequence

from .. import durations
from ..train.metrics import METRICS
from .reading import number, text, whole

__all__ = ["METRIC_WORDS", "counted", "duration", "interval", "listed", "moment", "percent",
           "quoted", "shown", "verdict"]  # fmt: skip

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

Z95 = 1.959963984540054  # 97.5% of a normal distribution lies below it


def shown(value: object) -> str:
    """Four digits, or a dash if there is no number."""
    known = number(value)
    if known is None:
        return "\N{EN DASH}"
    digits = f"{known:,.0f}" if 1e4 <= abs(known) < 1e15 else f"{known:.4g}"
    return digits.replace("-", "\N{MINUS SIGN}")


def counted(value: object, noun: str, plural: str = "") -> str:
    """``1 row``, ``1,234 rows``."""
    count = whole(value)
    if count is None:
        return f"an unknown number of {plural or noun + 's'}"
    return f"{count:,} {noun if count == 1 else plural or noun + 's'}"


def percent(share: float) -> str:
    """``81.2%``."""
    return f"{100 * share:.1f}%"


def quoted(name: object) -> str:
    """A name from the data, in quotation marks."""
    return f"\N{LEFT DOUBLE QUOTATION MARK}{text(name)}\N{RIGHT DOUBLE QUOTATION MARK}"


def listed(words: Sequence[str], last: str = "and", most: int = 6) -> str:
    """``a, b and c``; of many, only the first few."""
    if len(words) > most:
        return f"{', '.join(words[:most])} {last} {len(words) - most} more"
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} {last} {words[-1]}"


def duration(seconds: object) -> str:
    """`durations.duration` of a number from a file; empty for what is none, or below 0."""
    known = number(seconds)
    return "" if known is None or known < 0 else durations.duration(known)


def moment(started: object) -> str:
    """``21 Nov 2026, 08:33 UTC+01:00``; anything that is not a time stays as it is."""
    try:
        time = datetime.datetime.fromisoformat(text(started))
    except ValueError:
        return text(started)
    return f"{time.day} {time:%b %Y, %H:%M}" + (f" {time.tzname()}" if time.tzinfo else "")


def interval(share: float, rows: int) -> tuple[float, float]:
    """The 95% confidence interval of a share counted on ``rows`` rows (Wilson 1927)."""
    z = Z95**2 / rows
    middle = (share + z / 2) / (1 + z)
    half = Z95 * math.sqrt(share * (1 - share) / rows + z / (4 * rows)) / (1 + z)
    return max(0.0, middle - half), min(1.0, middle + half)


def verdict(name: str, value: float | None, baseline: float | None) -> str:
    """``better`` or ``not better`` than the baseline; empty when nobody can tell."""
    if value is None or baseline is None or name not in METRICS:
        return ""
    sign = 1 if METRICS[name].higher_is_better else -1
    return "better" if sign * value > sign * baseline else "not better"
