"""What one observed step showed."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

__all__ = ["Histogram", "LayerStatistics", "Observation"]

Number = float | None


@dataclass(frozen=True)
class Histogram:
    """``counts`` of values in equal bins from ``low`` to ``high``."""

    low: float
    high: float
    counts: tuple[int, ...]


@dataclass(frozen=True)
class LayerStatistics:
    """What a layer did in one step; None where there is no such thing.

    ``weight``, ``gradient`` and ``update`` are Euclidean norms over all its own parameters: of
    their values before the step, of the loss's gradient before clipping, of their change;
    ``clipped`` is that of the gradient after clipping, where gradients are clipped. ``mean`` and
    ``std`` are those of the layer's outputs, ``backward`` is the norm of the gradient with respect
    to these. ``noise`` is the standard deviation of the gradient from batch to batch, over all its
    components, as the examples of this one let expect. ``dead`` is the share of units whose output
    is zero for the whole batch, ``saturated`` that of outputs where the activation's slope is below
    a twentieth of its steepest. ``through_time``, of a recurrent layer, is the norm of the gradient
    that arrives at each time step of its forward direction, first step first (of more than 32
    steps, the root mean square in 32 equal pieces). ``reads`` names the layer whose output it gets,
    if nothing is computed in between.
    """

    kind: str
    reads: str | None = None
    weight: Number = None
    gradient: Number = None
    clipped: Number = None
    update: Number = None
    mean: Number = None
    std: Number = None
    backward: Number = None
    noise: Number = None
    dead: Number = None
    saturated: Number = None
    through_time: tuple[float, ...] | None = None
    histograms: Mapping[str, Histogram] = field(default_factory=dict)

    @property
    def ratio(self) -> Number:
        """``update / weight``: about 1e-3 where a network learns well; None without weights."""
        if self.weight is None or self.update is None:
            return None
        return self.update / self.weight if self.weight else math.inf if self.update else 0.0

    def to_dict(self) -> dict[str, Any]:
        """Its numbers, for a line of ``layers.jsonl``."""
        numbers = {k: v for k, v in vars(self).items() if k != "histograms" and v is not None}
        return numbers if self.ratio is None else {**numbers, "ratio": self.ratio}


@dataclass(frozen=True)
class Observation:
    """``step`` counts the steps before this one since the beginning of training, ``epoch`` the
    epochs; ``loss`` is that of its batch, ``rates`` are the learning rates of the optimizer's
    groups, ``batch`` the examples of its batch. ``layers`` are in the order in which they are
    called.
    """

    step: int
    epoch: int
    loss: float
    rates: tuple[float, ...]
    layers: Mapping[str, LayerStatistics]
    batch: int = 0

    @property
    def noise_scale(self) -> Number:
        """The batch size at which chance moves the gradient as much as the loss does: tr(S) / |G|²,
        with S the covariance of the gradient of one example and G its mean, over the layers that
        have a ``noise`` (McCandlish et al. 2018, the simple noise scale). Far larger batches gain
        little. One step says little: take the median of many. None where the gradient is not to be
        told from chance, or noise is not measured.
        """
        known = [(x.gradient, x.noise) for x in self.layers.values()]
        squares = [(g * g, n * n) for g, n in known if g is not None and n is not None]
        chance = sum(n for _, n in squares)
        rest = sum(g for g, _ in squares) - chance
        return self.batch * chance / rest if squares and rest > 0.0 else None

    def to_dict(self) -> dict[str, Any]:
        """For a line of ``layers.jsonl``, where steps and epochs count from 1."""
        layers = {path: layer.to_dict() for path, layer in self.layers.items()}
        scale = {} if self.noise_scale is None else {"noise_scale": self.noise_scale}
        head = {**self._place(), "loss": self.loss, "rates": [*self.rates], "batch": self.batch}
        return {**head, **scale, "layers": layers}

    def histograms(self) -> dict[str, Any]:
        """For a line of ``histograms.jsonl``; empty if none were made."""
        layers = {
            path: {name: vars(h) for name, h in layer.histograms.items()}
            for path, layer in self.layers.items()
            if layer.histograms
        }
        return {**self._place(), "layers": layers} if layers else {}

    def _place(self) -> dict[str, int]:
        return {"step": self.step + 1, "epoch": self.epoch + 1}
