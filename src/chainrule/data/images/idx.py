"""IDX files, the format of MNIST: one array of bytes, plain or gzipped.

00 00 08 n            magic: unsigned bytes, n axes
n times u32           lengths of the axes, the most significant byte first
bytes                 the array, row by row
"""

from __future__ import annotations

import gzip
import math
import os
import struct
import zlib
from pathlib import Path
from typing import IO, cast

import numpy as np

from chainrule.data.images.memory import MEMORY, WINDOW, Pixels, Room, release
from chainrule.errors import DataError

__all__ = ["is_idx", "labels_beside", "read_idx"]

GZIP = b"\x1f\x8b"
MAGIC = b"\x00\x00\x08"
MOST_AXES = 4
#: the most bytes that one gzipped byte can stand for
DEFLATE_RATIO = 1032
BLOCK = 1 << 20


def _opened(path: Path) -> IO[bytes]:
    with path.open("rb") as file:
        gzipped = file.read(2) == GZIP
    return cast("IO[bytes]", gzip.open(path, "rb")) if gzipped else path.open("rb")


def is_idx(path: Path) -> bool:
    """Whether a file begins as an IDX file of bytes does."""
    try:
        if not path.is_file():
            return False
        with _opened(path) as file:
            start = file.read(4)
    except (OSError, EOFError, zlib.error):
        return False
    return len(start) == 4 and start[:3] == MAGIC and 1 <= start[3] <= MOST_AXES


def labels_beside(path: Path) -> Path | None:
    """The file of labels that belongs to a file of images, by their names: ``images-idx3`` and
    ``labels-idx1``."""
    name = path.name.replace("images", "labels").replace("idx3", "idx1").replace("idx4", "idx1")
    for other in (name, name.removesuffix(".gz"), f"{name}.gz"):
        candidate = path.with_name(other)
        if other != path.name and candidate.is_file():
            return candidate
    return None


def read_idx(path: str | os.PathLike[str], room: Room = MEMORY) -> Pixels:
    """The array of an IDX file of unsigned bytes.

    The lengths in its head are held against the size of the file before any memory is taken; the
    array goes into ``room``. Raises DataError for a file of another kind, one that is cut off, or
    one that goes on after its end.
    """
    file_path = Path(path)
    try:
        with _opened(file_path) as file:
            shape = _shape(file, file_path)
            _check_size(file_path, shape, isinstance(file, gzip.GzipFile))
            pixels = room.array(shape)
            _fill(pixels.reshape(-1), file, file_path)
    except FileNotFoundError:
        raise DataError(f"file not found: {file_path}", help="check the path") from None
    except (EOFError, zlib.error):
        raise _cut_off(file_path) from None
    except OSError as error:
        raise DataError(f"cannot read {file_path}: {error.strerror or error}") from None
    return pixels


def _shape(file: IO[bytes], path: Path) -> tuple[int, ...]:
    start = file.read(4)
    if len(start) < 4 or start[:3] != MAGIC or not 1 <= start[3] <= MOST_AXES:
        raise DataError(
            f"{path.name} is not an IDX file of bytes",
            where=str(path),
            help="it must start with the bytes 0, 0, 8 and the number of axes, 1 to 4",
        )
    lengths = file.read(4 * start[3])
    if len(lengths) < 4 * start[3]:
        raise _cut_off(path)
    shape: tuple[int, ...] = struct.unpack(f">{start[3]}I", lengths)
    return shape


def _check_size(path: Path, shape: tuple[int, ...], gzipped: bool) -> None:
    """DataError if the file cannot hold what its head says."""
    header, size, wanted = 4 + 4 * len(shape), path.stat().st_size, math.prod(shape)
    if (wanted > size * DEFLATE_RATIO) if gzipped else (header + wanted != size):
        raise DataError(
            f"{path.name} should hold {' x '.join(map(str, shape))} bytes, but it has "
            f"{size:,}{' gzipped ones' if gzipped else ''}",
            where=str(path),
            help="it is truncated or damaged; copy it again",
        )


def _fill(flat: Pixels, file: IO[bytes], path: Path) -> None:
    done = 0
    while done < len(flat):
        block = file.read(min(BLOCK, len(flat) - done))
        if not block:
            raise _cut_off(path)
        flat[done : done + len(block)] = np.frombuffer(block, np.uint8)
        done += len(block)
        if done % WINDOW == 0:
            release(flat)
    if file.read(1):
        raise DataError(
            f"{path.name} continues after its last byte",
            where=str(path),
            help="it is damaged; copy it again",
        )


def _cut_off(path: Path) -> DataError:
    return DataError(
        f"{path.name} ends before its last byte", where=str(path), help="copy it again"
    )
