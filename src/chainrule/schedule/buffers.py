"""Buffers: the memory that nests read and store, and windows that move over it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from ..ir.types import Array, DType

#: elements of a vector in every nest, whatever the processor: part of the order of sums
LANES = 16


class Trip(NamedTuple):
    """Where a loop is: ``at`` trips are behind it. ``turn`` tells rows that take turns apart: it
    counts the same trips, or those that are left where only the loop's limit says how many.
    """

    at: int
    turn: int


@dataclass(frozen=True, eq=False)
class Buffer:
    """A contiguous range of memory. Identity is equality.

    kind ``arena``: temporary of one step; ``external``: memory of the caller or of a state, found
    in slot ``slot`` of the pointer table, moving on by ``step_stride`` elements each step;
    ``const``: ``data``. ``aligned``: the start is 64-byte aligned (else only aligned to one
    element). ``kept``: how many elements no nest stores because they stay zero; then the buffer
    shares its place in the arena with no other and is zero before the first step. ``window``: a
    part of ``base`` that moves with the trips of the loop at ``depth``, counted from outside: from
    element ``start``, ``stride`` on with each trip, or with each turn modulo ``period``.
    ``private``: no other trip knows the window, so a thread may stay where its first one is.
    """

    name: str
    dtype: DType
    size: int
    kind: str = "arena"
    slot: int = -1
    step_stride: int = 0
    aligned: bool = True
    data: Array | None = None
    kept: int = 0
    base: Buffer | None = None
    start: int = 0
    stride: int = 0
    period: int = 0
    depth: int = 0
    private: bool = False

    @property
    def root(self) -> Buffer:
        """The buffer in whose memory this one lies."""
        return self if self.base is None else self.base.root

    def shift(self, trips: Sequence[Trip]) -> int:
        """Elements from the start of `root` to that of this one, in the present ``trips``."""
        if self.base is None:
            return 0
        at, turn = trips[self.depth]
        moved = self.stride * (turn % self.period if self.period else at)
        return self.start + moved + self.base.shift(trips)

    @property
    def is_temporary(self) -> bool:
        """Whether it may be left out if nothing but its own nest wants the value."""
        return self.kind == "arena" or self.private

    @property
    def nbytes(self) -> int:
        """Bytes of one step's range."""
        return self.size * self.dtype.itemsize

    def __repr__(self) -> str:
        return f"%{self.name}"
