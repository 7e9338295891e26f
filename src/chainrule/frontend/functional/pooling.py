"""Pooling of x [N, C, *S] (or [C, *S]): one number for each window.

Windows that tile the image are axes of a reshape: the gradient is one element-wise map. All others
are slices, taken one axis after the other: the largest of the largest of each row is the largest,
and the first one in row-major order as well.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from functools import reduce
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from ... import ops
from ...errors import ConfigError
from ...ir.types import Array, Shape, is_whole
from ..apply import apply
from ..modes import user_line
from ..operations import reductions
from ..operations.arithmetic import (
    add,
    bitwise_or,
    broadcast_to,
    equal,
    less,
    maximum,
    not_equal,
    where,
)
from ..operations.shaping import reshape, slice_axis
from .windows import (
    Sizes,
    Windows,
    along,
    batched,
    like_input,
    spread_windows,
    windows_of,
)

if TYPE_CHECKING:
    from ..tensor import Tensor

#: windows of up to this many elements are searched by comparing slices
SMALL = 16

#: a size for each axis; None keeps that of the input
OutputSize = int | None | Sequence[int | None]


def max_pool1d(
    x: Tensor,
    kernel_size: Sizes,
    stride: Sizes | None = None,
    padding: Sizes = 0,
    dilation: Sizes = 1,
    ceil_mode: bool = False,
) -> Tensor:
    """The largest element of each window of x [N, C, L]; see `max_pool2d`."""
    return max_pool(x, kernel_size, stride, padding, dilation, ceil_mode, axes=1)


def max_pool2d(
    x: Tensor,
    kernel_size: Sizes,
    stride: Sizes | None = None,
    padding: Sizes = 0,
    dilation: Sizes = 1,
    ceil_mode: bool = False,
) -> Tensor:
    """The largest element of each window of x [N, C, H, W].

    Windows are ``stride`` apart (default: ``kernel_size``, side by side). There are
    floor((H + 2·padding - dilation·(kernel_size - 1) - 1) / stride) + 1 rows of them; with
    ``ceil_mode`` the last may reach beyond the border. Of equal elements the first, row by row,
    gets the gradient; a NaN counts as largest.
    """
    return max_pool(x, kernel_size, stride, padding, dilation, ceil_mode, axes=2)


def max_pool3d(
    x: Tensor,
    kernel_size: Sizes,
    stride: Sizes | None = None,
    padding: Sizes = 0,
    dilation: Sizes = 1,
    ceil_mode: bool = False,
) -> Tensor:
    """The largest element of each window of x [N, C, D, H, W]; see `max_pool2d`."""
    return max_pool(x, kernel_size, stride, padding, dilation, ceil_mode, axes=3)


def avg_pool1d(
    x: Tensor,
    kernel_size: Sizes,
    stride: Sizes | None = None,
    padding: Sizes = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
) -> Tensor:
    """The mean of each window of x [N, C, L]; see `avg_pool2d`."""
    return avg_pool(x, kernel_size, stride, padding, ceil_mode, count_include_pad, None, axes=1)


def avg_pool2d(
    x: Tensor,
    kernel_size: Sizes,
    stride: Sizes | None = None,
    padding: Sizes = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> Tensor:
    """The mean of each window of x [N, C, H, W]; windows as in `max_pool2d`.

    Zeros of the padding count as elements unless ``count_include_pad`` is False.
    ``divisor_override`` divides all sums by one number.
    """
    return avg_pool(
        x, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override, axes=2
    )


def avg_pool3d(
    x: Tensor,
    kernel_size: Sizes,
    stride: Sizes | None = None,
    padding: Sizes = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> Tensor:
    """The mean of each window of x [N, C, D, H, W]; see `avg_pool2d`."""
    return avg_pool(
        x, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override, axes=3
    )


def adaptive_max_pool1d(x: Tensor, output_size: OutputSize) -> Tensor:
    """The largest elements of ``output_size`` windows of x [N, C, L]; see `adaptive_avg_pool2d`."""
    return adaptive_max_pool(x, output_size, axes=1)


def adaptive_max_pool2d(x: Tensor, output_size: OutputSize) -> Tensor:
    """The largest elements of windows of x [N, C, H, W]; see `adaptive_avg_pool2d`."""
    return adaptive_max_pool(x, output_size, axes=2)


def adaptive_avg_pool1d(x: Tensor, output_size: OutputSize) -> Tensor:
    """The means of ``output_size`` windows of x [N, C, L]; see `adaptive_avg_pool2d`."""
    return adaptive_avg_pool(x, output_size, axes=1)


def adaptive_avg_pool2d(x: Tensor, output_size: OutputSize) -> Tensor:
    """The means of ``output_size`` (rows, columns) of windows of x [N, C, H, W].

    Window i of m along n elements is floor(i·n / m) to ceil((i + 1)·n / m): all sizes fit all
    images, and 1 is the mean of the whole image. None keeps a size.
    """
    return adaptive_avg_pool(x, output_size, axes=2)


# ---------------------------------------------------------------------------- any number of axes


def max_pool(
    x: Tensor,
    kernel_size: Sizes,
    stride: Sizes | None,
    padding: Sizes,
    dilation: Sizes,
    ceil_mode: bool,
    axes: int,
) -> Tensor:
    """The largest element of each window along the last ``axes``; see `max_pool2d`."""
    images = batched(x, axes)
    windows = windows_of(images, kernel_size, stride, padding, dilation, ceil_mode, axes)
    if all(w.tiles for w in windows):
        y = _largest_of_tiles(_cropped(images, windows), [w.kernel for w in windows])
    else:
        y = images
        for w in reversed(windows):
            if w.kernel > 1 or w.stride > 1:
                y = _largest(w.pieces(y, -math.inf), w.first_inside(), w.axis)
    return like_input(y, x)


def avg_pool(
    x: Tensor,
    kernel_size: Sizes,
    stride: Sizes | None,
    padding: Sizes,
    ceil_mode: bool,
    count_include_pad: bool,
    divisor_override: int | None,
    axes: int,
) -> Tensor:
    """The mean of each window along the last ``axes``; see `avg_pool2d`."""
    images = batched(x, axes)
    windows = windows_of(images, kernel_size, stride, padding, 1, ceil_mode, axes)
    check_divisor(divisor_override)
    if all(w.tiles for w in windows):
        kernel = [w.kernel for w in windows]
        tiles = _tiles(_cropped(images, windows), kernel)
        y = reductions.sum(tiles, _window_axes(kernel))
        return like_input(y * (1.0 / (divisor_override or math.prod(kernel))), x)
    y = images
    for w in reversed(windows):
        y = reduce(add, w.pieces(y, 0.0))
        if divisor_override is None:
            y = y * along(1.0 / w.lengths(count_include_pad), w.axis, y.ndim)
    return like_input(y if divisor_override is None else y * (1.0 / divisor_override), x)


def adaptive_max_pool(x: Tensor, output_size: OutputSize, axes: int) -> Tensor:
    """The largest element of each of ``output_size`` windows of nearly equal size."""
    images = batched(x, axes)
    sizes = _output_sizes(images, output_size, axes)
    if _divides(images, sizes):
        kernel = [n // o for n, o in zip(images.shape[2:], sizes, strict=True)]
        return like_input(_largest_of_tiles(images, kernel), x)
    y = images
    for axis in range(axes + 1, 1, -1):
        pieces, _ = spread_windows(y, sizes[axis - 2], axis)
        y = _largest(pieces, np.zeros(sizes[axis - 2], np.int32), axis)
    return like_input(y, x)


def adaptive_avg_pool(x: Tensor, output_size: OutputSize, axes: int) -> Tensor:
    """The mean of each of ``output_size`` windows of nearly equal size.

    Window i of m along n elements is floor(i·n / m) to ceil((i + 1)·n / m).
    """
    images = batched(x, axes)
    sizes = _output_sizes(images, output_size, axes)
    if _divides(images, sizes):
        kernel = [n // o for n, o in zip(images.shape[2:], sizes, strict=True)]
        total = reductions.sum(_tiles(images, kernel), _window_axes(kernel))
        return like_input(total * (1.0 / math.prod(kernel)), x)
    y = images
    for axis in range(axes + 1, 1, -1):
        pieces, inside = spread_windows(y, sizes[axis - 2], axis)
        kept = [where(along(m, axis, p.ndim), p, 0.0) for p, m in zip(pieces, inside, strict=True)]
        y = reduce(add, kept)
        y = y * along(1.0 / np.sum(inside, axis=0), axis, y.ndim)
    return like_input(y, x)


# ------------------------------------------------------------------------------------- parts


def _cropped(x: Tensor, windows: Sequence[Windows]) -> Tensor:
    """Without the elements behind the last window."""
    for w in windows:
        if w.count * w.kernel < w.size:
            x = slice_axis(x, w.axis, 0, w.count * w.kernel)
    return x


def _tiles(x: Tensor, kernel: Sequence[int]) -> Tensor:
    """x [N, C, P·k, Q·l] as [N, C, P, k, Q, l]."""
    cut = [n for s, k in zip(x.shape[2:], kernel, strict=True) for n in (s // k, k)]
    return reshape(x, (*x.shape[:2], *cut))


def _window_axes(kernel: Sequence[int]) -> Shape:
    """The axes of `_tiles` that lie inside of windows."""
    return tuple(range(3, 3 + 2 * len(kernel), 2))


def _largest_of_tiles(x: Tensor, kernel: Sequence[int]) -> Tensor:
    """The largest of each window.

    Its derivative is that of a sum over the window of the elements at the place of the first
    largest. That place is a whole number, through which no derivative passes: so the gradient goes
    to this element alone, and is one element-wise map.
    """
    if math.prod(kernel) > SMALL:
        for axis in reversed(range(len(kernel))):  # rows last: the first row wins a tie
            if kernel[axis] > 1:
                x = _largest_along(x, axis, kernel[axis])
        return x
    if not x.requires_grad:
        return reduce(maximum, _corners(x, kernel))
    tiles = _tiles(x, kernel)
    best, position = _first_largest(_corners(x, kernel), np.zeros(1, np.int32), 2)
    number: Tensor | int = 0
    for axis, k in zip(_window_axes(kernel), kernel, strict=True):
        number = number * k + apply(ops.iota, shape=tiles.shape, axis=axis)
    inside = [n for p in position.shape[2:] for n in (p, 1)]
    chosen = equal(reshape(position, (*position.shape[:2], *inside)), number)
    way = reductions.sum(where(chosen, tiles, 0.0), _window_axes(kernel))
    return apply(ops.detour, best, way)


def _corners(x: Tensor, kernel: Sequence[int]) -> list[Tensor]:
    """For each place in a window, row by row, its elements of all windows."""
    corners = [x]
    for axis, k in enumerate(kernel, start=2):
        corners = [
            slice_axis(piece, axis, start, piece.shape[axis], k)
            for piece in corners
            for start in range(k)
        ]
    return corners


def _largest_along(x: Tensor, axis: int, k: int) -> Tensor:
    """The largest of each k neighbours of image axis ``axis``."""
    kernel = [1] * (x.ndim - 2)
    kernel[axis] = k
    tiles = _tiles(x, kernel)
    at = _window_axes(kernel)[axis]
    position = reductions.argmax(tiles, at, keepdim=True)
    chosen = equal(position, apply(ops.iota, shape=tiles.shape, axis=at))
    return reductions.sum(where(chosen, tiles, 0.0), _window_axes(kernel))


def _first_largest(pieces: Sequence[Tensor], first: Array, axis: int) -> tuple[Tensor, Tensor]:
    """The largest of the pieces, and which is the first such; a NaN counts as largest."""
    best = pieces[0]
    position = broadcast_to(along(first, axis, best.ndim), best.shape)
    for k, piece in enumerate(pieces[1:], start=1):
        wins = bitwise_or(less(best, piece), not_equal(piece, piece))
        best, position = where(wins, piece, best), where(wins, k, position)
    return best, position


def _largest(pieces: Sequence[Tensor], first: Array, axis: int) -> Tensor:
    """The largest of the pieces, element by element; the gradient goes to the first of them."""
    if not any(p.requires_grad for p in pieces):
        return reduce(maximum, pieces)
    best, position = _first_largest(pieces, first, axis)
    way = reduce(add, [where(equal(position, k), p, 0.0) for k, p in enumerate(pieces)])
    return apply(ops.detour, best, way)


def check_divisor(divisor_override: int | None) -> None:
    """`ConfigError` for 0."""
    if divisor_override == 0:
        raise ConfigError(
            "divisor_override is 0", where=user_line(), help="the divisor must not be 0"
        )


def check_output_size(name: str, output_size: OutputSize, axes: int) -> tuple[int | None, ...]:
    """A size for each of the ``axes``, None for those that stay; `ConfigError` for others."""
    many = isinstance(output_size, Iterable)
    given: tuple[Any, ...] = tuple(cast("Any", output_size)) if many else (output_size,) * axes
    sizes = [n for n in given if n is not None]
    if len(given) != axes or not all(is_whole(n) and n >= 1 for n in sizes):
        raise ConfigError(
            f"{name} is {output_size!r}",
            where=user_line(),
            help=f"pass a whole number of at least 1, or {axes}; None keeps the input's size",
        )
    return given


def _output_sizes(x: Tensor, output_size: OutputSize, axes: int) -> Shape:
    given = check_output_size("output_size", output_size, axes)
    return tuple(n if o is None else int(o) for n, o in zip(x.shape[2:], given, strict=True))


def _divides(x: Tensor, sizes: Shape) -> bool:
    return all(n % o == 0 for n, o in zip(x.shape[2:], sizes, strict=True))
