"""Networks of 3x3 convolutions between poolings (Simonyan and Zisserman, 2014)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ...frontend.tensor import Tensor
from ..activation import ReLU
from ..container import Sequential
from ..conv import Conv2d
from ..dropout import Dropout
from ..linear import Flatten, Linear
from ..module import Module
from ..norm import BatchNorm2d
from ..pooling import AdaptiveAvgPool2d, MaxPool2d

#: widths of the convolutions before each pooling
Stages = Sequence[Sequence[int]]


class VGG(Module):
    """Logits [N, num_classes] of images [N, channels, H, W], H and W at least 2^len(stages).

    Each stage is a few times 3x3 convolution, batch normalisation and ReLU, then a 2x2 pooling that
    halves the image. One fully connected layer stands behind the mean over what is left of it,
    instead of the paper's three, which hold nine tenths of its weights.
    """

    def __init__(
        self, stages: Stages, num_classes: int = 10, channels: int = 3, dropout: float = 0.0
    ) -> None:
        super().__init__()
        layers: list[Module] = []
        width = channels
        for stage in stages:
            for out in stage:
                layers += [Conv2d(width, out, 3, padding=1), BatchNorm2d(out), ReLU()]
                width = out
            layers.append(MaxPool2d(2))
        self.features = Sequential(*layers)
        self.classifier = Sequential(
            AdaptiveAvgPool2d(1), Flatten(), Dropout(dropout), Linear(width, num_classes)
        )

    def forward(self, x: Any) -> Tensor:
        """Logits."""
        logits: Tensor = self.classifier(self.features(x))
        return logits


def vgg_small(num_classes: int = 10, channels: int = 3, dropout: float = 0.0) -> VGG:
    """Six convolutions of 32 to 128 channels: 289,194 weights for ten classes."""
    return VGG([(32, 32), (64, 64), (128, 128)], num_classes, channels, dropout)


def vgg11(num_classes: int = 10, channels: int = 3, dropout: float = 0.0) -> VGG:
    """The paper's network A with batch normalisation: 9,231,114 weights for ten classes."""
    stages = [(64,), (128,), (256, 256), (512, 512), (512, 512)]
    return VGG(stages, num_classes, channels, dropout)
