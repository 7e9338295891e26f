"""Clips as a source of batches: 16 bits until the step."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from ...data.audio.decoding import Samples
from ...train.examples import Examples

__all__ = ["AudioSource"]

#: samples of one batch in evaluation: a minute at 16,000 a second
EVALUATION_SAMPLES = 1 << 20


class AudioSource(Examples):
    """``clips`` int16 [N, samples] and their ``labels`` int32 [N], as batches.

    Long clips are evaluated a few at a time, because activations need memory; the results are the
    same.
    """

    def __init__(self, clips: Samples, labels: NDArray[Any]) -> None:
        super().__init__((clips, labels))

    @property
    def evaluation_rows(self) -> int:
        """A power of two, so that few programs serve all lengths."""
        fitting = EVALUATION_SAMPLES // int(self.arrays[0].shape[1])
        return 1 << max(0, fitting.bit_length() - 1)
