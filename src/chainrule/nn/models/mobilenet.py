"""Depthwise separable convolutions (Howard et al., 2017, "MobileNets")."""

from __future__ import annotations

import math
from typing import Any

from ...errors import ConfigError
from ...frontend.tensor import Tensor
from ..activation import ReLU
from ..container import Sequential
from ..conv import Conv2d
from ..linear import Flatten, Linear
from ..module import Module
from ..norm import BatchNorm2d
from ..pooling import AdaptiveAvgPool2d

#: channels and stride of each separable convolution, table 1 of the paper
SEPARABLE = (
    (64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), (512, 1), (512, 1), (512, 1),
    (512, 1), (512, 1), (1024, 2), (1024, 1),
)  # fmt: skip


def separable(channels: int, out: int, stride: int) -> Sequential:
    """A 3x3 convolution of each channel on its own, then a 1x1 convolution across channels.

    k² + out multiplications for each input element instead of k² · out.
    """
    return Sequential(
        Conv2d(channels, channels, 3, stride, padding=1, groups=channels, bias=False),
        BatchNorm2d(channels),
        ReLU(),
        Conv2d(channels, out, 1, bias=False),
        BatchNorm2d(out),
        ReLU(),
    )


class MobileNet(Module):
    """Logits [N, num_classes] of images [N, channels, H, W].

    ``width`` multiplies all channels: 4,231,976 weights for 1.0 and 1000 classes, 470,072 for 0.25.
    ``depth`` keeps the first so many separable convolutions, for small images.
    """

    def __init__(
        self,
        num_classes: int = 1000,
        channels: int = 3,
        width: float = 1.0,
        depth: int = len(SEPARABLE),
        stride: int = 2,
    ) -> None:
        super().__init__()
        if not (math.isfinite(width) and int(32 * width) >= 1):
            raise ConfigError(
                f"width of MobileNet is {width!r}",
                help="pass at least 1/32: the first layer has 32 times as many channels",
            )
        if not 0 <= depth <= len(SEPARABLE):
            raise ConfigError(
                f"depth of MobileNet is {depth!r}", help=f"pass a number from 0 to {len(SEPARABLE)}"
            )
        before = int(32 * width)
        blocks: list[Module] = [
            Conv2d(channels, before, 3, stride, padding=1, bias=False), BatchNorm2d(before), ReLU()
        ]  # fmt: skip
        for out, step in SEPARABLE[:depth]:
            blocks.append(separable(before, int(out * width), step))
            before = int(out * width)
        self.features = Sequential(*blocks)
        self.classifier = Sequential(AdaptiveAvgPool2d(1), Flatten(), Linear(before, num_classes))

    def forward(self, x: Any) -> Tensor:
        """Logits."""
        logits: Tensor = self.classifier(self.features(x))
        return logits
