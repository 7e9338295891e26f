"""The passes in their order. Each maps a Graph to a Graph and is verified before the next."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ..ir.graph import Graph
from ..ir.verify import verify
from .canonicalize import canonicalize
from .cropping import crop
from .depthwise import expand_depthwise
from .layout import materialize_operands
from .reductions import split_reductions
from .stabilize import stabilize
from .strided import skip_zeros
from .sums import simplify_sums
from .transposes import sink_transposes

Observer = Callable[[str, Graph], None]


@dataclass(frozen=True)
class Pass:
    """A named rewrite and the reason it stands where it stands."""

    name: str
    run: Callable[[Graph], Graph]
    reason: str


PIPELINE: tuple[Pass, ...] = (
    Pass("canonicalize", canonicalize, "one form for equal things, so that later patterns match"),
    Pass("transposes", sink_transposes, "activations stay channels-last between convolutions"),
    Pass("cropping", crop, "what a gradient of padding throws away is not computed"),
    Pass("depthwise", expand_depthwise, "groups of one channel have vectors along the groups"),
    Pass("strided", skip_zeros, "gradients of strided convolutions meet no zeros"),
    Pass("sums", simplify_sums, "equal sums meet, and sums of what is centred vanish"),
    Pass("stabilize", stabilize, "formulas that lose digits or keep more than they need"),
    Pass(
        "reductions", split_reductions, "long sums in blocks fixed by shape: accuracy and threads"
    ),
    Pass("simplify", canonicalize, "what the two before left behind"),
    Pass(
        "layout", materialize_operands, "products read their right operand along rows; must be last"
    ),
)


def optimize(
    graph: Graph, *, exclude: frozenset[str] = frozenset(), observe: Observer | None = None
) -> Graph:
    """Run the pipeline. ``exclude`` names passes to leave out (``layout`` is always needed)."""
    verify(graph, "trace")
    if observe:
        observe("trace", graph)
    for step in PIPELINE:
        if step.name in exclude and step.name != "layout":
            continue
        before, graph = graph, step.run(graph)
        if graph is not before:
            verify(graph, "graph")
        if observe:
            observe(step.name, graph)
    return graph
