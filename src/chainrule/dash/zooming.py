"""The epochs of a window of a long run, read again: finer than what is kept of the whole.

`Curves` keeps two thousand points of a run, however long it is. Whoever looks closer asks for the
lines of a few epochs; where they stand in the file is found by bisection, as epochs only grow. So
nothing is kept for it, and a window costs what it holds, at most `LARGEST` bytes.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import BinaryIO

from ..errors import StateError
from ..unverified import whole
from .curves import Curves
from .tail import objects_in

__all__ = ["LARGEST", "window_of"]

#: bytes of a window that is read; a wider one has hundreds of points as it is
LARGEST = 1 << 23
#: bytes in which there is a line that says its epoch
LINE = 1 << 16


def window_of(path: Path, first: int, last: int) -> Curves | None:
    """Epochs ``first`` to ``last`` of a file like ``metrics.jsonl``; None if they are too many.

    Raises StateError if the file cannot be read.
    """
    try:
        with open(path, "rb") as file:
            size = file.seek(0, os.SEEK_END)
            start, stop = _offset(file, first, size), _offset(file, last + 1, size)
            if stop - start > LARGEST:
                return None
            file.seek(start)
            piece = file.read(stop - start)
    except OSError as error:
        raise StateError(f"cannot read {path.name}: {error.strerror}") from error
    curves = Curves()
    lines = [line for line in objects_in(piece) if line is not None]
    curves.add([line for line in lines if first <= (whole(line.get("epoch")) or 0) <= last])
    return curves


def _offset(file: BinaryIO, epoch: int, size: int) -> int:
    """Where the first line of ``epoch`` or a later one begins; the end if there is none."""
    low, high = 0, size  # a line of an earlier epoch begins at low, unless it is the first one
    while high - low > LINE:
        start, found = _next_epoch(file, (low + high) // 2)
        if found is None or found >= epoch:
            high = (low + high) // 2
        else:
            low = start
    file.seek(low)
    for line in file:
        [value] = objects_in(line)
        found = None if value is None else whole(value.get("epoch"))
        if found is not None and found >= epoch:
            break
        low += len(line)
    return low


def _next_epoch(file: BinaryIO, offset: int) -> tuple[int, int | None]:
    """The first line after an offset that says an epoch: where it begins, and which."""
    file.seek(offset)
    piece = file.read(LINE)
    at = piece.find(b"\n") + 1
    for line in piece[at:].splitlines(True):
        [value] = objects_in(line)
        if value is not None and (epoch := whole(value.get("epoch"))) is not None:
            return offset + at, epoch
        at += len(line)
    return offset + at, None
