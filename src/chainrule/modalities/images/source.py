"""Images as a source of batches: bytes until the step, in memory or in a file."""

from __future__ import annotations

import math
from typing import Any

from numpy.typing import NDArray

from ...data.images.memory import WINDOW, Pixels, fetch, in_file, release
from ...train.batch_source import Rows
from ...train.examples import Examples

__all__ = ["ImageSource"]

#: pixels of one batch in evaluation: 1024 images of 32 x 32
EVALUATION_PIXELS = 1 << 20


class ImageSource(Examples):
    """``pixels`` uint8 [N, H, W, C] and their ``labels`` int32 [N], as batches.

    Large images are evaluated a few at a time, because activations need memory. If the pixels are
    in a file, a call reads only what fits into memory, and those of the next one are prefetched
    meanwhile. The results are the same.
    """

    def __init__(self, pixels: Pixels, labels: NDArray[Any]) -> None:
        super().__init__((pixels, labels))

    @property
    def pixels(self) -> Pixels:
        """All of them."""
        return self.arrays[0]

    @property
    def bytes_per_call(self) -> int | None:
        return WINDOW if in_file(self.pixels) else None

    @property
    def evaluation_rows(self) -> int:
        """A power of two, so that few programs serve all sizes."""
        fitting = EVALUATION_PIXELS // math.prod(self.pixels.shape[1:3])
        return 1 << max(0, fitting.bit_length() - 1)

    def prefetch(self, rows: Rows) -> None:
        """Starts reading the pixels of ``rows`` without waiting for them."""
        fetch(self.pixels, rows)

    def release(self) -> None:
        """Drops pixels that were read from a file from the memory of the process."""
        release(self.pixels)
