"""The whole level in one function: an optimised graph becomes a program."""

from __future__ import annotations

from ..config import VERIFY
from ..ir.graph import Graph, Node
from .fuse import Cluster, fuse
from .lower import lower_cluster
from .memory import plan_memory
from .nest import Program
from .phases import make_phases
from .tile import tile
from .units import InputLayout, Plan, make_plan
from .verify import verify_program


def schedule(graph: Graph, layout: InputLayout, *, fusion: bool = True) -> Program:
    """Plan units, fuse them into clusters, lower those to nests, order phases, place memory.

    ``graph`` has been through `passes.optimize`. With ``fusion=False`` every unit is a nest of its
    own; the numbers are the same.
    """
    plan = make_plan(graph, layout)
    clusters, before = fuse(plan, enabled=fusion)
    needed = values_read_elsewhere(clusters, plan)
    nests = [tile(lower_cluster(c, plan, needed)) for c in clusters]
    phases = make_phases(nests, clusters, before)
    offsets, arena, kept = plan_memory(phases)
    slots = tuple(b.name for b in plan.slots)
    program = Program(phases, offsets, arena, slots, kept, len(graph.inputs))
    if VERIFY.read():
        verify_program(program)
    return program


def values_read_elsewhere(clusters: list[Cluster], plan: Plan) -> set[Node]:
    """Values that must go to memory because a nest other than their own reads them."""
    home = {u: c for c in clusters for u in c.units}
    needed: set[Node] = set()
    for cluster in clusters:
        for unit in cluster.units:
            for leaf, _ in unit.reads:
                writers = plan.writers.get(leaf, ())
                needed.update(w.node for w in writers if home[w] is not cluster)
            for earlier in unit.after:
                needed.add(earlier.node)
    return needed
