"""A search for a learning rate as a drawing in text."""

from __future__ import annotations

import numpy as np

from ...errors import ConfigError
from .lrfinder import RateSearch

__all__ = ["sketch_rates"]


def sketch_rates(search: RateSearch, width: int = 60, height: int = 10) -> str:
    """The smoothed loss over the logarithm of the rate, as ``height`` lines and axes.

    A ``|`` stands at the suggestion. The vertical axis begins at the lowest smoothed loss.
    """
    if width < 10 or height < 2:
        raise ConfigError(
            f"cannot draw in {width!r} by {height!r} characters",
            help="pass at least 10 columns and 2 lines",
        )
    if not len(search.rates):
        return "no loss was finite"
    columns = _columns(search, width)
    shown = search.smoothed[columns]
    low, high = float(shown.min()), float(shown.max())
    levels = np.rint((shown - low) / ((high - low) or 1.0) * (height - 1)).astype(int)
    at = _suggested(search, width)
    labels = {height - 1: f"{high:.3g}", 0: f"{low:.3g}"}
    margin = max(len("loss"), *(len(label) for label in labels.values()))
    lines = [f"{'loss':>{margin}}"]
    for row in reversed(range(height)):
        marks = ["*" if level == row else " " for level in levels]
        if at is not None and marks[at] == " ":
            marks[at] = "|"
        lines.append(f"{labels.get(row, ''):>{margin}} |{''.join(marks)}".rstrip())
    lines.append(f"{'':>{margin}} +{'-' * width}")
    first, last = f"{search.rates[0]:.2g}", f"{search.rates[-1]:.2g}"
    lines.append(f"{'':>{margin}}  {first}{'lr':^{width - len(first) - len(last)}}{last}")
    return "\n".join(lines)


def _columns(search: RateSearch, width: int) -> np.ndarray[tuple[int], np.dtype[np.intp]]:
    """The step that each column shows: rates rise evenly on a logarithmic axis."""
    return np.rint(np.linspace(0, len(search.rates) - 1, width)).astype(np.intp)


def _suggested(search: RateSearch, width: int) -> int | None:
    """The column of the suggestion."""
    if search.suggestion is None or len(search.rates) < 2:
        return None
    first, last = np.log(search.rates[0]), np.log(search.rates[-1])
    return round(float((np.log(search.suggestion) - first) / (last - first)) * (width - 1))
