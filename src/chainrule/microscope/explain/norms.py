"""Normalising layers: mean and spread of which numbers, then scale and shift."""

from __future__ import annotations

from typing import Any

import numpy as np

from ... import nn
from ..shown import MisfitError, Part, Sum, Table, Term, sum_of
from ..walk import Seen

__all__ = ["NORMS", "norm_of"]

NORMS = (
    nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.InstanceNorm1d, nn.InstanceNorm2d,
    nn.GroupNorm, nn.LayerNorm, nn.RMSNorm,
)  # fmt: skip
F32_EPS = float(np.finfo(np.float32).eps)


def norm_of(seen: Seen, place: tuple[int, ...], training: bool) -> list[Part]:
    """Where mean and spread come from, and the sum y = (γ/σ)·x - (γ/σ)·μ + β."""
    layer, x = seen.layer, seen.given.array.astype(np.float64)
    eps = F32_EPS if layer.eps is None else float(layer.eps)
    mean, variance, words = _moments(layer, x, place, training)
    spread = float(np.sqrt(variance + eps))
    learned = place[1] if not isinstance(layer, nn.LayerNorm | nn.RMSNorm) else (
        place[x.ndim - len(layer.normalized_shape) :])  # fmt: skip
    gamma, beta = (
        float(seen.parameters[n].before[learned]) if n in seen.parameters else default
        for n, default in (("weight", 1.0), ("bias", 0.0))
    )
    value, y = float(x[place]), float(seen.result.array[place])
    table = Table(
        "What it is measured by", ("", "value"),
        (("x", value), ("mean μ", mean), ("variance σ²", variance), ("√(σ² + eps)", spread),
         ("normalised (x - μ)/√(σ² + eps)", (value - mean) / spread), ("weight γ", gamma),
         ("bias β", beta)), words,
    )  # fmt: skip
    return [table, _sum(seen, value, mean, spread, gamma, beta, y)]


def _sum(seen: Seen, x: float, mean: float, spread: float, gamma: float, beta: float,
         y: float) -> Sum:  # fmt: skip
    scale = gamma / spread
    terms = [Term("x", (x, scale), x * scale)]
    if not isinstance(seen.layer, nn.RMSNorm):
        terms.append(Term("mean", (mean, -scale), -mean * scale))
    if "bias" in seen.parameters:
        terms.append(Term("bias", (beta,), beta))
    return sum_of("Scaled and shifted", "y = (γ/σ)·x - (γ/σ)·μ + β", ("", "value", "factor",
                  "product"), terms, y)  # fmt: skip


def _moments(
    layer: Any, x: Any, place: tuple[int, ...], training: bool
) -> tuple[float, float, str]:
    """Mean and variance of the numbers that share them with ``place``, and which these are."""
    row = place[0]
    if isinstance(layer, nn.RMSNorm):
        group = x[place[: x.ndim - len(layer.normalized_shape)]]
        return 0.0, float(np.mean(group**2)), f"the root mean square of {group.size} features"
    if isinstance(layer, nn.LayerNorm):
        group = x[place[: x.ndim - len(layer.normalized_shape)]]
        words = f"mean and variance of {group.size} features of this row"
    elif isinstance(layer, nn.GroupNorm):
        size = layer.num_channels // layer.num_groups
        first = place[1] // size * size
        group = x[row, first : first + size]
        words = f"mean and variance of channels {first} to {first + size - 1} of this row"
    else:
        channel, kept = place[1], layer.running_mean is not None
        batch = not isinstance(layer, nn.InstanceNorm1d | nn.InstanceNorm2d)
        if kept and not training:
            mean, variance = (
                float(t.numpy()[channel]) for t in (layer.running_mean, layer.running_var)
            )
            return mean, variance, "running statistics of the training, as in predictions"
        if x.ndim < 2:
            raise MisfitError("no channels")
        group = x[:, channel] if batch else x[row, channel]
        words = f"mean and variance of {group.size} numbers of " + (
            "this channel in the whole batch" if batch else "this channel of this row"
        )
    return float(np.mean(group)), float(np.var(group)), words
