"""Residual networks that broadcast from time to bands (Kim et al., 2021, arXiv:2106.04140).

The layers and their order are those of the authors' code (Qualcomm-AI-research/bcresnet).
"""

from __future__ import annotations

from typing import Any

from ...errors import ConfigError, ShapeError
from ...frontend.functional.activations import relu
from ...frontend.tensor import Tensor
from ..activation import ReLU, SiLU
from ..container import Sequential
from ..conv import Conv2d
from ..dropout import Dropout2d
from ..linear import Flatten
from ..module import Module, as_tensor
from ..norm import BatchNorm2d
from ..pooling import AdaptiveAvgPool2d

#: blocks of each stage, the stages that halve the bands, and channels as multiples of 8 · width
BLOCKS, HALVING = (2, 2, 4, 4), (1, 2)
CHANNELS = (2.0, 1.0, 1.5, 2.0, 2.5, 4.0)
BASE = 8
#: bands are normalised in so many groups, and so many are left at the end
GROUPS = 5
#: the first convolution and two stages halve the bands
BANDS = GROUPS * 2 ** (1 + len(HALVING))
DROPOUT = 0.1


class SubSpectralNorm(Module):
    """Batch normalisation of each channel in groups of neighbouring bands (Chang et al., 2021)."""

    def __init__(self, channels: int, groups: int = GROUPS) -> None:
        super().__init__()
        self.groups = groups
        self.ssnorm = BatchNorm2d(channels * groups)

    def forward(self, x: Any) -> Tensor:
        """x [N, channels, bands, frames], normalised."""
        features = as_tensor(x)
        count, channels, bands, frames = features.shape
        if bands % self.groups:
            raise ShapeError(
                f"{bands} bands are not {self.groups} groups of equal size",
                help=f"pass a multiple of {BANDS} bands to BCResNet",
            )
        split = features.reshape(count, channels * self.groups, bands // self.groups, frames)
        normalised: Tensor = self.ssnorm(split)
        return normalised.reshape(features.shape)


class BroadcastedBlock(Module):
    """x + f2(x) + f1(mean of f2(x) over bands): ``f2`` looks along bands, ``f1`` along time,
    2^stage frames apart. The first block of a stage changes the channels and has no shortcut."""

    def __init__(self, channels: int, out: int, stage: int, stride: int) -> None:
        super().__init__()
        self.shortcut = channels == out
        first = (
            ()
            if self.shortcut
            else (Conv2d(channels, out, 1, bias=False), BatchNorm2d(out), ReLU())
        )
        self.f2 = Sequential(
            *first,
            Conv2d(out, out, (3, 1), (stride, 1), padding=(1, 0), groups=out, bias=False),
            SubSpectralNorm(out),
        )
        apart = 2**stage
        self.f1 = Sequential(
            Conv2d(
                out, out, (1, 3), padding=(0, apart), dilation=(1, apart), groups=out, bias=False
            ),
            BatchNorm2d(out),
            SiLU(),
            Conv2d(out, out, 1, bias=False),
            Dropout2d(DROPOUT),
        )

    def forward(self, x: Any) -> Tensor:
        """[N, out, bands / stride, frames]."""
        bands: Tensor = self.f2(x)
        y: Tensor = self.f1(bands.mean(2, keepdim=True)) + bands
        return relu(y + x if self.shortcut else y)


class BCResNet(Module):
    """Logits [N, num_classes] of features [N, 1, bands, frames], bands a multiple of 40.

    ``width`` multiplies all channels; the paper has 1, 1.5, 2, 3, 6 and 8. With 12 classes, width 1
    has 9,232 weights, width 8 has 321,000.
    """

    def __init__(self, num_classes: int = 12, width: float = 1.0) -> None:
        super().__init__()
        base = int(BASE * width)
        if base < 2:
            raise ConfigError(
                f"width of BCResNet is {width!r}", help="pass at least 0.25: 8 channels times it"
            )
        widths = [int(base * factor) for factor in CHANNELS]
        self.head = Sequential(
            Conv2d(1, widths[0], 5, (2, 1), padding=2, bias=False), BatchNorm2d(widths[0]), ReLU()
        )
        blocks: list[Module] = []
        before = widths[0]
        for stage, count in enumerate(BLOCKS):
            out = widths[stage + 1]
            stride = 2 if stage in HALVING else 1
            blocks += [
                BroadcastedBlock(before if i == 0 else out, out, stage, stride if i == 0 else 1)
                for i in range(count)
            ]
            before = out
        self.blocks = Sequential(*blocks)
        last = widths[-1]
        self.classifier = Sequential(
            Conv2d(before, before, 5, padding=(0, 2), groups=before, bias=False),
            Conv2d(before, last, 1, bias=False),
            BatchNorm2d(last),
            ReLU(),
            AdaptiveAvgPool2d(1),
            Conv2d(last, num_classes, 1),
            Flatten(),
        )

    def forward(self, x: Any) -> Tensor:
        """Logits. ShapeError for a number of bands that is no multiple of 40."""
        features = as_tensor(x)
        if features.ndim != 4 or features.shape[2] % BANDS:
            raise ShapeError(
                f"features have shape {features.shape}",
                help=f"pass [N, 1, bands, frames], bands a multiple of {BANDS}",
            )
        logits: Tensor = self.classifier(self.blocks(self.head(features)))
        return logits
