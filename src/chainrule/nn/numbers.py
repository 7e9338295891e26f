"""Encodings of the numbers in a row, which give a network for tables more than one slope for each.

Gorishniy et al., 2022, "On embeddings for numerical features in tabular deep learning"; Holzmüller
et al., 2024, "Better by default: strong pre-tuned MLPs and boosted trees on tabular data".
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import ShapeError
from ..frontend.apply import from_array
from ..frontend.functional.windows import whole
from ..frontend.modes import no_grad, user_line
from ..frontend.operations import arithmetic, shaping
from ..frontend.tensor import Tensor
from ..ir.memory import aligned_copy
from . import init
from .module import Module, Parameter, as_tensor, new_parameter, zero_buffer

__all__ = ["PeriodicEmbedding", "PiecewiseLinear", "SmoothClip", "quantile_edges"]

Array = npt.NDArray[Any]

#: where nothing is clipped
LARGEST = float(np.finfo(np.float32).max)


def quantile_edges(values: Array, bins: int) -> Array:
    """The borders of at most ``bins`` intervals with nearly equal shares of ``values``, ascending.

    They are values that occur, each named once: few distinct values give fewer intervals, one
    value gives none.
    """
    ordered = np.sort(np.asarray(values).ravel())
    places = np.arange(bins + 1) * (len(ordered) - 1) // bins
    return np.unique(ordered[places])


class PiecewiseLinear(Module):
    """Each number of x [..., F] as its position in T intervals: [..., D].

    For the interval from a to b of a column in ``columns`` the result is

        e = (x - a) / (b - a), clipped to [0, 1]

    so that intervals to the left of x hold 1 and those to the right 0; the first is not clipped
    below, and the last not above. A layer behind it learns a slope for each interval. The other
    columns are handed on as they are. D = T · len(columns) + F - len(columns): first the intervals,
    column by column, then the others. Intervals that a column has no use for are 0.

    The borders are buffers: `fit` takes them from quantiles of the training rows.
    """

    scale: Tensor
    shift: Tensor
    low: Tensor
    high: Tensor

    def __init__(self, features: int, bins: int, columns: Sequence[int] | None = None) -> None:
        super().__init__()
        self.features = whole("features of PiecewiseLinear", features)
        self.bins = whole("bins of PiecewiseLinear", bins)
        chosen = range(self.features) if columns is None else columns
        self.columns = tuple(whole("a column of PiecewiseLinear", c, least=0) for c in chosen)
        self.others = tuple(c for c in range(self.features) if c not in set(self.columns))
        for name in ("scale", "shift", "low", "high"):
            self.register_buffer(name, zero_buffer((len(self.columns), self.bins)))

    @property
    def width(self) -> int:
        """D, the length of the last axis of the result."""
        return self.bins * len(self.columns) + len(self.others)

    def fit(self, x: Array) -> None:
        """Takes the borders from quantiles of each column of x [rows, F]; see `quantile_edges`."""
        parts = [_line_of(quantile_edges(x[:, c], self.bins), self.bins) for c in self.columns]
        with no_grad():
            for i, name in enumerate(("scale", "shift", "low", "high")):
                values = np.array([part[i] for part in parts], np.float32)
                getattr(self, name).assign_(from_array(aligned_copy(values)))

    def forward(self, x: Any) -> Tensor:
        """The encoded numbers."""
        x = as_tensor(x)
        if x.ndim == 0 or x.shape[-1] != self.features:
            raise ShapeError(
                f"an input of shape {x.shape} does not match {self.features} columns",
                where=user_line(),
                help=f"pass [..., {self.features}]",
            )
        numbers = x if not self.others else x[..., list(self.columns)]
        line = numbers.unsqueeze(-1) * self.scale + self.shift
        encoded = arithmetic.maximum(arithmetic.minimum(line, self.high), self.low)
        flat: Tensor = encoded.reshape(*x.shape[:-1], self.bins * len(self.columns))
        if not self.others:
            return flat
        from_others: Tensor = x[..., list(self.others)]
        return shaping.cat([flat, from_others], -1)

    def extra_repr(self) -> str:
        """Sizes."""
        return f"{self.features}, bins={self.bins}, columns={len(self.columns)}"


def _line_of(edges: Array, bins: int) -> tuple[Array, Array, Array, Array]:
    """Scale, shift and limits of each of ``bins`` intervals between ``edges``; 0 without a use."""
    scale, shift, low, high = np.zeros((4, bins))
    used = len(edges) - 1
    if used > 0:
        widths = np.diff(edges.astype(np.float64))
        scale[:used], shift[:used] = 1 / widths, -edges[:-1] / widths
        high[:used] = 1
        low[0], high[used - 1] = -LARGEST, LARGEST
    return scale, shift, low, high


class SmoothClip(Module):
    """Numbers x [..., F] around 0, nearly as wide as 1, and never beyond ±3:

        z = (x - median) / IQR,   y = z / sqrt(1 + (z / 3)²)

    IQR is the distance of the quartiles, or half of the range where that is 0; a constant gives 0.
    Columns that are not in ``columns`` are handed on as they are. Center and scale are buffers that
    `fit` takes from the training rows.
    """

    center: Tensor
    scale: Tensor
    clipped: Tensor

    def __init__(self, features: int, columns: Sequence[int] | None = None) -> None:
        super().__init__()
        self.features = whole("features of SmoothClip", features)
        chosen = range(self.features) if columns is None else columns
        self.columns = tuple(whole("a column of SmoothClip", c, least=0) for c in chosen)
        for name in ("center", "scale", "clipped"):
            self.register_buffer(name, zero_buffer((self.features,)))

    def fit(self, x: Array) -> None:
        """Takes center and scale from the columns of x [rows, F]."""
        center, scale, clipped = np.zeros((3, self.features), np.float32)
        scale[:] = 1
        for column in self.columns:
            ordered = np.sort(x[:, column].astype(np.float64))
            low, middle, high = ordered[np.array([1, 2, 3]) * (len(ordered) - 1) // 4]
            width = high - low or (ordered[-1] - ordered[0]) / 2
            center[column], scale[column] = middle, 1 / width if width else 0
            clipped[column] = 1 / 9
        with no_grad():
            for name, values in (("center", center), ("scale", scale), ("clipped", clipped)):
                getattr(self, name).assign_(from_array(aligned_copy(values)))

    def forward(self, x: Any) -> Tensor:
        """The clipped numbers."""
        z = (as_tensor(x) - self.center) * self.scale
        y: Tensor = z / (1 + z * z * self.clipped).sqrt()
        return y

    def extra_repr(self) -> str:
        """Sizes."""
        return f"{self.features}, columns={len(self.columns)}"


class PeriodicEmbedding(Module):
    """Each number of x [N, F] with a few learned waves of it, for K members: [K, N, D].

        e = cos(2π x w + b) A + c,   w, b: H frequencies, A [H, E]

    The result holds x itself, then the E numbers of each column in ``columns``: D = F + E ·
    len(columns). w is normal with the deviation ``sigma`` at first, b uniform in ±π, A and c as
    those of `Linear`. In the paper this is "PBLD".
    """

    frequency: Parameter
    phase: Parameter
    weight: Parameter
    bias: Parameter

    def __init__(
        self,
        members: int,
        features: int,
        columns: Sequence[int] | None = None,
        frequencies: int = 16,
        embedded: int = 3,
        sigma: float = 0.1,
    ) -> None:
        super().__init__()
        self.members = whole("members of PeriodicEmbedding", members)
        self.features = whole("features of PeriodicEmbedding", features)
        chosen = range(self.features) if columns is None else columns
        self.columns = tuple(whole("a column of PeriodicEmbedding", c, least=0) for c in chosen)
        several = (self.members, len(self.columns))
        bound = 1 / math.sqrt(whole("frequencies of PeriodicEmbedding", frequencies))
        self.frequency = _parameter(*several, 1, frequencies)
        init.normal_(self.frequency, 0.0, sigma)
        self.phase = _parameter(*several, 1, frequencies)
        init.uniform_(self.phase, -math.pi, math.pi)
        self.weight = _parameter(*several, frequencies, embedded)
        init.uniform_(self.weight, -bound, bound)
        self.bias = _parameter(*several, 1, embedded)
        init.uniform_(self.bias, -bound, bound)
        #: D, the length of the last axis of the result
        self.width = self.features + embedded * len(self.columns)

    def forward(self, x: Any) -> Tensor:
        """The numbers and their waves."""
        x = as_tensor(x)
        numbers = x if len(self.columns) == self.features else x[:, list(self.columns)]
        by_column = numbers.permute(1, 0).unsqueeze(-1)
        waves = arithmetic.cos(by_column * (2 * math.pi * self.frequency) + self.phase)
        embedded = (waves @ self.weight + self.bias).permute(0, 2, 1, 3)
        flat = embedded.reshape(self.members, x.shape[0], self.width - self.features)
        own = x.unsqueeze(0).expand(self.members, *x.shape)
        return shaping.cat([own, flat], -1)

    def extra_repr(self) -> str:
        """Sizes."""
        frequencies, embedded = self.weight.shape[-2:]
        return f"{self.features}, columns={len(self.columns)}, {frequencies} -> {embedded}"


def _parameter(*shape: int) -> Parameter:
    return new_parameter(aligned_copy(np.zeros(shape, np.float32)))
