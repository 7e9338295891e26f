"""The convolutional networks as PyTorch modules.

Channels last, which PyTorch has for images only, a signal is an image of one row.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.nets import Conv, Layer, Linear, MaxPool, Mean, Net, Norm, Relu, Residual


def laid_out(x: Tensor) -> Tensor:
    """Samples with their channels last in memory."""
    images = x.unsqueeze(2) if x.dim() == 3 else x
    return images.contiguous(memory_format=torch.channels_last)


def convolutional(net: Net, channels_last: bool) -> nn.Sequential:
    rows = net.axes == 1 and channels_last
    model = sequence(net.layers, 2 if rows else net.axes, rows)
    if channels_last:
        model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return model


def sequence(layers: Sequence[Layer], axes: int, rows: bool) -> nn.Sequential:
    return nn.Sequential(*(m for layer in layers for m in modules(layer, axes, rows)))


def modules(layer: Layer, axes: int, rows: bool) -> list[nn.Module]:
    """``rows``: images of one row, along which nothing is convolved."""

    def sizes(along: int, across: int) -> tuple[int, ...]:
        return (across, along) if rows else (along,) * axes

    match layer:
        case Conv(a, b, kernel, stride, padding, groups, bias):
            conv: Any = nn.Conv1d if axes == 1 else nn.Conv2d
            shape = sizes(kernel, 1), sizes(stride, 1), sizes(padding, 0)
            return [conv(a, b, *shape, groups=groups, bias=bias)]
        case Norm(channels):
            return [nn.BatchNorm2d(channels)]
        case Relu():
            return [nn.ReLU(inplace=True)]
        case MaxPool(size):
            return [(nn.MaxPool1d if axes == 1 else nn.MaxPool2d)(sizes(size, 1))]
        case Mean():
            return [nn.AdaptiveAvgPool1d(1) if axes == 1 else nn.AdaptiveAvgPool2d(1), nn.Flatten()]
        case Linear(a, b, pixels):
            return [nn.Flatten(), nn.Linear(a, b)] if pixels > 1 else [nn.Linear(a, b)]
        case Residual(body, shortcut):
            return [Block(sequence(body, axes, rows), sequence(shortcut, axes, rows))]
    raise NotImplementedError(f"no module for {layer}")


class Block(nn.Module):
    """A residual block; an empty shortcut passes its argument on."""

    def __init__(self, body: nn.Sequential, shortcut: nn.Sequential) -> None:
        super().__init__()
        self.body, self.shortcut = body, shortcut

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.body(x) + self.shortcut(x), inplace=True)
