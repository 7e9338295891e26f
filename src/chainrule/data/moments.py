"""Means, spreads and medians in a fixed order of operations.

The same rows give the same bits on every machine: a sum is a balanced tree of plain additions over
each chunk (a chunk has a fixed number of rows), and the chunks are added in order. NumPy's own
``sum`` changes its order with its version and the processor; a database's with its threads.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from chainrule.data.gathering import ALONE, Gathering

__all__ = ["MedianSelect", "Moments", "tree_sum"]

Floats = NDArray[np.float64]


def tree_sum(values: Floats) -> Floats:
    """The sum over the first axis, folding halves: x[i] + x[i + n/2], n the next power of two."""
    rows = values.shape[0]
    if rows == 0:
        return np.zeros(values.shape[1:])
    size = 1 << (rows - 1).bit_length()
    folded = np.zeros((size, *values.shape[1:]))
    folded[:rows] = values
    while size > 1:
        size //= 2
        folded = folded[:size] + folded[size:]
    result: Floats = folded[0]
    return result


class Moments:
    """Mean and standard deviation of columns in two passes over the chunks.

    ``mean = sum(x) / n``; ``std = sqrt(sum((x - mean)^2) / n)``, over the finite values of each
    column; n counts those. Two passes avoid the cancellation of sum(x^2) - n * mean^2. Where chunks
    are divided among processes, `together` and `deviations_together` end the passes.
    """

    def __init__(self, width: int) -> None:
        self.count = np.zeros(width, dtype=np.int64)
        self.low = np.full(width, np.inf)
        self.high = np.full(width, -np.inf)
        self._sum = np.zeros(width)
        self._squares = np.zeros(width)
        #: those of each chunk
        self._sums: list[Floats] = []
        self._squared: list[Floats] = []

    def add(self, values: Floats) -> None:
        """First pass: one chunk of shape (rows, width). NaN and infinities are passed over."""
        finite = np.isfinite(values)
        self.count += finite.sum(axis=0)
        low, high = np.where(finite, values, np.inf), np.where(finite, values, -np.inf)
        self.low = np.minimum(self.low, low.min(axis=0, initial=np.inf))
        self.high = np.maximum(self.high, high.max(axis=0, initial=-np.inf))
        with np.errstate(over="ignore"):  # the caller refuses a mean that is not finite
            self._sums.append(tree_sum(np.where(finite, values, 0.0)))
            self._sum += self._sums[-1]

    def together(self, gathering: Gathering) -> None:
        """After the first pass over the chunks that this process has: those of all."""
        self.count = gathering.added(self.count)
        self.low, self.high = gathering.least(self.low), gathering.greatest(self.high)
        with np.errstate(over="ignore"):
            self._sum = gathering.summed(self._sums, len(self._sum))

    @property
    def mean(self) -> Floats:
        result: Floats = self._sum / np.maximum(self.count, 1)
        return result

    def add_deviations(self, values: Floats) -> None:
        """Second pass: the same chunks again."""
        deviation = np.where(np.isfinite(values), values, self.mean) - self.mean
        with np.errstate(over="ignore"):
            self._squared.append(tree_sum(deviation * deviation))
            self._squares += self._squared[-1]

    def deviations_together(self, gathering: Gathering) -> None:
        """After the second pass: those of all."""
        with np.errstate(over="ignore"):
            self._squares = gathering.summed(self._squared, len(self._squares))

    @property
    def std(self) -> Floats:
        result: Floats = np.sqrt(self._squares / np.maximum(self.count, 1))
        return result


class MedianSelect:
    """The lower median of columns, exactly, in four passes and constant memory.

    Float64 bits, with negative numbers turned around, sort like the numbers. Each pass counts the
    next 16 bits of the values that share the prefix found so far (radix selection).
    """

    PASSES = 4

    def __init__(self, count: NDArray[np.int64]) -> None:
        self._rank = np.maximum(count - 1, 0) // 2
        self._prefix = np.zeros(len(count), dtype=np.uint64)
        self._done = 0
        self._histogram = np.zeros((len(count), 1 << 16), dtype=np.int64)

    def add(self, values: Floats) -> None:
        """One chunk of the current pass."""
        shift = np.uint64(48 - 16 * self._done)
        for column in range(values.shape[1]):
            keys = _sortable(values[np.isfinite(values[:, column]), column])
            if self._done:
                keys = keys[(keys >> (shift + np.uint64(16))) == self._prefix[column]]
            digits = ((keys >> shift) & np.uint64(0xFFFF)).astype(np.int64)
            self._histogram[column] += np.bincount(digits, minlength=1 << 16)

    def end_pass(self, gathering: Gathering = ALONE) -> None:
        """Fixes 16 more bits of each median, from the chunks of all processes."""
        for column, histogram in enumerate(gathering.added(self._histogram)):
            below = np.cumsum(histogram)
            digit = int(np.searchsorted(below, self._rank[column], side="right"))
            digit = min(digit, (1 << 16) - 1)
            self._rank[column] -= below[digit - 1] if digit else 0
            self._prefix[column] = (self._prefix[column] << np.uint64(16)) | np.uint64(digit)
        self._histogram[:] = 0
        self._done += 1

    @property
    def median(self) -> Floats:
        """After four passes."""
        return _from_sortable(self._prefix)


SIGN = np.uint64(1 << 63)


def _sortable(values: Floats) -> NDArray[np.uint64]:
    bits = (values + 0.0).view(np.uint64)  # adding zero makes -0.0 and 0.0 the same
    return np.where(bits & SIGN, ~bits, bits | SIGN)


def _from_sortable(keys: NDArray[np.uint64]) -> Floats:
    bits = np.where(keys & SIGN, keys & ~SIGN, ~keys)
    result: Floats = bits.view(np.float64)
    return result
