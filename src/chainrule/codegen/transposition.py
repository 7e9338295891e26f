"""Sixteen by sixteen elements turned over in registers."""

from __future__ import annotations

from ..schedule.buffers import LANES
from .builder import Builder
from .values import Value


def transpose(b: Builder, rows: list[Value]) -> list[Value]:
    """Columns of sixteen row vectors.

    In round k, bit k of the row number and bit k of the lane number change places.
    """
    for low, high, distance in _ROUNDS:
        turned = list(rows)
        for i in range(LANES):
            if i & distance:
                continue
            a, c = rows[i], rows[i + distance]
            turned[i], turned[i + distance] = b.shuffle(a, c, low), b.shuffle(a, c, high)
        rows = turned
    return rows


def _round(distance: int) -> tuple[list[int], list[int], int]:
    """Exchange lanes so that bit ``distance`` of lane and row numbers change places."""
    low = [lane if not lane & distance else LANES + lane - distance for lane in range(LANES)]
    high = [lane + distance if not lane & distance else LANES + lane for lane in range(LANES)]
    return low, high, distance


_ROUNDS = [_round(distance) for distance in (1, 2, 4, 8)]
