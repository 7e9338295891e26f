"""Product nests as kernels: a batch-reduce GEMM with a fused epilogue.

    for each batch
      for each panel of n, ``vectors`` * 16 wide
        for each strip of m                 (one, unless accumulators wait between blocks of k)
          for each block of k
            for each tile of ``rows`` rows: accumulators in registers
              for each outer step of the sum                          (a convolution's taps)
                for each k: load a row of B, broadcast a column of A, multiply and add
          epilogue

A is read by scalars, so its strides are free. B is read by vectors along n. The first tile of a
panel copies the rows of B it meets into dense, aligned scratch, which serves the tiles below it:
power-of-two strides would otherwise share few cache sets, and vectors that straddle two cache lines
cost twice. Reading memory and arithmetic overlap in that tile.

Each element of the result is one chain of fused multiply-adds in the order of k that starts from 0:
tiles, blocks, vector width and threads leave its bits alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass

from ..errors import CompileError
from ..schedule.nest import Access, Nest, Product
from .bounds import Bound, below, larger, plus, smaller, times, value_of
from .brgemm_epilogue import Epilogue, Region, far_accesses, is_short
from .brgemm_tile import Extents, Tile, choose_tile, product_granule
from .builder import Builder
from .expression import load_lanes, scaled
from .kernel import HI, LO, Kernel, finish, pointers_of
from .target import Target
from .values import LANES, Value, const, i64, vector_of

VECTOR = vector_of("float")
ZERO = const(VECTOR, 0.0)
#: rows of B that the copying tile asks for in advance: rows lie too far apart for the processor's
#: own prefetching
AHEAD = 12

#: first, last and step of a loop
Piece = tuple[Bound, Bound, int]


def emit_product(nest: Nest, target: Target) -> Kernel:
    """The kernel of a product nest."""
    if not isinstance(nest.source, Product):
        raise CompileError(f"nest {nest.name!r} is not a product")
    if nest.source.a.indirect or nest.source.b.indirect:
        raise CompileError(f"product {nest.name!r} reads an operand through an index")
    emitter = _Emitter(nest, nest.source, target)
    if 0 not in nest.dims[: nest.parallel]:
        emitter.batches()
    return finish(emitter.b, nest, target, product_granule(nest, target))


@dataclass(frozen=True)
class _Rows:
    """Where a tile finds rows of B: the first, and elements from row to row."""

    first: Value
    step: Bound


@dataclass(frozen=True)
class _Panel:
    """Columns from ``n`` on; ``lanes`` of each vector exist. ``index`` are the batch indices."""

    index: tuple[Value, ...]
    n: Value
    lanes: tuple[int, ...]

    @property
    def width(self) -> int:
        """Columns of a row of scratch."""
        return LANES * len(self.lanes)


@dataclass(frozen=True)
class _Block:
    """Steps of k from ``start`` on. ``waiting``: accumulators of row ``top`` on, between blocks."""

    start: Value
    length: Bound
    waiting: Value | None
    top: Bound
    #: steps of the outermost loop of the sum, if there is one around that of k
    part: tuple[Bound, Bound] | None = None


class _Emitter:
    """State while one nest is emitted."""

    def __init__(self, nest: Nest, source: Product, target: Target):
        self.nest, self.source = nest, source
        self.b = Builder.on(target)
        self.x = Extents.of(nest)
        self.tile: Tile = choose_tile(nest, target)
        self.pointers = pointers_of(nest)
        self.epilogue = Epilogue(self.b, nest, self.pointers)
        self.blocked = self.tile.block < self.x.k
        self.fetched = {} if self.blocked else far_accesses(nest)
        self.asking: tuple[_Panel, Value, int] | None = None
        self.short = is_short(nest) and not self.blocked and nest.waiting is None
        t = self.tile
        self.packed = self._scratch(t.block * t.width) if t.pack else None
        waiting_rows = t.strip if self.blocked else 0 if self.short else t.rows
        self.waiting = self._scratch(waiting_rows * t.width)

    def _scratch(self, floats: int) -> Value:
        return self.b.op("ptr", f"alloca [{max(floats, 1)} x float], align 64")

    def _bounds(self, dim: int) -> tuple[Bound, Bound]:
        """The range of a parallel dim that this call does."""
        return (LO, HI) if dim == self.nest.split else (0, self.nest.dims[dim])

    # ------------------------------------------------------------------------ batches, panels

    def batches(self) -> None:
        """All loops."""
        if self.nest.waiting is None:
            self._panels(self._panel)
            return
        self._panels(self._clear)
        chunk, images = self.nest.waiting.chunk, self.x.outer[0]
        with self.b.loop(0, images, chunk) as first:
            last = smaller(self.b, images, plus(self.b, first, chunk))
            self._panels(lambda panel: self._part_of_panel(panel, (first, last)))
        self._panels(self._finish_panel)

    def _panels(self, visit: Callable[[_Panel], None]) -> None:
        """Loops over batches and panels."""
        with ExitStack() as loops:
            ranges = [self._bounds(d) for d in range(self.nest.parallel - 2)]
            index = tuple(loops.enter_context(self.b.loop(*r)) for r in ranges)
            lo, hi = self._bounds(self.nest.parallel - 1)
            for first, last, width in self._pieces(lo, hi, self.x.n, self.tile.width):
                vectors, rest = divmod(width, LANES)
                lanes = (LANES,) * vectors + ((rest,) if rest else ())
                with self.b.loop(first, last, width) as n:
                    visit(_Panel(index, n, lanes))

    # ------------------------------------------------------------ sums in parts, all tiles waiting

    def _clear(self, panel: _Panel) -> None:
        b, (lo, hi) = self.b, self._bounds(self.nest.parallel - 2)
        first, last = (b.mul(value_of(row), i64(panel.width)) for row in (lo, hi))
        with b.loop(first, last, LANES) as i:
            b.store(ZERO, b.gep(self._home(panel), i, "float"), 64)

    def _part_of_panel(self, panel: _Panel, part: tuple[Bound, Bound]) -> None:
        lo, hi = self._bounds(self.nest.parallel - 2)
        block = _Block(i64(0), self.x.k, self._home(panel), 0, part)
        self._rows(panel, block, lo, hi)

    def _finish_panel(self, panel: _Panel) -> None:
        b, (lo, hi) = self.b, self._bounds(self.nest.parallel - 2)
        first = b.gep(self._home(panel), b.mul(value_of(lo), i64(panel.width)), "float")
        region = Region(panel.index, value_of(lo), panel.n, panel.lanes)
        self.epilogue.from_memory(region, b.sub(value_of(hi), value_of(lo)), first)

    def _home(self, panel: _Panel) -> Value:
        """Where the accumulators of a panel wait, row by row: panels lie one after another."""
        assert self.nest.waiting is not None
        b, m = self.b, self.x.m
        columns = -(-self.x.n // LANES) * LANES
        offset = b.mul(panel.n, i64(m))
        step = m * columns
        for index, extent in reversed(list(zip(panel.index, self.nest.dims, strict=False))):
            offset = b.add(offset, b.mul(index, i64(step)))
            step *= extent
        return b.gep(self.pointers[self.nest.waiting.buffer], offset, "float")

    # ------------------------------------------------------------------------------ one panel

    def _pieces(self, lo: Bound, hi: Bound, extent: int, size: int) -> list[Piece]:
        """``range(lo, hi)`` in full steps of ``size``, then what remains before ``extent``."""
        full = extent // size * size
        pieces: list[Piece] = []
        if full:
            pieces.append((lo, smaller(self.b, hi, full) if full < extent else hi, size))
        if full < extent:
            pieces.append((larger(self.b, lo, full), hi, extent - full))
        return pieces

    def _panel(self, panel: _Panel) -> None:
        lo, hi = self._bounds(self.nest.parallel - 2)
        if not self.blocked:
            self._rows(panel, _Block(i64(0), self.x.k, None, lo), lo, hi)
            return
        with self.b.loop(lo, hi, self.tile.strip) as top:
            end = smaller(self.b, hi, plus(self.b, top, self.tile.strip))
            self._strip(panel, top, end)

    def _strip(self, panel: _Panel, top: Value, end: Bound) -> None:
        """Blocks of k one after another, accumulators waiting in scratch."""
        b, tile = self.b, self.tile
        count = b.sub(value_of(end), top)
        with b.loop(0, b.mul(count, i64(panel.width)), LANES) as i:
            b.store(ZERO, b.gep(self.waiting, i, "float"), 64)
        with b.loop(0, self.x.k, tile.block) as k:
            length = smaller(self.b, self.x.k, plus(self.b, k, tile.block))
            steps = b.sub(value_of(length), k)
            self._rows(panel, _Block(k, steps, self.waiting, top), top, end)
        region = Region(panel.index, top, panel.n, panel.lanes)
        self.epilogue.from_memory(region, count, self.waiting)

    # --------------------------------------------------------------------------------- tiles

    def _rows(self, panel: _Panel, block: _Block, lo: Bound, hi: Bound) -> None:
        """Every tile of ``range(lo, hi)``."""
        inner = self._address(self.source.b, panel.index, panel.n, block.start)
        raw = _Rows(inner, self.source.b.offset.coeffs[-1])
        packed = _Rows(self.packed, panel.width) if self.packed else raw
        for first, last, rows in self._pieces(lo, hi, self.x.m, self.tile.rows):
            if self.packed and rows == self.tile.rows:
                with self.b.loop(first, smaller(self.b, last, plus(self.b, first, 1)), rows) as m:
                    self._tile(panel, block, m, rows, raw, copy=True)
                first = plus(self.b, first, rows)
            elif self.packed:
                packed = self._either(below(self.b, lo, first), packed, raw)
            with self.b.loop(first, last, rows) as m:
                self._tile(panel, block, m, rows, packed)

    def _either(self, c: Value | bool, yes: _Rows, no: _Rows) -> _Rows:
        if isinstance(c, bool):
            return yes if c else no
        step = self.b.select(c, value_of(yes.step), value_of(no.step))
        return _Rows(self.b.select(c, yes.first, no.first), step)

    def _tile(
        self, panel: _Panel, block: _Block, m: Value, rows: int, source: _Rows, copy: bool = False
    ) -> None:
        """``rows`` rows from ``m`` on, through one block of k."""
        b, count = self.b, rows * len(panel.lanes)
        waiting: list[Value] = []
        sums = [ZERO] * count
        if block.waiting:
            offset = b.mul(b.sub(m, value_of(block.top)), i64(panel.width))
            first = b.gep(block.waiting, offset, "float")
            waiting = [b.gep(first, i * LANES, "float") for i in range(count)]
            sums = [b.load(VECTOR, w, 64) for w in waiting]
        sums = self._steps(panel, block, m, rows, source, copy, sums)
        region = Region(panel.index, m, panel.n, panel.lanes)
        if self.short:
            self.epilogue.from_registers(region, rows, sums)
            return
        if not block.waiting:
            waiting = [b.gep(self.waiting, i * LANES, "float") for i in range(count)]
        for address, total in zip(waiting, sums, strict=True):
            b.store(total, address, 64)
        if not block.waiting:
            self.epilogue.from_memory(region, rows, self.waiting)

    def _steps(
        self,
        panel: _Panel,
        block: _Block,
        m: Value,
        rows: int,
        source: _Rows,
        copy: bool,
        sums: list[Value],
    ) -> list[Value]:
        """``sums`` after the steps of one block."""
        a = self.source.a
        start = [self._address(a, panel.index, m, block.start), source.first]
        if self.x.outer:
            if block.part is None:
                self.asking = panel, m, -(-rows // self.x.outer[0])
            return self._outer(panel, rows, source, self.nest.parallel, [*start, *sums], block.part)
        start += [self.packed] if copy and self.packed else []
        values = [*start, *sums]
        done = 0
        if self.fetched and not block.waiting:
            each = self.x.k // rows // self.tile.unroll * self.tile.unroll
            done = rows * each
            with self.b.fold(0, rows if each else 0, 1, values) as parts:
                self._fetch(panel, self.b.add(m, parts.index))
                inner = list(parts.values)
                parts.update(*self._part(panel, rows, source, copy, (0, each), inner))
            values = list(parts.results)
        values = self._part(panel, rows, source, copy, (done, block.length), values)
        return values[len(start) :]

    def _outer(
        self,
        panel: _Panel,
        rows: int,
        source: _Rows,
        dim: int,
        values: list[Value],
        part: tuple[Bound, Bound] | None = None,
    ) -> list[Value]:
        """Sums after the loops of the sum from ``dim`` on; ``values`` are addresses, then sums."""
        if dim == len(self.nest.dims) - 1:
            return self._part(panel, rows, source, False, (0, self.x.k), values)[2:]
        b, (column, row, *sums) = self.b, values
        with b.fold(*(part or (0, self.nest.dims[dim])), 1, sums) as fold:
            if dim == self.nest.parallel and part is None:
                self._ask_share(fold.index)
            starts = []
            for access, start in ((self.source.a, column), (self.source.b, row)):
                offset = scaled(b, fold.index, access.offset.coeffs[dim])
                starts.append(b.gep(start, offset, "float"))
            inner = [*starts, *fold.values]
            fold.update(*self._outer(panel, rows, source, dim + 1, inner))
        return list(fold.results)

    def _ask_share(self, turn: Value) -> None:
        """Ask for the epilogue's lines of some rows of the tile in each turn of the outer loop."""
        assert self.asking is not None
        panel, m, share = self.asking
        first = self.b.add(m, self.b.mul(turn, i64(share)))
        for row in range(share):
            self._fetch(panel, self.b.add(first, i64(row)))

    def _fetch(self, panel: _Panel, m: Value) -> None:
        """Ask for what the epilogue of row ``m`` reads or writes.

        These lines come from far away, a few from each of many rows, which no processor foresees.
        """
        b, depth = self.b, self.nest.parallel
        b.declare("void @llvm.prefetch.p0(ptr, i32, i32, i32)")
        for access, written in self.fetched.items():
            offset = access.offset
            pointer = b.gep(self.pointers[access.buffer], offset.const, "float")
            loops = [*enumerate(panel.index), (depth - 2, m), (depth - 1, panel.n)]
            for dim, value in loops:
                if offset.coeffs[dim]:
                    pointer = b.gep(pointer, scaled(b, value, offset.coeffs[dim]), "float")
            for j in range(len(panel.lanes)):
                address = b.gep(pointer, j * LANES, "float")
                b.emit(f"call void @llvm.prefetch.p0({address}, i32 {int(written)}, i32 3, i32 1)")

    def _part(
        self,
        panel: _Panel,
        rows: int,
        source: _Rows,
        copy: bool,
        piece: tuple[int, Bound],
        start: list[Value],
    ) -> list[Value]:
        """Some steps of k: addresses and sums as they are after them."""
        b, unroll = self.b, self.tile.unroll
        along = self.source.a.offset.coeffs[-1]
        with b.fold(*piece, unroll, start) as fold:
            column, row, *rest = fold.values
            place, totals = (rest[0], rest[1:]) if copy else (None, rest)
            for u in range(unroll):
                vectors = [
                    load_lanes(b, "float", b.gep(row, j * LANES, "float"), lanes, 4)
                    for j, lanes in enumerate(panel.lanes)
                ]
                if place is not None:
                    self._copy(place, row, source.step, vectors)
                    place = b.gep(place, panel.width, "float")
                totals = self._column(b.gep(column, u * along, "float"), rows, vectors, totals)
                row = b.gep(row, source.step, "float")
            moved = [b.gep(column, unroll * along, "float"), row]
            fold.update(*moved, *([place] if place else []), *totals)
        return list(fold.results)

    def _column(
        self, column: Value, rows: int, vectors: list[Value], sums: list[Value]
    ) -> list[Value]:
        """``sums`` after one step of k."""
        b, down = self.b, self.source.a.offset.coeffs[self.nest.parallel - 2]
        found = []
        for i in range(rows):
            x = b.splat(b.load("float", b.gep(column, i * down, "float"), 4))
            for j, vector in enumerate(vectors):
                found.append(b.fma(x, vector, sums[i * len(vectors) + j]))
        return found

    def _copy(self, place: Value, row: Value, step: Bound, vectors: list[Value]) -> None:
        """Keep a row of B, and ask for one that will be met soon."""
        b = self.b
        later = b.gep(row, times(self.b, step, AHEAD), "float")
        b.declare("void @llvm.prefetch.p0(ptr, i32, i32, i32)")
        for j, vector in enumerate(vectors):
            b.store(vector, b.gep(place, j * LANES, "float"), 64)
            address = b.gep(later, j * LANES, "float")
            b.emit(f"call void @llvm.prefetch.p0({address}, i32 0, i32 3, i32 1)")

    def _address(self, access: Access, index: Sequence[Value], row: Value, k: Value) -> Value:
        """The element at (batch, row, k), where ``row`` is m for A and n for B."""
        offset = access.offset
        inner = self.nest.parallel - (2 if access is self.source.a else 1)
        pointer = self.pointers[access.buffer]
        loops = [*enumerate(index), (inner, row), (len(offset.coeffs) - 1, k)]
        for dim, value in loops:
            if offset.coeffs[dim]:
                pointer = self.b.gep(pointer, scaled(self.b, value, offset.coeffs[dim]), "float")
        return self.b.gep(pointer, offset.const, "float")
