"""Rows of a training as the compiled step takes them: dense blocks of few shapes.

A program is compiled for one shape, so data of different sizes is laid out in few: arrays have room
for a round number of rows, and batches are filled up with a row that weighs nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ..train.examples import Examples

__all__ = ["DENSE_BYTES", "Rows", "dense", "merged", "rounded_up", "with_room"]

Array = npt.NDArray[Any]

#: sparse rows that take no more than this are made dense once, others batch by batch
DENSE_BYTES = 64 << 20
#: rows up to here are looked through for equal ones
MERGED_ROWS = 1024
SMALLEST = 16


def rounded_up(rows: int) -> int:
    """The next of few sizes: at most a sixteenth more, for few rows twice as many."""
    if rows <= 1024:
        return max(SMALLEST, 1 << (rows - 1).bit_length())
    unit = 1 << (rows.bit_length() - 5)
    return -(-rows // unit) * unit


def dense(X: Any, rows: Array | slice = slice(None)) -> npt.NDArray[np.float32]:
    """Rows of an array or a sparse matrix in float32; what is too large for that is infinite."""
    part = X[rows]
    part = part if isinstance(part, np.ndarray) else part.toarray()
    with np.errstate(over="ignore"):
        return np.asarray(part, np.float32, order="C")


def merged(X: Any, y: Array, weights: Array) -> tuple[Any, Array, Array]:
    """Rows that are equal, as one with the sum of their weights, in an order of their own; those
    that weigh nothing are left out.

    Where one batch holds all rows, this changes no sum. So a row with a weight of two does, to the
    bit, what the row does twice, and the order of rows changes nothing.
    """
    if X.shape[0] > MERGED_ROWS:
        return X, y, weights
    kept = np.flatnonzero(weights)
    table = dense(X, kept)
    columns = np.column_stack([table, y[kept].reshape(len(kept), -1)])
    _, first, group = np.unique(columns, axis=0, return_index=True, return_inverse=True)
    return table[first], y[kept][first], np.bincount(group.reshape(-1), weights[kept])


@dataclass
class Rows:
    """Inputs (dense or sparse), encoded targets and weights, with batches of ``batch`` rows."""

    X: Any
    y: Array
    weights: Array
    batch: int

    def __post_init__(self) -> None:
        count, width = self.X.shape
        self.count = int(count)
        #: the size that batches are filled up to
        self.block = rounded_up(self.count) if self.batch >= self.count else self.batch
        sparse = not isinstance(self.X, np.ndarray)
        self.staged = sparse and 4 * count * width > DENSE_BYTES
        room = self._staging_rows() if self.staged else self.count
        #: one row more, which weighs nothing: batches are filled up with it
        self._room = rounded_up(room + 1)
        self._whole = None if self.staged else self._laid_out(slice(None))

    def _staging_rows(self) -> int:
        batches = max(1, DENSE_BYTES // 8 // (4 * self.X.shape[1] * self.block))
        return int(batches * self.block)

    def _laid_out(self, rows: Array | slice) -> Examples:
        """These rows, and the one without weight after them, in arrays with room to spare."""
        parts = (dense(self.X, rows), self.y[rows], self.weights[rows].astype(np.float32))
        return Examples(tuple(with_room(part, self._room) for part in parts))

    @property
    def steps(self) -> int:
        """Batches of an epoch."""
        return -(-self.count // self.batch)

    def batches(self, order: Array) -> npt.NDArray[np.int32]:
        """The rows of each batch, [batches, block]: ``order`` cut and filled up."""
        filled = np.full(self.steps * self.batch, self.count, np.int32)
        filled[: self.count] = order
        blocks = np.full((self.steps, self.block), self.count, np.int32)
        blocks[:, : self.batch] = filled.reshape(self.steps, self.batch)[:, : self.block]
        return blocks

    def sizes(self) -> npt.NDArray[np.int64]:
        """How many rows of its own each batch of an epoch has."""
        sizes = np.full(self.steps, self.batch, np.int64)
        sizes[-1] = self.count - self.batch * (self.steps - 1)
        return sizes

    def calls(self, batches: npt.NDArray[np.int32]) -> Iterator[tuple[Examples, Array]]:
        """``batches`` in pieces that fit into memory, with arrays that hold their rows."""
        if self._whole is not None:
            yield self._whole, batches
            return
        at_once = (self._room - 1) // self.block
        for start in range(0, len(batches), at_once):
            piece = batches[start : start + at_once]
            rows, numbers = np.unique(piece, return_inverse=True)
            wanted = rows[rows < self.count]
            yield self._laid_out(wanted), numbers.reshape(piece.shape).astype(np.int32)


def with_room(part: Array, room: int) -> Array:
    """``part`` and zeros up to ``room`` rows."""
    result = np.zeros((room, *part.shape[1:]), part.dtype)
    result[: len(part)] = part
    return result
