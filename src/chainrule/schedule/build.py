"""The whole level in one function: an optimised graph becomes a program."""

from __future__ import annotations

from collections.abc import Sequence

from ..config import VERIFY
from ..ir.graph import Graph, Node
from .fuse import fuse
from .grouping import Cluster
from .layout import InputLayout
from .loops import limit_of, make_loop, surroundings
from .lower import lower_cluster
from .memory import plan_memory
from .milestones import milestones
from .nest import Loop, Nest, Phases, Program
from .phases import make_phases
from .places import Surroundings, of_step
from .rows import Rows, rows_of, tile_by_rows
from .tile import tile
from .units import Plan, make_plan
from .verify import verify_program


def schedule(graph: Graph, layout: InputLayout, *, fusion: bool = True) -> Program:
    """Plan units, fuse them into clusters, lower those to nests, order phases, place memory.

    ``graph`` has been through `passes.optimize`. With ``fusion=False`` every unit is a nest of its
    own; the numbers are the same.
    """
    around = of_step(graph, layout)
    phases, _ = make_body(graph, around, fusion)
    offsets, arena, kept = plan_memory(phases)
    slots = tuple(b.name for b in (*around.given, *(p.buffer for _, p in around.targets)))
    inputs = len(graph.inputs)
    marks = milestones(phases, inputs, layout.awaited)
    program = Program(phases, offsets, arena, slots, kept, inputs, marks)
    if VERIFY.read():
        verify_program(program)
    return program


def make_body(
    graph: Graph, around: Surroundings, fusion: bool, rows: Rows | None = None
) -> tuple[Phases, bool]:
    """The phases of a step, or of a trip of a loop; and whether its ``rows`` are independent."""
    plan = make_plan(graph, around)
    clusters, before = fuse(plan, enabled=fusion)
    needed = values_read_elsewhere(clusters, plan)
    nests = [_lower(c, plan, needed, fusion) for c in clusters]
    split = tile_by_rows(nests, rows) if rows else None
    tiled: Sequence[Nest | Loop] = split or [tile(n) if isinstance(n, Nest) else n for n in nests]
    return make_phases(tiled, clusters, before, chained=not around.depth), split is not None


def _lower(cluster: Cluster, plan: Plan, needed: set[Node], fusion: bool) -> Nest | Loop:
    if cluster.host.kind != "loop":
        return lower_cluster(cluster, plan, needed)
    loop, memory, around = cluster.host.node, cluster.host.loop, plan.around
    assert memory is not None
    inside = surroundings(loop, memory, plan.places, around)
    rows = None if loop.params["tiled"] else rows_of(loop)
    phases, independent = make_body(loop.params["body"], inside, fusion, rows)
    pieces = rows.pieces if rows and independent else 0
    return make_loop(loop, phases, pieces, around, limit_of(loop, plan.places))


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
