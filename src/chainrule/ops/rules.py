"""Checks that type rules share: every error names the operation, the types and a way out."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from functools import wraps
from typing import Any

import numpy as np

from ..errors import DTypeError, ShapeError
from ..ir.graph import Node
from ..ir.types import Array, DType

FLOATS = frozenset({DType.f32, DType.f64})
INTEGERS = (DType.i32, DType.i16, DType.u32, DType.u8)
NUMBERS = FLOATS.union(INTEGERS)


def describe(*nodes: Node) -> str:
    """``f32[2,3] and i32[3]``: the types of ``nodes`` for a message."""
    return " and ".join(f"{n.dtype!r}[{','.join(map(str, n.shape))}]" for n in nodes)


def line_of(nodes: Sequence[Node]) -> str:
    """The user's line that the first located one of ``nodes`` comes from, or nothing."""
    return next((str(n.location) for n in nodes if n.location is not None), "")


def shape_error(what: str, *nodes: Node, help: str = "") -> ShapeError:
    """A `ShapeError` at the place of ``nodes``."""
    return ShapeError(what, where=line_of(nodes), help=help)


def need_dtype(op: str, allowed: Collection[DType], *nodes: Node) -> None:
    """`DTypeError` unless every node has an ``allowed`` dtype."""
    for node in nodes:
        if node.dtype not in allowed:
            names = ", ".join(d.value for d in DType if d in allowed)
            raise DTypeError(
                f"`{op}` takes {names}, not {describe(*nodes)}",
                where=line_of(nodes),
                help=f"cast the operand to {next(d.value for d in DType if d in allowed)} first",
            )


def need_same_type(op: str, a: Node, b: Node) -> None:
    """Errors unless ``a`` and ``b`` agree in dtype and shape."""
    if a.dtype is not b.dtype:
        raise DTypeError(
            f"`{op}` needs one dtype, not {describe(a, b)}",
            where=line_of((a, b)),
            help=f"cast one operand, for example to {a.dtype.value}",
        )
    if a.shape != b.shape:
        raise shape_error(
            f"`{op}` needs equal shapes, not {describe(a, b)}",
            a,
            b,
            help="broadcast one operand to the shape of the other first",
        )


def need_axes(op: str, axes: Sequence[int], ndim: int, *nodes: Node) -> None:
    """`ShapeError` unless ``axes`` are different axes of an array with ``ndim`` axes."""
    if len(set(axes)) != len(axes) or any(not 0 <= a < ndim for a in axes):
        raise shape_error(
            f"`{op}` of {describe(*nodes)}: {tuple(axes)} are not different axes out of {ndim}",
            *nodes,
            help=f"axes count from 0 to {ndim - 1}, each at most once",
        )


def quiet(function: Callable[..., Any]) -> Callable[..., Array]:
    """``function`` as a reference: no floating-point warnings, and always an ndarray."""

    @wraps(function)
    def reference(*arrays: Array, **params: Any) -> Array:
        with np.errstate(all="ignore"):
            return np.asarray(function(*arrays, **params))

    return reference
