"""A batch in parts, and the tree along which what they give is summed.

Batches of B rows have at most ``most`` parts of s = ceil(B / most) rows each, in order, and so has
a shorter batch. Rows that do not fill a part belong to the last one.

What parts give is summed along a binary tree that is aligned:
the neighbours 0 and 1, 2 and 3, ..., then the sums of 0-1 and 2-3, and so on; what has no neighbour
moves up as it is. So a range of parts is some whole subtrees, whoever computes them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from ..errors import ConfigError
from ..ir.memory import ALIGNMENT, aligned_empty
from ..ir.types import is_whole

__all__ = [
    "MOST_PARTS",
    "Division",
    "Groups",
    "Layout",
    "Parts",
    "Subtree",
    "checked_parts",
    "fold",
    "parts_for",
    "subtrees",
    "total",
]

Array = npt.NDArray[Any]
Parts = int | Literal["auto"]
#: where a subtree begins, and how many parts it would have if there were that many
Subtree = tuple[int, int]

#: random draws of a part are counted apart, by the four upper bits of their counts
MOST_PARTS = 16
#: numbers in a cache line
LINE = ALIGNMENT // 4
#: numbers of a group of results at least, and for each worker: fewer are sent about as soon as a
#: message begins, and threads that are waited for have their price where processors are busy
GROUP, SHARE = 1 << 18, 1 << 16


def checked_parts(parts: Any) -> Parts:
    """The most parts of a batch; 1: it stays whole. ConfigError for anything else."""
    if parts == "auto":
        return "auto"
    if not is_whole(parts) or not 0 <= parts <= MOST_PARTS:
        raise ConfigError(
            f"parts is {parts!r}",
            help=f'parts must be a whole number from 0 to {MOST_PARTS}, or "auto"; '
            "0 and 1 leave batches whole",
        )
    return max(1, int(parts))


def parts_for(batch_size: int) -> int:
    """``auto``: as many as have 64 rows each, a power of two from 4 to 16; less for batches of
    fewer than 8 rows, because small parts are computed slowly."""
    wanted = min(max(batch_size // 64, 4), MOST_PARTS, max(batch_size // 2, 1))
    return 1 << (wanted.bit_length() - 1)


@dataclass(frozen=True)
class Division:
    """How the parts of one batch of ``rows`` rows lie in it: ``size`` rows each."""

    rows: int
    size: int

    @classmethod
    def of(cls, rows: int, batch_size: int, parts: Parts) -> Division:
        """Of ``rows`` rows, where batches usually have ``batch_size``."""
        most = parts_for(batch_size) if parts == "auto" else parts
        return cls(rows, -(-batch_size // most))

    @property
    def count(self) -> int:
        """How many parts there are."""
        return max(1, self.rows // self.size)

    @property
    def even(self) -> bool:
        """Whether all parts have as many rows."""
        return self.rows == self.count * self.size

    def share(self, part: int) -> float:
        """The fraction of the batch's rows that a part has."""
        last = part == self.count - 1
        return (self.rows - part * self.size if last else self.size) / self.rows

    def pieces(self, begin: int, end: int) -> list[tuple[int, int, int]]:
        """The parts from ``begin`` to ``end`` as (first, count, rows of each) of equal ones."""
        full = self.count - (not self.even)
        pieces = [(begin, min(end, full) - begin, self.size)] if begin < full else []
        if end > full:
            pieces.append((full, 1, self.rows - full * self.size))
        return [piece for piece in pieces if piece[1]]


@dataclass(frozen=True)
class Layout:
    """Arrays of float32 one after the other, each from the beginning of a cache line on."""

    shapes: tuple[tuple[int, ...], ...]

    @property
    def places(self) -> list[tuple[int, int]]:
        """Where each begins, and how many numbers it has."""
        found, at = [], 0
        for shape in self.shapes:
            size = math.prod(shape)
            found.append((at, size))
            at += -(-size // LINE) * LINE
        return found

    @property
    def length(self) -> int:
        """Numbers in all, with those between."""
        return sum(-(-math.prod(shape) // LINE) * LINE for shape in self.shapes)

    def memory(self) -> Array:
        """For all of them, zero between."""
        memory = aligned_empty((self.length,), np.float32)
        memory[:] = 0.0
        return memory

    def taken_apart(self, together: Array) -> list[Array]:
        """Views of the arrays."""
        places = zip(self.places, self.shapes, strict=True)
        return [together[at : at + size].reshape(shape) for (at, size), shape in places]


@dataclass(frozen=True)
class Groups:
    """Results in groups that workers sum one after the other; each group lies together in memory.

    The backward pass ends with the first layers. So groups are made from the last gradient on, and
    what comes before all gradients is in the first group. Sizes alone decide, as all workers must
    have the same groups; of one worker everything is one group.
    """

    members: tuple[tuple[int, ...], ...]
    layouts: tuple[Layout, ...]

    @classmethod
    def of(cls, shapes: Sequence[tuple[int, ...]], numbers: int, workers: int) -> Groups:
        """Of results of such ``shapes``, the first ``numbers`` of which are no gradients."""
        least, members = max(GROUP, SHARE * workers), [list(range(numbers))]
        for i in reversed(range(numbers, len(shapes))):
            if workers > 1 and sum(math.prod(shapes[j]) for j in members[-1]) >= least:
                members.append([])
            members[-1].append(i)
        layouts = [Layout(tuple((1, *shapes[i]) for i in group)) for group in members]
        return cls(tuple(map(tuple, members)), tuple(layouts))

    def memory(self) -> list[Array]:
        """For each group."""
        return [layout.memory() for layout in self.layouts]

    def taken_apart(self, together: Sequence[Array]) -> list[Array]:
        """Views of all results, in their order."""
        views: dict[int, Array] = {}
        for group, layout, memory in zip(self.members, self.layouts, together, strict=True):
            views.update(zip(group, layout.taken_apart(memory), strict=True))
        return [views[i] for i in range(len(views))]


def fold(rows: Array) -> Array:
    """`tree` (`ops/reduce.py`) of the rows of an array, which is overwritten; a view of the sum."""
    step = 1
    while step < len(rows):
        right = rows[step :: 2 * step]
        left = rows[: len(rows) - step : 2 * step]
        np.add(left, right, out=left)
        step *= 2
    whole: Array = rows[0]
    return whole


def subtrees(begin: int, end: int) -> list[Subtree]:
    """The largest subtrees that cover the parts from ``begin`` to ``end``."""
    found = []
    while begin < end:
        size = begin & -begin or 1 << MOST_PARTS.bit_length()
        while begin + size > end:
            size //= 2
        found.append((begin, size))
        begin += size
    return found


def total(sums: Mapping[Subtree, Array], count: int, into: Array) -> None:
    """The sum of ``count`` parts, of the sums of all `subtrees` that the workers cover; these are
    overwritten."""

    def under(begin: int, size: int, into: Array | None = None) -> Array:
        known = sums.get((begin, size))
        if known is not None:
            return known
        left = under(begin, size // 2)
        middle = begin + size // 2
        if middle >= count:
            return left
        return np.add(left, under(middle, size // 2), out=left if into is None else into)

    size = 1
    while size < count:
        size *= 2
    whole = under(0, size, into)
    if whole is not into:
        into[:] = whole
