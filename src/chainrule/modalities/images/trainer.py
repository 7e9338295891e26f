"""The trainer that the settings of a run on images describe."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import numpy.typing as npt

from ... import nn, optim
from ...data.images.memory import WINDOW, fetch, in_file, release
from ...errors import ConfigError
from ...frontend.operations.creation import tensor
from ...runs.trainer import trainer_of
from ...train import Trainer
from ...train.run import Run
from .network import ImageNetwork, class_weights
from .pipeline import ImagePipeline
from .settings import ImageSettings

__all__ = ["ImageTrainer", "judging_trainer", "new_trainer"]

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


def judging_trainer(model: ImageNetwork) -> ImageTrainer:
    """A trainer that predicts and judges; what only training needs is left out."""
    optimizer = optim.SGD(model.parameters(), lr=0.0)
    return ImageTrainer(model, "cross_entropy", optimizer, ["accuracy"])


def new_trainer(
    model: ImageNetwork,
    pipeline: ImagePipeline,
    settings: ImageSettings,
    labels: npt.NDArray[np.int32],
) -> ImageTrainer:
    """A trainer for ``model`` on training images with these labels.

    Raises ConfigError for settings that do not fit one another or the run.
    """
    chosen, classes = settings.train, len(pipeline.classes)
    loss: Any = "cross_entropy"
    if settings.data.class_weights == "balanced":
        if settings.augment.mixup or settings.augment.cutmix:
            raise ConfigError(
                "class weights and mixed images do not go together",
                help='set data.class_weights = "none", or augment.mixup and augment.cutmix to 0',
            )
        loss = nn.CrossEntropyLoss(weight=tensor(class_weights(labels, classes)))
    transform = settings.augment.augment(
        [round(m) for m in pipeline.mean], chosen.label_smoothing, classes
    )
    return trainer_of(
        ImageTrainer, model, loss, ["accuracy"], chosen, len(labels), settings.seed, transform
    )
