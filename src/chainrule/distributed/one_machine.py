"""Sums of workers that are all on one machine, in memory that all of them see.

    worker 0   its sums ─┐             ┌─► the first half of the elements: ordered sum ─┐
    worker 1   its sums ─┴─ barrier ───┴─► the second half                              ┴─ barrier

MPI gives each worker a segment of such memory (`MPI_Win_allocate_shared`). Nothing is sent: each
reads its share of all sums where they lie, adds them up in the order of the tree, and writes the
result to where everybody reads it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ..ir.memory import ALIGNMENT
from ..train.parts import Subtree, subtrees, total
from ..train.workers import own_of

__all__ = ["OneMachine", "all_on_one_machine"]

Floats = npt.NDArray[np.float32]

#: where MPI keeps shared memory, of which at most half is taken
SHARED = "/dev/shm"


def all_on_one_machine(comm: Any) -> bool:
    """Whether the workers of ``comm`` see each other's memory."""
    from mpi4py import MPI

    near = comm.Split_type(MPI.COMM_TYPE_SHARED)
    alone = near.Get_size() < comm.Get_size()
    near.Free()
    return not comm.allreduce(alone, op=MPI.LOR)


@dataclass(frozen=True)
class _Room:
    """Memory for the sums of all workers, and for the sum of these."""

    window: Any
    sums: list[dict[Subtree, Floats]]
    whole: Floats


class OneMachine:
    """`Workers.sum` where ``comm`` are processes of one machine; ``wait`` waits for a request."""

    def __init__(self, comm: Any, wait: Callable[[Any], None]) -> None:
        self._comm, self._wait = comm, wait
        self._rank, self._size = int(comm.Get_rank()), int(comm.Get_size())
        self._rooms: dict[tuple[int, int], _Room | None] = {}

    def sum(self, sums: Mapping[Subtree, Floats], length: int, parts: int) -> Floats | None:
        """The sum of all; None if there is no memory for that, which is so for all workers."""
        if (length, parts) not in self._rooms:
            self._rooms[length, parts] = self._made(length, parts)
        room = self._rooms[length, parts]
        if room is None:
            return None
        for key, place in room.sums[self._rank].items():
            if sums[key] is not place:
                place[:] = sums[key]
        self._meet(room)
        mine = slice(*(rank * length // self._size for rank in (self._rank, self._rank + 1)))
        shares = {k: values[mine] for each in room.sums for k, values in each.items()}
        total(shares, parts, room.whole[mine])
        self._meet(room)
        return room.whole

    def place(self, key: Subtree, length: int, parts: int) -> Floats | None:
        """Where such a sum of this worker would be read by the others; None before the first."""
        room = self._rooms.get((length, parts))
        return None if room is None else room.sums[self._rank].get(key)

    def close(self) -> None:
        """Ends what MPI calls the access epochs. The memory stays until the process ends: a trainer
        may still hold views of it."""
        for room in filter(None, self._rooms.values()):
            room.window.Unlock_all()

    def _meet(self, room: _Room) -> None:
        """All have written what they had to write, and see what the others have."""
        room.window.Sync()
        self._wait(self._comm.Ibarrier())
        room.window.Sync()

    def _made(self, length: int, parts: int) -> _Room | None:
        from mpi4py import MPI

        trees = [subtrees(*own_of(rank, self._size, parts)) for rank in range(self._size)]
        line = ALIGNMENT // 4
        width = -(-length // line) * line
        counts = [len(found) + (rank == 0) for rank, found in enumerate(trees)]
        needed = sum(4 * (count * width + line) for count in counts)
        enough = 2 * needed <= _free(SHARED)
        if not self._comm.allreduce(enough, op=MPI.LAND):
            return None
        window = MPI.Win.Allocate_shared(
            4 * (counts[self._rank] * width + line), 4, MPI.INFO_NULL, self._comm
        )
        window.Lock_all(MPI.MODE_NOCHECK)
        blocks = [_rows(window.Shared_query(r)[0], n, width) for r, n in enumerate(counts)]
        sums = [
            {key: block[i, :length] for i, key in enumerate(found)}
            for found, block in zip(trees, blocks, strict=True)
        ]
        return _Room(window, sums, blocks[0][-1, :length])


def _rows(segment: Any, count: int, width: int) -> Floats:
    """``count`` aligned vectors in a segment, which has room for one cache line more."""
    numbers = np.frombuffer(segment, np.float32)
    first = -(numbers.ctypes.data // 4) % (ALIGNMENT // 4)
    return numbers[first : first + count * width].reshape(count, width)


def _free(folder: str) -> int:
    try:
        found = os.statvfs(folder)
    except OSError:
        return 0
    return found.f_bavail * found.f_frsize
