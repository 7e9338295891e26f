"""Whether the indices of a recording are in range, asked before compiled code reads with them.

Eager code looks at every index. A compiled read beyond the end gives the border instead, because
nobody can be told; so the first call of each recording, and `Trainer` for all of its data, look at
the indices that can be known beforehand: those that follow from arguments and states element by
element. What a step computes first, such as the place of a largest score, is not looked at.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from ..errors import ShapeError
from ..interpret import evaluate
from ..ir.graph import Node, topological
from ..ir.types import Array
from ..ops.bodies import parts_of
from .operations.indexing import beyond
from .traced import Traced

__all__ = ["Beyond", "IndexCheck", "check_first_call"]

_SOURCES = ("const", "iota")


@dataclass(frozen=True)
class Beyond:
    """The first index that is out of range: the read, its place among the indices, the number.

    In a loop the place is that among the indices of one step.
    """

    read: Node
    place: tuple[int, ...]
    index: int

    def error(self, where: str = "") -> ShapeError:
        """What a user is told; ``where`` stands before the line of the read."""
        axis = self.read.params["axis"]
        line = " at ".join(str(w) for w in (where, self.read.location or "") if w)
        return beyond(str(self.index), axis, self.read.inputs[0].shape[axis], line)


class IndexCheck:
    """The reads of a recording whose indices can be known before it runs."""

    def __init__(self, traced: Traced) -> None:
        nodes = list(topological(traced.graph.roots))
        self.reads = [n for n in nodes if n.op == "gather" and _known(n.inputs[1])]
        self.loops = [r for n in nodes if n.op == "scan" for r in _reads_in_loop(n)]
        self._inputs = (*traced.arguments, *traced.state_nodes)
        self._casts, self._states = traced.casts, traced.states

    @property
    def reads_anything(self) -> bool:
        """Whether there is anything to look at."""
        return bool(self.reads or self.loops)

    def first_beyond(self, arrays: Sequence[Array]) -> Beyond | None:
        """The first index out of range for these arguments, if there is any."""
        if not self.reads_anything:
            return None
        pairs = zip(arrays, self._casts, strict=True)
        ready = [a if cast is None else cast(a) for a, cast in pairs]
        env = dict(zip(self._inputs, (*ready, *(t.concrete for t in self._states)), strict=True))
        values = evaluate([read.inputs[1] for read in self.reads], env)
        for read, indices in zip(self.reads, values, strict=True):
            found = _beyond(read, indices)
            if found is not None:
                return found
        return next((b for r in self.loops if (b := r.first_beyond(env)) is not None), None)


def _beyond(read: Node, indices: Array) -> Beyond | None:
    """The first of ``indices`` that ``read`` has no element for."""
    length = read.inputs[0].shape[read.params["axis"]]
    wrong = (indices < 0) | (indices >= length)
    if not wrong.any():
        return None
    position = tuple(int(i) for i in np.argwhere(wrong)[0])
    index = int(indices[position])  # one from the end was moved by the length
    return Beyond(read, position, index if index >= 0 else index - length)


@dataclass(frozen=True)
class _LoopRead:
    """A read in the body of a loop, whose indices follow from a row of xs and from consts."""

    read: Node
    length: int
    rows: dict[Node, Node]
    consts: dict[Node, Node]

    def first_beyond(self, env: dict[Node, Array]) -> Beyond | None:
        """The first index out of range."""
        outer = evaluate([*self.rows.values(), *self.consts.values()], env)
        rows, consts = outer[: len(self.rows)], outer[len(self.rows) :]
        for t in range(self.length):
            inside = dict(zip(self.rows, (x[t] for x in rows), strict=True))
            inside |= dict(zip(self.consts, consts, strict=True))
            [indices] = evaluate([self.read.inputs[1]], inside)
            found = _beyond(self.read, indices)
            if found is not None:
                return found
        return None


def _reads_in_loop(loop: Node) -> Iterator[_LoopRead]:
    """The reads of a loop's body whose indices can be known."""
    params = loop.params
    inner = parts_of(params["body"].inputs, params["carries"], params["scanned"])
    outer = parts_of(loop.inputs, params["carries"], params["scanned"])
    rows, consts = (dict(zip(inner[i], outer[i], strict=True)) for i in (1, 2))
    for node in params["body"].nodes():
        if node.op == "gather" and _known(node.inputs[1]):
            needed = [n for n in topological([node.inputs[1]]) if n.op == "input"]
            known = rows | consts
            if all(n in known and _known(known[n]) for n in needed):
                yield _LoopRead(
                    node,
                    params["length"],
                    {n: rows[n] for n in needed if n in rows},
                    {n: consts[n] for n in needed if n in consts},
                )


def _known(indices: Node) -> bool:
    """Whether indices follow from arguments and states, element by element."""
    asked = False
    for node in topological([indices]):
        if node.op == "input":
            if node.params["kind"] == "scalar":
                return False
            asked = True
        elif not (node.primitive.elementwise or node.primitive.movement or node.op in _SOURCES):
            return False
    return asked


def check_first_call(traced: Traced, arrays: Sequence[Array]) -> None:
    """`ShapeError` for an index of the arguments that is out of range."""
    beyond_range = IndexCheck(traced).first_beyond(arrays)
    if beyond_range is not None:
        raise beyond_range.error()
