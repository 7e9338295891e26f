"""Cross entropy over large vocabularies: nothing of rows x classes elements is ever in memory.

Scores of a block of rows and a group of classes are computed, used and forgotten by one thread.
Threads share out the groups; of each, a loop over the blocks of rows

    forward     gives each row's largest score, the sum of powers relative to it, and the score of
                its class, if that is of the group; the groups' are put together afterwards
    backward    computes the scores again, and dZ from L; dW and db of the group are carried, and
                the group's part of dX is stacked, to be added up afterwards

So nothing is summed by two threads, and four products do what three do with all scores in memory.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass

import numpy as np

from ..ir.graph import Graph, Node, bind, constant, full_like
from ..ir.rewrite import substitute
from ..ir.types import DType
from ..ops.cross_entropy import change
from ..ops.formulas import along_columns, along_rows, times
from ..ops.movement import transposed
from .tiled_loop import TiledLoop, filled, first_of

#: of a block, at most
ROWS = 128
#: of a group, at most
CLASSES = 2048

FORWARD = ("cross_entropy", "cross_entropy_lse")
GRADIENTS = ("cross_entropy_dx", "cross_entropy_dw", "cross_entropy_db")
OPS = frozenset({*FORWARD, *GRADIENTS})


def tile_vocabulary(graph: Graph) -> Graph:
    """Replace cross entropies and their derivatives by loops over blocks and groups."""
    while True:
        members = [n for n in graph.nodes() if n.op in OPS]
        if not members:
            return graph
        first = members[0]
        same = [
            n for n in members
            if n.inputs == first.inputs and n.params == first.params
            and (n.op in FORWARD) == (first.op in FORWARD)
        ]  # fmt: skip
        pieces = _Pieces.of(*first.inputs[:4], smoothing=first.params["smoothing"])
        if first.op in FORWARD:
            results = _forward(pieces)
        else:
            g, lse = first.inputs[4:]
            results = _backward(pieces, g, lse, {n.op for n in same})
        others = {n: results[n.op] for n in same}
        graph = graph.with_roots(substitute(graph.roots, others))


@dataclass(frozen=True)
class _Cut:
    """So many elements in pieces of one size, with elements that fill the last one."""

    length: int
    size: int

    @staticmethod
    def of(length: int, most: int) -> _Cut:
        """Without a rest, if the size can then be near to ``most``."""
        fitting = [d for d in range(most // 2 + 1, most + 1) if length % d == 0]
        return _Cut(length, max(fitting, default=-(-length // max(1, -(-length // most)))))

    @property
    def count(self) -> int:
        return -(-self.length // max(self.size, 1))

    def cut(self, x: Node, value: float = 0.0) -> Node:
        """[length, ...] as [count, size, ...]."""
        x = filled(x, 0, self.count * self.size, value)
        return bind("reshape", x, shape=(self.count, self.size, *x.shape[1:]))

    def joined(self, x: Node) -> Node:
        """The other way."""
        whole = bind("reshape", x, shape=(self.count * self.size, *x.shape[2:]))
        return first_of(whole, 0, self.length)


@dataclass(frozen=True)
class _Pieces:
    """What comes in, in blocks of rows and groups of classes.

    Rows that fill a block have factors of 0, classes that fill a group a bias of -inf.
    """

    x: Node
    w: Node
    b: Node
    target: Node
    smoothing: float
    rows: _Cut
    classes: _Cut

    @staticmethod
    def of(x: Node, w: Node, b: Node, target: Node, *, smoothing: float) -> _Pieces:
        rows, classes = _Cut.of(x.shape[0], ROWS), _Cut.of(w.shape[0], CLASSES)
        exists = bind("lt", target, full_like(target, w.shape[0]))
        target = bind("select", exists, target, full_like(target, -1))
        return _Pieces(x, w, b, target, smoothing, rows, classes)

    def even_part(self) -> Node:
        """What of the losses is spread over all classes: s times the mean of the scores."""
        share = self.smoothing / self.classes.length
        w, b = (bind("reduce_sum", part, axes=(0,)) for part in (self.w, self.b))
        score = bind("reduce_sum", self.x * along_columns(w, self.x), axes=(1,))
        return times(score + bind("broadcast", b, shape=score.shape, axes=()), share)

    def by_group(self, step: Callable[..., list[Node]], *rows: Node) -> list[Node]:
        """``step`` of a loop over the blocks of ``rows`` too, and what depends on the group: its
        loop, W and b; then the rows of x, which of their scores are those of their classes, and
        the ``rows``. What it gives has the groups in front."""
        groups = TiledLoop(self.classes.count)
        w = self.classes.cut(self.w)
        turned = bind("transpose", w, perm=(0, 2, 1))
        own_w, own_b = groups.row(w), groups.row(self.classes.cut(self.b, -np.inf))
        own_turned = groups.row(bind("fence", turned))
        starts = range(0, self.classes.count * self.classes.size, self.classes.size)
        start = groups.row(constant(np.array(starts), DType.i32))
        blocks = TiledLoop(self.rows.count)
        x, target, *others = (
            blocks.row(groups.const(self.rows.cut(part))) for part in (self.x, self.target, *rows)
        )
        z = bind("dot", x, blocks.const(own_turned))
        z = z + along_columns(blocks.const(own_b), z)
        column = bind("iota", shape=z.shape, axis=1)
        column = column + bind("broadcast", blocks.const(start), shape=z.shape, axes=())
        chosen = bind("eq", along_rows(target, z), column)
        return groups.results(*step(blocks, own_w, own_b, x, z, chosen, *others))


def _forward(pieces: _Pieces) -> dict[str, Node]:
    """The losses and L."""

    def step(blocks: TiledLoop, w: Node, b: Node, x: Node, z: Node, chosen: Node) -> list[Node]:
        highest = bind("reduce_max", z, axes=(1,))
        powers = bind("exp", z - along_rows(highest, z))
        right = bind("select", chosen, z, full_like(z, 0.0))
        sums = (bind("reduce_sum", part, axes=(1,)) for part in (powers, right))
        return blocks.results(highest, *sums)

    highest, total, right = pieces.by_group(step)
    most = bind("reduce_max", highest, axes=(0,))
    faded = bind("exp", highest - bind("broadcast", most, shape=highest.shape, axes=(1, 2)))
    lse = most + bind("log", bind("reduce_sum", total * faded, axes=(0,)))
    right = times(bind("reduce_sum", right, axes=(0,)), 1 - pieces.smoothing)
    lse, loss = pieces.rows.joined(lse), pieces.rows.joined(lse - right)
    return dict(zip(FORWARD, (loss - pieces.even_part(), lse), strict=True))


def _backward(pieces: _Pieces, g: Node, lse: Node, wanted: Collection[str]) -> dict[str, Node]:
    """Those of dX, dW and db that are ``wanted``."""
    names = [name for name in ("cross_entropy_dw", "cross_entropy_db", "cross_entropy_dx")
             if name in wanted]  # fmt: skip

    def step(
        blocks: TiledLoop, w: Node, b: Node, x: Node, z: Node, chosen: Node, g: Node, lse: Node
    ) -> list[Node]:
        dz = change(z, chosen, g, lse, pieces.smoothing, pieces.classes.length)
        parts = {
            "cross_entropy_dw": lambda: bind("dot", transposed(dz), x) + blocks.carry(none(w)),
            "cross_entropy_db": lambda: bind("reduce_sum", dz, axes=(0,)) + blocks.carry(none(b)),
            "cross_entropy_dx": lambda: bind("dot", dz, blocks.const(w)),
        }
        return blocks.results(*(parts[name]() for name in names))

    def none(x: Node) -> Node:
        return full_like(x, 0.0)

    found = dict(zip(names, pieces.by_group(step, g, lse), strict=True))
    for name in wanted:
        if name == "cross_entropy_dx":
            found[name] = pieces.rows.joined(bind("reduce_sum", found[name], axes=(0,)))
        else:
            found[name] = pieces.classes.joined(found[name])
    return found
