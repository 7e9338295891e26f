"""Clusters while units are grouped: which stand so far, what they wait for, how deep they are."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from ..ir.graph import Node, topological
from ..ir.types import Shape
from .index import Idx
from .realize import cost_of
from .units import Plan, Unit


@dataclass(eq=False)
class Cluster:
    """Units that become one nest. ``index`` gives, for each unit's axes, the loops of the host.

    ``inner``: maps inside of a reduction, for each of their axes all its loops, reduced ones too.
    ``depths``: operations from what each unit computes down to what the nest reads from memory.
    """

    host: Unit
    units: list[Unit] = field(default_factory=list)
    index: dict[Unit, Idx] = field(default_factory=dict)
    inner: dict[Unit, Idx] = field(default_factory=dict)
    depths: dict[Unit, int] = field(default_factory=dict)

    @property
    def shape(self) -> Shape:
        """The parallel iteration space."""
        return self.host.shape

    @property
    def space(self) -> Shape:
        """The iteration space with the reduced loops of a reduction."""
        return self.host.node.inputs[0].shape if self.host.kind == "reduce" else self.shape

    @property
    def reductions(self) -> list[Unit]:
        """The reductions of the nest, in the order of their numbers."""
        return [u for u in self.units if u.kind == "reduce"]


#: operations down to the farthest leaf, and down to each that units compute
Heights = tuple[int, list[tuple[Node, int]]]


@dataclass(eq=False)
class Waiting:
    """Which clusters, by their numbers, wait for which, directly or through others.

    ``known``: for each a bit for every other that it waits for; ``later``: who waits for it itself.
    """

    known: list[int] = field(default_factory=list)
    later: list[set[int]] = field(default_factory=list)

    def begin(self) -> int:
        """The number of one more."""
        self.known.append(0)
        self.later.append(set())
        return len(self.known) - 1

    def wait(self, number: int, other: int) -> None:
        """Let cluster ``number`` wait for ``other``, and all that waits for it with it."""
        if number == other:
            return
        self.later[other].add(number)
        more = self.known[other] | 1 << other
        stack = [number]
        while stack:
            current = stack.pop()
            if self.known[current] | more != self.known[current]:
                self.known[current] |= more
                stack += self.later[current]

    def waits(self, number: int, other: int) -> bool:
        """Whether cluster ``number`` waits for ``other``."""
        return bool(self.known[number] >> other & 1)


@dataclass(eq=False)
class Grouping:
    """How far the units of ``plan`` have been grouped.

    ``home``: the cluster of each unit that has one; ``before``: the units that each waits for.
    """

    plan: Plan
    before: dict[Unit, set[Unit]]
    clusters: list[Cluster] = field(default_factory=list)
    home: dict[Unit, Cluster] = field(default_factory=dict)
    #: clusters, by their numbers, that read each value
    readers: dict[Node, dict[int, Cluster]] = field(default_factory=dict)
    numbers: dict[Cluster, int] = field(default_factory=dict)
    #: how many operations stand between each node and what it reads
    heights: dict[Node, Heights] = field(default_factory=dict)
    order: Waiting = field(default_factory=Waiting)

    def begin(self, cluster: Cluster) -> None:
        """Add a cluster."""
        self.numbers[cluster] = self.order.begin()
        self.clusters.append(cluster)

    def add(self, unit: Unit, cluster: Cluster) -> None:
        """``unit`` is part of ``cluster``."""
        cluster.units.append(unit)
        cluster.depths[unit] = self.depth(unit, cluster)
        self.home[unit] = cluster
        number = self.numbers[cluster]
        for earlier in self.before[unit]:
            self.order.wait(number, self.numbers[self.home[earlier]])
        for leaf, _ in unit.reads:
            self.readers.setdefault(leaf, {})[number] = cluster

    def depth(self, unit: Unit, cluster: Cluster) -> int:
        """Operations of ``unit`` on top of those of the units in ``cluster`` that it reads."""
        if unit.node not in self.heights:
            self.heights[unit.node] = _heights(unit.node, self.plan)
        depth, leaves = self.heights[unit.node]
        for leaf, height in leaves:
            for writer in self.plan.writers[leaf]:
                depth = max(depth, height + cluster.depths.get(writer, 0))
        return depth

    def path_around(self, unit: Unit, cluster: Cluster) -> bool:
        """Whether something ``unit`` waits for, outside ``cluster``, itself waits for it."""
        number = self.numbers[cluster]
        homes = (self.numbers[self.home[u]] for u in self.before[unit])
        return any(self.order.waits(other, number) for other in homes if other != number)

    def reading(self, leaves: Iterable[Node]) -> list[Cluster]:
        """The clusters that read any of ``leaves``, those begun last first."""
        found = {n: c for leaf in leaves for n, c in self.readers.get(leaf, {}).items()}
        return [found[n] for n in sorted(found, reverse=True)]


def _heights(root: Node, plan: Plan) -> Heights:
    """The operations from ``root`` down to the farthest leaf, and to each that units compute."""
    deepest = 0
    heights: dict[Node, int] = {root: cost_of(root.primitive) > 0}
    order = [*topological(root.inputs, known=plan.writers), root]
    for node in reversed(order):
        height = heights[node]
        deepest = max(deepest, height)
        for source in node.inputs:
            own = source not in plan.writers and cost_of(source.primitive) > 0
            heights[source] = max(heights.get(source, 0), height + own)
    leaves = [(n, height) for n, height in heights.items() if n in plan.writers and n is not root]
    return deepest, leaves
