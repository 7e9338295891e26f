"""From numbers to positions in a drawing, with ticks at round numbers.

Linear ticks are multiples of 1, 2 or 5 times a power of ten (Heckbert, "Nice numbers for graph
labels", 1990); logarithmic ones are powers of ten, with 2 and 5 between them where there are few.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["Scale", "label", "linear_ticks", "log_is_useful", "log_ticks"]

LOG_FROM = 30.0  # ratio of the largest to the smallest number from which a linear axis hides some
TINY = 1e-100  # below, powers of ten are no longer numbers


def log_is_useful(values: Sequence[float]) -> bool:
    """Whether all values are above 0 and span more than a linear axis can show."""
    return bool(values) and min(values) > TINY and max(values) / min(values) >= LOG_FROM


def linear_ticks(low: float, high: float, count: int = 5, whole: bool = False) -> list[float]:
    """About ``count`` round numbers from at most ``low`` to at least ``high``."""
    step = _nice_step((high - low) / max(count - 1, 1))
    if whole:
        step = max(step, 1.0)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    # Rounding removes the excess of 3 * 0.1 over 0.3.
    digits = max(0, 1 - math.floor(math.log10(step)))
    return [round(k * step, digits) + 0.0 for k in range(first, max(last, first + 1) + 1)]


def _nice_step(rough: float) -> float:
    """The smallest of 1, 2, 5 times a power of ten that is at least ``rough``."""
    power = 10.0 ** math.floor(math.log10(rough))
    return next(power * f for f in (1, 2, 5, 10) if power * f >= rough * (1 - 1e-9))


def log_ticks(low: float, high: float, most: int = 7) -> list[float]:
    """Powers of ten that enclose ``low`` and ``high``, with 2 and 5 unless these are too many."""
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    last = max(last, first + 1)
    ticks = [m * 10.0**k for k in range(first, last + 1) for m in (1, 2, 5)]
    lower = [t for t in ticks if t <= low * (1 + 1e-9)][-1]
    upper = next((t for t in ticks if t >= high * (1 - 1e-9)), ticks[-1])
    inside = [t for t in ticks if lower <= t <= upper]
    if len(inside) <= most:
        return inside
    step = -(-(last - first) // (most - 1))
    return [10.0**k for k in range(first, last + step, step)]


@dataclass(frozen=True)
class Scale:
    """Maps values from ``low`` to ``high`` to pixels from ``start`` to ``stop``."""

    ticks: tuple[float, ...]
    low: float
    high: float
    start: float
    stop: float
    log: bool = False

    @classmethod
    def of(
        cls,
        values: Sequence[float],
        start: float,
        stop: float,
        *,
        count: int = 5,
        log: bool = False,
        whole: bool = False,
    ) -> Scale:
        """A scale that shows all ``values`` and ends at ticks."""
        low, high = (min(values), max(values)) if values else (0.0, 1.0)
        if log:
            ticks = log_ticks(low, high)
        else:
            # Numbers that differ by rounding alone are drawn as one line in the middle.
            least = max(abs(low), abs(high)) * 1e-9
            if high - low <= least or high == low:
                low, high = low - (abs(low) * 0.1 or 1.0), high + (abs(high) * 0.1 or 1.0)
            ticks = linear_ticks(low, high, count, whole)
        return cls(tuple(ticks), ticks[0], ticks[-1], start, stop, log)

    @classmethod
    def tight(
        cls, low: float, high: float, start: float, stop: float, *, whole: bool = True
    ) -> Scale:
        """A scale from exactly ``low`` to ``high``, with the ticks between them."""
        if high <= low:
            return cls((low,), low - 0.5, low + 0.5, start, stop)
        ticks = [t for t in linear_ticks(low, high, 6, whole) if low <= t <= high]
        return cls(tuple(ticks), low, high, start, stop)

    def __call__(self, value: float) -> float:
        if self.log:
            share = math.log(value / self.low) / math.log(self.high / self.low)
        else:
            share = (value - self.low) / (self.high - self.low)
        return self.start + share * (self.stop - self.start)

    def labels(self) -> list[tuple[float, str]]:
        """Each tick with its text; all texts of a linear axis have the same digits."""
        if self.log or len(self.ticks) < 2:
            return [(t, label(t)) for t in self.ticks]
        step = abs(self.ticks[1] - self.ticks[0])
        return [(t, label(t, step)) for t in self.ticks]


def label(value: float, step: float | None = None) -> str:
    """A tick as text: ``0.25``, ``1,000``, ``2e−05``; ``step`` decides how many digits."""
    size = max(abs(value), step or 0.0)
    if value == 0 and step is None:
        return "0"
    if size >= 1e6 or size < 1e-4:
        content = f"{value:.3g}"
    elif step is None:
        content = f"{value:,.10g}"
    else:
        digits = max(0, -math.floor(math.log10(step) + 1e-9))
        content = f"{value:,.{digits}f}"
    return content.replace("-", "\N{MINUS SIGN}")
