"""Which bytes of a text file hold which rows, found by processes that each read some of its bytes.

    bytes     0 ... │ ... │ ... │ ... size    one stretch for each process, in blocks
    quotes         12     7     0              before a stretch: is its beginning inside of quotes?
    line ends   40000 38500 40100              outside of quotes, so that the rows are numbered
    rows      0 ...  16384 ...  49152 ...      whole chunks for each, wherever they begin

Nobody reads all of the file. What a process counts in its stretch holds for both cases, as only the
others know whether a quote is open where it begins.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from chainrule.data.gathering import Gathering
from chainrule.data.tables.sql import CHUNK_ROWS

__all__ = ["RowRange", "row_range", "shares_of"]

BLOCK = 1 << 18
#: the part of a share by which it may begin earlier or later
NEAR = 1 / 16
NEWLINE, QUOTE = b'\n"'


@dataclass(frozen=True)
class RowRange:
    """The bytes from ``begin`` to before ``end``, in which ``rows`` rows are."""

    begin: int
    end: int
    rows: int


@dataclass(frozen=True)
class _Block:
    """What is counted in some bytes from ``begin`` on. ``ends`` are line ends outside of quotes and
    ``sound`` whether quotes open where a cell begins: if no quote is open before, and if one is."""

    begin: int
    quotes: int
    ends: tuple[int, int]
    sound: tuple[bool, bool]
    #: line feeds, carriage returns, and pairs of both
    marks: tuple[int, int, int]
    zeros: bool


def shares_of(rows: int, size: int, begins: Sequence[int] = ()) -> list[int] | None:
    """The first row of each of ``size`` processes, and the number of rows: whole chunks for each,
    the last one has what is left. A share begins where a group of rows ``begins``, if one does so
    near by. None if there is no chunk for everyone."""
    chunks = rows // CHUNK_ROWS
    if chunks < size:
        return None
    firsts = [CHUNK_ROWS * (rank * chunks // size) for rank in range(size)]
    groups = [begin for begin in begins if begin % CHUNK_ROWS == 0]
    for rank, first in enumerate(firsts):
        nearest = min(groups, key=lambda begin: abs(begin - first), default=first)
        if rank and abs(nearest - first) <= NEAR * rows / size:
            firsts[rank] = nearest
    return [*firsts, rows]


def row_range(path: Path, gathering: Gathering, delimiter: str, header: bool) -> RowRange | None:
    """The rows of this process in a file of lines, which begins with a ``header`` or not. Cells are
    between a ``delimiter``, and may be in quotes; without one (JSON), lines end at every line feed.

    None, for all processes, if the file is not as plain as that, or has too few rows.
    """
    assert gathering.peers is not None
    size, rank = gathering.peers.size, gathering.peers.rank
    length = path.stat().st_size
    if length < size * CHUNK_ROWS:
        return None
    with path.open("rb") as file:
        blocks = _counted(file, rank * length // size, (rank + 1) * length // size, delimiter)
        file.seek(length - 1)
        closed = file.read(1) == b"\n"
        every = gathering.each(
            [sum(b.quotes for b in blocks), np.sum([b.marks for b in blocks], axis=0).tolist()]
        )
        inside = sum(quotes for quotes, _ in every[:rank]) % 2
        ends, sound = _settled(blocks, inside)
        known = gathering.each([sum(ends), sound and not any(b.zeros for b in blocks)])
        feeds, returns, pairs = np.sum([marks for _, marks in every], axis=0).tolist()
        plain = returns == 0 or feeds == returns == pairs
        balanced = sum(quotes for quotes, _ in every) % 2 == 0
        rows = sum(count for count, _ in known) - header + (not closed)
        firsts = shares_of(rows, size)
        if firsts is None or not (plain and balanced and all(fine for _, fine in known)):
            return None
        before = sum(count for count, _ in known[:rank])
        own = _begins(file, blocks, ends, before, inside, firsts[:-1], header, delimiter)
    begins = {row: begin for found in gathering.each([*own.items()]) for row, begin in found}
    begins = {0: 0, rows: length} | begins
    first, last = firsts[rank], firsts[rank + 1]
    return RowRange(begins[first], begins[last], last - first)


def _counted(file: BinaryIO, begin: int, end: int, delimiter: str) -> list[_Block]:
    """Every block of the bytes from ``begin`` to before ``end``."""
    file.seek(max(begin - 1, 0))
    last = file.read(1) if begin else b"\n"
    blocks = []
    while begin < end:
        block = file.read(min(BLOCK, end - begin))
        blocks.append(_count(begin, last, block, delimiter))
        begin, last = begin + len(block), block[-1:]
    return blocks


def _count(begin: int, last: bytes, block: bytes, delimiter: str) -> _Block:
    """``last`` is the byte before the block."""
    data = np.frombuffer(last + block, np.uint8)
    quotes, feeds = _places(data, QUOTE if delimiter else None), _places(data, NEWLINE)
    odd = int(np.count_nonzero(np.searchsorted(quotes, feeds) % 2))
    starts = np.isin(data[quotes - 1], [NEWLINE, QUOTE, *delimiter.encode()])
    marks = (len(feeds), block.count(b"\r"), (last + block).count(b"\r\n"))
    sound = (bool(starts[::2].all()), bool(starts[1::2].all()))
    return _Block(begin, len(quotes), (len(feeds) - odd, odd), sound, marks, b"\0" in block)


def _places(data: NDArray[np.uint8], mark: int | None) -> NDArray[np.int64]:
    """Where a byte is, from 1: the first byte is that before the block."""
    return np.flatnonzero(data[1:] == mark) + 1 if mark is not None else np.zeros(0, np.int64)


def _settled(blocks: list[_Block], inside: int) -> tuple[list[int], bool]:
    """The number of line ends in each block, and whether quotes are where they should be, once it
    is known whether a quote is open before the first one."""
    ends, sound = [], True
    for block in blocks:
        ends.append(block.ends[inside])
        sound = sound and block.sound[inside]
        inside = (inside + block.quotes) % 2
    return ends, sound


def _begins(
    file: BinaryIO, blocks: list[_Block], ends: list[int], before: int, inside: int,
    rows: list[int], header: bool, delimiter: str,
) -> dict[int, int]:  # fmt: skip
    """Where those of ``rows`` begin whose line end before them is in one of the blocks."""
    found = {}
    for block, count in zip(blocks, ends, strict=True):
        for row in rows:
            number = row + header - before  # of its line end, from 1 in this block
            if 1 <= number <= count:
                file.seek(block.begin)
                data = np.frombuffer(b"\n" + file.read(BLOCK), np.uint8)
                quotes = _places(data, QUOTE if delimiter else None)
                feeds = _places(data, NEWLINE)
                outside = feeds[np.searchsorted(quotes, feeds) % 2 == inside]
                found[row] = block.begin + int(outside[number - 1])
        before += count
        inside = (inside + block.quotes) % 2
    return found
