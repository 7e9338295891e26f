"""Search along a line for a step length that satisfies the strong Wolfe conditions.

Wolfe 1969; bracketing and zooming as in Nocedal, Wright 2006, "Numerical optimization", algorithms
3.5 and 3.6, with the safeguards of Schmidt's minFunc, which PyTorch has as well.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

__all__ = ["Point", "strong_wolfe"]

Vector: TypeAlias = npt.NDArray[np.float64]

#: share of the initial slope by which the loss must fall at least
_DECREASE = 1e-4
#: share of the initial slope that may be left
_CURVATURE = 0.9


@dataclass(frozen=True)
class Point:
    """A step length ``t``, with loss, gradient, and slope of the loss along the line there."""

    t: float
    loss: float
    gradient: Vector
    slope: float


@dataclass
class _Search:
    """The conditions, and how many points have been tried after the first one."""

    at: Callable[[float], Point]
    start: Point
    budget: int
    tries: int = 0

    def too_high(self, point: Point) -> bool:
        """Whether the loss has not fallen enough for so long a step."""
        return point.loss > self.start.loss + _DECREASE * point.t * self.start.slope

    def flat(self, point: Point) -> bool:
        """Whether little slope is left."""
        return abs(point.slope) <= -_CURVATURE * self.start.slope

    def next(self, t: float) -> Point:
        self.tries += 1
        return self.at(t)

    @property
    def more(self) -> bool:
        return self.tries < self.budget


def strong_wolfe(
    at: Callable[[float], Point],
    start: Point,
    t: float,
    *,
    length: float,
    tolerance_change: float,
    budget: int,
) -> tuple[Point, int]:
    """A point where the loss has fallen and the slope is small, and how many were evaluated.

    ``at(t)`` evaluates a point, ``start`` is the one at 0, ``t`` the first length to try. The
    search ends without success after ``budget`` more points, or when the interval that is left
    moves no parameter by ``tolerance_change``; ``length`` is the largest move of one per unit of t.
    The best point found is then the result.
    """
    search = _Search(at, start, budget)
    before, here = start, at(t)
    while search.more:
        if search.too_high(here) or (search.tries > 1 and here.loss >= before.loss):
            break
        if search.flat(here):
            return here, search.tries + 1
        if here.slope >= 0:
            break
        t = cubic_minimum(before, here, here.t + 0.01 * (here.t - before.t), 10 * here.t)
        before, here = here, search.next(t)
    else:
        before = start
    low, high = (before, here) if before.loss <= here.loss else (here, before)
    best = _zoom(search, low, high, tolerance_change / length)
    return best, search.tries + 1


def _zoom(search: _Search, low: Point, high: Point, narrow: float) -> Point:
    """The point wanted, between ``low`` and ``high``, or the best one when the search must end."""
    stalled = False
    while search.more and abs(high.t - low.t) >= narrow:
        left, right = sorted((low.t, high.t))
        t = cubic_minimum(low, high, left, right)
        margin = 0.1 * (right - left)
        near_an_end = min(right - t, t - left) < margin
        if near_an_end and (stalled or not left < t < right):
            t = right - margin if right - t < t - left else left + margin
            near_an_end = False
        stalled = near_an_end
        new = search.next(t)
        if search.too_high(new) or new.loss >= low.loss:
            low, high = (low, new) if low.loss <= new.loss else (new, low)
        elif search.flat(new):
            return new
        else:
            if new.slope * (high.t - low.t) >= 0:
                high = low
            low = new
    return low


def cubic_minimum(a: Point, b: Point, lowest: float, highest: float) -> float:
    """Where the cubic through losses and slopes of two points has its minimum, within the bounds.

    The middle of the bounds where it has none, or where a loss is infinite.
    """
    a, b = sorted((a, b), key=lambda point: point.t)
    middle = (lowest + highest) / 2
    if a.t == b.t:
        return middle
    d1 = a.slope + b.slope - 3 * (a.loss - b.loss) / (a.t - b.t)
    square = d1 * d1 - a.slope * b.slope
    if not square >= 0:
        return middle
    d2 = math.sqrt(square)
    below = b.slope - a.slope + 2 * d2
    if below == 0:
        return middle
    t = b.t - (b.t - a.t) * ((b.slope + d2 - d1) / below)
    return min(max(t, lowest), highest) if math.isfinite(t) else middle
