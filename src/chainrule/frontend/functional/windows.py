"""What convolution and pooling share: settings per axis, where windows lie, and what is in them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from ... import ops
from ...errors import ConfigError, DTypeError, ShapeError
from ...ir.types import Array, DType, Shape, is_whole
from ...ops.convolution import span
from ..apply import apply, tensor_of
from ..modes import user_line
from ..operations.shaping import pad, permute, reshape, slice_axis

if TYPE_CHECKING:
    from ..tensor import Tensor

#: one number for all axes, or one for each
Sizes = int | Sequence[int]

#: what image axes are called, by their number
AXES = {1: "length", 2: "height, width", 3: "depth, height, width"}


def whole(name: str, value: object, least: int = 1) -> int:
    """``value`` as an int, NumPy's whole numbers too; `ConfigError` for others, below ``least``."""
    (number,) = per_axis(name, (value,), 1, least)
    return number


def per_axis(name: str, value: object, axes: int, least: int | None = 1) -> Shape:
    """``value`` as one whole number for each of the ``axes``.

    `ConfigError` for anything else, and for numbers below ``least`` (None: any will do).
    """
    given = tuple(value) if isinstance(value, Iterable) else (value,)
    sizes = tuple(int(n) for n in given if is_whole(n))
    fits = len(sizes) == len(given) in (1, axes)
    if not fits or (least is not None and min(sizes) < least):
        shown = given[0] if axes == 1 == len(given) else value
        number = "a whole number" + ("" if least is None else f" of at least {least}")
        each = "" if axes == 1 else f", or {axes} of them"
        raise ConfigError(f"{name} is {shown!r}", where=user_line(), help=f"pass {number}{each}")
    return sizes if len(sizes) == axes else sizes * axes


def batched(x: Tensor, axes: int) -> Tensor:
    """x [N, C, *S] itself, or x [C, *S] as a batch of one."""
    x = tensor_of(x)
    if x.dtype is not DType.f32:
        raise DTypeError(
            f"an image layer got an input of dtype {x.dtype!r}",
            where=user_line(),
            help="convert it with x.astype(np.float32), or x.float() for a Tensor",
        )
    if x.ndim == axes + 2:
        return x
    if x.ndim == axes + 1:
        return reshape(x, (1, *x.shape))
    named = AXES[axes]
    raise ShapeError(
        f"an input of shape {x.shape} has {x.ndim} axes",
        where=user_line(),
        help=f"pass [batch, channels, {named}]: {axes + 2} axes, or {axes + 1} without the batch",
    )


def like_input(y: Tensor, x: Tensor) -> Tensor:
    """The result y [N, C, *P] without its batch, where the input x came without one."""
    return y if x.ndim == y.ndim else reshape(y, y.shape[1:])


def channels_last(x: Tensor) -> Tensor:
    """x [N, C, *S] as [N, *S, C]."""
    return permute(x, (0, *range(2, x.ndim), 1))


def channels_first(x: Tensor) -> Tensor:
    """x [N, *S, C] as [N, C, *S]."""
    return permute(x, (0, x.ndim - 1, *range(1, x.ndim - 1)))


