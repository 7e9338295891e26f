"""The trainer that the settings of a run on images describe."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import numpy.typing as npt

from ...data.images.memory import WINDOW, fetch, in_file, release
from ...train import Trainer
from ...train.run import Run

__all__ = ["ImageTrainer"]

#: pixels of one evaluation call: 1024 images of 32 x 32
EVALUATION_PIXELS = 1 << 20


class ImageTrainer(Trainer):
    """A trainer that evaluates large images a few at a time, because activations need memory.

    Of images that lie in a file, each native call has so few steps that what it reads does not fill
    the memory, and what the next one needs is fetched meanwhile. The numbers are the same.
    """

    def outputs(
        self, inputs: tuple[npt.NDArray[Any], ...], batch_size: int, averaged: bool = True
    ) -> npt.NDArray[Any]:
        pixels = inputs[0]
        most = 1 << max(0, (EVALUATION_PIXELS // math.prod(pixels.shape[1:3])).bit_length() - 1)
        block = min(batch_size, most)
        if not in_file(pixels):
            return super().outputs(inputs, block, averaged)
        rows = max(1, WINDOW // (pixels[0].nbytes * block)) * block
        # The last part has a whole block: all batches are of one size, and so is the program.
        cuts = [0, *range(rows, len(pixels) - block + 1, rows), len(pixels)]
        found = []
        for start, stop in itertools.pairwise(cuts):
            part = tuple(a[start:stop] for a in inputs)
            found.append(super().outputs(part, block, averaged))
            release(pixels)
        return np.concatenate(found)

    def train_batches(
        self, run: Run, rows: npt.NDArray[np.int32], epoch: int, first: int
    ) -> npt.NDArray[Any]:
        pixels = run.train.inputs[0]
        if not in_file(pixels):
            return super().train_batches(run, rows, epoch, first)
        steps = max(1, WINDOW // (pixels[0].nbytes * rows.shape[1]))
        parts = [rows[start : start + steps] for start in range(0, len(rows), steps)]
        losses = []
        for i, (part, coming) in enumerate(itertools.zip_longest(parts, parts[1:])):
            if coming is not None:
                fetch(pixels, coming)
            losses.append(super().train_batches(run, part, epoch, first + i * steps))
            release(pixels)
        return np.concatenate(losses)
