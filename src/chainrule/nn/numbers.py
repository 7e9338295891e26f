"""Encodings of the numbers in a row, which give a network for tables more than one slope for each.

Gorishniy et al., 2022, "On embeddings for numerical features in tabular deep learning".
"""

from __future__ import annotations

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
from .module import Module, as_tensor, zero_buffer

__all__ = ["PiecewiseLinear", "quantile_edges"]

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
