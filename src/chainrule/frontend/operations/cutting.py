"""The methods that cut Tensors from others, each with its way back (see ``pieces.py``)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from ... import ops
from ...errors import ShapeError
from ..apply import apply, from_node, separate
from ..modes import no_grad, thread, user_line
from ..pieces import cut, cutting
from . import indexing, shaping
from .creation import shape_of

if TYPE_CHECKING:
    from ..tensor import Tensor


def _in_shape_of(source: Tensor, new: Tensor, *_: Any, **__: Any) -> Tensor:
    return shaping.reshape(new, source.shape)


def _permuted_back(_: Tensor, new: Tensor, *dims: Any) -> Tensor:
    axes = [shaping.axis_of(d, new.ndim) for d in shape_of(dims)]
    return shaping.permute(new, sorted(range(new.ndim), key=axes.__getitem__))


def _moved_back(_: Tensor, new: Tensor, source: int, destination: int) -> Tensor:
    return shaping.movedim(new, destination, source)


def _not_stretched(source: Tensor, new: Tensor, *_: Any) -> Tensor:
    if new.numel() != source.numel():
        raise ShapeError(
            f"shape {new.shape} was broadcast from {source.shape}: elements share memory",
            where=user_line(),
            help="use .clone() for an independent Tensor before changing it",
        )
    return shaping.reshape(new, source.shape)


def _reshape(x: Tensor, *shape: Any) -> Tensor:
    """The same elements in another shape: ``x.reshape(2, -1)``."""
    return shaping.reshape(x, shape_of(shape))


def _permute(x: Tensor, *dims: Any) -> Tensor:
    """Axes in another order: ``x.permute(1, 0)``."""
    return shaping.permute(x, shape_of(dims))


def _expand(x: Tensor, *shape: Any) -> Tensor:
    """Axes of length 1 repeated: ``x.expand(3, -1)``."""
    return shaping.expand(x, shape_of(shape))


def _detach(x: Tensor) -> Tensor:
    """The same value, through which no derivative passes."""
    if thread.trace is not None:
        node = thread.trace.node(x)
        return from_node(ops.fence(node) if x.requires_grad else node)
    with no_grad():
        return apply(ops.fence, x) if x.requires_grad else x


reshape = cutting(_reshape, _in_shape_of)
flatten = cutting(shaping.flatten, _in_shape_of)
squeeze = cutting(shaping.squeeze, _in_shape_of)
unsqueeze = cutting(shaping.unsqueeze, _in_shape_of)
permute = cutting(_permute, _permuted_back)
movedim = cutting(shaping.movedim, _moved_back)
transpose = cutting(
    shaping.transpose, lambda _, new, *a, **named: shaping.transpose(new, *a, **named)
)
expand = cutting(_expand, _not_stretched)
detach = cutting(_detach, lambda _, new: new, constant=True)


_get = separate(indexing.get)


def get(x: Tensor, key: Any) -> Tensor:
    """``x[key]``: a piece, or a copy where an array of indices selects."""

    def take(source: Tensor) -> Tensor:
        return _get(source, key)

    if indexing.copies(key):
        return take(x)
    return cut(take(x), x, take, lambda s, new: indexing.put(s, key, new), indexing.place(x, key))


def split(x: Tensor, size: int | Sequence[int], dim: int = 0) -> tuple[Tensor, ...]:
    """Pieces of ``size`` (the last may be shorter), or of the sizes listed.

    `ShapeError` for a size below 1, and for sizes that do not add up to the length.
    """
    return tuple(_along(x, shaping.split(x, size, dim), dim))


def chunk(x: Tensor, chunks: int, dim: int = 0) -> tuple[Tensor, ...]:
    """At most ``chunks`` pieces of equal size (the last may be shorter).

    `ShapeError` for fewer than one.
    """
    return tuple(_along(x, shaping.chunk(x, chunks, dim), dim))


def unbind(x: Tensor, dim: int = 0) -> tuple[Tensor, ...]:
    """The pieces along an axis, without that axis."""
    axis = shaping.axis_of(dim, x.ndim)
    return tuple(get(x, (*[slice(None)] * axis, i)) for i in range(x.shape[axis]))


def _along(x: Tensor, parts: Sequence[Tensor], dim: int) -> Iterator[Tensor]:
    axis = shaping.axis_of(dim, x.ndim)
    start = 0
    for part in parts:
        yield _part(x, part, axis, slice(start, start + part.shape[axis]))
        start += part.shape[axis]


def _part(x: Tensor, part: Tensor, axis: int, where: slice) -> Tensor:
    key = (*[slice(None)] * axis, where)

    def take(source: Tensor) -> Tensor:
        return shaping.slice_axis(source, axis, where.start, where.stop)

    return cut(part, x, take, lambda s, new: indexing.put(s, key, new), indexing.place(x, key))
