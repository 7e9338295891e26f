"""Which units share a nest.

A map joins the nest that computes what it reads, if it reads it element by element: it becomes the
epilogue of a product or reduction, or more stores of a map. A reduction along rows joins the map
that computes its elements, or shares their reads: the map's stores then happen inside of its loops.
Reductions over the same array join one another. None may join if some other nest would have to run
in between. Fusion only schedules; no value changes.

One invariant makes this safe: *a nest never loads what it computes*. Where a unit of a nest reads a
value of the same nest, it takes the scalar that is at hand, without memory, so that value must have
one unit, which computes all of it, at the point at which it is read. A part of an array (a piece of
a concatenation, what a pad surrounds) is never at hand: its neighbours come from other nests.
`lower.py` checks the invariant in every nest that it makes.
"""

from __future__ import annotations

import math

from ..ir.graph import Node
from ..ir.types import Shape
from .grouping import Cluster, Grouping
from .index import Idx, axes_of, dot_strides, loop_of, loops, zero
from .nest import Affine
from .reads import FLAT, Reads
from .realize import DEEPEST
from .tile import SMALL
from .units import Plan, Unit, dependences, ordered, takes_long

#: maps go inside of a reduction only if its rows fill vectors and there are rows for all threads
SHORTEST_ROW, FEWEST_ROWS = 64, 16


def fuse(plan: Plan, *, enabled: bool = True) -> tuple[list[Cluster], dict[Unit, set[Unit]]]:
    """Group the units of ``plan``; clusters come in an order that respects every dependence."""
    grouping = Grouping(plan, dependences(plan))
    late = sorted(plan.units, key=lambda unit: unit.kind == "reduce")  # when maps are in place
    for unit in ordered(late, grouping.before):
        cluster = _join(unit, grouping) if enabled else None
        if cluster is None:
            cluster = Cluster(unit, [], {})
            cluster.index[unit] = axes_of(unit.shape)
            grouping.begin(cluster)
        grouping.add(unit, cluster)
    return _ordered(grouping), grouping.before


def _join(unit: Unit, grouping: Grouping) -> Cluster | None:
    """The cluster that ``unit`` joins, recording its index there; None if it starts its own."""
    if unit.after or unit.kind not in ("map", "reduce"):
        return None
    if unit.kind == "reduce":
        return _join_reduction(unit, grouping)
    plan = grouping.plan
    sources: dict[Cluster, None] = {}
    for leaf, idx in unit.reads:
        for writer in plan.writers.get(leaf, ()):
            if writer is not unit and idx not in (None, FLAT):
                sources[grouping.home[writer]] = None
    rank = {"product": 0, "reduce": 1, "map": 2}
    candidates = sorted(sources, key=lambda c: rank.get(c.host.kind, 3))
    candidates += [c for c in _siblings(unit, grouping) if c not in sources]
    for cluster in candidates:
        if not _hospitable(cluster.host, plan) or grouping.depth(unit, cluster) > DEEPEST:
            continue
        if takes_long(unit, cluster.host, plan) or grouping.path_around(unit, cluster):
            continue
        for where, extents in ((cluster.index, cluster.shape), (cluster.inner, cluster.space)):
            if where is cluster.inner and not (_by_rows(cluster.host) and _in_order(unit, plan)):
                continue
            idx = _placement(unit.reads, unit.shape, where, extents, cluster, plan)
            if idx is not None and not _hazard(unit, idx, cluster):
                where[unit] = idx
                return cluster
    return None


def _join_reduction(unit: Unit, grouping: Grouping) -> Cluster | None:
    """The map whose elements ``unit`` reduces, or a reduction over the same array, if any.

    Small ones stay alone: they are done sooner, and reading something twice costs less than that.
    """
    if unit.node.inputs[0].size < SMALL:
        return None
    plan = grouping.plan
    for cluster in _meeting(unit, grouping):
        if not _hospitable(cluster.host, plan) or grouping.path_around(unit, cluster):
            continue
        form = _around(unit, cluster, plan) if grouping.depth(unit, cluster) <= DEEPEST else None
        if form is not None and not _hazard(unit, axes_of(unit.shape), form):
            cluster.host, cluster.index, cluster.inner = form.host, form.index, form.inner
            cluster.index[unit] = axes_of(unit.shape)
            return cluster
    return None


