"""Networks that classify sound given as 16-bit samples: features, then one that looks at them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ... import nn
from ...errors import ConfigError, ShapeError
from ...frontend import Tensor
from ...frontend.operations.arithmetic import log
from ...frontend.operations.creation import tensor
from ...nn import models
from ...nn.audio import LOG_OFFSET

__all__ = ["NETWORKS", "AudioNetwork", "Features", "build"]


class Features(nn.Module):
    """Log-mel features or cepstral coefficients of samples [N, samples], [N, bands, frames]."""

    def __init__(self, spectrum: nn.MelSpectrogram, coefficients: int) -> None:
        super().__init__()
        self.mfcc = (
            nn.MFCC(spectrum.sample_rate, coefficients, log_mels=True, mel=spectrum)
            if coefficients
            else None
        )
        self.mel = None if coefficients else spectrum

    @property
    def bands(self) -> int:
        """The number of features of each frame."""
        if self.mfcc is not None:
            return self.mfcc.n_mfcc
        assert self.mel is not None
        return self.mel.n_mels

    @property
    def hop(self) -> int:
        """Samples from frame to frame."""
        mel = self.mel if self.mfcc is None else self.mfcc.mel
        assert mel is not None
        return mel.hop_length

    def forward(self, x: Tensor) -> Tensor:
        """The features."""
        if self.mfcc is not None:
            coefficients: Tensor = self.mfcc(x)
            return coefficients
        assert self.mel is not None
        return log(self.mel(x) + LOG_OFFSET)


class AudioNetwork(nn.Module):
    """Logits of 16-bit samples [N, samples]: ``net((features - mean) / std)``.

    ``mean`` and ``std`` hold one number for each band; they are kept with the weights. Samples
    become features inside the compiled step, in training with the holes of `nn.SpecAugment`.
    """

    def __init__(
        self,
        features: Features,
        net: nn.Module,
        mean: Sequence[float],
        std: Sequence[float],
        holes: nn.SpecAugment | None = None,
    ) -> None:
        super().__init__()
        if not (len(mean) == len(std) == features.bands and all(s > 0 for s in std)):
            raise ConfigError(
                f"{len(mean)} means and {len(std)} deviations of {features.bands} bands",
                help="give one of each for each band; deviations are above 0",
            )
        self.features = features
        scale = 1.0 / np.asarray(std, np.float64)
        self.register_buffer("scale", _column(scale))
        self.register_buffer("shift", _column(-np.asarray(mean, np.float64) * scale))
        self.holes = holes
        self.net = net

    def forward(self, x: Tensor) -> Tensor:
        """Logits [N, classes]. Raises ShapeError for anything but clips of one length."""
        if x.ndim != 2:
            raise ShapeError(f"sound has shape {x.shape}", help="the network takes [N, samples]")
        features = self.features(x) * self.scale + self.shift
        if self.holes is not None:
            features = self.holes(features)
        logits: Tensor = self.net(features.unsqueeze(1))
        return logits


def _column(values: Any) -> Tensor:
    return tensor(np.asarray(values, np.float32).reshape(-1, 1))


@dataclass(frozen=True)
class Network:
    """``make(classes, bands, **settings)`` builds it for features [N, 1, bands, frames];
    ``settings`` are its own, with their defaults. ``hop`` are the milliseconds between frames,
    unless the settings say otherwise, and ``bands`` divides the number of bands."""

    make: Callable[..., nn.Module]
    settings: Mapping[str, Any]
    hop: int
    bands: int = 1


def _of_any_bands(model: Callable[..., nn.Module]) -> Callable[..., nn.Module]:
    """``make`` of a model that is the same whatever the number of bands."""
    return lambda classes, bands, **settings: model(classes, **settings)


#: by the name in ``run.toml``
NETWORKS: Mapping[str, Network] = {
    "ds-cnn": Network(
        _of_any_bands(models.DSCNN), {"width": 64, "depth": 4, "dropout": 0.2}, hop=20
    ),
    "bc-resnet": Network(_of_any_bands(models.BCResNet), {"width": 1.0}, hop=10, bands=40),
    "gru": Network(models.ConvGRU, {"hidden": 64, "layers": 1, "dropout": 0.2}, hop=20),
}


def build(name: str, settings: Mapping[str, Any], classes: int, bands: int) -> nn.Module:
    """The network ``name``. Raises ConfigError if it does not take features of ``bands``."""
    network = NETWORKS[name]
    if bands % network.bands:
        raise ConfigError(
            f"{name} takes a multiple of {network.bands} bands, but the features have {bands}",
            help=f"set features.bands={network.bands} and features.coefficients=0, or use another "
            "network: model.name=ds-cnn",
        )
    return network.make(classes, bands, **settings)
