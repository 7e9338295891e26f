"""Where a step stands: attention alone does not know the order of what it reads."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..errors import ConfigError, ShapeError
from ..frontend.apply import from_array
from ..frontend.functional.windows import whole
from ..frontend.modes import thread, user_line
from ..frontend.operations.arithmetic import bitwise_and, less, less_equal, where
from ..frontend.operations.creation import iota
from ..frontend.operations.indexing import take
from ..frontend.operations.shaping import cat, stack
from ..frontend.tensor import Tensor
from ..ir.memory import aligned_copy, aligned_empty
from ..ir.types import is_whole
from . import init
from .caching import position_of
from .module import Module, Parameter, as_tensor, new_parameter


def rows_at(table: Tensor, steps: int, offset: Any) -> Tensor:
    """``steps`` rows of ``table`` [length, ...] from ``offset`` on.

    `ShapeError` beyond the end; where nobody can be told, in a compiled function, rows are NaN.
    """
    length = table.shape[0]
    if is_whole(offset) or thread.trace is None:
        first = int(offset if is_whole(offset) else position_of(offset).item())
        if not 0 <= first <= length - steps:
            raise ShapeError(
                f"there are {length} positions, but the steps are {first} to {first + steps - 1}",
                where=user_line(),
                help="pass fewer steps, or build the layer for more",
            )
        return table[first : first + steps]
    at = iota((steps,), 0) + position_of(offset)
    known = bitwise_and(less_equal(0, at), less(at, length))
    known = known.reshape(-1, *[1] * (table.ndim - 1))
    return where(known, take(table, at, 0), math.nan)


class _Added(Module):
    """Adds a row of a table [length, width] to each step."""

    def __init__(self, length: int, width: int, batch_first: bool) -> None:
        super().__init__()
        name = type(self).__name__
        self.length = whole(f"length of {name}", length)
        self.width = whole(f"width of {name}", width)
        self.batch_first = bool(batch_first)

    def _table(self) -> Tensor:
        raise NotImplementedError

    def forward(self, x: Any, offset: Any = 0) -> Tensor:
        """x and its positions, of which the first is ``offset``."""
        x = as_tensor(x)
        if x.ndim not in (2, 3) or x.shape[-1] != self.width:
            order = "batch, steps" if self.batch_first else "steps, batch"
            raise ShapeError(
                f"positions of width {self.width} got an input of shape {x.shape}",
                where=user_line(),
                help=f"pass [{order}, {self.width}], or of one row [steps, {self.width}]",
            )
        time_first = x.ndim == 3 and not self.batch_first
        rows = rows_at(self._table(), x.shape[0 if time_first else -2], offset)
        y: Tensor = x + (rows.unsqueeze(1) if time_first else rows)
        return y

    def extra_repr(self) -> str:
        """Sizes."""
        return f"{self.length}, {self.width}" + ", batch_first=True" * self.batch_first


class LearnedPositions(_Added):
    """x + weight[t] for each step t: a learned vector for each of ``length`` positions.

    x is [steps, batch, width], with ``batch_first`` [batch, steps, width]; one row may come without
    batch. The weight [length, width] is normal with deviation 0.02 at first, as in GPT-2.
    ``forward(x, offset)`` counts from ``offset``. More steps than there are positions are a
    `ShapeError`; where nobody can be told, NaN.
    """

    weight: Parameter

    def __init__(self, length: int, width: int, batch_first: bool = False) -> None:
        super().__init__(length, width, batch_first)
        self.weight = new_parameter(aligned_empty((self.length, self.width), np.float32))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw new initial values."""
        init.normal_(self.weight, std=0.02)

    def _table(self) -> Tensor:
        return self.weight


