"""Networks that forecast windows of series, in one frame.

    window ── centred on its last value ──► body ──► + what simply repeats ──► outputs

What repeats is the last value, or the last season where that was the better forecast in the past
(`Forecaster`). A body starts with zeros, so training begins at the naive forecasts and learns what
they leave.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ... import nn, ops
from ...errors import ConfigError
from ...frontend import Tensor
from ...frontend.apply import apply, from_array
from ...frontend.operations.shaping import cat
from .bodies import DLinear, Lstm, NHits, Tcn, TsMixer
from .source import Layout

__all__ = ["DEFAULT", "NETWORKS", "Forecaster", "Network", "build"]

DEFAULT = "nhits"


class Forecaster(nn.Module):
    """Outputs [rows, horizon, quantiles] of windows; see `Windows` for the inputs.

    ``body(past, static, known)`` gives [rows, horizon, quantiles], in units of the window if it is
    ``scaled``. ``spread`` [horizon, quantiles] is added in the end; it is learned, and begins with
    what the naive forecasts leave. The first number of ``series`` is 1 where the last ``season`` is
    repeated, and 0 where the last value is.
    """

    def __init__(
        self,
        body: nn.Module,
        layout: Layout,
        season: int,
        spread: Sequence[Sequence[float]],
        *,
        scaled: bool = False,
    ) -> None:
        super().__init__()
        self.body = body
        self.normalize = nn.RevIN(center="last", scaled=scaled, eps=1e-2)
        repeats = 1 < season <= layout.window
        lag = layout.window - season + np.arange(layout.horizon) % max(season, 1)
        last = np.full(layout.horizon, layout.window - 1)
        self.spread = nn.Parameter(np.array(spread, np.float32))
        self.lag = np.asarray(lag if repeats else last, np.int32)

    def forward(self, past: Tensor, series: Tensor, known: Tensor | None = None) -> Tensor:
        """The outputs, in the unit of the inputs."""
        target = past[:, :, 0]
        z, center, scale = self.normalize(target)
        repeated = apply(ops.gather, z, from_array(self.lag), axis=1) * series[:, :1]
        channels = z.unsqueeze(2)
        if past.shape[2] > 1:
            channels = cat([channels, past[:, :, 1:]], dim=2)
        static = series[:, 1:] if series.shape[1] > 1 else None
        outputs = repeated.unsqueeze(2) + self.body(channels, static, known)
        restored: Tensor = self.normalize.restore(outputs, center.unsqueeze(2), scale.unsqueeze(2))
        return restored + self.spread


@dataclass(frozen=True)
class Network:
    """``make(layout, quantiles, **settings)`` builds a body; ``settings`` are its own, with their
    defaults, ``limits`` their smallest and largest values."""

    make: Callable[..., nn.Module]
    settings: Mapping[str, Any]
    limits: Mapping[str, tuple[float, float]]

    def check(self, settings: Mapping[str, Any]) -> None:
        """ConfigError for a setting out of its bounds."""
        for name, value in settings.items():
            if isinstance(value, bool):
                continue
            low, high = self.limits[name]
            if not low <= value <= high:
                raise ConfigError(
                    f"`model.{name}` is {value!r}", help=f"expected: from {low:g} to {high:g}"
                )


WIDTH, RATE, KERNEL, COUNT = (1, 4096), (0, 0.95), (1, 1001), (1, 64)

#: by the name in ``run.toml``
NETWORKS: Mapping[str, Network] = {
    "dlinear": Network(
        DLinear,
        {"kernel": 25, "dropout": 0.0, "scaled": False},
        {"kernel": KERNEL, "dropout": RATE},
    ),
    "nhits": Network(
        NHits,
        {"width": 64, "layers": 2, "stacks": 3, "dropout": 0.0, "scaled": False},
        {"width": WIDTH, "layers": COUNT, "stacks": COUNT, "dropout": RATE},
    ),
    "tsmixer": Network(
        TsMixer,
        {"width": 32, "blocks": 2, "dropout": 0.1, "scaled": False},
        {"width": WIDTH, "blocks": COUNT, "dropout": RATE},
    ),
    "tcn": Network(
        Tcn,
        {"width": 32, "kernel": 3, "dropout": 0.1, "scaled": False},
        {"width": WIDTH, "kernel": KERNEL, "dropout": RATE},
    ),
    "lstm": Network(
        Lstm,
        {"width": 32, "layers": 1, "dropout": 0.1, "scaled": False},
        {"width": WIDTH, "layers": COUNT, "dropout": RATE},
    ),
}


def build(
    name: str,
    settings: Mapping[str, Any],
    layout: Layout,
    season: int,
    spread: Sequence[Sequence[float]],
) -> Forecaster:
    """The network of a run, with initial weights from the default generator."""
    own = dict(settings)
    scaled = bool(own.pop("scaled", False))
    body = NETWORKS[name].make(layout, len(spread[0]), **own)
    return Forecaster(body, layout, season, spread, scaled=scaled)
