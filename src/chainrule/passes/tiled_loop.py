"""Loops that cut one operation into tiles, while they are written, and arrays cut into tiles."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np

from ..ir.graph import Graph, Node, bind, constant
from ..ir.types import DType
from ..ops.bodies import placeholder
from ..ops.movement import transposed


@dataclass
class TiledLoop:
    """A loop that no pass takes apart: what goes in has a name inside."""

    length: int
    reverse: int = 0
    limit: Node | None = None
    firsts: dict[Node, Node] = field(default_factory=dict)
    rows: dict[Node, Node] = field(default_factory=dict)
    same: dict[Node, Node] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.limit is not None:
            self.const(self.limit)

    def carry(self, first: Node) -> Node:
        """A carry that begins as ``first``."""
        return self._named(self.firsts, first, first.shape)

    def row(self, outer: Node) -> Node:
        """The present row of ``outer``."""
        return self._named(self.rows, outer, outer.shape[1:])

    def const(self, outer: Node) -> Node:
        """``outer``, the same in each step."""
        return self._named(self.same, outer, outer.shape)

    def _named(self, table: dict[Node, Node], outer: Node, shape: tuple[int, ...]) -> Node:
        inner = placeholder(
            f"i{len(self.firsts) + len(self.rows) + len(self.same)}", shape, outer.dtype
        )
        table[inner] = outer
        return inner

    def results(self, *outputs: Node) -> list[Node]:
        """What carries end with, then what is stacked, if ``outputs`` are the body's."""
        tables = (self.firsts, self.rows, self.same)
        body = Graph(tuple(n for table in tables for n in table), outputs)
        loop = bind(
            "scan",
            *(n for table in tables for n in table.values()),
            body=body,
            length=self.length,
            carries=len(self.firsts),
            scanned=len(self.rows),
            reverse=self.reverse,
            segment=0,
            tiled=1,
            limited=int(self.limit is not None),
        )
        return [bind("item", loop, index=i) for i in range(len(outputs))]


def numbers(values: Iterable[int]) -> Node:
    """Whole numbers, such as where tiles begin."""
    return constant(np.array(list(values)), DType.i32)


def cut(x: Node, size: int) -> Node:
    """[N, T, ...] in tiles of ``size`` rows."""
    shape = (x.shape[0], x.shape[1] // size, size, *x.shape[2:])
    while x.op == "reshape" and x.shape != shape:
        x = x.inputs[0]
    return x if x.shape == shape else bind("reshape", x, shape=shape)


def turned(x: Node, size: int) -> Node:
    """The same, each tile transposed, as products read it."""
    return bind("fence", transposed(cut(x, size)))


def joined(x: Node) -> Node:
    """The other way."""
    return bind("reshape", x, shape=(x.shape[0], x.shape[1] * x.shape[2], *x.shape[3:]))


def filled(x: Node, axis: int, size: int, value: float = 0.0) -> Node:
    """``x`` with more elements at the end of an ``axis``, so that it has ``size``."""
    if x.shape[axis] == size:
        return x
    none = [0] * x.ndim
    high = [*none[:axis], size - x.shape[axis], *none[axis + 1 :]]
    zero = tuple(none)
    return bind("pad", x, constant(value, x.dtype), low=zero, high=tuple(high), interior=zero)


def first_of(x: Node, axis: int, size: int) -> Node:
    """The first ``size`` elements of an ``axis``."""
    if x.shape[axis] == size:
        return x
    stop = (*x.shape[:axis], size, *x.shape[axis + 1 :])
    return bind("slice", x, start=(0,) * x.ndim, stop=stop, step=(1,) * x.ndim)
