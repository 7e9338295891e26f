"""How the time limit of an ensemble is shared out among its trainings, as they come.

    limit of the next one = time that is left / trainings that are left - what they take beside it

Where starting takes most of the time, fewer folds are trained instead of cutting all of them short.
"""

from __future__ import annotations

import time

__all__ = ["TimeShares"]

#: seconds that every training may take, which is an epoch at least
LEAST = 0.001
#: of its share, what a fold may take before the others are counted anew, and what has to be left
TOLERATED, ENOUGH = 1.1, 0.5


class TimeShares:
    """``seconds`` for so many ``folds`` of ``recipes`` trainings each; 0: there is no limit."""

    def __init__(self, seconds: float, folds: int, recipes: int) -> None:
        self.seconds, self.recipes = seconds, recipes
        self.left = folds * recipes
        self._begun = time.monotonic()
        self._limit = self._beside = 0.0
        self._fold_began, self._fold_share = self._begun, seconds / max(1, folds)

    def _remaining(self) -> float:
        return self.seconds - (time.monotonic() - self._begun)

    def next_limit(self) -> float:
        """The time limit of the next training."""
        if not self.seconds:
            return 0.0
        self._training_began = time.monotonic()
        share = self._remaining() / self.left - self._beside
        self._limit = max(LEAST, round(share, 3))
        return self._limit

    def ended(self) -> None:
        """The training that was begun last is done."""
        self.left -= 1
        if self.seconds:
            taken = time.monotonic() - self._training_began
            self._beside = max(self._beside, taken - self._limit)

    def another_fold(self) -> bool:
        """Whether there is time for a fold more, after one."""
        if not self.seconds:
            return True
        now, left = time.monotonic(), self._remaining()
        taken, self._fold_began = now - self._fold_began, now
        within = taken <= TOLERATED * self._fold_share
        self._fold_share = left * self.recipes / self.left
        return left > 0 and (within or left >= ENOUGH * taken)
