"""Loops that cut one operation into tiles, while they are written."""

from __future__ import annotations

from dataclasses import dataclass, field

from ..ir.graph import Graph, Node, bind
from ..ops.bodies import placeholder


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
