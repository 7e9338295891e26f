"""Small pictures as PNG, written without a library."""

from __future__ import annotations

import base64
import struct
import zlib

import numpy as np
from numpy.typing import NDArray

__all__ = ["data_uri", "png"]

#: longer sides are subsampled to at most so many pixels
SIDE = 96


def png(pixels: NDArray[np.uint8]) -> bytes:
    """Bytes [H, W, C], C 1 or 3, as a PNG file (ISO/IEC 15948): no filter, one block of data."""
    height, width, channels = pixels.shape
    head = struct.pack(">IIBBBBB", width, height, 8, 0 if channels == 1 else 2, 0, 0, 0)
    lines = np.zeros((height, 1 + width * channels), np.uint8)  # each begins with its filter, 0
    lines[:, 1:] = pixels.reshape(height, -1)
    chunks = ((b"IHDR", head), (b"IDAT", zlib.compress(lines.tobytes(), 9)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(map(_chunk, chunks))


def _chunk(part: tuple[bytes, bytes]) -> bytes:
    name, content = part
    end = struct.pack(">I", zlib.crc32(name + content))
    return struct.pack(">I", len(content)) + name + content + end


def data_uri(pixels: NDArray[np.uint8]) -> str:
    """A picture [H, W, C] in a page, with sides of at most `SIDE` pixels."""
    step = -(-max(pixels.shape[:2]) // SIDE)
    content = png(np.ascontiguousarray(pixels[::step, ::step]))
    return "data:image/png;base64," + base64.b64encode(content).decode("ascii")
