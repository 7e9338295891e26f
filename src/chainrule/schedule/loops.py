"""Loops: where what is carried and stacked lies, and the body as nests.

The body is scheduled as a step is, over *windows*: buffers that lie in others and move on with the
trips. A carry has a row for each trip, and one more, if it is stacked anyway; otherwise two rows
that take turns. So a trip never writes what it reads, and nothing is copied from one to the next.
Where a value says how many trips there are, turns are counted from the last: both rows begin with
the first value, and the result is in the first row.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ..ir.graph import Graph, Node
from ..ir.types import row_major
from ..ops.bodies import parts_of
from .buffers import Buffer
from .nest import Access, Affine, Loop, Phases
from .places import Place, Surroundings, view_place, window_of


@dataclass(frozen=True)
class Row:
    """Rows of ``size`` elements of ``buffer``: the first trip's, and how far each trip moves."""

    buffer: Buffer
    size: int
    first: int
    step: int
    turns: int = 0

    def window(self, name: str, depth: int) -> Buffer:
        """The row of the present trip, as a buffer of its own."""
        start, stride = self.first * self.size, self.step * self.size
        return window_of(self.buffer, name, self.size, start, stride, self.turns, depth)


@dataclass(frozen=True)
class LoopMemory:
    """The buffers of one loop.

    ``before`` and ``after``: the rows of each carry that a trip reads and writes; ``stacks``: the
    row of each y that it writes, None for one that is a carry; ``first``: where the carries lie
    at the start, in as many places as may be read first; ``results``: all, at the end.
    """

    before: tuple[Row, ...]
    after: tuple[Row, ...]
    stacks: tuple[Row | None, ...]
    first: tuple[tuple[Place, ...], ...]
    results: tuple[Place, ...]


def loop_memory(
    loop: Node, number: int, around: Surroundings, homes: Mapping[int, Place]
) -> LoopMemory:
    """Buffers for the results of ``loop``; ``homes``: where some of them must end up, by number.

    What is stacked goes there at once if rows lie there one after another.
    """
    body, length, count = loop.params["body"], loop.params["length"], loop.params["carries"]
    backwards = bool(loop.params["reverse"])
    shared = [_as_carry(body, count, y) for y in body.outputs[count:]]
    stacked = {carry for same in shared if same for carry in (same[0],)}
    before, after, finals = [], [], []
    first: list[tuple[Place, ...]] = []
    limited = bool(loop.params["limited"])
    for i, node in enumerate(body.inputs[:count]):
        rows = length + 1 if i in stacked else 2
        buffer = around.temporary(f"carry{number}_{i}", node.dtype, rows * max(node.size, 1))
        last = length if i in stacked else 0 if limited else length % 2
        if i in stacked and backwards:
            before.append(Row(buffer, node.size, length, -1))
            after.append(Row(buffer, node.size, length - 1, -1))
            start, end = length, 0
        elif i in stacked:
            before.append(Row(buffer, node.size, 0, 1))
            after.append(Row(buffer, node.size, 1, 1))
            start, end = 0, last
        else:
            before.append(Row(buffer, node.size, 0, 1, 2))
            after.append(Row(buffer, node.size, 1, -1, 2))
            start, end = 0, last
        strides = row_major(node.shape)
        starts = (start, 1) if limited else (start,)
        first.append(tuple(Place(buffer, strides, row * node.size) for row in starts))
        finals.append(Place(buffer, strides, end * node.size))
    stacks: list[Row | None] = []
    results = list(finals)
    for j, (node, same) in enumerate(zip(body.outputs[count:], shared, strict=True)):
        if same is not None:
            carry, is_new = same
            results.append(
                Place(
                    before[carry].buffer,
                    (node.size, *row_major(node.shape)),
                    node.size * (is_new != backwards),
                )
            )
            stacks.append(None)
            continue
        buffer = around.temporary(f"stack{number}_{j}", node.dtype, length * max(node.size, 1))
        place = Place(buffer, (node.size, *row_major(node.shape)))
        home = homes.get(count + j, place)
        if home.strides == place.strides and not home.start:
            place = home
        results.append(place)
        begin, step = (length - 1, -1) if backwards else (0, 1)
        stacks.append(Row(place.buffer, node.size, begin, step))
    return LoopMemory(tuple(before), tuple(after), tuple(stacks), tuple(first), tuple(results))


