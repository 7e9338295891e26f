"""What happens to the finished accumulators of a product: the stores of its nest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from ..ir.types import f32
from ..schedule.buffers import LANES, Buffer
from ..schedule.nest import Acc, Access, Apply, Load, Nest, walk
from .builder import Builder, Place
from .elementwise import INSTRUCTIONS
from .expression import Expressions
from .placement import Binding, Point
from .stores import emit_store, memory_form
from .values import Value, i64, vector_of

#: instructions of an epilogue that may stand once for each register of a tile
SHORT = 4
#: of one that may stand once for each vector of a row
LONG = 60


@dataclass(frozen=True)
class Region:
    """Where finished accumulators belong: first row and column, and lanes of each vector.

    ``batch`` are the indices of the batch dims.
    """

    batch: tuple[Value, ...]
    m: Value
    n: Value
    lanes: tuple[int, ...]


def weight(nest: Nest) -> int:
    """Instructions of the epilogue at one point, roughly."""
    exprs = walk([s.value for s in nest.stores])
    instructions = sum(INSTRUCTIONS.get(e.op, 1) for e in exprs if isinstance(e, Apply))
    return instructions + 2 * (len(nest.stores) - 1)


def is_short(nest: Nest) -> bool:
    """Whether accumulators go to memory straight from their registers."""
    plain = all(not s.add and not s.access.indirect for s in nest.stores)
    along = all(s.access.offset.coeffs[nest.parallel - 1] in (0, 1) for s in nest.stores)
    return plain and along and weight(nest) <= SHORT


def far_accesses(nest: Nest) -> dict[Access, bool]:
    """Arrays as large as the result that the epilogue reads or writes, and whether it writes them.

    A tile writes a line of each of some rows, which would wait for memory one after another.
    """
    m, n = nest.parallel - 2, nest.parallel - 1
    loads = [e.access for e in walk([s.value for s in nest.stores]) if isinstance(e, Load)]
    written = {s.access for s in nest.stores}
    loads.extend(s.access for s in nest.stores)
    return {
        a: a in written
        for a in dict.fromkeys(loads)
        if a.offset.coeffs[n] == 1 and a.offset.coeffs[m] and not a.indirect
        and a.buffer.dtype is f32
    }  # fmt: skip


class Epilogue:
    """Emits the stores of a product nest."""

    def __init__(self, b: Builder, nest: Nest, pointers: Mapping[Buffer, Value]):
        self.b = b
        self.nest = nest
        self.pointers = pointers

    def from_registers(self, region: Region, rows: int, sums: Sequence[Value]) -> None:
        """Store ``rows`` rows whose vectors are ``sums``, row by row."""
        e = Expressions(self.b, self.nest, self.pointers)
        scope = self.b.fresh("s")
        width = len(region.lanes)
        for row in range(rows):
            m = Binding(region.m, self.nest.parallel - 1, scope, offset=row)
            columns = self._columns(region, self.nest.parallel - 2, scope)
            points = [self._point(region, m, n, scope) for n in columns]
            for point, total in zip(points, sums[row * width :], strict=False):
                e.preset(Acc(f32), point, total)
            self._store(e, points)

    def from_memory(self, region: Region, rows: Value | int, sums: Value) -> None:
        """Store ``rows`` rows found at ``sums``, one after another, each ``len(lanes)`` vectors."""
        b, depth = self.b, self.nest.parallel - 2
        top = b.hook()
        e = Expressions(b, self.nest, self.pointers, top)
        scope = b.fresh("s")
        outside = [replace(n, place=top) for n in self._columns(region, depth, scope)]
        with b.loop(0, rows) as i:
            m = Binding(b.add(region.m, i), depth + 1, scope)
            source = b.gep(sums, b.mul(i, i64(LANES * len(outside))), "float")
            if weight(self.nest) <= LONG:
                points = [self._point(region, m, n, scope, top) for n in outside]
                for j, point in enumerate(points):
                    self._preset(e, point, source, j)
                self._store(e, points)
            else:
                self._columns_in_turn(e, region, m, source, top)

    def _columns_in_turn(
        self, e: Expressions, region: Region, m: Binding, source: Value, top: Place
    ) -> None:
        """A loop over the full vectors of a row, then the last one if it is cut."""
        b, depth = self.b, m.depth
        scope = b.fresh("s")
        row = replace(m, depth=depth - 1, place=b.hook(), scope=scope)
        full = sum(lanes == LANES for lanes in region.lanes)
        parts = [(0, full, LANES), (full, len(region.lanes), region.lanes[-1])]
        for first, last, lanes in parts:
            if first == last:
                continue
            with b.loop(first * LANES, last * LANES, LANES) as j:
                n = Binding(b.add(region.n, j), depth, b.fresh("s"), lanes=lanes, multiple=LANES)
                point = self._point(region, row, n, scope, top)
                e.preset(Acc(f32), point, b.load(vector_of("float"), b.gep(source, j, "float"), 64))
                self._store(e, [point])

    def _columns(self, region: Region, depth: int, scope: str) -> list[Binding]:
        return [
            Binding(region.n, depth, scope, None, j * LANES, lanes, LANES)
            for j, lanes in enumerate(region.lanes)
        ]

    def _point(
        self, region: Region, m: Binding, n: Binding, scope: str, top: Place | None = None
    ) -> Point:
        batch = [Binding(x, d, scope, top) for d, x in enumerate(region.batch)]
        return (*batch, m, n, *[None] * (len(self.nest.dims) - self.nest.parallel))

    def _preset(self, e: Expressions, point: Point, source: Value, vector: int) -> None:
        address = self.b.gep(source, vector * LANES, "float")
        e.preset(Acc(f32), point, self.b.load(vector_of("float"), address, 64))

    def _store(self, e: Expressions, points: Sequence[Point]) -> None:
        """All values first: a store may overwrite what another value reads."""
        jobs = [(s, p, memory_form(e, s, p)) for p in points for s in self.nest.stores]
        for store, point, value in jobs:
            emit_store(e, store, value, point)
