"""LeNet-5 (LeCun, Bottou, Bengio and Haffner, 1998), figure 2, as it is taught today."""

from __future__ import annotations

from typing import Any

from ...frontend.tensor import Tensor
from ..activation import Tanh
from ..container import Sequential
from ..conv import Conv2d
from ..linear import Flatten, Linear
from ..module import Module
from ..pooling import AvgPool2d


class LeNet5(Module):
    """Logits [N, num_classes] of images [N, channels, 28, 28]; 61,706 weights for ten classes.

    Unlike in 1998, every map of the second convolution sees all six of the first, pooling has no
    weights, and the outputs are logits instead of distances to drawn digits.
    """

    def __init__(self, num_classes: int = 10, channels: int = 1) -> None:
        super().__init__()
        self.features = Sequential(
            Conv2d(channels, 6, 5, padding=2),  # 28 x 28, the paper's 32 x 32 within zeros
            Tanh(),
            AvgPool2d(2),
            Conv2d(6, 16, 5),
            Tanh(),
            AvgPool2d(2),
        )
        self.classifier = Sequential(
            Flatten(), Linear(16 * 5 * 5, 120), Tanh(), Linear(120, 84), Tanh(),
            Linear(84, num_classes),
        )  # fmt: skip

    def forward(self, x: Any) -> Tensor:
        """Logits."""
        logits: Tensor = self.classifier(self.features(x))
        return logits
