"""The sum of one tile of a product: all steps of its loops, accumulators in registers.

    for each outer step of the sum                          (a convolution's kernel and channels)
      for each k: load a row of B, broadcast a column of A, multiply and add

Along the kernel of a convolution neighbouring rows of A are the same elements, moved by one: each
is loaded once for three steps of k, whose rows of B stay in registers. Otherwise narrow tiles would
wait for their loads.

While it computes, it asks for the lines that the epilogue will need from far away, and for those
of the next tile's rows of A.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ..schedule.buffers import LANES, Buffer
from ..schedule.nest import Access, Nest, Product
from .bounds import Bound, times, value_of
from .brgemm_epilogue import far_accesses
from .brgemm_tile import Extents, Tile
from .builder import Builder
from .expression import load_lanes, scaled
from .values import Value, i64

#: rows of B that a tile asks for in advance which meets them first: they lie too far apart for the
#: processor's own prefetching, or come too fast
AHEAD = 12
#: elements of B that are not near from the step before
FAR = 1 << 17
#: rows of A for which a panel is soon done, and elements of B that are in the first cache
FEW, NEAR = 64, 1 << 13


@dataclass(frozen=True)
class Rows:
    """Where a tile finds rows of B: the first, and elements from row to row."""

    first: Value
    step: Bound


@dataclass(frozen=True)
class Panel:
    """Columns from ``n`` on; ``lanes`` of each vector exist. ``index`` are the batch indices."""

    index: tuple[Value, ...]
    n: Value
    lanes: tuple[int, ...]

    @property
    def width(self) -> int:
        """Columns of a row of scratch."""
        return LANES * len(self.lanes)


@dataclass(frozen=True)
class Part:
    """Steps of one reduced loop, where those outside of it are at ``still``."""

    still: tuple[Value, ...]
    first: Value
    last: Bound


@dataclass(frozen=True)
class Block:
    """Steps of k from ``start`` on. ``waiting``: accumulators of row ``top`` on, between blocks."""

    start: Value
    length: Bound
    waiting: Value | None
    top: Bound
    part: Part | None = None
    #: dense copies: of columns of A, tile by tile, and of rows of B
    columns: Value | None = None
    rows: Value | None = None
    #: of a run: how many sums that wait are added to its own
    climbs: Value | None = None


@dataclass(frozen=True)
class Band:
    """A tile: ``rows`` rows of a panel from ``m`` on, and where it finds rows of B.

    ``copy``: it keeps the rows of B it meets, for the tiles below it. ``dense``: its columns of A
    lie one after another.
    """

    panel: Panel
    m: Value
    rows: int
    source: Rows
    copy: bool = False
    dense: bool = False


class Sum:
    """Emits the sums of a product nest. ``packed``: scratch for the rows of B that a tile keeps."""

    def __init__(
        self,
        b: Builder,
        nest: Nest,
        source: Product,
        tile: Tile,
        pointers: Mapping[Buffer, Value],
        packed: Value | None,
    ):
        self.b, self.nest, self.source, self.tile = b, nest, source, tile
        self.x = Extents.of(nest)
        self.pointers, self.packed = pointers, packed
        #: each row of B is met once, by the only tile of its columns (one row of A leaves the
        #: processor the time to see this itself)
        self.once = 1 < self.x.m <= tile.rows and self.x.n * self.x.k > FAR and not self.x.outer
        #: so few tiles share a panel that it would be waited for
        near = self.x.outer or self.x.n * self.x.k <= NEAR
        self.few = 1 < self.x.m <= FEW and not near
        #: rows of A come from L2, each anew and too short for the processor to foresee
        along, down = source.a.offset.coeffs[-1], source.a.offset.coeffs[nest.parallel - 2]
        self.streams = (
            along == 1 and down >= LANES and self.x.m * self.x.k > NEAR and not self.x.outer
        )
        self.fetched = {} if tile.block < self.x.k else far_accesses(nest)

    def steps(self, band: Band, block: Block, sums: list[Value]) -> list[Value]:
        """``sums`` after the steps of one block."""
        fetch = bool(self.fetched) and not block.waiting
        start = [self._first_column(band, block), band.source.first]
        if self.x.outer:
            dim = self.nest.parallel
            for value in block.part.still if block.part else ():
                start = self._moved(start, dim, value)
                dim += 1
            return self._outer(band, dim, [*start, *sums], block.part)
        start += [self.packed] if band.copy and self.packed else []
        return self._inner(band, (0, block.length), [*start, *sums], fetch)[len(start) :]

    def _first_column(self, band: Band, block: Block) -> Value:
        """Where the elements of A begin that the tile needs."""
        if not band.dense:
            return self.address(self.source.a, band.panel.index, band.m, block.start)
        assert block.columns is not None
        above = self.b.sub(band.m, value_of(block.top))
        return self.b.gep(block.columns, self.b.mul(above, i64(self.tile.pitch)), "float")

    def _outer(
        self, band: Band, dim: int, values: list[Value], part: Part | None = None
    ) -> list[Value]:
        """Sums after the loops of the sum from ``dim`` on; ``values`` are addresses, then sums."""
        if dim == len(self.nest.dims) - 1:
            return self._inner(band, (0, self.x.k), values)[2:]
        column, row, *sums = values
        first, last = (part.first, part.last) if part else (0, self.nest.dims[dim])
        with self.b.fold(first, last, 1, sums) as fold:
            if dim == self.nest.parallel and not self.nest.waiting:
                self._ask_share(band, fold.index, self.x.outer[0])
            inner = [*self._moved([column, row], dim, fold.index), *fold.values]
            fold.update(*self._outer(band, dim + 1, inner))
        return list(fold.results)

    def _moved(self, starts: list[Value], dim: int, index: Value) -> list[Value]:
        """Addresses in A and B after ``index`` steps of the reduced loop ``dim``."""
        addresses = []
        for access, start in zip((self.source.a, self.source.b), starts, strict=True):
            offset = scaled(self.b, index, access.offset.coeffs[dim])
            addresses.append(self.b.gep(start, offset, "float"))
        return addresses

    def _ask_share(self, band: Band, turn: Value, turns: int) -> None:
        """Ask for the epilogue's lines of some rows of the tile in each of so many turns."""
        share = -(-band.rows // turns)
        first = self.b.add(band.m, self.b.mul(turn, i64(share)))
        for row in range(share):
            self._fetch(band.panel, self.b.add(first, i64(row)))

    def _fetch(self, panel: Panel, m: Value) -> None:
        """Ask for what the epilogue of row ``m`` reads or writes.

        These lines come from far away, a few from each of many rows, which no processor foresees.
        """
        b, depth = self.b, self.nest.parallel
        for access, written in self.fetched.items():
            offset = access.offset
            pointer = b.gep(self.pointers[access.buffer], offset.const, "float")
            loops = [*enumerate(panel.index), (depth - 2, m), (depth - 1, panel.n)]
            for dim, value in loops:
                if offset.coeffs[dim]:
                    pointer = b.gep(pointer, scaled(b, value, offset.coeffs[dim]), "float")
            for j in range(len(panel.lanes)):
                b.ask_for(b.gep(pointer, j * LANES, "float"), written=written)

    def _inner(
        self, band: Band, piece: tuple[int, Bound], start: list[Value], fetch: bool = False
    ) -> list[Value]:
        """Some steps of k: addresses and sums as they are after them.

        ``fetch``: meanwhile the lines of the epilogue are asked for, some rows at a time.
        """
        if self.x.slides:
            return self._taps(band, start)
        (first, last), line = piece, -(-LANES // self.tile.unroll) * self.tile.unroll
        ask = self.streams and not band.dense
        count = (last - first) // line if isinstance(last, int) and (ask or fetch) else 0
        if count:
            with self.b.fold(0, count, 1, start) as fold:
                if ask:
                    self._ask_below(fold.values[0], band.rows)
                if fetch:
                    self._ask_share(band, fold.index, count)
                fold.update(*self._plain(band, (0, line), list(fold.values)))
            first, start = first + count * line, list(fold.results)
        return start if first == last else self._plain(band, (first, last), start)

    def _plain(self, band: Band, piece: tuple[int, Bound], start: list[Value]) -> list[Value]:
        """A loop over steps of k."""
        b, unroll = self.b, self.tile.unroll
        along = band.rows if band.dense else self.source.a.offset.coeffs[-1]
        with b.fold(*piece, unroll, start) as fold:
            column, row, *rest = fold.values
            place, totals = (rest[0], rest[1:]) if band.copy else (None, rest)
            for u in range(unroll):
                vectors = [
                    load_lanes(b, "float", b.gep(row, j * LANES, "float"), lanes, 4)
                    for j, lanes in enumerate(band.panel.lanes)
                ]
                if place is not None or self.once:
                    self._ask_ahead(row, band.source.step, len(vectors))
                    if self.few:
                        self._ask_beside(row, len(vectors))
                if place is not None:
                    for j, vector in enumerate(vectors):
                        b.store(vector, b.gep(place, j * LANES, "float"), 64)
                    place = b.gep(place, band.panel.width, "float")
                totals = self._column(b.gep(column, u * along, "float"), band, vectors, totals)
                row = b.gep(row, band.source.step, "float")
            moved = [b.gep(column, unroll * along, "float"), row]
            fold.update(*moved, *([place] if place else []), *totals)
        return list(fold.results)

    def _taps(self, band: Band, start: list[Value]) -> list[Value]:
        """All steps of k where each is one of m to A: row i needs elements i, i + 1, ... of one
        column, in this order, which is that of k.
        """
        b, rows, width = self.b, band.rows, len(band.panel.lanes)
        column, row, *sums = start
        down = self.source.a.offset.coeffs[-1]
        for first in range(0, self.x.k, self.tile.held):
            held = min(self.tile.held, self.x.k - first)
            vectors = [self._row(row, band, first + tap) for tap in range(held)]
            for i in range(rows + held - 1):
                x = b.splat(b.load("float", b.gep(column, (first + i) * down, "float"), 4))
                for tap in range(max(0, i - rows + 1), min(held, i + 1)):
                    for j, vector in enumerate(vectors[tap], (i - tap) * width):
                        sums[j] = b.fma(x, vector, sums[j])
        return [column, row, *sums]

    def _row(self, first: Value, band: Band, k: int) -> list[Value]:
        """Row ``k`` of B after ``first``."""
        b = self.b
        row = b.gep(first, times(b, band.source.step, k), "float")
        places = [b.gep(row, j * LANES, "float") for j in range(len(band.panel.lanes))]
        lanes = zip(places, band.panel.lanes, strict=True)
        return [load_lanes(b, "float", place, some, 4) for place, some in lanes]

    def _column(
        self, column: Value, band: Band, vectors: list[Value], sums: list[Value]
    ) -> list[Value]:
        """``sums`` after one step of k."""
        b, down = self.b, self.source.a.offset.coeffs[self.nest.parallel - 2]
        totals = []
        for i in range(band.rows):
            x = b.splat(b.load("float", b.gep(column, i * down, "float"), 4))
            for j, vector in enumerate(vectors):
                totals.append(b.fma(x, vector, sums[i * len(vectors) + j]))
        return totals

    def _ask_below(self, column: Value, rows: int) -> None:
        """Ask for a line of each row of the next tile."""
        down = self.source.a.offset.coeffs[self.nest.parallel - 2]
        for row in range(rows, 2 * rows):
            self.b.ask_for(self.b.gep(column, row * down, "float"))

    def _ask_ahead(self, row: Value, step: Bound, vectors: int) -> None:
        """Ask for a row of B that will be met soon."""
        b = self.b
        later = b.gep(row, times(b, step, AHEAD), "float")
        for j in range(vectors):
            b.ask_for(b.gep(later, j * LANES, "float"))

    def _ask_beside(self, row: Value, vectors: int) -> None:
        """Ask for the same row of the next panel, while this one is computed."""
        b = self.b
        for j in range(vectors):
            b.ask_for(b.gep(row, (vectors + j) * LANES, "float"))

    def address(self, access: Access, index: Sequence[Value], row: Value, k: Value) -> Value:
        """The element at (batch, row, k), where ``row`` is m for A and n for B."""
        offset = access.offset
        inner = self.nest.parallel - (2 if access is self.source.a else 1)
        pointer = self.pointers[access.buffer]
        loops = [*enumerate(index), (inner, row), (len(offset.coeffs) - 1, k)]
        for dim, value in loops:
            if offset.coeffs[dim]:
                pointer = self.b.gep(pointer, scaled(self.b, value, offset.coeffs[dim]), "float")
        return self.b.gep(pointer, offset.const, "float")
