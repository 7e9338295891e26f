"""What several processes say together of rows that each has some of.

    process 0   rows    0 ... 16383 ─┐
    process 1   rows 16384 ... 32767 ─┴─ one rule for each kind of answer ──► the answer of all rows

Counts are added up, limits compared, different values united, and sums of chunks added in the order
of the chunks: so every answer has the bits of one process that has all rows. Without others, each
answer stays as it is. All processes ask the same questions in the same order.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

__all__ = ["ALONE", "Gathering", "Peers", "Share", "divisible"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
K = TypeVar("K")

#: bytes that a process passes at once to all others: MPI counts in 32 bits
MOST_BYTES = 1 << 29
#: bytes that `Share.spread` brings at once
WINDOW = 1 << 23
#: from so many bytes on, each of several processes has a share of the examples
DIVIDED_BYTES = 64 << 20


class Peers(Protocol):
    """The processes among which rows are divided, in order: see `chainrule.train.workers`."""

    @property
    def rank(self) -> int:
        """Which one this is, from 0."""

    @property
    def size(self) -> int:
        """How many there are."""

    def gather(self, value: Any) -> list[Any]:
        """What each passes, by rank, for all."""

    def exchange(self, pieces: Sequence[NDArray[np.uint8]]) -> list[NDArray[np.uint8]]:
        """What each passes for this one, by rank; ``pieces`` are for each of them."""


@dataclass(frozen=True)
class Gathering:
    """One rule for each kind of answer; None: this process has all rows."""

    peers: Peers | None = None

    def each(self, value: Any) -> list[Any]:
        """What each process says: numbers, text, lists and dicts of them."""
        return [value] if self.peers is None else self.peers.gather(value)

    def first(self, value: Any) -> Any:
        """What the first process says that has something to say, and not None."""
        return next((one for one in self.each(value) if one is not None), None)

    def added(self, counts: NDArray[Any]) -> Ints:
        """The sum of whole numbers."""
        if self.peers is None:
            return counts
        every = [np.asarray(own) for own in self.each(counts.tolist())]
        total: Ints = np.sum(every, axis=0, dtype=np.int64)
        return total

    def least(self, values: Floats) -> Floats:
        least: Floats = np.min([np.asarray(own) for own in self.each(values.tolist())], axis=0)
        return least

    def greatest(self, values: Floats) -> Floats:
        greatest: Floats = np.max([np.asarray(own) for own in self.each(values.tolist())], axis=0)
        return greatest

    def summed(self, sums: Sequence[Floats], width: int) -> Floats:
        """The ``sums`` of all chunks, of so many numbers each, added one after the other."""
        total = np.zeros(width)
        for own in self.joined(np.array(sums).reshape(len(sums), width)):
            total += own
        return total

    def counted(self, counts: Mapping[K, int]) -> Counter[K]:
        """How often there is each value, texts or tuples of them."""
        if self.peers is None:
            return Counter(counts)
        total: Counter[Any] = Counter()
        for own in self.each(list(counts.items())):
            for value, n in own:
                total[tuple(value) if isinstance(value, list) else value] += n
        return total

    def united(self, values: Iterable[float]) -> set[float]:
        """All different values."""
        return {value for own in self.each(sorted(values)) for value in own}

    def joined(self, rows: NDArray[Any]) -> NDArray[Any]:
        """The rows of all processes, in order. They have one shape and type."""
        return rows if self.peers is None else np.concatenate(self.pieces(rows))

    def pieces(self, rows: NDArray[Any]) -> list[NDArray[Any]]:
        """The rows of each process."""
        return self.passed([rows] * (1 if self.peers is None else self.peers.size))

    def passed(self, pieces: Sequence[NDArray[Any]]) -> list[NDArray[Any]]:
        """The rows that each process passes to this one; ``pieces`` are for each of them."""
        if self.peers is None:
            return list(pieces)
        flat = [np.ascontiguousarray(piece).reshape(-1).view(np.uint8) for piece in pieces]
        lengths = [theirs[self.peers.rank] for theirs in self.each([*map(len, pieces)])]
        kind, shape = pieces[0].dtype, pieces[0].shape[1:]
        return [
            part.view(kind).reshape(length, *shape)
            for part, length in zip(self._exchanged(flat), lengths, strict=True)
        ]

    def shares(self, rows: int) -> list[slice]:
        """So many rows, divided evenly among the processes."""
        size = 1 if self.peers is None else self.peers.size
        return [slice(r * rows // size, (r + 1) * rows // size) for r in range(size)]

    def own(self, rows: int) -> slice:
        """The share of this process of so many rows."""
        return self.shares(rows)[0 if self.peers is None else self.peers.rank]

    def different(self, groups: Ints, hashes: NDArray[np.uint64], count: int) -> list[int]:
        """In each of ``count`` groups, how many different rows of ``hashes`` [rows, 2] there are:
        every process counts those that fall to it."""
        rows = np.column_stack([groups.astype(np.uint64), hashes])
        if self.peers is not None:
            owners = hashes[:, 0] % np.uint64(self.peers.size)
            pieces = [rows[owners == rank].reshape(-1) for rank in range(self.peers.size)]
            got = self._exchanged([piece.view(np.uint8) for piece in pieces])
            rows = np.concatenate(got).view(np.uint64).reshape(-1, 3)
        rows = np.unique(rows, axis=0)
        own = np.bincount(rows[:, 0].astype(np.int64), minlength=count)
        return [int(n) for n in self.added(own)]

    def _exchanged(self, pieces: Sequence[NDArray[np.uint8]]) -> list[NDArray[np.uint8]]:
        """`Peers.exchange` of any number of bytes."""
        assert self.peers is not None
        step = MOST_BYTES // self.peers.size // 8 * 8
        longest = max(self.each(max(map(len, pieces))))
        rounds = [
            self.peers.exchange([piece[start : start + step] for piece in pieces])
            for start in range(0, max(longest, 1), step)
        ]
        return [np.concatenate(parts) for parts in zip(*rounds, strict=True)]


#: of one process that has all rows
ALONE = Gathering()


def divisible(nbytes: int) -> bool:
    """Whether examples of so many bytes are divided among the processes, if there are several."""
    return nbytes >= DIVIDED_BYTES


@dataclass(frozen=True)
class Share:
    """Which of some examples are here: the ``own`` ones. Processes have them in order."""

    own: range
    gathering: Gathering

    @property
    def slice(self) -> slice:
        """The examples that are here, of all."""
        return slice(self.own.start, self.own.stop)

    def of(self, rows: NDArray[np.integer[Any]]) -> Share:
        """Which of these ``rows``, in rising order, are here."""
        first, stop = np.searchsorted(rows, [self.own.start, self.own.stop]).tolist()
        return replace(self, own=range(first, stop))

    def spread(self, own: NDArray[Any], into: NDArray[Any]) -> None:
        """Puts the rows of all processes ``into`` an array, some megabytes at a time."""
        counts = self.gathering.each(len(own))
        firsts = np.cumsum([0, *counts])
        step = max(1, WINDOW // max(1, math.prod(own.shape[1:]) * own.itemsize))
        for start in range(0, max(counts), step):
            pieces = self.gathering.pieces(own[start : start + step])
            for first, piece in zip(firsts, pieces, strict=False):
                into[first + start : first + start + len(piece)] = piece