class SinusoidalPositions(_Added):
    """x + waves of the position t, from short to long ones (Vaswani et al., 2017):

        sin(t / base^(2i / width)) in feature 2i, cos(t / base^(2i / width)) in feature 2i + 1

    Shapes and ``offset`` are those of `LearnedPositions`. Nothing is learned or saved.
    """

    waves: Tensor

    def __init__(
        self, length: int, width: int, batch_first: bool = False, *, base: float = 10000.0
    ) -> None:
        super().__init__(length, width, batch_first)
        angles = _angles(self.length, (self.width + 1) // 2, self.width, base)
        waves = np.stack([np.sin(angles), np.cos(angles)], -1).reshape(self.length, -1)
        self.base = float(base)
        self.register_buffer("waves", _kept(waves[:, : self.width]), persistent=False)

    def _table(self) -> Tensor:
        return self.waves


class RotaryPositions(Module):
    """Turns pairs of features by angles that grow with the position t (Su et al., 2021):

        a' = a cos(t θ_i) - b sin(t θ_i)
        b' = b cos(t θ_i) + a sin(t θ_i)           θ_i = base^(-2i / width)

    so that the product of a query and a key depends on how far apart they stand. The i-th pair is
    (x[i], x[i + width/2]), as in GPT-NeoX and LLaMA, or ``interleaved`` (x[2i], x[2i + 1]), as in
    the paper. x is [..., steps, width], for example the heads of a query; ``forward(x, offset)``
    counts from ``offset``. Nothing is learned or saved. `ConfigError` for an odd width.
    """

    cosines: Tensor
    sines: Tensor

    def __init__(
        self, length: int, width: int, base: float = 10000.0, *, interleaved: bool = False
    ) -> None:
        super().__init__()
        self.length = whole("length of RotaryPositions", length)
        self.width = whole("width of RotaryPositions", width)
        if self.width % 2:
            raise ConfigError(
                f"width of RotaryPositions is {width}",
                where=user_line(),
                help="features are turned in pairs: pass an even width",
            )
        self.base, self.interleaved = float(base), bool(interleaved)
        angles = _angles(self.length, self.width // 2, self.width, base)
        self.register_buffer("cosines", _kept(np.cos(angles)), persistent=False)
        self.register_buffer("sines", _kept(np.sin(angles)), persistent=False)

    def check_width(self, width: int) -> None:
        """`ConfigError` unless the heads of a layer have this ``width``."""
        if width != self.width:
            raise ConfigError(
                f"rotary positions of width {self.width} cannot turn heads of width {width}",
                where=user_line(),
                help=f"build them as RotaryPositions(length, {width})",
            )

    def forward(self, x: Any, offset: Any = 0) -> Tensor:
        """x, turned."""
        x = as_tensor(x)
        if x.ndim < 2 or x.shape[-1] != self.width:
            raise ShapeError(
                f"rotary positions of width {self.width} got an input of shape {x.shape}",
                where=user_line(),
                help=f"pass [..., steps, {self.width}]",
            )
        steps, half = x.shape[-2], self.width // 2
        cosines = rows_at(self.cosines, steps, offset)
        sines = rows_at(self.sines, steps, offset)
        if self.interleaved:
            pairs = x.reshape(*x.shape[:-1], half, 2)
            a, b = pairs[..., 0], pairs[..., 1]
        else:
            a, b = x[..., :half], x[..., half:]
        turned = a * cosines - b * sines, b * cosines + a * sines
        return stack(turned, -1).reshape(x.shape) if self.interleaved else cat(turned, -1)

    def extra_repr(self) -> str:
        """Sizes."""
        more = f", base={self.base:g}" * (self.base != 10000.0)
        return f"{self.length}, {self.width}{more}" + ", interleaved=True" * self.interleaved


def _angles(length: int, count: int, width: int, base: float) -> Any:
    """t / base^(2i / width) for all positions and ``count`` waves, in double."""
    if not base > 0.0:
        raise ConfigError(
            f"base of positions is {base!r}", where=user_line(), help="pass a number above 0"
        )
    return np.outer(np.arange(length), float(base) ** (-2.0 * np.arange(count) / width))


def _kept(table: Any) -> Tensor:
    return from_array(aligned_copy(table.astype(np.float32)))
