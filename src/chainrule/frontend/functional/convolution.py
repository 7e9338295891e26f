"""Convolutions of x [N, C, *S] (or [C, *S]) with weights in PyTorch's layouts.

The primitive has its channels last and no padding, so each function is: channels last, zeros
around (and, transposed, between) the elements, product, channels first. Between two layers the
transposes cancel.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ... import ops
from ...errors import ConfigError, ShapeError
from ...ir.types import Shape
from ...ops.convolution import span
from ..apply import apply
from ..modes import user_line
from ..operations.shaping import flip, pad, permute, reshape, slice_axis
from .windows import (
    AXES,
    Sizes,
    batched,
    channels_first,
    channels_last,
    like_input,
    per_axis,
    whole,
)

if TYPE_CHECKING:
    from ..tensor import Tensor

#: an int, one for each axis, or a word
Padding = Sizes | str


def conv1d(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Sizes = 1,
    padding: Padding = 0,
    dilation: Sizes = 1,
    groups: int = 1,
) -> Tensor:
    """Cross-correlation of x [N, C, L] with weight [O, C / groups, K]; see `conv2d`."""
    return convolve(x, weight, bias, stride, padding, dilation, groups, axes=1)


def conv2d(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Sizes = 1,
    padding: Padding = 0,
    dilation: Sizes = 1,
    groups: int = 1,
) -> Tensor:
    """Cross-correlation of x [N, C, H, W] with weight [O, C / groups, K, L]::

        y[n, o, i, j] = bias[o] + sum over c, k, l of
            x[n, c, i·stride + k·dilation - padding, j·stride + …] · weight[o, c, k, l]

    x counts as 0 outside. ``padding`` is a number of rows and columns on each side, "valid" (0), or
    "same": as many as keep the size, the odd one at the end; the stride must be 1 then. The result
    has floor((H + 2·padding - dilation·(K - 1) - 1) / stride) + 1 rows. With ``groups``, each group
    of output channels sees its own group of input channels (Dumoulin and Visin, 2016, "A guide to
    convolution arithmetic for deep learning").

    Raises ShapeError if channels do not fit or the kernel is larger than the padded input.
    """
    return convolve(x, weight, bias, stride, padding, dilation, groups, axes=2)


def conv3d(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Sizes = 1,
    padding: Padding = 0,
    dilation: Sizes = 1,
    groups: int = 1,
) -> Tensor:
    """Cross-correlation of x [N, C, D, H, W] with weight [O, C / groups, *K]; see `conv2d`."""
    return convolve(x, weight, bias, stride, padding, dilation, groups, axes=3)


def conv_transpose1d(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Sizes = 1,
    padding: Sizes = 0,
    output_padding: Sizes = 0,
    groups: int = 1,
    dilation: Sizes = 1,
) -> Tensor:
    """The transpose of `conv1d`; see `conv_transpose2d`."""
    return convolve_transposed(
        x, weight, bias, stride, padding, output_padding, groups, dilation, axes=1
    )


def conv_transpose2d(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Sizes = 1,
    padding: Sizes = 0,
    output_padding: Sizes = 0,
    groups: int = 1,
    dilation: Sizes = 1,
) -> Tensor:
    """The transpose of `conv2d` as a linear map, for x [N, C, H, W], weight [C, O / groups, K, L].

    Each element of x is spread by the kernel over the result, ``stride`` apart. The result has
    (H - 1)·stride - 2·padding + dilation·(K - 1) + output_padding + 1 rows: ``output_padding``
    tells apart the sizes that a convolution with this stride maps to H (Zeiler et al., 2010,
    "Deconvolutional networks").
    """
    return convolve_transposed(
        x, weight, bias, stride, padding, output_padding, groups, dilation, axes=2
    )


def convolve(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    stride: Sizes,
    padding: Padding,
    dilation: Sizes,
    groups: int,
    axes: int,
) -> Tensor:
    """`conv2d` along any number of ``axes``."""
    images = batched(x, axes)
    _check_weight(weight, axes, groups, weight.shape[0])
    _check_channels(x, images, weight, weight.shape[1] * groups)
    _check_bias(bias, weight.shape[0])
    strides, steps = per_axis("stride", stride, axes), per_axis("dilation", dilation, axes)
    spans = tuple(span(k, d) for k, d in zip(weight.shape[2:], steps, strict=True))
    low, high = paddings(padding, spans, strides)
    _check_reach(images.shape[2:], spans, low, high, weight)
    rows = _surrounded(channels_last(images), low, high, (0,) * axes)
    y = apply(
        ops.conv,
        _grouped(rows, groups),
        _taps(weight, groups),
        strides=strides,
        dilation=steps,
    )
    return like_input(_finished(y, bias), x)


def convolve_transposed(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    stride: Sizes,
    padding: Sizes,
    output_padding: Sizes,
    groups: int,
    dilation: Sizes,
    axes: int,
) -> Tensor:
    """`conv_transpose2d` along any number of ``axes``.

    With stride - 1 zeros between the elements it is a plain convolution with the kernel turned.
    """
    images = batched(x, axes)
    _check_weight(weight, axes, groups, weight.shape[0])
    _check_channels(x, images, weight, weight.shape[0])
    _check_bias(bias, weight.shape[1] * groups)
    strides, steps = per_axis("stride", stride, axes), per_axis("dilation", dilation, axes)
    cut = per_axis("padding", padding, axes, least=0)
    more = per_axis("output_padding", output_padding, axes, least=0)
    if any(m >= max(s, d) for m, s, d in zip(more, strides, steps, strict=True)):
        raise ConfigError(
            f"output_padding {output_padding} with stride {stride} and dilation {dilation}",
            where=user_line(),
            help="it must be smaller than the stride or the dilation",
        )
    spans = [span(k, d) for k, d in zip(weight.shape[2:], steps, strict=True)]
    low = tuple(e - 1 - c for e, c in zip(spans, cut, strict=True))
    high = tuple(n + m for n, m in zip(low, more, strict=True))
    sizes = zip(images.shape[2:], strides, spans, low, high, strict=True)
    if any((n - 1) * t + 1 + before + after < e for n, t, e, before, after in sizes):
        raise ShapeError(
            f"padding {padding} leaves nothing of an input of shape {x.shape}",
            where=user_line(),
            help="use less padding",
        )
    rows = _surrounded(channels_last(images), low, high, tuple(t - 1 for t in strides))
    turned = flip(_taps(weight, groups), range(axes))
    kernel = permute(turned, (*range(axes + 1), axes + 2, axes + 1))
    y = apply(ops.conv, _grouped(rows, groups), kernel, strides=(1,) * axes, dilation=steps)
    return like_input(_finished(y, bias), x)


def paddings(padding: Padding, spans: Shape, strides: Shape) -> tuple[Shape, Shape]:
    """Zeros before and after each axis."""
    if not isinstance(padding, str):
        low = per_axis("padding", padding, len(spans), least=0)
        return low, low
    if padding == "valid":
        return (0,) * len(spans), (0,) * len(spans)
    if padding != "same":
        raise ConfigError(
            f"padding is {padding!r}", where=user_line(), help='use a number, "same" or "valid"'
        )
    if max(strides) > 1:
        raise ConfigError(
            f'padding "same" with stride {strides}',
            where=user_line(),
            help="this works with stride 1 only; pass the padding as a number",
        )
    return tuple((e - 1) // 2 for e in spans), tuple(e // 2 for e in spans)


def _surrounded(x: Tensor, low: Shape, high: Shape, interior: Shape) -> Tensor:
    """x [N, *S, C] with zeros around and between; a negative width takes elements away."""
    if any((*low, *high, *interior)):
        x = pad(
            x,
            (0, *(max(n, 0) for n in low), 0),
            (0, *(max(n, 0) for n in high), 0),
            interior=(0, *interior, 0),
        )
    for axis, (before, after) in enumerate(zip(low, high, strict=True), start=1):
        if before < 0 or after < 0:
            x = slice_axis(x, axis, max(-before, 0), x.shape[axis] - max(-after, 0))
    return x


def _grouped(x: Tensor, groups: int) -> Tensor:
    """[N, *S, C] as [N, *S, groups, C / groups]."""
    return reshape(x, (*x.shape[:-1], groups, x.shape[-1] // groups))


def _taps(weight: Tensor, groups: int) -> Tensor:
    """weight [G·O, C, *K] as [*K, G, C, O]."""
    split = reshape(weight, (groups, weight.shape[0] // groups, *weight.shape[1:]))
    return permute(split, (*range(3, split.ndim), 0, 2, 1))


def _finished(y: Tensor, bias: Tensor | None) -> Tensor:
    """y [N, *P, G, O] as [N, G·O, *P], with the bias of each channel."""
    y = reshape(y, (*y.shape[:-2], y.shape[-2] * y.shape[-1]))
    return channels_first(y if bias is None else y + bias)


def _check_weight(weight: Tensor, axes: int, groups: int, split: int) -> None:
    if weight.ndim != axes + 2:
        raise ShapeError(
            f"weights of shape {weight.shape} have {weight.ndim} axes",
            where=user_line(),
            help=f"pass [channels, channels, *kernel] with {axes + 2} axes",
        )
    if split % whole("groups", groups):
        raise ShapeError(
            f"{split} channels cannot be split into {groups} groups",
            where=user_line(),
            help="the number of groups must divide the number of channels",
        )


def _check_channels(x: Tensor, images: Tensor, weight: Tensor, wanted: int) -> None:
    if images.shape[1] != wanted:
        raise ShapeError(
            f"an input of shape {x.shape} has {images.shape[1]} channels, but weights of shape "
            f"{weight.shape} take {wanted}",
            where=user_line(),
            help=f"pass [batch, {wanted}, {AXES[weight.ndim - 2]}]: channels come second",
        )


def _check_bias(bias: Tensor | None, channels: int) -> None:
    if bias is not None and bias.shape != (channels,):
        raise ShapeError(
            f"a bias of shape {bias.shape} does not fit {channels} output channels",
            where=user_line(),
            help=f"pass one number per channel: ({channels},)",
        )


def _check_reach(sizes: Shape, spans: Shape, low: Shape, high: Shape, weight: Tensor) -> None:
    padded = tuple(n + a + b for n, a, b in zip(sizes, low, high, strict=True))
    if any(n < e for n, e in zip(padded, spans, strict=True)):
        raise ShapeError(
            f"a kernel {weight.shape[2:]} that spans {spans} is larger than the input of {sizes}, "
            f"{padded} with its padding",
            where=user_line(),
            help="use larger images, more padding, a smaller kernel or a smaller dilation",
        )