class Windows:
    """Where the windows of one axis lie: ``count`` of them, ``stride`` apart."""

    def __init__(
        self,
        axis: int,
        size: int,
        kernel: int,
        stride: int,
        padding: int,
        dilation: int,
        ceil: bool,
    ) -> None:
        self.axis, self.size, self.kernel, self.stride = axis, size, kernel, stride
        self.padding, self.dilation = padding, dilation
        room = size + 2 * padding - span(kernel, dilation)
        self.count = room // stride + 1
        if ceil:
            self.count = -(-room // stride) + 1
            # A window that would start behind the image sees padding alone.
            if (self.count - 1) * stride >= size + padding:
                self.count -= 1

    @property
    def tiles(self) -> bool:
        """Whether the windows lie side by side, with nothing between and around them."""
        return (
            self.kernel == self.stride
            and self.padding == 0
            and (self.dilation == 1 or self.kernel == 1)
            and self.count * self.kernel <= self.size
        )

    def pieces(self, x: Tensor, filler: float) -> list[Tensor]:
        """The first element of every window, the second, and so on; ``filler`` is outside."""
        reach = (self.count - 1) * self.stride + span(self.kernel, self.dilation)
        after = max(reach - self.size - self.padding, 0)
        if self.padding or after:
            low, high = [0] * x.ndim, [0] * x.ndim
            low[self.axis], high[self.axis] = self.padding, after
            x = pad(x, tuple(low), tuple(high), filler)
        starts = [k * self.dilation for k in range(self.kernel)]
        last = (self.count - 1) * self.stride + 1
        return [slice_axis(x, self.axis, s, s + last, self.stride) for s in starts]

    def first_inside(self) -> Array:
        """The number, in each window, of its first element that is not padding."""
        before = self.padding - np.arange(self.count) * self.stride
        return (-(-before.clip(0) // self.dilation)).astype(np.int32)

    def lengths(self, with_padding: bool) -> Array:
        """How many elements each window has."""
        start = np.arange(self.count) * self.stride - self.padding
        stop = np.minimum(start + self.kernel, self.size + self.padding)
        if not with_padding:
            start, stop = start.clip(0), stop.clip(max=self.size)
        return stop - start


def windows_of(
    x: Tensor,
    kernel_size: Sizes,
    stride: Sizes | None,
    padding: Sizes,
    dilation: Sizes,
    ceil_mode: bool,
    axes: int,
) -> list[Windows]:
    """The windows along each image axis of x [N, C, *S]; errors if they do not fit."""
    kernel = per_axis("kernel_size", kernel_size, axes)
    strides = kernel if stride is None else per_axis("stride", stride, axes)
    around = per_axis("padding", padding, axes, least=0)
    steps = per_axis("dilation", dilation, axes)
    spans = [span(k, d) for k, d in zip(kernel, steps, strict=True)]
    if any(2 * p > e for p, e in zip(around, spans, strict=True)):
        raise ConfigError(
            f"padding {padding} of windows of {kernel}",
            where=user_line(),
            help="padding must be at most half the window size",
        )
    if any(n + 2 * p < e for n, p, e in zip(x.shape[2:], around, spans, strict=True)):
        raise ShapeError(
            f"a window of {tuple(spans)} is larger than an input of shape {x.shape}",
            where=user_line(),
            help="use a smaller window, larger images, or fewer pooling layers",
        )
    settings = zip(x.shape[2:], kernel, strides, around, steps, strict=True)
    return [Windows(a, *own, ceil_mode) for a, own in enumerate(settings, start=2)]


def spread_windows(x: Tensor, count: int, axis: int) -> tuple[list[Tensor], list[Array]]:
    """Pieces of ``count`` windows of nearly equal size, and where these lie in their window.

    A window that is shorter than the longest has its last element again.
    """
    size, number = x.shape[axis], np.arange(count)
    start, stop = number * size // count, -(-(number + 1) * size // count)
    reached = range(int((stop - start).max()))
    pieces = [picked(x, np.minimum(start + k, stop - 1), axis) for k in reached]
    return pieces, [start + k < stop for k in reached]


def picked(x: Tensor, places: Array, axis: int) -> Tensor:
    """The elements of x at known ``places`` along ``axis``."""
    return apply(ops.gather, x, tensor_of(places.astype(np.int32)), axis=axis)


def along(values: Array, axis: int, ndim: int) -> Tensor:
    """``values`` along one axis of ``ndim``; a single one if all are equal."""
    if (values == values[0]).all():
        values = values[:1]
    shape = [1] * ndim
    shape[axis] = len(values)
    return reshape(tensor_of(values), shape)
