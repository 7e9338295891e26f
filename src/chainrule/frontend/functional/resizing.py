"""Images made larger or smaller: interpolation, borders, channels turned into pixels."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from ...errors import ConfigError, ShapeError
from ...ir.types import Shape
from ..apply import separate
from ..modes import user_line
from ..operations.arithmetic import broadcast_to
from ..operations.shaping import pad as pad_all
from ..operations.shaping import permute, reshape, slice_axis
from .windows import Sizes, along, per_axis, picked, whole

if TYPE_CHECKING:
    from ..tensor import Tensor

#: one factor for all axes, or one for each
Factors = float | Sequence[float]

#: interpolations, and how many image axes they are for (None: any)
MODES: dict[str, int | None] = {"nearest": None, "linear": 1, "bilinear": 2, "trilinear": 3}
HELP = 'use "nearest", or "linear", "bilinear", "trilinear" for one to three image axes'


def interpolate(
    x: Tensor,
    size: Sizes | None = None,
    scale_factor: Factors | None = None,
    mode: str = "nearest",
    align_corners: bool | None = None,
) -> Tensor:
    """x [N, C, *S] resized to ``size``, or to floor(S · scale_factor).

    "nearest" takes element floor(i · scale) for element i, with scale = 1 / scale_factor, or the
    ratio of the sizes. "linear", "bilinear" and "trilinear" blend the two neighbours along each
    axis of the position (i + 1/2) · scale - 1/2, or with ``align_corners`` of
    i · (old - 1) / (new - 1), which leaves the corners where they are. Names and formulas are
    PyTorch's.
    """
    axes = x.ndim - 2
    check_interpolation(size, scale_factor, mode, align_corners)
    if axes < 1 or MODES[mode] not in (None, axes):
        raise ConfigError(
            f"interpolation {mode!r} of an input of shape {x.shape}",
            where=user_line(),
            help=HELP,
        )
    sizes, scales = _target(x.shape[2:], size, scale_factor)
    for axis, (count, scale) in enumerate(zip(sizes, scales, strict=True), start=2):
        if mode == "nearest":
            x = _repeated(x, axis, count, scale)
        else:
            x = _blended(x, axis, count, scale, bool(align_corners))
    return x


def check_interpolation(
    size: Sizes | None, scale_factor: Factors | None, mode: str, align_corners: bool | None
) -> None:
    """`ConfigError` for settings of `interpolate` that no image fits."""
    if mode not in MODES:
        raise ConfigError(f"unknown interpolation mode {mode!r}", where=user_line(), help=HELP)
    if align_corners is not None and mode == "nearest":
        raise ConfigError(
            'align_corners with mode "nearest"',
            where=user_line(),
            help="it works only with the interpolating modes",
        )
    if (size is None) == (scale_factor is None):
        given = "neither" if size is None else "both"
        raise ConfigError(
            f"interpolation got {given} of size and scale_factor",
            where=user_line(),
            help="pass one of them",
        )


def pixel_shuffle(x: Tensor, upscale_factor: int) -> Tensor:
    """x [N, C·r², H, W] as [N, C, H·r, W·r]: channels become pixels, r the ``upscale_factor``.

    Shi et al., 2016, "Real-time single image and video super-resolution using an efficient
    sub-pixel convolutional neural network".
    """
    r = whole("upscale_factor", upscale_factor)
    if x.ndim != 4 or x.shape[1] % (r * r):
        raise ShapeError(
            f"an input of shape {x.shape} cannot be shuffled by {r}",
            where=user_line(),
            help=f"pass [batch, channels, height, width] with a multiple of {r * r} channels",
        )
    n, channels, height, width = x.shape
    split = reshape(x, (n, channels // (r * r), r, r, height, width))
    return reshape(
        permute(split, (0, 1, 4, 2, 5, 3)), (n, channels // (r * r), height * r, width * r)
    )


@separate
def pad(x: Tensor, padding: Sequence[int], mode: str = "constant", value: float = 0.0) -> Tensor:
    """x with ``value`` around its last axes: (left, right, top, bottom, …), the last axis first.

    A negative width takes elements away.
    """
    if mode != "constant":
        raise ConfigError(f"padding mode {mode!r}", where=user_line(), help='there is "constant"')
    given = tuple(padding) if isinstance(padding, Iterable) else (padding,)
    widths = per_axis("padding", given, len(given), least=None)
    if len(widths) % 2 or len(widths) > 2 * x.ndim:
        raise ConfigError(
            f"padding {padding!r} for an input of shape {x.shape}",
            where=user_line(),
            help="pass two numbers per axis, starting with the last axis",
        )
    low, high = [0] * x.ndim, [0] * x.ndim
    for i in range(len(widths) // 2):
        low[-1 - i], high[-1 - i] = widths[2 * i], widths[2 * i + 1]
    if any(n + a + b < 0 for n, a, b in zip(x.shape, low, high, strict=True)):
        raise ShapeError(
            f"padding {padding!r} leaves nothing of {x.shape}", where=user_line(), help="crop less"
        )
    if max((*low, *high)) > 0:
        x = pad_all(x, tuple(max(n, 0) for n in low), tuple(max(n, 0) for n in high), value)
    for axis, (before, after) in enumerate(zip(low, high, strict=True)):
        if before < 0 or after < 0:
            x = slice_axis(x, axis, max(-before, 0), x.shape[axis] - max(-after, 0))
    return x


def _target(
    sizes: Shape, size: Sizes | None, scale_factor: Factors | None
) -> tuple[Shape, list[float]]:
    """New sizes, and the way in the input from one element of the result to the next."""
    axes = len(sizes)
    if size is not None:
        wanted = per_axis("size", size, axes)
        return wanted, [n / m for n, m in zip(sizes, wanted, strict=True)]
    single = not isinstance(scale_factor, Iterable)
    factors: list[Any] = [scale_factor] * axes if single else [*cast("Any", scale_factor)]
    if len(factors) != axes or not all(_is_factor(f) for f in factors):
        raise ConfigError(
            f"scale_factor is {scale_factor!r}",
            where=user_line(),
            help=f"pass a number above 0, or {axes} of them",
        )
    wanted = tuple(int(n * f) for n, f in zip(sizes, factors, strict=True))
    if min(wanted) < 1:
        raise ShapeError(
            f"scale_factor {scale_factor!r} leaves nothing of {sizes}",
            where=user_line(),
            help="use a larger factor",
        )
    return wanted, [1.0 / f for f in factors]


def _is_factor(value: object) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float | np.integer | np.floating):
        return False
    return 0.0 < float(value) < math.inf


def _repeated(x: Tensor, axis: int, count: int, scale: float) -> Tensor:
    """The nearest element before each position; whole factors repeat, without an index."""
    size = x.shape[axis]
    if count == size and scale == 1.0:
        return x
    if count % size == 0 and scale * count == size:
        head, tail = x.shape[:axis], x.shape[axis + 1 :]
        column = reshape(x, (*head, size, 1, *tail))
        spread = broadcast_to(column, (*head, size, count // size, *tail))
        return reshape(spread, (*head, count, *tail))
    position = np.floor(np.arange(count, dtype=np.float32) * np.float32(scale))
    return picked(x, np.minimum(position, size - 1), axis)


def _blended(x: Tensor, axis: int, count: int, scale: float, align_corners: bool) -> Tensor:
    """The two neighbours of each position, weighted by their nearness."""
    size = x.shape[axis]
    if align_corners:
        position = np.arange(count) * ((size - 1) / (count - 1) if count > 1 else 0.0)
    else:
        position = ((np.arange(count) + 0.5) * scale - 0.5).clip(0.0)
    before = np.minimum(np.floor(position), size - 1)
    after = np.minimum(before + 1, size - 1)
    share = position - before
    left = picked(x, before, axis) * along(1.0 - share, axis, x.ndim)
    return left + picked(x, after, axis) * along(share, axis, x.ndim)
