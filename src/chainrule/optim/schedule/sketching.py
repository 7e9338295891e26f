"""A schedule as a drawing in text."""

from __future__ import annotations

from itertools import pairwise

from .base import Schedule, check_whole

__all__ = ["sketch"]

#: rates looked at for each column: enough for its highest and lowest to be seen
_PER_COLUMN = 32


def sketch(schedule: Schedule, steps: int, width: int = 60, height: int = 10) -> str:
    """The rate over a run of ``steps`` steps, as ``height`` lines of ``width`` columns and axes.

    The vertical axis begins at 0. A column shows every rate that occurs in its steps, so a jump
    is an upright line. A rate that depends on what will be observed is drawn as it is now.
    """
    check_whole("steps", steps)
    check_whole("width", width, least=10)
    check_whole("height", height, least=2)
    width = min(width, max(steps, 10))
    bounds = [c * steps // width for c in range(width + 1)]
    columns = [_range(schedule, start, stop) for start, stop in pairwise(bounds)]
    top = max(high for _, high in columns)
    levels = [(_level(low, top, height), _level(high, top, height)) for low, high in columns]
    labels = {height - 1: f"{top:.3g}", 0: "0"}
    margin = max(len("lr"), *(len(label) for label in labels.values()))
    lines = [f"{'lr':>{margin}}"]
    for row in reversed(range(height)):
        marks = "".join("*" if low <= row <= high else " " for low, high in levels)
        lines.append(f"{labels.get(row, ''):>{margin}} |{marks}".rstrip())
    lines.append(f"{'':>{margin}} +{'-' * width}")
    last = str(steps - 1)
    lines.append(f"{'':>{margin}}  0{'step':^{width - 1 - len(last)}}{last}")
    return "\n".join(lines)


def _range(schedule: Schedule, start: int, stop: int) -> tuple[float, float]:
    """The lowest and the highest rate from the step before ``start`` to that before ``stop``."""
    start, stop = max(start - 1, 0), max(stop, start + 1)
    count = min(stop - start, _PER_COLUMN)
    steps = {start + i * (stop - 1 - start) // max(count - 1, 1) for i in range(count)}
    rates = [schedule.lr_at(step) for step in steps]
    return min(rates), max(rates)


def _level(rate: float, top: float, height: int) -> int:
    return round(rate / top * (height - 1)) if top > 0 else 0
