"""The networks that recognise images: one of `chainrule.nn.models` behind the scaling of bytes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from .. import nn
from ..errors import ConfigError, ShapeError
from ..frontend import Tensor
from ..frontend.operations.creation import tensor
from ..nn import models

__all__ = ["NETWORKS", "ImageNetwork", "build", "class_weights"]


class ImageNetwork(nn.Module):
    """Logits of bytes [N, H, W, C]: ``net((x - mean) / std)`` with channels second, [N, C, H, W].

    ``mean`` and ``std`` hold one number for each channel, in levels from 0 to 255. They are kept
    with the weights. Bytes become float32 inside the compiled step, so that images need a quarter
    of the memory.
    """

    def __init__(self, net: nn.Module, mean: Sequence[float], std: Sequence[float]) -> None:
        super().__init__()
        scale = 1.0 / np.asarray(std, np.float64)
        self.register_buffer("scale", _column(scale))
        self.register_buffer("shift", _column(-np.asarray(mean, np.float64) * scale))
        self.net = net

    def forward(self, x: Tensor) -> Tensor:
        """Logits [N, classes]. Raises ShapeError for another number of channels."""
        channels = self.scale.shape[0]
        if x.ndim != 4 or x.shape[3] != channels:
            raise ShapeError(
                f"images have shape {x.shape}", help=f"the network takes [N, H, W, {channels}]"
            )
        logits: Tensor = self.net(x.float().permute(0, 3, 1, 2) * self.scale + self.shift)
        return logits


def _column(values: npt.NDArray[np.float64]) -> Tensor:
    return tensor(values.astype(np.float32).reshape(-1, 1, 1))


@dataclass(frozen=True)
class Network:
    """``make(classes, channels, **settings)`` builds it; ``settings`` are its own, with defaults.

    ``least`` is the smallest side of an image that it takes, ``only`` the one size, if there is
    one.
    """

    make: Callable[..., nn.Module]
    settings: Mapping[str, Any]
    least: Callable[[Mapping[str, Any]], int]
    only: int = 0


def _cnn(classes: int, channels: int, widths: Sequence[int], dropout: float) -> nn.Module:
    return models.VGG([(width,) for width in widths], classes, channels, dropout)


def _any(settings: Mapping[str, Any]) -> int:
    return 1


#: by the name in ``run.toml``
NETWORKS: Mapping[str, Network] = {
    "cnn": Network(
        _cnn, {"widths": (32, 64, 128), "dropout": 0.0}, lambda s: 1 << len(s["widths"])
    ),
    "lenet5": Network(models.LeNet5, {}, _any, only=28),
    "vgg_small": Network(models.vgg_small, {"dropout": 0.0}, lambda s: 8),
    "vgg11": Network(models.vgg11, {"dropout": 0.0}, lambda s: 32),
    "resnet20": Network(models.resnet20, {}, _any),
    "resnet18": Network(models.resnet18, {}, _any),
    "mobilenet": Network(models.MobileNet, {"width": 0.5, "depth": 6, "stride": 1}, _any),
}


def build(
    name: str,
    settings: Mapping[str, Any],
    size: tuple[int, int],
    classes: int,
    mean: Sequence[float],
    std: Sequence[float],
) -> ImageNetwork:
    """The network ``name`` for images of ``size``. Raises ConfigError if they do not fit it."""
    network = NETWORKS[name]
    if network.only and size != (network.only, network.only):
        raise ConfigError(
            f"{name} takes images of {network.only} x {network.only} pixels, and these have "
            f"{size[1]} x {size[0]}",
            help=f"set data.size={network.only}, or take another network: model.name=cnn",
        )
    least = network.least(settings)
    if min(size) < least:
        raise ConfigError(
            f"{name} halves images until nothing is left of {size[1]} x {size[0]} pixels",
            help=f"set data.size to {least} or more, or take a network with fewer stages",
        )
    return ImageNetwork(network.make(classes, len(mean), **settings), mean, std)


def class_weights(labels: npt.NDArray[np.integer[Any]], classes: int) -> npt.NDArray[np.float32]:
    """Weights for ``nn.CrossEntropyLoss`` with which each class counts the same in all:
    n / (classes * n_k) for n_k of the n labels. Without a label of its own a class weighs 1."""
    counts = np.bincount(labels, minlength=classes)
    return np.where(counts > 0, len(labels) / (classes * np.maximum(counts, 1)), 1.0).astype(
        np.float32
    )
