"""Map and reduce nests as kernels.

Loops stand in the order of the nest's dims. The vector dim goes in steps of sixteen lanes with a
masked tail; short bodies are unrolled, and reductions keep several rows (or columns) in flight,
which does not change the order of any sum. A map that reads along one loop and writes
along another goes in blocks of sixteen by sixteen that are transposed in registers.
"""

from __future__ import annotations

from ..schedule.buffers import LANES
from ..schedule.nest import Acc, Access, Apply, Load, Nest, Reduce, Store, walk
from .builder import Builder
from .elementwise import INSTRUCTIONS, MEMORY, REGISTER
from .expression import Expressions
from .kernel import Kernel, finish, pointers_of
from .loops import Segment, moved, segments, walk_segment
from .placement import Point
from .reduction import across, combine, identity, masked
from .stores import emit_store, memory_form
from .target import Target
from .transposition import transpose
from .values import Value, const, vector_of

#: what counts against unrolling: a division holds up others like four instructions
WEIGHTS = INSTRUCTIONS | {"div": 4}


def emit_loops(nest: Nest, target: Target) -> Kernel:
    """The kernel of a map or reduce nest."""
    return _LoopNest(nest, target).kernel()


class _LoopNest:
    """State while one nest is emitted."""

    def __init__(self, nest: Nest, target: Target):
        self.nest, self.target = nest, target
        self.b = Builder.on(target)
        self.e = Expressions(self.b, nest, pointers_of(nest), self.b.hook(), ahead=True)
        self.vector = vector_dim(nest)
        self.turned = None if target.in_haste else turned_dim(nest)
        self.copies = {} if target.in_haste else copies_of(nest)

    def kernel(self) -> Kernel:
        if 0 not in self.nest.dims[: self.nest.parallel]:
            self._parallel(0, [(None,) * len(self.nest.dims)])
        return finish(self.b, self.nest, self.target, grain(self.nest))

    # ------------------------------------------------------------------------------ parallel

    def _parallel(self, dim: int, points: list[Point]) -> None:
        if dim == self.nest.parallel:
            self._leaf(points)
            return
        for part in self._segments(dim):
            with walk_segment(self.b, part, dim, dim, points, ()) as (inner, _):
                self._parallel(dim + 1, inner)

    def _segments(self, dim: int) -> list[Segment]:
        lanes = dim == self.vector
        return segments(self.b, self.nest, dim, vector=lanes, copies=self.copies.get(dim, 1))

    def _leaf(self, points: list[Point]) -> None:
        source = self.nest.source
        if isinstance(source, Reduce):
            totals = iter(self._reduce(source, points))
            points = moved(self.b, points)
            if not self.nest.parallel:
                self.e.top = self.b.hook()
            for point in points:
                for number, part in enumerate(source.parts):
                    self.e.preset(Acc(part.value.dtype, number), point, next(totals))
        if self.turned is not None and len(points) == LANES:
            self._store_turned(points)
        else:
            self._store(self.nest.stores, points)

    def _store(self, stores: tuple[Store, ...], points: list[Point]) -> None:
        """All values first: a store may overwrite what another value reads."""
        jobs = [(s, p, memory_form(self.e, s, p)) for p in points for s in stores]
        for store, point, value in jobs:
            emit_store(self.e, store, value, point)

    # ----------------------------------------------------------------------------- reductions

    def _reduce(self, source: Reduce, points: list[Point]) -> list[Value]:
        """The finished values of all reductions at each point."""
        starts = []
        for part in source.parts:
            scalar = REGISTER[part.value.dtype]
            form = scalar if self.vector is None else vector_of(scalar)
            starts.append(identity(part.op, part.value.dtype, form))
        totals = self._fold(self.nest.parallel, source, points, (*starts,) * len(points))
        if self.vector is None or self.vector < self.nest.parallel:
            return list(totals)
        parts = source.parts * len(points)
        return [
            across(self.b, part.op, part.value.dtype, total)
            for part, total in zip(parts, totals, strict=True)
        ]

    def _fold(
        self, dim: int, source: Reduce, points: list[Point], totals: tuple[Value, ...]
    ) -> tuple[Value, ...]:
        if dim == len(self.nest.dims):
            pairs = [(point, part) for point in points for part in source.parts]
            folded = tuple(
                self._accumulate(part, point, total)
                for (point, part), total in zip(pairs, totals, strict=True)
            )
            self._store(self.nest.inner, points)
            return folded
        for part in self._segments(dim):
            with walk_segment(self.b, part, dim, dim, points, totals) as (inner, fold):
                fold.update(*self._fold(dim + 1, source, inner, fold.values))
            totals = fold.results
        return totals

    def _accumulate(self, part: Reduce, point: Point, total: Value) -> Value:
        dtype = part.value.dtype
        evaluate = self.e.vector if total.is_vector else self.e.value
        x = evaluate(part.value, point)
        if self.vector is not None and self.vector >= self.nest.parallel:
            x = masked(self.b, part.op, dtype, x, self.e.lanes(point))
        return combine(self.b, part.op, dtype, total, x)

    # --------------------------------------------------------------------------- transposition

    def _store_turned(self, points: list[Point]) -> None:
        """Sixteen rows at once: strided accesses go along the rows and are transposed."""
        e = self.e
        for load in self._turned_loads():
            columns = transpose(self.b, self._load_rows(load.access, points[0]))
            for point, column in zip(points, columns, strict=True):
                e.preset(load, point, column)
        points = moved(self.b, points)
        jobs = [(s, [memory_form(e, s, p) for p in points]) for s in self.nest.stores]
        for store, values in jobs:
            if is_turned(store.access, self.vector, self.turned):
                self._store_rows(store, transpose(self.b, values), points[0])
            else:
                for point, value in zip(points, values, strict=True):
                    emit_store(e, store, value, point)

    def _turned_loads(self) -> list[Load]:
        loads: dict[int, Load] = {}
        for expr in walk([s.value for s in self.nest.stores]):
            if isinstance(expr, Load) and is_turned(expr.access, self.vector, self.turned):
                loads.setdefault(self.e.number(expr), expr)
        return list(loads.values())

    def _row(self, access: Access, point: Point, lane: int) -> Value:
        """The address from which row ``lane`` of a block runs along the other loop."""
        stride = access.offset.coeffs[self.e.vector_dim]
        address = self.e.address(access, point)
        return self.b.gep(address, lane * stride, MEMORY[access.buffer.dtype])

    def _load_rows(self, access: Access, point: Point) -> list[Value]:
        b, scalar, size = self.b, MEMORY[access.buffer.dtype], access.buffer.dtype.itemsize
        lanes = self.e.lanes(point)
        rows = [
            b.load(vector_of(scalar), self._row(access, point, lane), size) for lane in range(lanes)
        ]
        return rows + [const(vector_of(scalar), 0)] * (LANES - lanes)

    def _store_rows(self, store: Store, rows: list[Value], point: Point) -> None:
        size = store.access.buffer.dtype.itemsize
        for lane in range(self.e.lanes(point)):
            self.b.store(rows[lane], self._row(store.access, point, lane), size)


