"""Which units share a nest.

A map joins the nest that computes what it reads, if it reads it element by element: it becomes the
epilogue of a product or reduction, or more stores of a map. It may not join if some other nest
would have to run in between. Fusion only schedules; no value changes.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from ..ir.graph import Node
from ..ir.types import Shape
from .index import Idx, axes_of, loop_of, zero
from .nest import Affine
from .reads import FLAT
from .units import Plan, Unit, dependences


@dataclass(eq=False)
class Cluster:
    """Units that become one nest. ``index`` gives, for each unit's axes, the loops of the host."""

    host: Unit
    units: list[Unit] = field(default_factory=list)
    index: dict[Unit, Idx] = field(default_factory=dict)

    @property
    def shape(self) -> Shape:
        """The parallel iteration space."""
        return self.host.shape


def fuse(plan: Plan, *, enabled: bool = True) -> tuple[list[Cluster], dict[Unit, set[Unit]]]:
    """Group the units of ``plan``; clusters come in an order that respects every dependence."""
    before = dependences(plan)
    home: dict[Unit, Cluster] = {}
    clusters: list[Cluster] = []
    for unit in plan.units:
        found = _join(unit, clusters, home, before, plan) if enabled else None
        if found is None:
            found = Cluster(unit, [], {})
            found.index[unit] = axes_of(unit.shape)
            clusters.append(found)
        found.units.append(unit)
        home[unit] = found
    return _ordered(clusters, home, before), before


def _join(
    unit: Unit,
    clusters: list[Cluster],
    home: dict[Unit, Cluster],
    before: dict[Unit, set[Unit]],
    plan: Plan,
) -> Cluster | None:
    """The cluster that ``unit`` joins, recording its index there; None if it starts its own."""
    if unit.kind != "map" or not unit.whole or unit.after:
        return None
    sources: dict[Cluster, None] = {}
    for leaf, idx in unit.reads:
        for writer in plan.writers.get(leaf, ()):
            if writer is not unit and idx not in (None, FLAT):
                sources[home[writer]] = None
    rank = {"product": 0, "reduce": 1, "map": 2}
    candidates = sorted(sources, key=lambda c: rank.get(c.host.kind, 3))
    candidates += [c for c in _siblings(unit, clusters, plan) if c not in sources]
    for cluster in candidates:
        if not _hospitable(cluster.host, plan):
            continue
        idx = _placement(unit, cluster, plan)
        if idx is None or _hazard(unit, idx, cluster):
            continue
        if _path_around(unit, cluster, home, before):
            continue
        cluster.index[unit] = idx
        return cluster
    return None


def _hospitable(host: Unit, plan: Plan) -> bool:
    """Whether a nest can take epilogues: it stores a whole value, all by itself."""
    alone = len(plan.writers.get(host.node, ())) <= 1
    return host.kind != "scatter" and host.whole and alone


def _siblings(unit: Unit, clusters: list[Cluster], plan: Plan) -> list[Cluster]:
    """Maps over the same space that read something this unit reads too."""
    mine = {leaf for leaf, idx in unit.reads if idx is not None and leaf.ndim}
    found = []
    for cluster in reversed(clusters):
        if cluster.host.kind == "map" and cluster.shape == unit.shape and unit.shape:
            theirs = {leaf for leaf, idx in cluster.host.reads if idx is not None}
            if mine & theirs:
                found.append(cluster)
    return found


def _placement(unit: Unit, cluster: Cluster, plan: Plan) -> Idx | None:
    """The host loops for each axis of ``unit``, from its element-wise reads in the cluster."""
    chosen: dict[int, Affine] = {}
    connected = False
    for leaf, idx in unit.reads:
        writer = next((w for w in plan.writers.get(leaf, ()) if w in cluster.index), None)
        if writer is None:
            continue
        if idx is None or idx is FLAT:
            return None
        connected = True
        for position, part in enumerate(idx):
            there = cluster.index[writer][position]
            axis = loop_of(part)
            if axis is None:
                if leaf.shape[position] != 1 or any(part.coeffs):
                    return None
            elif chosen.setdefault(axis, there) != there:
                return None
    if not connected:
        return axes_of(unit.shape) if unit.shape == cluster.shape else None
    return _complete(unit.shape, cluster.shape, chosen)


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
    writers: list[tuple[Node, Idx]] = [(s, idx) for s in unit.writes]
    for other in cluster.units:
        writers += [(s, cluster.index[other]) for s in other.writes]
    if not writers:
        return False
    readers = [(unit, idx)] + [(u, cluster.index[u]) for u in cluster.units]
    for state, stored in writers:
        for reader, base in readers:
            for leaf, read in reader.reads:
                if leaf is state and (read is None or read is FLAT or _at(read, base) != stored):
                    return True
    return False


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


def _path_around(
    unit: Unit, cluster: Cluster, home: dict[Unit, Cluster], before: dict[Unit, set[Unit]]
) -> bool:
    """Whether something ``unit`` waits for, outside ``cluster``, itself waits for ``cluster``."""
    stack = [home[u] for u in before[unit] if home[u] is not cluster]
    seen = set(stack)
    while stack:
        current = stack.pop()
        for member in current.units:
            for earlier in before[member]:
                other = home[earlier]
                if other is cluster:
                    return True
                if other not in seen:
                    seen.add(other)
                    stack.append(other)
    return False


def _ordered(
    clusters: list[Cluster], home: dict[Unit, Cluster], before: dict[Unit, set[Unit]]
) -> list[Cluster]:
    """Clusters after all clusters they depend on."""
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
            needed = {home[e]: None for u in cluster.units for e in before[u]}
            stack.extend((c, False) for c in needed if c is not cluster and c not in done)

    for cluster in clusters:
        visit(cluster)
    return list(done)
