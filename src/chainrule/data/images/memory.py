"""Room for pixels: in memory, or in a file without a name when there are too many.

What was read of such a file counts as memory of the process until `release`; the system keeps it
for itself as long as nobody else needs the room, so that reading it again is quick.
"""

from __future__ import annotations

import math
import mmap
import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

__all__ = ["LIMIT", "MEMORY", "WINDOW", "Pixels", "Room", "fetch", "in_file", "release", "windows"]

Pixels = NDArray[np.uint8]

#: bytes of one array that are still held in memory
LIMIT = 1 << 30
#: bytes that are worked on at once
WINDOW = 1 << 23


class Scratch(mmap.mmap):
    """A file without a name, mapped: what only this process reads and writes."""


@dataclass(frozen=True)
class Room:
    """Where pixels go: an array of more than ``limit`` bytes into a file in ``folder`` (None: where
    temporary files go), which the system removes with the array, however the process ends."""

    folder: Path | None = None
    limit: int = LIMIT

    def array(self, shape: tuple[int, ...]) -> Pixels:
        """An array of bytes to be filled. Raises OSError if the disk has no room for it."""
        size = math.prod(shape)
        if size <= self.limit:
            return np.empty(shape, np.uint8)
        if self.folder is not None:
            self.folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=self.folder) as file:
            os.posix_fallocate(file.fileno(), 0, size)  # later, a full disk would be a signal
            scratch = Scratch(file.fileno(), size)
        # Else the system reads ahead, and one image maps megabytes around it; `fetch` is enough.
        scratch.madvise(mmap.MADV_RANDOM)
        return np.ndarray(shape, np.uint8, buffer=scratch)

    def beside(self, pixels: Pixels) -> Room:
        """The room for a part or a copy of ``pixels``: in a file, if they are."""
        return Room(self.folder, 0) if in_file(pixels) else self


#: memory, for whatever is not too large
MEMORY = Room()


def in_file(pixels: Pixels) -> bool:
    """Whether these are pixels that a `Room` put into a file."""
    return _scratch(pixels) is not None


def _scratch(pixels: Pixels) -> Scratch | None:
    base: object = pixels
    while isinstance(base, np.ndarray):
        base = base.base
    return base if isinstance(base, Scratch) else None


def windows(pixels: Pixels, size: int = WINDOW) -> Iterator[slice]:
    """Slices of rows of some ``size`` bytes, one after the other; each is released after use."""
    rows = max(1, size // max(1, math.prod(pixels.shape[1:])))
    for start in range(0, len(pixels), rows):
        yield slice(start, start + rows)
        release(pixels)


def release(pixels: Pixels) -> None:
    """Takes what was read or written of a file out of the memory of the process; pixels in memory
    stay as they are."""
    if (scratch := _scratch(pixels)) is not None:
        scratch.madvise(mmap.MADV_DONTNEED)  # of a shared mapping: what was written stays written


def fetch(pixels: Pixels, rows: NDArray[np.integer]) -> None:
    """Asks for rows of a file that will be read soon, and does not wait for them."""
    scratch = _scratch(pixels)
    if scratch is None:
        return
    each = math.prod(pixels.shape[1:])
    first = _address(pixels) - _address(np.frombuffer(scratch, np.uint8))
    for row in rows.ravel().tolist():
        start = first + row * each
        page = start - start % mmap.PAGESIZE
        scratch.madvise(mmap.MADV_WILLNEED, page, start + each - page)


def _address(pixels: Pixels) -> int:
    return int(pixels.__array_interface__["data"][0])
