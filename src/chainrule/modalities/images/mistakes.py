"""The worst mistakes as small pictures, written as PNG without a library."""

from __future__ import annotations

import base64
import struct
import zlib
from typing import Any

import numpy as np

from ...data.images import Images
from ...data.images.memory import Pixels
from ...train import Scores

__all__ = ["MISTAKES", "png", "worst_mistakes"]

MISTAKES = 24
#: longer sides are subsampled to at most so many pixels
SIDE = 96


def png(pixels: Pixels) -> bytes:
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


def worst_mistakes(images: Images, scores: Scores, most: int = MISTAKES) -> list[dict[str, Any]]:
    """The wrong predictions that gave the true class the least probability, the worst first."""
    probabilities, predicted = scores.probabilities, scores.labels
    of_true_class = probabilities[np.arange(len(images)), images.labels]
    wrong = np.flatnonzero(predicted != images.labels)
    worst = wrong[np.argsort(of_true_class[wrong], kind="stable")][:most]
    return [
        {
            "name": images.paths[i],
            "true": images.classes[images.labels[i]],
            "predicted": images.classes[predicted[i]],
            "probability": float(probabilities[i, predicted[i]]),
            "image": _data_uri(images.pixels[i]),
        }
        for i in worst
    ]


def _data_uri(pixels: Pixels) -> str:
    step = -(-max(pixels.shape[:2]) // SIDE)
    content = png(np.ascontiguousarray(pixels[::step, ::step]))
    return "data:image/png;base64," + base64.b64encode(content).decode("ascii")