# --------------------------------------------------------------------------------- decisions


def vector_dim(nest: Nest) -> int | None:
    """The loop that goes in lanes; None if there is none that is worth it or allowed.

    Additions to one place must come in loop order, which lanes keep only along the last loop.
    """
    if not nest.dims:
        return None
    dim = nest.vector % len(nest.dims)
    adds = any(s.add for s in nest.stores)
    if nest.dims[dim] == 1 or (adds and dim != len(nest.dims) - 1):
        return None
    return dim


def is_turned(access: Access, vector: int | None, other: int | None) -> bool:
    """Whether an access jumps along ``vector`` and runs in order along ``other``."""
    if vector is None or other is None or access.indirect or access.buffer.dtype.itemsize != 4:
        return False
    coeffs = access.offset.coeffs
    return coeffs[other] == 1 and abs(coeffs[vector]) > 1


def turned_dim(nest: Nest) -> int | None:
    """The loop of a map that, with the vector dim, makes blocks to transpose."""
    vector = vector_dim(nest)
    # The order of a scatter is its meaning: of equal places the last one stays.
    ordered = any(s.add or s.access.indirect for s in nest.stores)
    if nest.source is not None or vector is None or ordered:
        return None
    accesses = (*nest.reads, *nest.writes)
    for dim, extent in enumerate(nest.dims):
        last = max(dim, vector) == len(nest.dims) - 1
        fits = dim != vector and last and extent >= LANES
        if fits and any(is_turned(a, vector, dim) for a in accesses):
            return dim
    return None


def grain(nest: Nest) -> int:
    """What ranges of the split dim start at multiples of."""
    if nest.split is None:
        return 1
    return LANES if nest.split in (vector_dim(nest), turned_dim(nest)) else 1


def weight(nest: Nest) -> int:
    """Instructions of one point, roughly."""
    roots = nest.inside or [s.value for s in nest.stores]
    operations = [x for x in walk(roots) if isinstance(x, Apply)]
    return sum(WEIGHTS.get(x.op, 1) for x in operations)


def copies_of(nest: Nest) -> dict[int, int]:
    """How many points of which loop go through the body together."""
    turned, vector = turned_dim(nest), vector_dim(nest)
    if turned is not None:
        return {turned: LANES}
    if vector is None:
        return {}
    many = 4 if weight(nest) <= 8 else 2 if weight(nest) <= 24 else 1
    if not isinstance(nest.source, Reduce):
        return {vector: many} if vector == len(nest.dims) - 1 else {}
    if vector < nest.parallel:
        return {vector: max(many, 2)}
    if nest.inner:
        return {}  # each array that is stored is a stream of its own already
    return {nest.parallel - 1: max(many, 2)} if nest.parallel else {}
