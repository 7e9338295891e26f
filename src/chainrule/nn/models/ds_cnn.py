"""Depthwise separable convolutions over spectrograms (Zhang et al., 2017, "Hello Edge")."""

from __future__ import annotations

from typing import Any

from ...frontend.tensor import Tensor
from ..activation import ReLU
from ..container import Sequential
from ..conv import Conv2d
from ..dropout import Dropout
from ..linear import Flatten, Linear
from ..module import Module
from ..norm import BatchNorm2d
from ..pooling import AdaptiveAvgPool2d
from .mobilenet import separable

#: bands and frames that the first convolution sees
FIRST = (4, 10)


class DSCNN(Module):
    """Logits [N, num_classes] of features [N, 1, bands, frames]: keywords, on small devices.

    One convolution over 4 bands and 10 frames, every other one of each, then ``depth`` separable
    convolutions of ``width`` channels and the mean over what is left. The paper's sizes: S is 64
    and 4, M 172 and 4, L 276 and 5; its first strides and features differ a little.
    """

    def __init__(
        self, num_classes: int = 12, width: int = 64, depth: int = 4, dropout: float = 0.2
    ) -> None:
        super().__init__()
        bands, frames = FIRST
        self.features = Sequential(
            Conv2d(1, width, FIRST, 2, padding=(bands // 2, frames // 2), bias=False),
            BatchNorm2d(width),
            ReLU(),
            *(separable(width, width, 1) for _ in range(depth)),
        )
        self.classifier = Sequential(
            AdaptiveAvgPool2d(1), Flatten(), Dropout(dropout), Linear(width, num_classes)
        )

    def forward(self, x: Any) -> Tensor:
        """Logits."""
        logits: Tensor = self.classifier(self.features(x))
        return logits
