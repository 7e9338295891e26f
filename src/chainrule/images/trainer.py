"""The trainer that the settings of a run on images describe."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from .. import nn, optim
from ..errors import ConfigError
from ..frontend.operations.creation import tensor
from ..table.trainer import trainer_of
from ..train import Trainer
from .network import ImageNetwork, class_weights
from .pipeline import ImagePipeline
from .settings import ImageSettings

__all__ = ["ImageTrainer", "judging_trainer", "new_trainer"]

#: pixels of one evaluation call: 1024 images of 32 x 32
EVALUATION_PIXELS = 1 << 20


class ImageTrainer(Trainer):
    """A trainer that evaluates large images a few at a time, because activations need memory."""

    def outputs(
        self, inputs: tuple[npt.NDArray[Any], ...], batch_size: int, averaged: bool = True
    ) -> npt.NDArray[Any]:
        pixels = int(np.prod(inputs[0].shape[1:3]))
        most = 1 << max(0, (EVALUATION_PIXELS // pixels).bit_length() - 1)
        return super().outputs(inputs, min(batch_size, most), averaged)


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
