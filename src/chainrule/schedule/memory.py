"""The arena: where temporaries of one step lie, so that dead ones make room.

Greedy by size: the largest buffer is placed first, each at the lowest offset where it meets no
buffer that lives in a common phase. (Pisarchyk and Lee 2020, arXiv:2001.03288.)
"""

from __future__ import annotations

from bisect import insort

from .buffers import Buffer
from .nest import Task

ALIGN = 64
#: consecutive buffers are shifted by a line more, so that equal sizes do not share cache sets
SKEW = 64


def lifetimes(phases: tuple[tuple[Task, ...], ...]) -> dict[Buffer, tuple[int, int]]:
    """For each arena buffer the first and last phase that touches it."""
    lifetime_of: dict[Buffer, tuple[int, int]] = {}
    for number, phase in enumerate(phases):
        for task in phase:
            for buffer in task.nest.buffers:
                if buffer.kind == "arena":
                    first = lifetime_of.get(buffer, (number, number))[0]
                    lifetime_of[buffer] = (first, number)
    return lifetime_of


def plan_memory(phases: tuple[tuple[Task, ...], ...]) -> tuple[dict[Buffer, int], int, int]:
    """Offsets in bytes of all arena buffers, the size of the arena, and of its kept part."""
    lives = lifetimes(phases)
    placed: list[tuple[int, int, int, int]] = []  # by their starts: these, ends, first, last phase
    offsets: dict[Buffer, int] = {}
    kept = 0
    for buffer in lives:
        if buffer.kept:
            offsets[buffer] = kept
            kept += _room(buffer)
    order = [b for b in lives if not b.kept]
    for buffer in sorted(order, key=lambda b: -b.nbytes):
        size = _room(buffer)
        first, last = lives[buffer]
        position = kept
        for start, end, born, died in placed:
            if died < first or last < born:
                continue
            if position + size <= start:
                break
            position = max(position, end)
        offsets[buffer] = position
        insort(placed, (position, position + size, first, last), key=lambda p: p[0])
    return offsets, max((end for _, end, _, _ in placed), default=kept), kept


def _room(buffer: Buffer) -> int:
    return -(-buffer.nbytes // ALIGN) * ALIGN + SKEW
