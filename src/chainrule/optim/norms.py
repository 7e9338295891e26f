"""Sums over weights and gradients, written in the order in which these lie in memory.

A weight of shape (out, in) may be stored as an (in, out) matrix, and its gradient comes out the
same way. A sum in the stored order reads memory from start to end; one in the shape's order jumps.
"""

from __future__ import annotations

from collections.abc import Sequence

from ..frontend import Tensor
from ..frontend.operations import reductions
from ..frontend.operations.arithmetic import absolute
from ..frontend.operations.shaping import permute
from ..frontend.storage import value_of
from ..ir.memory import element_strides

__all__ = ["norm_along", "sum_all"]


def _stored_order(like: Tensor) -> list[int]:
    """The axes of ``like`` from the farthest apart in memory to the densest."""
    array = value_of(like)
    axes = range(like.ndim)
    if array is None:
        return list(axes)
    strides = element_strides(array)
    return sorted(axes, key=lambda axis: -strides[axis])


def sum_all(x: Tensor, like: Tensor) -> Tensor:
    """The sum of x, 0-d; x has the shape of ``like``, which tells the layout."""
    return reductions.sum(permute(x, _stored_order(like)))


def norm_along(x: Tensor, axes: Sequence[int], like: Tensor) -> Tensor:
    """√(sum x²) over ``axes``, which stay with length 1; ``like`` tells the layout."""
    if not axes:
        return absolute(x)
    order = _stored_order(like)
    places = [order.index(axis) for axis in axes]
    result = reductions.norm(permute(x, order), 2.0, places, keepdim=True)
    return permute(result, [order.index(axis) for axis in range(x.ndim)])
