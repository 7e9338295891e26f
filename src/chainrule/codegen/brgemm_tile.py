"""Sizes of a product's tiles, from its shape and the processor.

Nothing here can change a result: every element is one chain in the order of k, whatever the tile.

The costs are cycles for each step of k on a core that starts two multiply-adds and two loads a
cycle, four cycles after one another when they depend; that is so on every x86-64 core with AVX2 and
nearly so on big AArch64 cores. They only choose among tiles that are all good for large products.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from ..schedule.buffers import LANES
from ..schedule.nest import MOST_TAPS, Nest, Product
from .brgemm_tree import levels_of
from .target import Target

#: bytes of B kept for one panel and one block of k: half in L1, the rest streams from L2
PANEL_BYTES = 64 << 10
#: the same where lines of A must stay with them: about L1
LINED_BYTES, LINE = 48 << 10, 64
#: bytes of accumulators that wait between blocks of k
WAITING_BYTES = 40 << 10
#: the same for several panels at once; and bytes of A that stay in L2 anyway
GROUP_BYTES, NEAR_BYTES = 320 << 10, 256 << 10
#: bytes of rows of A that stay in L2 while all panels pass over them, also where a neighbour uses
#: half of it; rows that are worth copying B for again; bytes of A that no cache near has room for
BAND_BYTES, BAND_ROWS, FAR_BYTES = 192 << 10, 128, 4 << 20
#: panels for which it pays to copy a block of A, and how many steps of k that has
FEWEST_PANELS, COPIED_STEPS = 3, 128
#: more rows than this need no further reuse of B
MOST_ROWS, MOST_VECTORS = 28, 8
LATENCY = 5
#: steps along a convolution's kernel whose rows of B are held at once
TAPS = 3
#: cycles that a cycle of loads costs beside the arithmetic: neighbours that share the core load too
LOADING = 0.4
#: cycles in which L2 delivers sixteen floats, sustained
L2_CYCLES = 64 / 24


@dataclass(frozen=True)
class Tile:
    """How the loops of a product are cut.

    rows, vectors: the accumulators held in registers, ``rows`` x ``vectors`` of sixteen lanes.
    block:  steps of k between which accumulators wait in memory (all of k: they never do).
    unroll: copies of the innermost loop; divides ``block`` and k.
    strip:  rows that one block of B serves before the next one is loaded; a multiple of ``rows``.
    band:   rows that all panels pass over before the next ones; all of m, or whole ``rows``.
    group:  panels that accumulators wait for at once, so that a block of A serves all of them.
    pack:   the first tile copies its panel of B to aligned, dense memory for those below it.
    columns: a block of A is copied, tile by tile, for all panels that share it.
    held:   steps of k whose rows of B are in registers at once.
    """

    rows: int
    vectors: int
    block: int
    unroll: int
    strip: int
    band: int
    group: int
    pack: bool
    columns: bool
    held: int

    @property
    def pitch(self) -> int:
        """Elements from one copied column to the next of which lines do not share cache sets."""
        return self.block + LANES // 2

    @property
    def width(self) -> int:
        """Columns of a full tile."""
        return self.vectors * LANES


@dataclass(frozen=True)
class Extents:
    """m, n and k of a product, and which of m and n threads share out (or neither).

    ``outer``: loops of the sum around that of k.
    ``slides``: to A a step of k is one of m, as along the kernel of a convolution.
    """

    m: int
    n: int
    k: int
    split: str = ""
    outer: tuple[int, ...] = ()
    slides: bool = False

    @staticmethod
    def of(nest: Nest) -> Extents:
        """Those of ``nest``."""
        assert isinstance(nest.source, Product)
        m, n, *outer, k = nest.dims[nest.parallel - 2 :]
        names = {nest.parallel - 2: "m", nest.parallel - 1: "n"}
        split = names.get(-1 if nest.split is None else nest.split, "")
        steps = nest.source.a.offset.coeffs
        if nest.piece and split == "m":
            m, split = nest.piece, ""
        # One row that lies along its only column looks the same, and taps are never cut into runs.
        slides = 1 < k <= MOST_TAPS and steps[-1] == steps[nest.parallel - 2]
        slides = slides and not nest.source.run
        return Extents(m, n, k, split, tuple(outer), slides)

    def held(self, target: Target) -> int:
        """Steps of k whose rows of B are in registers at once."""
        few = target.registers * target.vector_bytes < 512
        return min(self.k, TAPS) if self.slides and not few else 1


def choose_tile(nest: Nest, target: Target) -> Tile:
    """The tile of a product nest."""
    x = Extents.of(nest)
    rows, vectors = choose_registers(x, target)
    assert isinstance(nest.source, Product)
    run = nest.source.run
    unroll = x.k if x.slides else _unroll(run or x.k, rows * vectors)
    serves = x.m // rows // (2 if x.split == "m" else 1)
    group, strip = _waiting(x, rows, vectors, levels_of(x.k // run) if run else 1)
    columns = group >= FEWEST_PANELS and _lies_along_rows(nest)
    longest = COPIED_STEPS if columns else _longest_block(nest, vectors) // unroll * unroll
    block, band = x.k, x.m
    if run:
        block = run
    elif x.k > longest and serves > 1 and not x.outer:
        block = _even(x.k, longest, unroll)
    else:
        group, strip, columns = 1, rows, False
        band = x.m if x.outer or nest.piece else _band(x, rows)
    again = bool(nest.piece)  # in the next trip, so that B stays in the second cache as it is
    pack = serves > 1 and not (x.outer or x.slides or again or _tidy(nest, x))
    return Tile(rows, vectors, block, unroll, strip, band, group, pack, columns, x.held(target))


def _lies_along_rows(nest: Nest) -> bool:
    """Whether neighbours in A are of neighbouring rows: then each step of k is a line of its own,
    and at a stride of a power of two these share few cache sets.
    """
    assert isinstance(nest.source, Product)
    steps = nest.source.a.offset.coeffs
    return steps[nest.parallel - 2] == 1 and steps[-1] >= LANES


def _waiting(x: Extents, rows: int, vectors: int, levels: int) -> tuple[int, int]:
    """Panels and rows whose accumulators wait between blocks of k, at so many ``levels``.

    Where A would not stay in the second cache, several panels share each block of it. A comes once
    for each group of panels, B once for each strip of rows: least comes in all if both are as wide.
    """
    panel, panels = LANES * vectors, x.n // (LANES * vectors)
    if 4 * x.m * x.k <= NEAR_BYTES or panels < 2:
        return 1, max(1, WAITING_BYTES // (4 * panel * rows * levels)) * rows
    most = GROUP_BYTES // levels
    side = math.isqrt(most // 4)
    group = _even(panels, max(1, most // (4 * panel * min(x.m, side))), 1)
    return group, _even(x.m, most // (4 * panel * group), rows)


def _band(x: Extents, rows: int) -> int:
    """Rows that all panels pass over before the next ones.

    Each band copies B anew, so it needs many rows, or an A that would come from memory each time.
    """
    most = BAND_BYTES // (4 * max(1, x.k))
    useful = most >= BAND_ROWS or 4 * x.m * x.k > FAR_BYTES
    return _even(x.m, most, rows) if x.m > most and useful else x.m


def _even(extent: int, most: int, unit: int) -> int:
    """The size of even parts of ``extent``, in whole units, of about ``most`` or less."""
    parts = math.ceil(extent / max(most, unit))
    return math.ceil(extent / parts / unit) * unit


def _longest_block(nest: Nest, vectors: int) -> int:
    """Steps of k whose rows of B stay near while tiles pass over them.

    Where A lies along m, each step of a tile uses a part of two cache lines that the next tile
    needs again, so these should still be in L1 too.
    """
    assert isinstance(nest.source, Product)
    row = 4 * LANES * vectors
    if nest.source.a.offset.coeffs[-1] < LANES:
        return PANEL_BYTES // row
    return LINED_BYTES // (row + 2 * LINE)


def product_granule(nest: Nest, target: Target) -> int:
    """Ranges of the split dim start at multiples of this."""
    if nest.piece:
        return nest.piece
    rows, vectors = choose_registers(Extents.of(nest), target)
    return {"m": rows, "n": vectors * LANES}.get(Extents.of(nest).split, 1)


def registers_of(vectors: int, held: int, target: Target) -> int:
    """Rows of a tile with ``vectors``: registers but those of ``held`` rows of B and one of A."""
    each = 4 * LANES // target.vector_bytes * vectors
    return (target.registers - 1 - held * each) // each


def choose_registers(x: Extents, target: Target) -> tuple[int, int]:
    """(rows, vectors) of the cheapest tile."""
    best, chosen, held = math.inf, (1, 1), x.held(target)
    for vectors in range(1, min(MOST_VECTORS, math.ceil(x.n / LANES)) + 1):
        for rows in range(1, min(MOST_ROWS, x.m, registers_of(vectors, held, target)) + 1):
            cost = _cost(x, rows, vectors, 4 * LANES // target.vector_bytes, held)
            if cost <= best:
                best, chosen = cost, (rows, vectors)
    return chosen


def _cost(x: Extents, rows: int, vectors: int, parts: int, held: int) -> float:
    """Cycles for each k: tiles; A again for each panel; waiting for B where it is met first.

    Rests of other sizes are code of their own, so even divisions are worth a little.
    """
    columns = math.ceil(x.n / LANES)
    lower, narrower = x.m % rows, columns % vectors
    heights = [(rows, x.m // rows), (lower, 1)]
    widths = [(vectors, columns // vectors), (narrower, 1)]
    total = sum(
        _step(height, width, parts, held) * times * across
        for height, times in heights
        for width, across in widths
        if height and width
    )
    total *= 1 + 0.03 * lower / rows + 0.03 * narrower / vectors
    if x.split == "m":
        total *= _imbalance(x.m, rows)
    elif x.split == "n":
        total *= _imbalance(columns, vectors)
    again = math.ceil(columns / vectors) * x.m / LANES
    waiting = 0.0 if x.slides else max(0.0, 3 - rows * parts / 4) * columns
    return total + again + waiting


def _step(height: int, vectors: int, parts: int, held: int) -> float:
    """Cycles of one tile for each k: arithmetic, loads, dependence, or B from L2."""
    width = vectors * parts
    loads = ((height + held - 1) / held + width) / 2
    return max(height * width / 2, loads, LATENCY, vectors * L2_CYCLES) + LOADING * loads


def _imbalance(extent: int, size: int) -> float:
    """How much longer the largest share is than an even one, over 1, 2 and 4 threads."""
    tiles = math.ceil(extent / size)
    shares = [max(1.0, math.ceil(tiles / t) * size * t / extent) for t in (1, 2, 4)]
    return sum(shares) / len(shares)


def _unroll(k: int, chains: int) -> int:
    """Copies of the innermost loop: what divides k, more for small bodies."""
    wanted = (4, 2, 3) if chains <= 8 else (2, 3)
    return next((u for u in wanted if k % u == 0), 1)


def _tidy(nest: Nest, x: Extents) -> bool:
    """Whether B is read best where it lies: short, aligned rows, or too few of them to matter."""
    assert isinstance(nest.source, Product)
    b = nest.source.b
    row = b.offset.coeffs[-1]
    others = [c for d, c in enumerate(b.offset.coeffs) if d != nest.parallel - 1]
    steps = (*others, b.offset.const, b.buffer.step_stride)
    aligned = b.buffer.aligned and all(s % LANES == 0 for s in steps)
    return x.k < LANES or (aligned and row <= 4 * LANES)
