"""Training data of which each worker has some of the rows.

    worker 0   rows    0 ...  999 ─┐               ┌─► what its parts of the coming batches read
    worker 1   rows 1000 ... 1999 ─┴─ all to all ──┴─► what its own do

The order of an epoch is one of all rows, whoever has them, so batches are what they would be if one
process had all. The rows of a worker's parts come from those that have them, for some batches at a
time. In memory are the worker's own rows, and these.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import ConfigError
from ..frontend import Tensor
from .batch_source import MemorySource, Rows
from .examples import Examples
from .parts import Division, Parts
from .workers import Workers, own_of

__all__ = ["Divided", "OwnRows", "columns_of"]

Array = npt.NDArray[Any]

#: rows that come at once are at most so many bytes, and one of so many of the worker's own
MOST_BYTES, SHARE = 8 << 20, 16


@dataclass(frozen=True)
class OwnRows:
    """``data``, (X, y) or (X, y, weights), are rows that this worker has, and others have others.

    All rows together are those of worker 0, then those of worker 1, and so on; the bits are those
    of one process that has them all. Pass it to `Trainer.fit` with ``workers``.
    """

    data: Any


def columns_of(size: int, division: Division) -> list[slice]:
    """The rows of a batch that each of so many workers computes."""
    columns = []
    for rank in range(size):
        begin, end = own_of(rank, size, division.count)
        end = max(end, begin + 1)
        stop = division.rows if end >= division.count else end * division.size
        columns.append(slice(begin * division.size, stop))
    return columns


class Divided(MemorySource):
    """A `BatchSource` of the rows of all workers, which nobody can read as a whole; ``window`` has
    what `fetch` has brought."""

    def __init__(self, mine: Examples, counts: Sequence[int], workers: Workers) -> None:
        self._mine, self._workers = mine, workers
        self._edges = np.cumsum([0, *counts])
        self.rows, self.labelled = int(self._edges[-1]), mine.labelled
        self.window = mine.with_arrays(())

    @property
    def arrays(self) -> tuple[Array, ...]:
        raise ConfigError(
            "training rows that are divided among workers are read by training alone",
            help="leave out what looks at them (a callback, a monitor of the training loss), or "
            "pass all rows to each worker, without OwnRows",
        )

    @property
    def bytes_per_row(self) -> int:
        return self._mine.bytes_per_row

    @property
    def recipe(self) -> Hashable:
        return self._mine.recipe

    @property
    def held(self) -> int:
        """Bytes of rows in this worker's memory."""
        return sum(a.nbytes for a in (*self._mine.arrays, *self.window.arrays))

    def take(self, arrays: tuple[Tensor, ...], rows: Tensor) -> tuple[Tensor, ...]:
        return self._mine.take(arrays, rows)

    def steps_at_once(self, batch: int, parts: Parts) -> int:
        """For how many batches of so many rows what workers read is fetched together; makes room
        for that. It is the same for all: they meet in every fetch."""
        sizes = [size for size in (batch, self.rows % batch) if size]
        read = [
            c for n in sizes for c in columns_of(self._workers.size, Division.of(n, batch, parts))
        ]
        most: int = max(own.stop - own.start for own in read)
        share = self.rows // self._workers.size // SHARE
        steps = max(1, min(MOST_BYTES // self.bytes_per_row, share) // most)
        if not self.window.arrays or self.window.rows < steps * most:
            shapes = ((steps * most, *a.shape[1:]) for a in self._mine.arrays)
            dtypes = (a.dtype for a in self._mine.arrays)
            self.window = self._mine.with_arrays(map(np.zeros, shapes, dtypes))
        return steps

    def fetch(self, rows: Rows, columns: Sequence[slice]) -> Rows:
        """Bring what this worker computes of ``rows`` [steps, batch], of which every worker
        computes some ``columns``; where in the window it is, and zeros for the rest."""
        wanted = [rows[:, own].ravel() for own in columns]
        got = self._workers.exchange([self._packed(numbers) for numbers in wanted])
        self._mine.release()
        mine = wanted[self._workers.rank]
        owners = np.searchsorted(self._edges, mine, side="right") - 1
        for rank, content in enumerate(got):
            self._unpack(content, np.flatnonzero(owners == rank))
        places = np.zeros(rows.shape, np.int32)
        own = columns[self._workers.rank]
        places[:, own] = np.arange(len(mine), dtype=np.int32).reshape(len(rows), -1)
        return places

    def _packed(self, wanted: Rows) -> npt.NDArray[np.uint8]:
        """This worker's rows among those ``wanted``, one array after the other."""
        first, end = self._edges[self._workers.rank : self._workers.rank + 2]
        own = wanted[(wanted >= first) & (wanted < end)] - first
        return np.concatenate([a[own].reshape(-1).view(np.uint8) for a in self._mine.arrays])

    def _unpack(self, content: npt.NDArray[np.uint8], places: npt.NDArray[np.intp]) -> None:
        begin = 0
        for array in self.window.arrays:
            size = len(places) * array[:1].nbytes
            rows = content[begin : begin + size].copy().view(array.dtype)
            array[places] = rows.reshape(len(places), *array.shape[1:])
            begin += size
