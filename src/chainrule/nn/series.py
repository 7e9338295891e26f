"""Layers for windows of time series."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..errors import ConfigError, ShapeError
from ..frontend.functional.pooling import avg_pool1d
from ..frontend.functional.windows import whole
from ..frontend.modes import user_line
from ..frontend.operations import reductions
from ..frontend.operations.arithmetic import sqrt
from ..frontend.operations.shaping import cat, expand
from ..frontend.tensor import Tensor
from ..ir.memory import aligned_empty
from . import init
from .module import Module, Parameter, as_tensor, new_parameter


class MovingAverage(Module):
    """The mean of the ``kernel_size`` steps around each step of x [N, C, L] or [N, L].

    Beyond the ends, the first and the last value are repeated, so the result has the length of x.
    """

    def __init__(self, kernel_size: int) -> None:
        super().__init__()
        self.kernel_size = whole("kernel_size of MovingAverage", kernel_size)

    def forward(self, x: Any) -> Tensor:
        """The smooth part of ``x``."""
        x = as_tensor(x)
        if x.ndim not in (2, 3):
            raise ShapeError(
                f"MovingAverage got {x.shape}",
                where=user_line(),
                help="it takes [N, C, L] or [N, L]",
            )
        flat = x.unsqueeze(1) if x.ndim == 2 else x
        before, after = (self.kernel_size - 1) // 2, self.kernel_size // 2
        ends = [(flat[..., :1], before), (flat, 0), (flat[..., -1:], after)]
        parts = [
            expand(part, (*part.shape[:-1], times)) if times else part
            for part, times in ends
            if times or part is flat
        ]
        smooth = avg_pool1d(cat(parts, dim=-1), self.kernel_size, 1)
        return smooth.squeeze(1) if x.ndim == 2 else smooth

    def extra_repr(self) -> str:
        """The size of the kernel."""
        return str(self.kernel_size)


class SeriesDecomposition(Module):
    """x as a trend, which is its `MovingAverage`, and the rest: seasons and noise (Wu et al., 2021;
    Zeng et al., 2023). Returns (rest, trend), each of the shape of x."""

    def __init__(self, kernel_size: int) -> None:
        super().__init__()
        self.average = MovingAverage(kernel_size)

    def forward(self, x: Any) -> tuple[Tensor, Tensor]:
        """The rest and the trend."""
        x = as_tensor(x)
        trend: Tensor = self.average(x)
        return x - trend, trend


class RevIN(Module):
    """Reversible instance normalisation (Kim et al., 2022): each window is scaled by itself, and a
    forecast from it is scaled back.

        z, center, scale = revin(x)            # x [N, L] or [N, L, C]
        y = revin.restore(network(z), center, scale)

    ``center`` is the ``"mean"`` of a window or its ``"last"`` value, ``scale`` its standard
    deviation sqrt(var + eps), or 1 without ``scaled``. With ``affine``, z is multiplied and shifted
    by a learned ``weight`` and ``bias`` of each of the ``channels``.
    """

    weight: Parameter | None
    bias: Parameter | None

    def __init__(
        self,
        channels: int = 1,
        *,
        center: str = "mean",
        scaled: bool = True,
        affine: bool = False,
        eps: float = 1e-5,
    ) -> None:
        super().__init__()
        if center not in ("mean", "last"):
            raise ConfigError(
                f"center of RevIN is {center!r}", where=user_line(), help='use "mean" or "last"'
            )
        if not eps > 0:
            raise ConfigError(f"eps of RevIN is {eps!r}", where=user_line(), help="pass 1e-5")
        self.channels, self.center = whole("channels of RevIN", channels), center
        self.scaled, self.eps = scaled, eps
        for name, value in (("weight", 1.0), ("bias", 0.0)):
            learned = new_parameter(aligned_empty((self.channels,), np.float32)) if affine else None
            self.register_parameter(name, learned)
            if learned is not None:
                init.constant_(learned, value)

    def forward(self, x: Any) -> tuple[Tensor, Tensor, Tensor]:
        """The scaled windows, and the center and scale of each: [N, 1] or [N, 1, C]."""
        x = as_tensor(x)
        mean = reductions.mean(x, 1, keepdim=True)
        center = mean if self.center == "mean" else x[:, -1:]
        scale = mean * 0.0 + 1.0
        if self.scaled:
            variance = reductions.mean((x - mean) * (x - mean), 1, keepdim=True)
            scale = sqrt(variance + self.eps)
        z = (x - center) / scale
        if self.weight is not None and self.bias is not None:
            z = z * self.weight + self.bias
        return z, center, scale

    def restore(self, y: Any, center: Tensor, scale: Tensor) -> Tensor:
        """Forecasts [N, steps] or [N, steps, C] of scaled windows, in the unit of the windows."""
        y = as_tensor(y)
        if self.weight is not None and self.bias is not None:
            y = (y - self.bias) / self.weight
        restored: Tensor = y * scale + center
        return restored

    def extra_repr(self) -> str:
        """The settings."""
        return f"{self.channels}, center={self.center!r}, scaled={self.scaled}"
