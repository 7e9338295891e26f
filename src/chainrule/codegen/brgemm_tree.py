"""Sums of a product that are cut into runs and added along a binary tree.

After run number r, what the runs before left behind is added to its sums as often as r ends in a
binary one, as carries are when one counts; the result waits for a neighbour at that level:

    run     0      1        2      3               4 ...
    waits   0: 0   1: 0+1   0: 2   2: 0+1 + 2+3    0: 4

So there is one place for each level, and every sum has the order of the tree.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..schedule.buffers import LANES
from .builder import Builder
from .values import Value, i64, vector_of

VECTOR = vector_of("float")


def levels_of(runs: int) -> int:
    """How many sums of different sizes may have to wait."""
    return runs.bit_length()


@dataclass(frozen=True)
class Tree:
    """The tree of ``runs`` runs; sums of one level lie ``pitch`` floats behind those of another."""

    b: Builder
    runs: int
    pitch: int

    def climbs(self, run: Value) -> Value:
        """How many sums that wait are added to those of ``run``: the ones at its binary end."""
        b = self.b
        ends = b.bits("xor", run, b.add(run, i64(1)))
        count = i64(0)
        for level in range(1, levels_of(self.runs)):
            reached = b.compare("uge", ends, i64((2 << level) - 1))
            count = b.add(count, b.convert("zext", reached, "i64"))
        return count

    def add(self, first: Value, climbs: Value, sums: Sequence[Value]) -> None:
        """Add what waits behind ``first`` to ``sums``, which then wait in its place."""
        b = self.b
        with b.fold(i64(0), climbs, 1, sums) as fold:
            waiting = self._at(first, fold.index, len(sums))
            fold.update(
                *(
                    b.add(b.load(VECTOR, w, 64), s)
                    for w, s in zip(waiting, fold.values, strict=True)
                )
            )
        for place, total in zip(self._at(first, climbs, len(sums)), fold.results, strict=True):
            b.store(total, place, 64)

    def finish(self, first: Value, floats: Value) -> Value:
        """Add up what waits at the end; where the sums of all runs are."""
        b = self.b
        waiting = [level for level in range(levels_of(self.runs)) if self.runs >> level & 1]
        places = [b.gep(first, level * self.pitch, "float") for level in waiting]
        if len(places) > 1:
            with b.loop(i64(0), floats, LANES) as i:
                total, *rest = (b.load(VECTOR, b.gep(p, i, "float"), 64) for p in places)
                for left in rest:
                    total = b.add(left, total)
                b.store(total, b.gep(places[-1], i, "float"), 64)
        return places[-1]

    def _at(self, first: Value, level: Value, vectors: int) -> list[Value]:
        """Where so many vectors of a level wait."""
        b = self.b
        place = b.gep(first, b.mul(level, i64(self.pitch)), "float")
        return [b.gep(place, i * LANES, "float") for i in range(vectors)]