def _as_carry(body: Graph, carries: int, y: Node) -> tuple[int, bool] | None:
    """The carry that a stacked value is, and whether it is the one after the step."""
    for i in range(carries):
        if y is body.outputs[i]:
            return i, True
    for i in range(carries):
        if y is body.inputs[i]:
            return i, False
    return None


def surroundings(
    loop: Node, memory: LoopMemory, places: dict[Node, Place], around: Surroundings
) -> Surroundings:
    """What the body of ``loop`` finds in memory, and where its results go."""
    params, depth = loop.params, around.depth
    private = (depth, params["length"]) if shares_trips(loop) else None
    body, count = params["body"], params["carries"]
    carries, xs, consts = parts_of(body.inputs, count, params["scanned"])
    inside: dict[Node, Place] = {}
    for i, (node, row) in enumerate(zip(carries, memory.before, strict=True)):
        inside[node] = Place(row.window(f"c{depth}_{i}", depth), row_major(node.shape))
    _, outer_xs, outer_consts = parts_of(loop.inputs, count, params["scanned"])
    for i, (node, outer) in enumerate(zip(xs, outer_xs, strict=True)):
        place = view_place(outer, places)
        stride, *strides = place.strides
        low = place.start + (stride * (params["length"] - 1) if params["reverse"] else 0)
        size = 1 + sum(s * (n - 1) for s, n in zip(strides, node.shape, strict=True))
        step = -stride if params["reverse"] else stride
        window = window_of(place.buffer, f"x{depth}_{i}", max(size, 0), low, step, 0, depth)
        inside[node] = Place(window, tuple(strides))
    for node, outer in zip(consts, outer_consts, strict=True):
        inside[node] = view_place(outer, places)
    given = tuple(inside[n].buffer for n in body.inputs)
    ends = zip(body.outputs, (*memory.after, *memory.stacks), strict=True)
    targets = tuple(
        (
            node,
            Place(
                row.window(f"{'n' if i < count else 'y'}{depth}_{i}", depth), row_major(node.shape)
            ),
        )
        for i, (node, row) in enumerate(ends)
        if row is not None
    )
    return Surroundings(inside, given, targets, depth + 1, around.private or private)


def shares_trips(loop: Node) -> bool:
    """Whether threads may share out the trips of ``loop``."""
    return bool(loop.params["tiled"]) and not loop.params["carries"]


def limit_of(loop: Node, places: dict[Node, Place]) -> Access | None:
    """Where it lies how many trips ``loop`` makes, if a value says so."""
    if not loop.params["limited"]:
        return None
    place = view_place(loop.inputs[loop.params["carries"] + loop.params["scanned"]], places)
    return Access(place.buffer, Affine(place.start, ()))


def _around(buffer: Buffer, depth: int) -> Buffer:
    """The part of memory that stays where it is while the loop at ``depth`` makes its trips."""
    while buffer.base is not None and buffer.depth >= depth:
        buffer = buffer.base
    return buffer


def make_loop(
    loop: Node, phases: Phases, pieces: int, around: Surroundings, limit: Access | None
) -> Loop:
    """The loop around the nests of its body; ``pieces`` of rows that do not need one another."""
    reads: dict[Buffer, None] = {}
    writes: dict[Buffer, None] = {}
    for task in (task for phase in phases for task in phase):
        reads.update(dict.fromkeys(_around(a.buffer, around.depth) for a in task.nest.reads))
        writes.update(dict.fromkeys(_around(a.buffer, around.depth) for a in task.nest.writes))
    if limit is not None:
        reads[_around(limit.buffer, around.depth)] = None
    share = shares_trips(loop) and around.private is None
    whole = Affine(0, ())
    return Loop(
        loop.params["length"],
        phases,
        tuple(Access(b, whole) for b in reads),
        tuple(Access(b, whole) for b in writes),
        pieces,
        share,
        limit,
    )
