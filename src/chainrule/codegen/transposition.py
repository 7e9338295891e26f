"""Sixteen by sixteen elements turned over in registers."""

from __future__ import annotations

from ..schedule.buffers import LANES
from .builder import Builder
from .values import Value


def transpose(b: Builder, rows: list[Value]) -> list[Value]:
    """Columns of sixteen row vectors.

    Blocks of four by four in each quarter of the vectors, then the quarters. The processor has an
    instruction for each of these shuffles. LLVM looks whether several of them make one, ever
    further back; the fences, which cost no instruction, spare it a quarter of its time.
    """
    twos = [b.shuffle(rows[i & ~1], rows[i | 1], _ONES[i & 1]) for i in range(LANES)]
    fours = []  # number 4 g + j: in quarter q element 4 q + j of each of the rows from 4 g on
    for i in range(LANES):
        first = i & ~3 | i >> 1 & 1
        fours.append(b.shuffle(twos[first], twos[first + 2], _TWOS[i & 1]))
    if rows[0].is_float:
        fours = [b.overloaded("arithmetic.fence", part) for part in fours]
    eights = []  # number 8 h + 4 odd + j: of the rows from 8 h on, of the even or the odd quarters
    for i in range(LANES):
        first = i & 8 | i & 3
        eights.append(b.shuffle(fours[first], fours[first + 4], _QUARTERS[i >> 2 & 1]))
    return [b.shuffle(eights[i & 7], eights[8 | i & 7], _QUARTERS[i >> 3]) for i in range(LANES)]


def _from_quarters(own: list[int]) -> list[int]:
    """In each quarter the elements ``own`` of that quarter: 0 to 3 of the first vector, 4 to 7 of
    the second.
    """
    return [q + (k if k < 4 else LANES - 4 + k) for q in range(0, LANES, 4) for k in own]


#: of two vectors in turns: elements, pairs, and every other quarter
_ONES = _from_quarters([0, 4, 1, 5]), _from_quarters([2, 6, 3, 7])
_TWOS = _from_quarters([0, 1, 4, 5]), _from_quarters([2, 3, 6, 7])
_QUARTERS = tuple([k for k in range(2 * LANES) if k >> 2 & 1 == odd] for odd in (0, 1))
