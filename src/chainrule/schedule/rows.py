"""Loops whose rows are independent: threads share out the rows for all trips at once.

In a recurrent network no row of a batch needs another. So a thread takes some rows, a *piece*,
through the whole loop without ever waiting; what a piece leaves for its next trip is still near.
That holds where every nest has the rows as one of its loops, and touches of each buffer that the
loop writes only the same rows. The order of every sum is that of the nests run one after another.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from ..ir.graph import Node
from .buffers import Buffer
from .nest import Access, Loop, Nest, Product
from .tile import merge_loops, narrow_loops, regroup, reorder_map

#: rows of a piece: enough for tiles of products, few enough for all threads to get some
MOST_ROWS, FEWEST_ROWS = 16, 3
#: elements of a row: shorter ones would leave vectors mostly empty
SHORTEST_ROW = 8
#: bytes of weights that each thread reads anew in each trip. More would not stay in its second
#: cache: then threads share out the columns, each with weights of its own, and wait for each other.
NEAR = 384 << 10


@dataclass(frozen=True)
class Rows:
    """How the rows of a loop are shared out: ``pieces`` times ``piece``."""

    pieces: int
    piece: int

    @property
    def count(self) -> int:
        """All rows."""
        return self.pieces * self.piece


def rows_of(loop: Node) -> Rows | None:
    """The rows of what ``loop`` carries, in equal pieces; None if that is not possible."""
    carried = loop.params["body"].inputs[: loop.params["carries"]]
    counts = {n.shape[0] if n.ndim else 0 for n in carried}
    if len(counts) != 1 or min(n.size for n in carried) < SHORTEST_ROW * max(counts):
        return None
    [count] = counts
    fitting = [d for d in range(FEWEST_ROWS, min(MOST_ROWS, count // 2) + 1) if count % d == 0]
    return Rows(count // fitting[-1], fitting[-1]) if fitting else None


def tile_by_rows(nests: Sequence[Nest | Loop], rows: Rows) -> list[Nest] | None:
    """``nests`` with their loops over rows shared out; None if some row needs another."""
    written = {a.buffer.root for n in nests for a in n.writes}
    if sum(b.nbytes for b in _matrices(nests) if b not in written) > NEAR:
        return None
    found = []
    for nest in nests:
        tiled = _tiled(nest, rows, written) if isinstance(nest, Nest) else None
        if tiled is None:
            return None
        found.append(tiled)
    return found


def _matrices(nests: Iterable[Nest | Loop]) -> set[Buffer]:
    """What products multiply by."""
    sources = [n.source for n in nests if isinstance(n, Nest)]
    return {s.b.buffer.root for s in sources if isinstance(s, Product)}


def _tiled(nest: Nest, rows: Rows, written: set[Buffer]) -> Nest | None:
    if nest.waiting is not None or any(s.add or s.access.indirect for s in nest.stores):
        return None
    for d in range(nest.parallel):
        if nest.dims[d] == rows.count and keeps_to_rows(nest, d, rows.count, written):
            return _split(nest, d, rows)
    return None


def keeps_to_rows(nest: Nest, d: int, count: int, written: Iterable[Buffer]) -> bool:
    """Whether loop ``d`` of ``nest`` is over the rows of every ``written`` buffer it touches."""
    accesses = [a for a in (*nest.reads, *nest.writes) if a.buffer.root in written]
    return all(_one_row(a, nest, d, count) for a in accesses)


def _one_row(access: Access, nest: Nest, d: int, count: int) -> bool:
    """Whether index r of loop ``d`` means that only row r is touched."""
    size, rest = divmod(access.buffer.size, count)
    if rest or access.indirect or access.offset.coeffs[d] != size:
        return False
    low = high = access.offset.const
    for other, step in enumerate(access.offset.coeffs):
        if other != d:
            reach = step * (nest.dims[other] - 1)
            low, high = low + min(0, reach), high + max(0, reach)
    return low >= 0 and high < size


def _split(nest: Nest, d: int, rows: Rows) -> Nest | None:
    """``nest`` with simpler loops, of which the rows remain one of their own."""
    if isinstance(nest.source, Product):
        if nest.parallel != 2 or d or len(nest.dims) != 3:
            return None
        return replace(nest, vector=1, split=0, piece=rows.piece)
    order = [d, *(i for i in range(len(nest.dims)) if i != d)]
    nest = regroup(nest, [[i] for i in order], nest.parallel)
    if nest.source is None:
        nest = reorder_map(nest, first=1)
    nest = merge_loops(nest, apart=0)
    vector = nest.vector if nest.source is not None else len(nest.dims) - 1
    if len(nest.dims) == 1:  # rows alone: they must not be cut into vectors
        nest, vector = narrow_loops(nest), 1
    return replace(nest, vector=vector, split=0, piece=rows.piece)
