"""Pieces of formulas in primitives, for those that say in others what they mean."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ..autodiff import cotangents
from ..ir.graph import Node, bind, constant
from ..ir.types import DType
from .elementwise import cast
from .movement import broadcast


def everywhere(value: float, like: Node) -> Node:
    """A number as large as ``like``, rounded no earlier than it is."""
    number = cast(constant(value, DType.f64), dtype=like.dtype)
    return broadcast(number, shape=like.shape, axes=())


def times(x: Node, factor: float) -> Node:
    """``x`` times a number."""
    return x * everywhere(factor, x)


def along_rows(row: Node, like: Node) -> Node:
    """A number for each row of ``like``, at all its columns."""
    return broadcast(row, shape=like.shape, axes=tuple(range(like.ndim - 1)))


def along_columns(column: Node, like: Node) -> Node:
    """A number for each column of ``like``, in all its rows."""
    return broadcast(column, shape=like.shape, axes=(like.ndim - 1,))


def through(plain: Callable[..., Node]) -> Callable[..., Sequence[Node | None]]:
    """The derivative of what other primitives say as well."""

    def vjp(g: Node, y: Node, *xs: Node, **how: Any) -> Sequence[Node | None]:
        if len(set(xs)) < len(xs):  # one value in several places has a cotangent for each
            xs = tuple(bind("reshape", x, shape=x.shape) for x in xs)
        return cotangents([plain(*xs, **how)], [g], xs, stop=frozenset(xs))

    return vjp