def _around(unit: Unit, cluster: Cluster, plan: Plan) -> Cluster | None:
    """``cluster`` in the form in which the reduction ``unit`` can be added to it."""
    walked = unit.node.inputs[0].shape
    if cluster.host.kind == "reduce":
        same = cluster.host.node.params["axes"] == unit.node.params["axes"]
        if not same or cluster.space != walked:
            return None
        idx = _placement(unit.walked, walked, cluster.inner, walked, cluster, plan)
        return cluster if idx == axes_of(walked) else None
    if not _by_rows(unit) or not all(_in_order(u, plan) for u in cluster.units):
        return None
    idx = _placement(unit.walked, walked, cluster.index, cluster.shape, cluster, plan)
    if idx is None:
        return None
    inner = {u: _turned(i, idx) for u, i in cluster.index.items()}
    return Cluster(unit, cluster.units, {}, inner)


def _meeting(unit: Unit, grouping: Grouping) -> list[Cluster]:
    """Clusters that compute what a reduction reads, then those that read the same."""
    leaves = dict.fromkeys(leaf for leaf, idx in unit.walked if idx is not FLAT and leaf.ndim)
    writers = [w for leaf in leaves for w in grouping.plan.writers.get(leaf, ())]
    sources = {grouping.home[w]: None for w in writers}
    for cluster in grouping.reading(leaves):
        if cluster.space:
            sources[cluster] = None
    return list(sources)


def _by_rows(unit: Unit) -> bool:
    """Whether a reduction goes along the last axes, and both rows and their number are long."""
    if unit.kind != "reduce" or not unit.node.params["axes"]:
        return False
    shape, axes = unit.node.inputs[0].shape, unit.node.params["axes"]
    kept = len(shape) - len(axes)
    long = shape[-1] >= SHORTEST_ROW and math.prod(shape[:kept]) >= FEWEST_ROWS
    return long and min(axes) == kept


def _in_order(unit: Unit, plan: Plan) -> bool:
    """Whether a map stores along its last axis, and reads so too."""
    if unit.kind != "map" or not unit.whole or not unit.shape:
        return False
    last = len(unit.shape) - 1
    steps = [place.strides[last] for place in unit.places]
    for leaf, idx in unit.reads:
        if idx is None or idx is FLAT:
            return False
        steps.append(dot_strides(idx, plan.places[leaf].strides, len(unit.shape)).coeffs[last])
    return all(step in (0, 1) for step in steps)


def _turned(idx: Idx, axes: Idx) -> Idx:
    """``idx`` over a map's loops, said over the axes of an array that lies on them at ``axes``."""
    axis_of = {loop_of(part): axis for axis, part in enumerate(axes)}
    result = []
    for part in idx:
        loop = loop_of(part)
        result.append(zero(len(axes)) if loop is None else loops(len(axes), [axis_of[loop]])[0])
    return tuple(result)


def _hospitable(host: Unit, plan: Plan) -> bool:
    """Whether a nest can take epilogues: it stores a whole value, all by itself."""
    alone = len(plan.writers.get(host.node, ())) <= 1
    return host.kind not in ("scatter", "loop") and host.whole and alone


def _siblings(unit: Unit, grouping: Grouping) -> list[Cluster]:
    """Maps over the same space that read something this unit reads too."""
    mine = {leaf for leaf, idx in unit.reads if idx is not None and leaf.ndim}
    siblings = []
    for cluster in grouping.reading(mine):
        if cluster.host.kind == "map" and cluster.shape == unit.shape and unit.shape:
            theirs = {leaf for leaf, idx in cluster.host.reads if idx is not None}
            if mine & theirs:
                siblings.append(cluster)
    return siblings


