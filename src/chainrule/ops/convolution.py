"""Primitives that slide a kernel over an array: convolution and its weight gradient.

Arrays are channels-last, and channels come in groups, each with weights of its own:

    x [N, *S, G, C]    w [*K, G, C, O]    y [N, *P, G, O]
    y[n, p, g, o] = sum over k and c of x[n, p * stride + k * dilation, g, c] * w[k, g, c, o]

in the order of k (row-major), then c. There is no padding: `pad` is a primitive of its own, and one
with ``interior`` zeros is what a transposed convolution needs. So the derivatives are convolutions
again, and derivatives of every order exist:

    dx = conv(pad(dy), w flipped, with C and O exchanged)        dw = conv_wgrad(x, dy)
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from ..batching import Value, bound, divided, merged
from ..ir.graph import Node, full
from ..ir.primitive import Primitive, Sample
from ..ir.types import Array, DType, Shape
from .examples import draw
from .movement import pad, reverse, transpose, transposed
from .rules import FLOATS, describe, need_dtype, quiet, shape_error

Steps = tuple[int, ...]


def span(kernel: int, dilation: int) -> int:
    """Elements from the first to the last that a kernel touches."""
    return (kernel - 1) * dilation + 1


def _places(sizes: Shape, kernel: Shape, strides: Steps, dilation: Steps) -> Shape:
    """Where a kernel can stand along each axis: (size - span) // stride + 1."""
    each = zip(sizes, kernel, strides, dilation, strict=True)
    return tuple((s - span(k, d)) // t + 1 for s, k, t, d in each)


def _check(name: str, x: Node, other: Node, strides: Steps, dilation: Steps) -> int:
    """The number of axes that the kernel slides along."""
    need_dtype(name, FLOATS, x, other)
    count = x.ndim - 3
    fits = count >= 1 and other.ndim == x.ndim and x.dtype is other.dtype
    if not fits or not len(strides) == len(dilation) == count:
        raise shape_error(
            f"`{name}` cannot take {describe(x, other)}",
            x,
            other,
            help="[N, *S, G, C] with one stride and one dilation for each axis of S",
        )
    if min(*strides, *dilation) < 1:
        raise shape_error(f"`{name}` has strides {strides} and dilation {dilation}", x, other)
    return count


# ------------------------------------------------------------------------------- convolution


def conv_type(x: Node, w: Node, *, strides: Steps, dilation: Steps) -> tuple[Shape, DType]:
    """x [N, *S, G, C] and w [*K, G, C, O] give [N, *P, G, O]; P = (S - span) // stride + 1."""
    count = _check("conv", x, w, strides, dilation)
    sizes, kernel = x.shape[1 : 1 + count], w.shape[:count]
    spans = [span(k, d) for k, d in zip(kernel, dilation, strict=True)]
    if x.shape[-2:] != w.shape[-3:-1] or 0 in kernel:
        raise shape_error(
            f"`conv` cannot take {describe(x, w)}",
            x,
            w,
            help="w is [*K, G, C, O] with the groups and channels of x",
        )
    if any(s < e for s, e in zip(sizes, spans, strict=True)):
        raise shape_error(
            f"a kernel that spans {tuple(spans)} is larger than the input of {sizes}",
            x,
            w,
            help="pad the input, or use a smaller kernel or dilation",
        )
    places = _places(sizes, kernel, strides, dilation)
    return (x.shape[0], *places, x.shape[-2], w.shape[-1]), x.dtype


def _windows(x: Array, kernel: Shape, strides: Steps, dilation: Steps) -> Array:
    """The view [N, *P, G, C, *K] of everything a kernel meets."""
    count = len(kernel)
    axes = tuple(range(1, 1 + count))
    spans = tuple(span(k, d) for k, d in zip(kernel, dilation, strict=True))
    view = np.lib.stride_tricks.sliding_window_view(x, spans, axes)
    starts = tuple(slice(None, None, s) for s in strides)
    steps = tuple(slice(None, None, d) for d in dilation)
    return view[(slice(None), *starts, slice(None), slice(None), *steps)]


def conv_reference(x: Array, w: Array, *, strides: Steps, dilation: Steps) -> Array:
    """Sums over windows."""
    count = x.ndim - 3
    windows = _windows(x, w.shape[:count], strides, dilation)
    places, taps = list(range(1 + count)), list(range(20, 20 + count))
    g, c, o = 30, 31, 32
    result = np.einsum(windows, [*places, g, c, *taps], w, [*taps, g, c, o], [*places, g, o])
    return np.asarray(result)


def conv_transposed(g: Node, w: Node, sizes: Shape, strides: Steps, dilation: Steps) -> Node:
    """The cotangent of x [N, *sizes, G, C]: each element of g spread by the kernel."""
    count = len(strides)
    spans = [span(k, d) for k, d in zip(w.shape[:count], dilation, strict=True)]
    reached = [(p - 1) * t + e for p, t, e in zip(g.shape[1:-2], strides, spans, strict=True)]
    low = [e - 1 for e in spans]
    high = [e - 1 + s - r for e, s, r in zip(spans, sizes, reached, strict=True)]
    spread = pad(
        g,
        full(0.0, (), g.dtype),
        low=(0, *low, 0, 0),
        high=(0, *high, 0, 0),
        interior=(0, *(t - 1 for t in strides), 0, 0),
    )
    turned = transposed(reverse(w, tuple(range(count))))
    return conv(spread, turned, strides=(1,) * count, dilation=dilation)


def conv_vjp(
    g: Node, y: Node, x: Node, w: Node, *, strides: Steps, dilation: Steps
) -> tuple[Node, Node]:
    """A transposed convolution with the same weights, and the weight gradient."""
    count = len(strides)
    kernel = w.shape[:count]
    dw = conv_wgrad(x, g, kernel=kernel, strides=strides, dilation=dilation)
    perm = (*range(2, 2 + count), 0, 2 + count, 1)
    dx = conv_transposed(g, w, x.shape[1:-2], strides, dilation)
    return dx, transpose(dw, perm=perm)


# --------------------------------------------------------------------------- weight gradient


def wgrad_type(
    x: Node, g: Node, *, kernel: Shape, strides: Steps, dilation: Steps
) -> tuple[Shape, DType]:
    """x [N, *S, G, C] and g [N, *P, G, O] give [G, O, *K, C]."""
    count = _check("conv_wgrad", x, g, strides, dilation)
    fits = len(kernel) == count and x.shape[0] == g.shape[0]
    places = g.shape[1 : 1 + count]
    if not fits or _places(x.shape[1 : 1 + count], kernel, strides, dilation) != places:
        raise shape_error(f"`conv_wgrad` with kernel {kernel} cannot take {describe(x, g)}", x, g)
    if x.shape[-2] != g.shape[-2]:
        raise shape_error(f"`conv_wgrad` cannot take {describe(x, g)}: groups differ", x, g)
    return (x.shape[-2], g.shape[-1], *kernel, x.shape[-1]), x.dtype


def wgrad_reference(x: Array, g: Array, *, kernel: Shape, strides: Steps, dilation: Steps) -> Array:
    """Sums over images and places."""
    count = len(kernel)
    windows = _windows(x, kernel, strides, dilation)
    places, taps = list(range(1 + count)), list(range(20, 20 + count))
    i, c, o = 30, 31, 32
    result = np.einsum(windows, [*places, i, c, *taps], g, [*places, i, o], [i, o, *taps, c])
    return np.asarray(result)


def wgrad_vjp(
    g: Node, y: Node, x: Node, dy: Node, *, kernel: Shape, strides: Steps, dilation: Steps
) -> tuple[Node, Node]:
    """With the cotangent as weights: spread dy by it, and convolve x with it."""
    count = len(kernel)
    w = transpose(g, perm=(*range(2, 2 + count), 0, 2 + count, 1))
    dx = conv_transposed(dy, w, x.shape[1:-2], strides, dilation)
    return dx, conv(x, w, strides=strides, dilation=dilation)


# -------------------------------------------------------------------------- several members


def conv_batch(node: Node, inputs: list[Value], size: int) -> Node:
    """More images with the same weights; members with weights of their own are groups."""
    x, w = inputs
    if not w[1]:
        return divided(bound(node, merged(x, size), w[0]), size)
    groups, kernel = node.ndim - 2, node.ndim - 3
    result = bound(node, merged(x, size, groups), merged(w, size, kernel))
    return divided(result, size, groups)


def wgrad_batch(node: Node, inputs: list[Value], size: int) -> Node:
    """Members are groups."""
    groups = node.inputs[0].ndim - 2
    return divided(bound(node, *(merged(v, size, groups) for v in inputs)), size)


# ----------------------------------------------------------------------------------- samples

#: N, sizes, kernel, groups, channels in and out of each, strides, dilation
_CASES: tuple[tuple[int, Shape, Shape, int, int, int, Steps, Steps], ...] = (
    (2, (9,), (3,), 1, 3, 5, (1,), (1,)),
    (2, (6, 7), (3, 3), 1, 4, 17, (1, 1), (1, 1)),
    (1, (8, 9), (2, 3), 2, 3, 4, (2, 2), (1, 2)),
    (3, (5, 5), (1, 1), 1, 16, 16, (1, 1), (1, 1)),
    (2, (7, 4), (5, 1), 1, 2, 3, (2, 1), (1, 1)),
    (1, (4, 5, 4), (2, 2, 2), 1, 2, 3, (1, 2, 1), (1, 1, 1)),
    (2, (6, 6), (3, 3), 5, 1, 1, (1, 1), (1, 1)),
)


def conv_samples(rng: np.random.Generator) -> Iterator[Sample]:
    """One to three axes, groups, strides, dilation."""
    for n, sizes, kernel, groups, c, o, strides, dilation in _CASES:
        x = draw(rng, (n, *sizes, groups, c), DType.f32)
        w = draw(rng, (*kernel, groups, c, o), DType.f32)
        w /= np.float32(c * np.prod(kernel))  # sums stay as large as their terms
        yield Sample((x, w), {"strides": strides, "dilation": dilation})


def wgrad_samples(rng: np.random.Generator) -> Iterator[Sample]:
    """The same."""
    for n, sizes, kernel, groups, c, o, strides, dilation in _CASES:
        out = _places(sizes, kernel, strides, dilation)
        x = draw(rng, (n, *sizes, groups, c), DType.f32)
        g = draw(rng, (n, *out, groups, o), DType.f32)
        g /= np.float32(n * np.prod(out))
        params: dict[str, Any] = {"kernel": kernel, "strides": strides, "dilation": dilation}
        yield Sample((x, g), params)


conv: Primitive = Primitive(
    "conv", conv_type, quiet(conv_reference), conv_vjp, conv_samples, batch=conv_batch
)
conv_wgrad: Primitive = Primitive(
    "conv_wgrad", wgrad_type, quiet(wgrad_reference), wgrad_vjp, wgrad_samples, batch=wgrad_batch
)
