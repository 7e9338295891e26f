"""Product nests as kernels: a batch-reduce GEMM with a fused epilogue.

    for each batch                                            (for each band of rows, if A is large)
      for each panel of n, ``vectors`` * 16 wide       (for each block of k some of them in turn)
        for each strip of m                 (one, unless accumulators wait between blocks of k)
          for each block of k
            for each tile of ``rows`` rows: accumulators in registers
              for each outer step of the sum                          (a convolution's kernel)
                for each k: load a row of B, broadcast a column of A, multiply and add
          epilogue

Where a sum is cut into runs that are added along a tree, these are the blocks of k.

A is read by scalars, so its strides are free. B is read by vectors along n. The first tile of a
panel copies the rows of B it meets into dense, aligned scratch, which serves the tiles below it:
power-of-two strides would otherwise share few cache sets, and vectors that straddle two cache lines
cost twice. Reading memory and arithmetic overlap in that tile. Where several panels share each
block of k, its rows of B are copied for all of them at once, whole rows of memory, and so are
columns of A that lie along m: otherwise each step of k would be a line of its own.

Each element of the result is one chain of fused multiply-adds in the order of k that starts from 0:
tiles, blocks, vector width and threads leave its bits alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace

from ..errors import CompileError
from ..schedule.buffers import LANES
from ..schedule.nest import Nest, Product, Waiting
from .bounds import Bound, below, larger, plus, smaller, value_of
from .brgemm_epilogue import Epilogue, Region, is_short
from .brgemm_sum import Band, Block, Panel, Part, Rows, Sum
from .brgemm_tile import Extents, Tile, choose_tile, product_granule
from .brgemm_tree import Tree, levels_of
from .builder import Builder
from .kernel import HI, LO, Kernel, finish, pointers_of
from .target import Target
from .values import Value, const, i64, vector_of

VECTOR = vector_of("float")
ZERO = const(VECTOR, 0.0)
#: steps of k that are asked for in advance when a block is copied
COPY_AHEAD = 4
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
        self.short = is_short(nest) and not self.blocked and nest.waiting is None
        t = self.tile
        self.packed = self._scratch(t.block * t.width * t.group) if t.pack else None
        self.sum = Sum(self.b, nest, source, t, self.pointers, self.packed)
        waiting_rows = t.strip if self.blocked else 0 if self.short else t.rows
        runs = self.x.k // source.run if source.run else 0
        pitch = waiting_rows * t.width * t.group
        self.tree = Tree(self.b, runs, pitch) if runs else None
        self.waiting = self._scratch(pitch * max(1, levels_of(runs)))
        self.columns = self._scratch(t.strip * t.pitch) if t.columns else None

    def _scratch(self, floats: int) -> Value:
        return self.b.op("ptr", f"alloca [{max(floats, 1)} x float], align 64")

    def _bounds(self, dim: int) -> tuple[Bound, Bound]:
        """The range of a parallel dim that this call does."""
        return (LO, HI) if dim == self.nest.split else (0, self.nest.dims[dim])

    # ------------------------------------------------------------------------ batches, panels

    def batches(self) -> None:
        """All loops."""
        if self.nest.waiting is None:
            if self.tile.band < self.x.m:
                self._bands()
            else:
                self._panels((), self._panel)
            return
        with self._loops(range(self.nest.waiting.apart)) as index:
            self._panels(index, self._clear)
            self._parts(index, self.nest.waiting)
            self._panels(index, self._finish_panel)

    @contextmanager
    def _loops(self, dims: range) -> Iterator[tuple[Value, ...]]:
        """Loops over the ranges of ``dims``, one in another, and their indices."""
        with ExitStack() as loops:
            yield tuple(loops.enter_context(self.b.loop(*self._bounds(d))) for d in dims)

    def _parts(self, index: tuple[Value, ...], waiting: Waiting) -> None:
        """All tiles for one part of the sum after another."""
        extent = self.nest.dims[waiting.loop]
        with (
            self._loops(range(self.nest.parallel, waiting.loop)) as still,
            self.b.loop(0, extent, waiting.chunk) as first,
        ):
            last = smaller(self.b, extent, plus(self.b, first, waiting.chunk))
            part = Part(still, first, last)
            self._panels(index, lambda panel: self._part_of_panel(panel, part))

    def _panels(self, index: tuple[Value, ...], visit: Callable[[Panel], None]) -> None:
        """Loops over the batches behind ``index``, and over panels."""
        with self._loops(range(len(index), self.nest.parallel - 2)) as rest:
            self._panels_of((*index, *rest), visit)

    def _panels_of(self, index: tuple[Value, ...], visit: Callable[[Panel], None]) -> None:
        """A loop over the panels of one batch."""
        lo, hi = self._bounds(self.nest.parallel - 1)
        for first, last, width in self._pieces(lo, hi, self.x.n, self.tile.width):
            vectors, rest_lanes = divmod(width, LANES)
            lanes = (LANES,) * vectors + ((rest_lanes,) if rest_lanes else ())
            together = width * (self.tile.group if width == self.tile.width else 1)
            with self.b.loop(first, last, together) as n:
                panel = Panel(index, n, lanes)
                if together == width:
                    visit(panel)
                else:
                    self._some(panel, smaller(self.b, last, plus(self.b, n, together)))

    def _bands(self) -> None:
        """All panels for some rows, then for the next: these rows of A stay in the second cache."""
        lo, hi = self._bounds(self.nest.parallel - 2)
        with (
            self._loops(range(self.nest.parallel - 2)) as index,
            self.b.loop(lo, hi, self.tile.band) as top,
        ):
            end = smaller(self.b, hi, plus(self.b, top, self.tile.band))
            block = Block(i64(0), self.x.k, None, top)
            self._panels_of(index, lambda panel: self._rows(panel, block, top, end))

    # ------------------------------------------------------------ sums in parts, all tiles waiting

    def _clear(self, panel: Panel) -> None:
        b, (lo, hi) = self.b, self._bounds(self.nest.parallel - 2)
        first, last = (b.mul(value_of(row), i64(panel.width)) for row in (lo, hi))
        with b.loop(first, last, LANES) as i:
            b.store(ZERO, b.gep(self._home(panel), i, "float"), 64)

    def _part_of_panel(self, panel: Panel, part: Part) -> None:
        lo, hi = self._bounds(self.nest.parallel - 2)
        block = Block(i64(0), self.x.k, self._home(panel), 0, part)
        self._rows(panel, block, lo, hi)

    def _finish_panel(self, panel: Panel) -> None:
        b, (lo, hi) = self.b, self._bounds(self.nest.parallel - 2)
        first = b.gep(self._home(panel), b.mul(value_of(lo), i64(panel.width)), "float")
        region = Region(panel.index, value_of(lo), panel.n, panel.lanes)
        self.epilogue.from_memory(region, b.sub(value_of(hi), value_of(lo)), first)

    def _home(self, panel: Panel) -> Value:
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

    def _pieces(self, lo: Bound, hi: Bound, extent: int, size: int, base: Bound = 0) -> list[Piece]:
        """``range(lo, hi)`` in full steps of ``size`` from ``base``, then what remains of
        ``extent``.
        """
        full = extent // size * size
        end = plus(self.b, base, full)
        pieces: list[Piece] = []
        if full:
            pieces.append((lo, smaller(self.b, hi, end) if full < extent else hi, size))
        if full < extent:
            pieces.append((larger(self.b, lo, end), hi, extent - full))
        return pieces

    def _panel(self, panel: Panel) -> None:
        lo, hi = self._bounds(self.nest.parallel - 2)
        if not self.blocked:
            self._rows(panel, Block(i64(0), self.x.k, None, lo), lo, hi)
            return
        with self.b.loop(lo, hi, self.tile.strip) as top:
            end = smaller(self.b, hi, plus(self.b, top, self.tile.strip))
            self._strip(panel, top, end)

    def _some(self, panel: Panel, stop: Bound) -> None:
        """Panels from ``panel`` to column ``stop``, in turn for each block of k."""
        lo, hi = self._bounds(self.nest.parallel - 2)
        with self.b.loop(lo, hi, self.tile.strip) as top:
            end = smaller(self.b, hi, plus(self.b, top, self.tile.strip))
            self._strip(panel, top, end, stop)

    @contextmanager
    def _in_turn(self, panel: Panel, stop: Bound | None) -> Iterator[tuple[Panel, Value]]:
        """Each panel up to column ``stop`` (None: this one alone), and columns before it."""
        if stop is None:
            yield panel, i64(0)
            return
        b = self.b
        with b.loop(panel.n, stop, panel.width) as n:
            yield replace(panel, n=n), b.sub(n, panel.n)

    def _past(self, scratch: Value, columns: Value, rows: int) -> Value:
        """Behind so many columns of ``rows`` elements."""
        if columns == i64(0):
            return scratch
        return self.b.gep(scratch, self.b.mul(columns, i64(rows)), "float")

    def _strip(self, panel: Panel, top: Value, end: Bound, stop: Bound | None = None) -> None:
        """Blocks of k one after another, accumulators waiting in scratch."""
        b, tile = self.b, self.tile
        count = b.sub(value_of(end), top)
        floats = b.mul(count, i64(panel.width))
        if self.tree is None:
            with self._in_turn(panel, stop) as (_, before), b.loop(0, floats, LANES) as i:
                waiting = self._past(self.waiting, before, tile.strip)
                b.store(ZERO, b.gep(waiting, i, "float"), 64)
        with self._blocks(top) as block:
            if self.columns:
                self._copy_columns(self.columns, panel, block, end)
            if self.packed and stop is not None:
                self._copy_rows(self.packed, panel, block, stop)
            with self._in_turn(panel, stop) as (each, before):
                waiting = self._past(self.waiting, before, tile.strip)
                rows = None
                if self.packed and stop is not None:
                    rows = self._past(self.packed, before, tile.block)
                self._rows(each, replace(block, waiting=waiting, rows=rows), top, end)
        with self._in_turn(panel, stop) as (each, before):
            region = Region(each.index, top, each.n, each.lanes)
            sums = self._past(self.waiting, before, tile.strip)
            if self.tree is not None:
                sums = self.tree.finish(sums, floats)
            self.epilogue.from_memory(region, count, sums)

    @contextmanager
    def _blocks(self, top: Value) -> Iterator[Block]:
        """A loop over blocks of k, or over runs, for rows from ``top`` on."""
        b, size = self.b, self.tile.block
        if self.tree is not None:
            with b.loop(0, self.tree.runs) as run:
                climbs = self.tree.climbs(run)
                start = b.mul(run, i64(size))
                yield Block(start, size, None, top, columns=self.columns, climbs=climbs)
            return
        with b.loop(0, self.x.k, size) as k:
            length = smaller(b, self.x.k, plus(b, k, size))
            yield Block(k, b.sub(value_of(length), k), None, top, columns=self.columns)

    def _copy_columns(self, place: Value, panel: Panel, block: Block, end: Bound) -> None:
        """Columns of A from row ``block.top`` on, so that those of a tile lie one after another."""
        b, a = self.b, self.source.a
        first = self.sum.address(a, panel.index, value_of(block.top), block.start)
        with b.loop(0, block.length) as step:
            column = b.gep(first, b.mul(step, i64(a.offset.coeffs[-1])), "float")
            for lo, hi, rows in self._pieces(block.top, end, self.x.m, self.tile.rows):
                with b.loop(lo, hi, rows) as m:
                    above = b.sub(m, value_of(block.top))
                    tile = b.gep(place, b.mul(above, i64(self.tile.pitch)), "float")
                    kind = f"<{rows} x float>"
                    later = b.gep(column, COPY_AHEAD * a.offset.coeffs[-1], "float")
                    b.ask_for(b.gep(later, above, "float"))
                    values = b.op(kind, f"load {kind}, {b.gep(column, above, 'float')}, align 4")
                    b.store(values, b.gep(tile, b.mul(step, i64(rows)), "float"), 4)

    def _copy_rows(self, place: Value, panel: Panel, block: Block, stop: Bound) -> None:
        """Rows of B from ``panel`` to column ``stop``, so that those of a panel lie together."""
        b, access = self.b, self.source.b
        first = self.sum.address(access, panel.index, panel.n, block.start)
        with b.loop(0, block.length) as step:
            row = b.gep(first, b.mul(step, i64(access.offset.coeffs[-1])), "float")
            with self._in_turn(panel, stop) as (_, before):
                home = b.gep(
                    self._past(place, before, self.tile.block),
                    b.mul(step, i64(panel.width)),
                    "float",
                )
                for j in range(len(panel.lanes)):
                    later = b.gep(row, COPY_AHEAD * access.offset.coeffs[-1] + j * LANES, "float")
                    b.ask_for(b.gep(later, before, "float"))
                    vector = b.load(
                        VECTOR, b.gep(b.gep(row, before, "float"), j * LANES, "float"), 4
                    )
                    b.store(vector, b.gep(home, j * LANES, "float"), 64)

    # --------------------------------------------------------------------------------- tiles

    def _rows(self, panel: Panel, block: Block, lo: Bound, hi: Bound) -> None:
        """Every tile of ``range(lo, hi)``."""
        inner = self.sum.address(self.source.b, panel.index, panel.n, block.start)
        raw = Rows(inner, self.source.b.offset.coeffs[-1])
        ready = block.rows is not None  # all of them have been copied
        dense_rows = block.rows or self.packed
        packed = Rows(dense_rows, panel.width) if dense_rows else raw
        base = LO if self.nest.piece else 0
        dense = block.columns is not None
        for first, last, rows in self._pieces(lo, hi, self.x.m, self.tile.rows, base):
            if self.packed and rows == self.tile.rows and not ready:
                with self.b.loop(first, smaller(self.b, last, plus(self.b, first, 1)), rows) as m:
                    self._tile(Band(panel, m, rows, raw, copy=True, dense=dense), block)
                first = plus(self.b, first, rows)
            elif self.packed and not ready:
                packed = self._either(below(self.b, lo, first), packed, raw)
            with self.b.loop(first, last, rows) as m:
                self._tile(Band(panel, m, rows, packed, dense=dense), block)

    def _either(self, c: Value | bool, yes: Rows, no: Rows) -> Rows:
        if isinstance(c, bool):
            return yes if c else no
        step = self.b.select(c, value_of(yes.step), value_of(no.step))
        return Rows(self.b.select(c, yes.first, no.first), step)

    def _tile(self, band: Band, block: Block) -> None:
        """One tile, through one block of k."""
        b, panel, m, rows = self.b, band.panel, band.m, band.rows
        count = rows * len(panel.lanes)
        waiting: list[Value] = []
        sums = [ZERO] * count
        if block.waiting:
            offset = b.mul(b.sub(m, value_of(block.top)), i64(panel.width))
            first = b.gep(block.waiting, offset, "float")
            if self.tree is not None and block.climbs is not None:
                self.tree.add(first, block.climbs, self.sum.steps(band, block, sums))
                return
            waiting = [b.gep(first, i * LANES, "float") for i in range(count)]
            sums = [b.load(VECTOR, w, 64) for w in waiting]
        sums = self.sum.steps(band, block, sums)
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
