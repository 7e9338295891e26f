"""What attention has read before, as plain arrays of a fixed length: one program for all lengths.

A cache holds keys and values for a number of steps that never changes; how many of them mean
something is one number beside it, the position. New steps overwrite what stands where they belong,
so what lies behind the position may be anything.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from .. import ops
from ..errors import DTypeError, ShapeError
from ..frontend.apply import apply
from ..frontend.modes import thread, user_line
from ..frontend.operations.arithmetic import bitwise_and, less_equal
from ..frontend.operations.creation import iota
from ..frontend.tensor import Tensor
from .module import as_tensor


class KeyValues(NamedTuple):
    """Keys [batch, heads, width, length], as products read them, and values [batch, heads, length,
    width].
    """

    keys: Tensor
    values: Tensor


class DecoderCache(NamedTuple):
    """What a layer of a decoder keeps: its own steps, and the memory that all of them attend to."""

    own: KeyValues
    memory: KeyValues


def position_of(value: Any) -> Tensor:
    """One whole number as a Tensor; `ShapeError` or `DTypeError` for anything else."""
    position: Tensor = as_tensor(value)
    if position.ndim:
        raise ShapeError(
            f"a position has shape {position.shape}",
            where=user_line(),
            help="pass one whole number: how many steps were read before",
        )
    if position.dtype.is_float:
        raise DTypeError(
            f"a position has dtype {position.dtype!r}",
            where=user_line(),
            help="pass a whole number",
        )
    return position


def room_for(steps: int, length: int, position: Tensor) -> Tensor:
    """Whether ``steps`` at ``position`` lie within ``length``, a bool.

    `ShapeError` if they do not and this is known.
    """
    if thread.trace is None and not 0 <= position.item() <= length - steps:
        raise ShapeError(
            f"{steps} steps at position {int(position.item())} leave a cache of {length}",
            where=user_line(),
            help="begin again with an empty cache and the last steps, or make a longer one",
        )
    return bitwise_and(less_equal(0, position), less_equal(position + steps, length))


def written(old: Tensor, new: Tensor, position: Tensor, axis: int) -> Tensor:
    """``old`` with the steps ``new`` from ``position`` on, along ``axis``. Where ``old`` is a state
    that becomes the result, nothing else is written.
    """
    places = iota((new.shape[axis],), 0) + position
    result: Tensor = apply(ops.scatter, old, places, new, axis=axis)
    return result
