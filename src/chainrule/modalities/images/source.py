"""Images as a source of batches: bytes until the step, in memory or in a file."""

from __future__ import annotations

import math
from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...data.images.memory import WINDOW, Pixels, fetch, in_file, release
from ...frontend import Tensor
from ...train.batch_source import Rows, take_rows

__all__ = ["ImageSource"]

#: pixels of one batch in evaluation: 1024 images of 32 x 32
EVALUATION_PIXELS = 1 << 20


@dataclass(frozen=True)
class ImageSource:
    """``pixels`` uint8 [N, H, W, C] and their ``labels`` int32 [N], as batches.

    Large images are evaluated a few at a time, because activations need memory. If the pixels are
    in a file, a call reads only what fits into memory, and those of the next one are prefetched
    meanwhile. The results are the same.
    """

    pixels: Pixels
    labels: NDArray[np.int32]
    labelled: bool = True

    @property
    def arrays(self) -> tuple[NDArray[Any], ...]:
        return self.pixels, self.labels

    @property
    def rows(self) -> int:
        return len(self.pixels)

    @property
    def bytes_per_row(self) -> int:
        return math.prod(self.pixels.shape[1:]) + self.labels.itemsize

    @property
    def bytes_per_call(self) -> int | None:
        return WINDOW if in_file(self.pixels) else None

    @property
    def evaluation_rows(self) -> int:
        """A power of two, so that few programs serve all sizes."""
        fitting = EVALUATION_PIXELS // math.prod(self.pixels.shape[1:3])
        return 1 << max(0, fitting.bit_length() - 1)

    @property
    def recipe(self) -> Hashable:
        return "rows"

    def take(self, arrays: tuple[Tensor, ...], rows: Tensor) -> tuple[Tensor, ...]:
        """The images of ``rows`` and their labels."""
        return take_rows(arrays, rows)

    def prefetch(self, rows: Rows) -> None:
        """Starts reading the pixels of ``rows`` without waiting for them."""
        fetch(self.pixels, rows)

    def release(self) -> None:
        """Drops pixels that were read from a file from the memory of the process."""
        release(self.pixels)
