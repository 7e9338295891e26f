"""Room for pixels: in memory, or in a file without a name when there are too many."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

__all__ = ["LIMIT", "Pixels", "allocate"]

Pixels = NDArray[np.uint8]

#: bytes of one array that are still held in memory
LIMIT = 1 << 30


def allocate(shape: tuple[int, ...], folder: Path | None = None, limit: int = LIMIT) -> Pixels:
    """An array of bytes to be filled. One of more than ``limit`` bytes lies in a file in ``folder``
    (None: where temporary files go), which the system removes with the array."""
    if int(np.prod(shape, dtype=np.int64)) <= limit:
        return np.empty(shape, np.uint8)
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=folder) as file:
        return np.memmap(file, np.uint8, "w+", shape=shape)
