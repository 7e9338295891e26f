"""Units: for each realized value, what computes it and where it is stored.

A unit is one future nest or a part of one. Most realized nodes have one unit; a pad has two (fill,
then copy) and a concatenation one for each piece. An update of a state is stored straight into the
state's memory by the unit that computes it, once every reader of the old value is done.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from heapq import heappop, heappush

import numpy as np

from ..ir.graph import Graph, Node, bind, topological
from ..ir.types import Shape, row_major
from ..passes.layout import PRODUCTS
from .index import axes_of
from .loops import LoopMemory, loop_memory
from .places import Place, Surroundings, constants
from .reads import FLAT, Reads, unit_reads, walked_reads
from .realize import LONG, SCATTERS, cost_of, realized_nodes, view_base
from .tile import SMALL


@dataclass(eq=False)
class Unit:
    """Computes ``value`` at every point of ``shape`` and stores it in a region of ``node``.

    ``kind``: map, reduce, product, scatter or loop. ``start`` and ``step`` say where the region
    lies in ``node``, ``places`` where ``node`` lies in memory. ``writes``: states that are
    overwritten; ``after``: units that must be done before, whatever they write. ``walked``: what a
    reduction reads, with indices over the axes of the array it reduces.
    """

    kind: str
    node: Node
    value: Node
    shape: Shape
    start: tuple[int, ...]
    step: tuple[int, ...]
    places: list[Place] = field(default_factory=list)
    writes: list[Node] = field(default_factory=list)
    reads: Reads = field(default_factory=list)
    after: list[Unit] = field(default_factory=list)
    walked: Reads = field(default_factory=list)
    #: of a loop: its results, and the memory it works in
    items: list[Node] = field(default_factory=list)
    loop: LoopMemory | None = None

    @property
    def whole(self) -> bool:
        """Whether the unit stores the whole of its node, element by element."""
        return self.shape == self.node.shape and not any(self.start) and set(self.step) <= {1}


@dataclass(eq=False)
class Plan:
    """All units of a graph with their places, in an order that respects every dependence."""

    graph: Graph
    places: dict[Node, Place]
    units: list[Unit]
    around: Surroundings
    writers: dict[Node, list[Unit]]


def make_plan(graph: Graph, around: Surroundings) -> Plan:
    """Decide places and units for ``graph``."""
    places = {**around.places, **constants(graph)}
    realized = realized_nodes(graph)
    units: list[Unit] = []
    writers: dict[Node, list[Unit]] = {}
    loops: dict[Node, Unit] = {}
    for node in realized:
        if node.op == "item":
            writers[node] = [_loop_unit(node, loops, units)]
            continue
        writers[node] = node_units(node)
        units.extend(writers[node])
    computed = set(realized)
    for unit in units:
        unit.reads = unit_reads(unit.kind, unit.value, computed, own=unit.value is unit.node)
        if unit.kind == "reduce":
            unit.walked = walked_reads(unit.node, computed)
    flat = {leaf for unit in units for leaf, idx in unit.reads if idx is FLAT}
    products = [node for node in realized if node.op in PRODUCTS]
    rigid = flat | {view_base(i) for node in products for i in node.inputs}
    merging = flat | {view_base(i) for node in products for i in node.inputs if not _slides(node)}
    plan = Plan(graph, places, units, around, writers)
    _bind_loops(plan)
    _bind_targets(plan, around.targets)
    _bind_updates(plan, rigid)
    pads_first = sorted(enumerate(realized), key=lambda entry: entry[1].op != "pad")
    for number, node in pads_first:
        if node not in places:
            kept = _leave_zeros(plan, node)
            buffer = around.temporary(f"t{number}", node.dtype, node.size, kept)
            places[node] = Place(buffer, row_major(node.shape))
            for unit in writers[node]:
                unit.places.append(places[node])
            if kept:
                _move_inside(plan, node, merging)
    plan.units = ordered(plan.units, dependences(plan))
    return plan


def takes_long(unit: Unit, host: Unit, plan: Plan) -> bool:
    """Whether ``unit`` as an epilogue of the product ``host`` would take longer than by itself.

    Long formulas are chains of operations that wait for one another. Tile by tile they wait again
    and again, and memory is written in pieces of rows; in a nest of their own they overlap.
    """
    if host.kind != "product" or host.node.size < SMALL:
        return False
    own = topological(unit.node.inputs, known=plan.writers)
    return any(cost_of(node.primitive) >= LONG for node in (*own, unit.node))


def _loop_unit(item: Node, loops: dict[Node, Unit], units: list[Unit]) -> Unit:
    """The unit that computes a result of a loop, and all the others."""
    loop = item.inputs[0]
    if loop not in loops:
        loops[loop] = Unit("loop", loop, loop, (), (), ())
        units.append(loops[loop])
    loops[loop].items.append(item)
    return loops[loop]


def node_units(node: Node) -> list[Unit]:
    """The units that compute a realized node."""
    zeros, ones = (0,) * node.ndim, (1,) * node.ndim
    if node.op == "pad":
        x, value = node.inputs
        fill = bind("broadcast", value, shape=node.shape, axes=()) if node.ndim else value
        step = tuple(i + 1 for i in node.params["interior"])
        first = Unit("map", node, fill, node.shape, zeros, ones)
        second = Unit("map", node, x, x.shape, tuple(node.params["low"]), step, after=[first])
        return [first, second]
    if node.op == "concat":
        return _concat_units(node)
    if node.op in SCATTERS:
        first = Unit("map", node, node.inputs[0], node.shape, zeros, ones)
        return [first, Unit("scatter", node, node, node.shape, zeros, ones, after=[first])]
    kinds = dict.fromkeys(PRODUCTS, "product") | {"reduce_sum": "reduce", "reduce_max": "reduce"}
    return [Unit(kinds.get(node.op, "map"), node, node, node.shape, zeros, ones)]


def _leave_zeros(plan: Plan, node: Node) -> int:
    """How many zeros ``node`` is padded with, which its own memory can hold from step to step."""
    if node.op != "pad" or node.inputs[1].op != "const" or plan.around.private:
        return 0
    value = node.inputs[1].params["value"]
    zeros = node.size - node.inputs[0].size
    if value.any() or np.signbit(value).any() or not zeros:
        return 0
    fill, copy = plan.writers[node]
    plan.units.remove(fill)
    plan.writers[node] = [copy]
    copy.after.clear()
    return zeros


def _slides(node: Node) -> bool:
    """Whether a product is a convolution whose places overlap, so that its rows never merge."""
    kernel = node.params.get("kernel") or (node.inputs[1].shape[:-3] if node.op == "conv" else ())
    return any(extent > 1 for extent in kernel)


def _move_inside(plan: Plan, pad: Node, merging: set[Node]) -> None:
    """Let what is padded with zeros live inside of the padded array, if that is all of its life.

    Then there is nothing to copy: who computes it writes it there, and all read it there. Values
    that are ``merging`` have readers for which rows, one after another, are one long row.
    """
    x = pad.inputs[0]
    while x.op == "reshape" and _wide(x) == _wide(x.inputs[0]):
        x = x.inputs[0]
    units = plan.writers.get(x, [])
    free = x not in plan.places and x not in merging and x.op != "pad"
    if not free or len(units) != 1 or not units[0].whole or any(pad.params["interior"]):
        return
    home = plan.places[pad]
    wide = iter([s for s, e in zip(home.strides, pad.inputs[0].shape, strict=True) if e != 1])
    strides = tuple(next(wide) if extent != 1 else 0 for extent in x.shape)
    start = sum(p * s for p, s in zip(pad.params["low"], home.strides, strict=True))
    plan.places[x] = Place(home.buffer, strides, start)
    units[0].places.append(plan.places[x])
    (copy,) = plan.writers[pad]
    plan.units.remove(copy)
    plan.writers[pad] = units


def _wide(node: Node) -> Shape:
    """The extents of a node that are not 1."""
    return tuple(extent for extent in node.shape if extent != 1)


def _concat_units(node: Node) -> list[Unit]:
    axis = node.params["axis"]
    units, position = [], 0
    for piece in node.inputs:
        start = tuple(position if a == axis else 0 for a in range(node.ndim))
        units.append(Unit("map", node, piece, piece.shape, start, (1,) * node.ndim))
        position += piece.shape[axis]
    return units


def _copy_unit(node: Node, value: Node) -> Unit:
    return Unit("map", node, value, value.shape, (0,) * value.ndim, (1,) * value.ndim)


def _bind_targets(plan: Plan, targets: Iterable[tuple[Node, Place]]) -> None:
    """Values are computed where they must end up; one that has a place by then is copied."""
    for node, place in targets:
        if plan.places.get(node) is place:
            continue  # a loop stacks it there
        if node in plan.writers and node not in plan.places:
            plan.places[node] = place
            for unit in plan.writers[node]:
                unit.places.append(place)
        else:
            _add_copy(plan, node, place)


def _bind_loops(plan: Plan) -> None:
    """Memory for what loops give, and the first values of what they carry."""
    loops = dict.fromkeys(u for u in plan.units if u.kind == "loop")
    wanted = dict(reversed(plan.around.targets))
    for number, unit in enumerate(loops):
        homes = {i.params["index"]: wanted[i] for i in unit.items if i in wanted}
        unit.loop = memory = loop_memory(unit.node, number, plan.around, homes)
        for item in unit.items:
            plan.places[item] = memory.results[item.params["index"]]
        for init, starts in zip(unit.node.inputs, memory.first, strict=False):
            for place in starts:
                copy = _add_copy(plan, init, place)
                copy.reads = unit_reads("map", init, set(plan.writers), own=False)
                unit.after.append(copy)


def _add_copy(plan: Plan, node: Node, place: Place) -> Unit:
    unit = _copy_unit(node, node)
    unit.places.append(place)
    unit.reads = [(node, axes_of(node.shape))]
    plan.units.append(unit)
    return unit


def _bind_updates(plan: Plan, rigid: set[Node]) -> None:
    """Let units write states in place where no reader of the old value could come after.

    ``rigid`` values have readers that count on row-major memory.
    """
    order = _Order(plan)
    for update in plan.graph.updates:
        state, value = update.inputs
        place = plan.places[state]
        fits = value not in rigid or place.strides == row_major(value.shape)
        writers = plan.writers.get(value, []) if fits and value not in plan.places else []
        if writers and value.op in SCATTERS and value.inputs[0] is state:
            _spare_copy(plan, writers, state, order)
        if (
            len(writers) == 1
            and _reads_in_place(writers[0], state)
            and order.may_write(writers[0], state)
        ):
            unit = writers[0]
            unit.places.append(place)
            plan.places[value] = place
        else:
            unit = _add_copy(plan, value, place)
            order.add(unit, plan.writers.get(value, ()))
        unit.writes.append(state)
        order.add(unit, order.readers.get(state, ()))


def _spare_copy(plan: Plan, writers: list[Unit], state: Node, order: _Order) -> None:
    """Rows of ``state`` are replaced by rows: what is not, is there already, if it may be written.

    ``writers``, which copy the old value and then write the rows, lose the first.
    """
    copy, rows = writers
    if not (_reads_in_place(rows, state) and order.may_write(rows, state)):
        return
    writers.remove(copy)
    plan.units.remove(copy)
    rows.after.remove(copy)
    order.forget(copy)


def _reads_in_place(unit: Unit, state: Node) -> bool:
    """Whether ``unit`` reads nothing of ``state`` but the element that it is about to store.

    Any other would hold the old value or the new one, as the loops happen to run.
    """
    own = axes_of(unit.shape)
    return all(idx == own for leaf, idx in unit.reads if leaf is state)


class _Order:
    """Which units come after which, as updates are bound one by one."""

    def __init__(self, plan: Plan) -> None:
        self.followers: dict[Unit, set[Unit]] = {}
        self.readers: dict[Node, list[Unit]] = {}
        for unit, earlier in dependences(plan).items():
            self.add(unit, earlier)
        for unit in plan.units:
            for leaf, _ in unit.reads:
                self.readers.setdefault(leaf, []).append(unit)

    def add(self, unit: Unit, earlier: Iterable[Unit]) -> None:
        """``unit`` comes after all of ``earlier``."""
        for other in earlier:
            if other is not unit:
                self.followers.setdefault(other, set()).add(unit)

    def forget(self, unit: Unit) -> None:
        """``unit`` is not done."""
        self.followers.pop(unit, None)
        for readers in self.readers.values():
            if unit in readers:
                readers.remove(unit)

    def may_write(self, unit: Unit, state: Node) -> bool:
        """Whether no other reader of ``state`` comes after ``unit``."""
        others = {r for r in self.readers.get(state, ()) if r is not unit}
        seen, stack = {unit}, [unit]
        while stack:
            for follower in self.followers.get(stack.pop(), ()):
                if follower not in seen:
                    seen.add(follower)
                    stack.append(follower)
        return not others & seen


def dependences(plan: Plan) -> dict[Unit, set[Unit]]:
    """For each unit, the units that must be done before it.

    Those whose values it reads, those it names itself (``after``), and, if it overwrites a state,
    every reader of the state's old value.
    """
    before: dict[Unit, set[Unit]] = {u: set(u.after) for u in plan.units}
    readers: dict[Node, list[Unit]] = {}
    for unit in plan.units:
        for leaf, _ in unit.reads:
            before[unit].update(w for w in plan.writers.get(leaf, ()) if w is not unit)
            readers.setdefault(leaf, []).append(unit)
    for unit in plan.units:
        for state in unit.writes:
            before[unit].update(r for r in readers.get(state, ()) if r is not unit)
    return before


def ordered(units: Sequence[Unit], before: dict[Unit, set[Unit]]) -> list[Unit]:
    """Units after everything they depend on, otherwise in the given order."""
    waiting = {u: len(before[u]) for u in units}
    followers: dict[Unit, list[Unit]] = {u: [] for u in units}
    for unit in units:
        for other in before[unit]:
            followers[other].append(unit)
    position = {u: i for i, u in enumerate(units)}
    ready = [position[u] for u in units if not waiting[u]]  # in rising order: a heap
    done: list[Unit] = []
    while ready:
        unit = units[heappop(ready)]
        done.append(unit)
        for follower in followers[unit]:
            waiting[follower] -= 1
            if not waiting[follower]:
                heappush(ready, position[follower])
    if len(done) != len(units):
        raise AssertionError("units depend on each other in a circle")
    return done
