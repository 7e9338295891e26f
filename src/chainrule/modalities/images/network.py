"""Networks that classify images given as bytes: a small one, or one of `chainrule.nn.models`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ... import nn
from ...errors import ConfigError, DataError, ShapeError
from ...frontend import Tensor
from ...frontend.operations.creation import tensor
from ...nn import models

__all__ = ["NETWORKS", "Cnn", "ImageNetwork", "build", "class_weights"]


class ImageNetwork(nn.Module):
    """Logits of bytes [N, H, W, C]: ``net((x - mean) / std)`` with channels second, [N, C, H, W].

    ``mean`` and ``std`` hold one number for each channel, in levels from 0 to 255. They are kept
    with the weights. Bytes become float32 inside the compiled step, so that images need a quarter
    of the memory.
    """

    def __init__(self, net: nn.Module, mean: Sequence[float], std: Sequence[float]) -> None:
        super().__init__()
        if len(mean) != len(std) or not all(s > 0 for s in std):
            raise ConfigError(
                f"means {tuple(mean)} and deviations {tuple(std)} of the channels",
                help="give one of each for each channel; deviations are above 0",
            )
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


class Cnn(nn.Module):
    """Logits [N, classes] of [N, channels, H, W]: for each of ``widths`` a 3x3 convolution, batch
    normalisation, ReLU and a 2x2 pooling, then one linear layer on what is left of the image."""

    def __init__(
        self,
        classes: int,
        channels: int,
        size: tuple[int, int],
        widths: Sequence[int],
        dropout: float,
    ) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        before = channels
        for width in widths:
            layers += [
                nn.Conv2d(before, width, 3, padding=1, bias=False),
                nn.BatchNorm2d(width),
                nn.ReLU(),
                nn.MaxPool2d(2),
            ]
            before = width
        left = [side >> len(widths) for side in size]
        self.features = nn.Sequential(*layers, nn.Flatten())
        self.dropout = nn.Dropout(dropout)
        self.classifier = nn.Linear(before * left[0] * left[1], classes)

    def forward(self, x: Tensor) -> Tensor:
        """Logits."""
        logits: Tensor = self.classifier(self.dropout(self.features(x)))
        return logits


@dataclass(frozen=True)
class Network:
    """``make(classes, channels, size, **settings)`` builds it; ``settings`` are its own, with
    their defaults. ``least`` is the smallest side of an image that it takes, ``only`` the only side
    (0: any).
    """

    make: Callable[..., nn.Module]
    settings: Mapping[str, Any]
    least: Callable[[Mapping[str, Any]], int]
    only: int = 0


def _known(
    model: Callable[..., nn.Module], least: int = 1, only: int = 0, **settings: Any
) -> Network:
    """One of `chainrule.nn.models`."""

    def make(classes: int, channels: int, size: tuple[int, int], **settings: Any) -> nn.Module:
        return model(classes, channels, **settings)

    return Network(make, settings, lambda settings: least, only)


#: by the name in ``run.toml``
NETWORKS: Mapping[str, Network] = {
    "cnn": Network(
        Cnn,
        {"widths": (32, 64, 128), "dropout": 0.0},
        lambda own: 1 << len(own["widths"]),
    ),
    "lenet5": _known(models.LeNet5, only=28),
    "vgg_small": _known(models.vgg_small, least=8, dropout=0.0),
    "vgg11": _known(models.vgg11, least=32, dropout=0.0),
    "resnet20": _known(models.resnet20),
    "resnet18": _known(models.resnet18),
    "mobilenet": _known(models.MobileNet, width=0.5, depth=6, stride=1),
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
            f"{name} takes images of {network.only} x {network.only} pixels, but these have "
            f"{size[1]} x {size[0]}",
            help=f"set data.size={network.only}, or use another network: model.name=cnn",
        )
    least = network.least(settings)
    if min(size) < least:
        raise ConfigError(
            f"{name} halves images until nothing is left of {size[1]} x {size[0]} pixels",
            help=f"set data.size to {least} or more, or use a network with fewer stages",
        )
    return ImageNetwork(network.make(classes, len(mean), size, **settings), mean, std)


def class_weights(labels: npt.NDArray[np.integer[Any]], classes: int) -> npt.NDArray[np.float32]:
    """Weights for ``nn.CrossEntropyLoss`` that make all classes count the same:
    n / (classes * n_k) if n_k of the n labels are k, and 1 if none is.

    DataError for labels out of range.
    """
    if len(labels) and not 0 <= labels.min() <= labels.max() < classes:
        raise DataError(
            f"labels range from {labels.min()} to {labels.max()}, but there are {classes} classes",
            help=f"labels are whole numbers from 0 to {classes - 1}",
        )
    counts = np.bincount(labels, minlength=classes)
    return np.where(counts > 0, len(labels) / (classes * np.maximum(counts, 1)), 1.0).astype(
        np.float32
    )
