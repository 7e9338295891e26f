"""Residual networks (He, Zhang, Ren and Sun, 2015, "Deep residual learning").

Names and shapes of all weights are torchvision's.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ...errors import ConfigError
from ...frontend.functional.activations import relu
from ...frontend.tensor import Tensor
from .. import init
from ..container import Sequential
from ..conv import Conv2d
from ..linear import Flatten, Identity, Linear
from ..module import Module
from ..norm import BatchNorm2d
from ..pooling import AdaptiveAvgPool2d, MaxPool2d


class BasicBlock(Module):
    """relu(x + f(x)), f two 3x3 convolutions with batch normalisation.

    Where the block has a stride or other channels, x goes through a 1x1 convolution (the paper's
    option B).
    """

    def __init__(self, channels: int, out: int, stride: int = 1) -> None:
        super().__init__()
        self.conv1 = Conv2d(channels, out, 3, stride, padding=1, bias=False)
        self.bn1 = BatchNorm2d(out)
        self.conv2 = Conv2d(out, out, 3, padding=1, bias=False)
        self.bn2 = BatchNorm2d(out)
        self.downsample: Module = Identity()
        if stride != 1 or channels != out:
            self.downsample = Sequential(
                Conv2d(channels, out, 1, stride, bias=False), BatchNorm2d(out)
            )

    def forward(self, x: Any) -> Tensor:
        """The block's result."""
        y = relu(self.bn1(self.conv1(x)))
        return relu(self.bn2(self.conv2(y)) + self.downsample(x))


class ResNet(Module):
    """Logits [N, num_classes] of images [N, channels, H, W].

    Stages of `BasicBlock`, ``widths`` channels each; every stage but the first halves the image.
    ``stem`` is the size of the first kernel: 7 with a stride and a pooling for large images, 3
    without for small ones. Convolutions are drawn with variance 2 / fan-out.
    """

    def __init__(
        self,
        depths: Sequence[int],
        widths: Sequence[int],
        num_classes: int,
        channels: int = 3,
        stem: int = 3,
    ) -> None:
        super().__init__()
        if len(depths) != len(widths) or not depths or min(depths) < 1:
            raise ConfigError(
                f"a ResNet of depths {tuple(depths)} and widths {tuple(widths)}",
                help="each stage needs a number of blocks, at least 1, and a number of channels",
            )
        large = stem > 3
        self.conv1 = Conv2d(
            channels, widths[0], stem, stride=2 if large else 1, padding=stem // 2, bias=False
        )
        self.bn1 = BatchNorm2d(widths[0])
        self.maxpool = MaxPool2d(3, 2, padding=1) if large else Identity()
        self.stages: list[str] = []
        before = widths[0]
        for number, (depth, width) in enumerate(zip(depths, widths, strict=True), start=1):
            first = BasicBlock(before, width, stride=1 if number == 1 else 2)
            rest = [BasicBlock(width, width) for _ in range(depth - 1)]
            self.stages.append(f"layer{number}")
            self.register_module(self.stages[-1], Sequential(first, *rest))
            before = width
        self.pool = Sequential(AdaptiveAvgPool2d(1), Flatten())
        self.fc = Linear(before, num_classes)
        for module in self.modules():
            if isinstance(module, Conv2d):
                init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, x: Any) -> Tensor:
        """Logits."""
        x = self.maxpool(relu(self.bn1(self.conv1(x))))
        for stage in self.stages:
            x = getattr(self, stage)(x)
        logits: Tensor = self.fc(self.pool(x))
        return logits


def resnet20(num_classes: int = 10, channels: int = 3) -> ResNet:
    """For images of about 32 x 32, section 4.2: 272,474 weights for ten classes."""
    return ResNet((3, 3, 3), (16, 32, 64), num_classes, channels)


def resnet18(num_classes: int = 1000, channels: int = 3) -> ResNet:
    """For images of about 224 x 224, table 1: 11,689,512 weights for 1000 classes."""
    return ResNet((2, 2, 2, 2), (64, 128, 256, 512), num_classes, channels, stem=7)
