"""Clips as a source of batches: 16 bits until the step."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...data.audio import Recordings
from ...data.audio.decoding import Samples
from ...train import Padded, bounds_for
from ...train.examples import Examples

__all__ = ["AudioSource", "TranscriptSource", "frames_of", "steps_of"]

#: samples of one batch in evaluation: a minute at 16,000 a second
EVALUATION_SAMPLES = 1 << 20
#: frames of features to a step of a network that writes
STRIDE = 2


def rows_at_once(samples: int) -> int:
    """How many clips are evaluated together, because activations need memory: a power of two, so
    that few programs serve all lengths."""
    return 1 << max(0, (EVALUATION_SAMPLES // samples).bit_length() - 1)


class AudioSource(Examples):
    """``clips`` int16 [N, samples] and their ``labels`` int32 [N], as batches.

    Long clips are evaluated a few at a time; the results are the same.
    """

    def __init__(self, clips: Samples, labels: NDArray[Any]) -> None:
        super().__init__((clips, labels))

    @property
    def evaluation_rows(self) -> int:
        return rows_at_once(int(self.arrays[0].shape[1]))


def frames_of(samples: NDArray[np.integer[Any]], hop: int) -> NDArray[np.int32]:
    """The frames of features of so many samples, ``hop`` samples between them."""
    return np.asarray(1 + samples // hop, np.int32)


def steps_of(samples: NDArray[np.integer[Any]], hop: int) -> NDArray[np.int32]:
    """The steps of the network for so many samples."""
    return (frames_of(samples, hop) + STRIDE - 1) // STRIDE


class TranscriptSource(Padded):
    """Clips from the beginning of recordings, of at most ``length`` samples, the steps of each, and
    a target if there is one; a batch is as long as its longest clip needs.

    To each belong ``room`` samples of silence after it, as many as its last step sees: so a clip
    gives the same in any batch. ``bounds`` are the lengths to read at, room included, by default
    those that suit these recordings.
    """

    def __init__(
        self,
        recordings: Recordings,
        length: int,
        hop: int,
        room: int,
        target: NDArray[Any] | None = None,
        bounds: tuple[int, ...] = (),
    ) -> None:
        own = np.minimum(recordings.lengths, length)
        lengths = own + room
        bounds = bounds or bounds_for(lengths)
        bounds = (*bounds[:-1], max(bounds[-1], int(lengths.max())))
        clips = recordings.beginnings(length, bounds[-1])
        labels = () if target is None else (target,)
        super().__init__(
            (clips, steps_of(own, hop), *labels), lengths, bounds,
            (True, *[False] * (1 + len(labels))), target is not None,
        )  # fmt: skip

    @property
    def evaluation_rows(self) -> int:
        return rows_at_once(self.length)