def _placement(
    reads: Reads,
    shape: Shape,
    where: dict[Unit, Idx],
    extents: Shape,
    cluster: Cluster,
    plan: Plan,
) -> Idx | None:
    """The loops, of given extents, for each axis of what ``reads`` element by element.

    ``where`` has the units of the cluster whose values are at hand there.
    """
    chosen: dict[int, Affine] = {}
    connected = False
    for leaf, idx in reads:
        writers = plan.writers.get(leaf, ())
        if not any(w in cluster.units for w in writers):
            continue
        maker = _maker(leaf, plan)
        if idx is None or idx is FLAT or maker is None or maker not in where:
            return None
        connected = True
        for position, part in enumerate(idx):
            there = where[maker][position]
            axis = loop_of(part)
            if axis is None:
                if leaf.shape[position] != 1 or any(part.coeffs):
                    return None
            elif chosen.setdefault(axis, there) != there:
                return None
    if not connected:
        return axes_of(shape) if shape == extents else None
    return _complete(shape, extents, chosen)


def _maker(leaf: Node, plan: Plan) -> Unit | None:
    """The unit that computes the whole of ``leaf`` by itself, if there is one.

    Only what it computes can be read at the point where it is computed. The pieces of a
    concatenation, a pad's filling and its contents, and what lives inside of a pad lie elsewhere.
    """
    writers = plan.writers.get(leaf, ())
    alone = writers[0] if len(writers) == 1 else None
    return alone if alone is not None and alone.node is leaf and alone.whole else None


def _complete(shape: Shape, host: Shape, chosen: dict[int, Affine]) -> Idx | None:
    """``chosen`` for all axes, if it visits every point of ``host`` exactly once."""
    used: set[int] = set()
    result = []
    for axis, extent in enumerate(shape):
        part = chosen.get(axis)
        if part is None:
            if extent != 1:
                return None
            part = zero(len(host))
        loop = loop_of(part)
        if loop is not None:
            if host[loop] != extent or loop in used:
                return None
            used.add(loop)
        elif extent != 1:
            return None
        result.append(part)
    if any(extent != 1 and loop not in used for loop, extent in enumerate(host)):
        return None
    return tuple(result)


def _hazard(unit: Unit, idx: Idx, cluster: Cluster) -> bool:
    """Whether one nest would overwrite an element of a state that it still has to read."""
    placed = {unit: idx} | cluster.inner | cluster.index
    writers = [(s, at) for u, at in placed.items() for s in u.writes]
    readers = [(u.walked or u.reads, _base(u, at)) for u, at in placed.items()]
    for state, stored in writers:
        for reads, base in readers:
            for leaf, read in reads:
                if leaf is state and (read is None or read is FLAT or _at(read, base) != stored):
                    return True
    return False


def _base(unit: Unit, idx: Idx) -> Idx:
    """The loops of the axes over which the reads of ``unit`` are said."""
    return axes_of(unit.node.inputs[0].shape) if unit.walked else idx


def _at(read: Idx, base: Idx) -> Idx | None:
    """``read`` (over a unit's axes) in host loops, given the host index of those axes."""
    result = []
    for part in read:
        axis = loop_of(part)
        if axis is None:
            if part.const or any(part.coeffs):
                return None
            result.append(Affine(0, (0,) * (len(base[0].coeffs) if base else 0)))
        else:
            result.append(base[axis])
    return tuple(result)


def _ordered(grouping: Grouping) -> list[Cluster]:
    """Clusters after all clusters they depend on, of which those begun first come first."""
    home, before, number = grouping.home, grouping.before, grouping.numbers.__getitem__
    done: dict[Cluster, None] = {}

    def visit(root: Cluster) -> None:
        stack = [(root, False)]
        while stack:
            cluster, expanded = stack.pop()
            if cluster in done:
                continue
            if expanded:
                done[cluster] = None
                continue
            stack.append((cluster, True))
            needed = {home[e] for u in cluster.units for e in before[u]} - {cluster}
            stack.extend((c, False) for c in sorted(needed, key=number, reverse=True))

    for cluster in grouping.clusters:
        visit(cluster)
    return list(done)
