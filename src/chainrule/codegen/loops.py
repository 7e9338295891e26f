"""How the loops of a nest are cut: full vectors, unrolled copies, tails."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

from ..schedule.buffers import LANES
from ..schedule.nest import Nest
from .builder import Builder
from .kernel import HI, LO
from .placement import Binding, Point
from .values import Fold, Value, i64


@dataclass(frozen=True)
class Segment:
    """A part of a loop: ``range(lo, hi, copies * unit)``, each step with ``copies`` points.

    ``lanes`` of every point are active; 0 when the loop has no lanes.
    """

    lo: Value | int
    hi: Value | int
    unit: int
    copies: int
    lanes: int

    @property
    def step(self) -> int:
        """How far one iteration goes."""
        return self.unit * self.copies


def segments(b: Builder, nest: Nest, dim: int, *, vector: bool, copies: int) -> list[Segment]:
    """The parts of loop ``dim``, in order; ``copies`` is a power of two."""
    extent = nest.dims[dim]
    unit = LANES if vector else 1
    full = extent // unit * unit
    if dim == nest.split:
        return _shared(b, extent, full, unit, copies)
    return _whole(extent, full, unit, copies)


def _whole(extent: int, full: int, unit: int, copies: int) -> list[Segment]:
    lanes = unit if unit > 1 else 0
    main = full // (unit * copies) * unit * copies
    parts = [
        Segment(0, main, unit, copies, lanes),
        Segment(main, full, unit, 1, lanes),
        Segment(full, extent, unit, 1, extent - full),
    ]
    return [p for p in parts if isinstance(p.lo, int) and isinstance(p.hi, int) and p.lo < p.hi]


def _shared(b: Builder, extent: int, full: int, unit: int, copies: int) -> list[Segment]:
    """The same inside [lo, hi), where lo is a multiple of ``unit`` or the extent."""
    lanes = unit if unit > 1 else 0
    end: Value = HI
    if full < extent:
        end = b.overloaded("smax", b.overloaded("smin", HI, i64(full)), LO)
    parts = []
    start: Value = LO
    if copies > 1 and full >= unit * copies:
        whole = b.bits("and", b.sub(end, LO), i64(-unit * copies))
        start = b.add(LO, whole)
        parts.append(Segment(LO, start, unit, copies, lanes))
    if full:
        parts.append(Segment(start, end, unit, 1, lanes))
    if full < extent:
        first = b.overloaded("smax", LO, i64(full))
        parts.append(Segment(first, HI, unit, 1, extent - full))
    return parts


@contextmanager
def walk_segment(
    b: Builder, part: Segment, dim: int, depth: int, points: list[Point], carry: tuple[Value, ...]
) -> Iterator[tuple[list[Point], Fold]]:
    """A loop over ``part``; inside, ``points`` with ``dim`` bound, once for each copy."""
    with b.fold(part.lo, part.hi, part.step, carry) as fold:
        binding = Binding(
            fold.index, depth, b.fresh("s"), b.hook(), lanes=part.lanes, multiple=part.unit
        )
        yield (
            [
                bind(point, dim, binding.shifted(copy * part.unit))
                for copy in range(part.copies)
                for point in points
            ],
            fold,
        )


def bind(point: Point, dim: int, binding: Binding) -> Point:
    """``point`` with one more loop bound."""
    return tuple(binding if d == dim else x for d, x in enumerate(point))


def moved(b: Builder, points: list[Point]) -> list[Point]:
    """The same points, with new code of the innermost loop standing here.

    What an epilogue needs is not computed before the loop it follows.
    """
    here = b.hook()
    deepest = max((x.depth for p in points for x in p if x), default=-1)
    return [
        tuple(replace(x, place=here) if x and x.depth == deepest else x for x in point)
        for point in points
    ]
