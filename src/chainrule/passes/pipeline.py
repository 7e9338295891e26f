"""The passes in their order. Each maps a Graph to a Graph and is verified before the next."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ..ir.graph import Graph, Node
from ..ir.verify import verify
from .attention import OPS as ATTENTION
from .attention import tile_attention
from .bodies import optimize_bodies
from .canonicalize import canonicalize
from .cropping import crop
from .depthwise import expand_depthwise
from .joins import join_pieces
from .layout import materialize_operands
from .loops import simplify_loops
from .parts import join_parts
from .reductions import split_reductions
from .shares import share_gradients
from .spreading import spread_rows
from .stabilize import stabilize
from .strided import skip_zeros
from .sums import simplify_sums
from .transposes import sink_transposes
from .trees import place_trees
from .vocabulary import OPS as CROSS_ENTROPIES
from .vocabulary import tile_vocabulary

Observer = Callable[[str, Graph], None]


@dataclass(frozen=True)
class Pass:
    """A named rewrite and the reason it stands where it stands.

    ``needs``: primitives without any of which the graph stays as it is. ``required``: the schedule
    relies on what the pass gives, so that it cannot be left out.
    """

    name: str
    run: Callable[[Graph], Graph]
    reason: str
    needs: frozenset[str] = frozenset()
    required: bool = False

    def __call__(self, graph: Graph) -> Graph:
        """The graph rewritten, or itself."""
        if self.needs and self.needs.isdisjoint(graph.ops):
            return graph
        return self.run(graph)


CONV = frozenset({"conv"})
CONVOLUTIONS = CONV | {"conv_wgrad"}

PIPELINE: tuple[Pass, ...] = (
    Pass("canonicalize", canonicalize, "one form for equal things, so that later patterns match"),
    Pass(
        "loops",
        simplify_loops,
        "what need not happen step by step is moved out of loops, before all else sees it",
        frozenset({"scan"}),
    ),
    Pass("transposes", sink_transposes, "activations stay channels-last between layers", CONV),
    Pass("cropping", crop, "what a gradient of padding throws away is not computed", CONV),
    Pass("depthwise", expand_depthwise, "vectors run along groups of one channel", CONVOLUTIONS),
    Pass("strided", skip_zeros, "gradients of strided convolutions meet no zeros", CONV),
    Pass("joins", join_pieces, "gradients of pieces are put together", frozenset({"pad"})),
    Pass("sums", simplify_sums, "equal sums meet, and sums of what is centred vanish"),
    Pass("stabilize", stabilize, "formulas that lose digits or keep more than they need"),
    Pass(
        "reductions", split_reductions, "long sums in blocks fixed by shape: accuracy and threads"
    ),
    Pass("shares", share_gradients, "threads find their images again", frozenset({"conv_wgrad"})),
    Pass(
        "parts",
        lambda graph: join_parts(graph, decide_formulas),
        "parts of a batch are computed together, each by the formulas that it has alone",
        frozenset({"scan"}),
        required=True,
    ),
    Pass(
        "trees",
        place_trees,
        "gradients of parts are summed where they are computed; only now are they products",
        frozenset({"tree_sum"}),
        required=True,
    ),
    Pass("simplify", canonicalize, "what the passes before left behind"),
    Pass(
        "spreading",
        spread_rows,
        "what follows layers on rows of several axes joins their products",
        frozenset({"dot"}),
    ),
    Pass(
        "attention",
        tile_attention,
        "attention in tiles that stay near; after all that would move them out of their loops",
        ATTENTION,
        required=True,
    ),
    Pass(
        "vocabulary",
        tile_vocabulary,
        "scores of a block of rows at a time, for the same reason",
        CROSS_ENTROPIES,
        required=True,
    ),
    Pass(
        "bodies",
        lambda graph: optimize_bodies(graph, optimize),
        "bodies of loops are optimised, now that it is known what they read",
        frozenset({"scan"}),
        required=True,
    ),
    Pass(
        "layout",
        materialize_operands,
        "products read their right operand along rows; must be last",
        required=True,
    ),
)


def optimize(
    graph: Graph, *, exclude: frozenset[str] = frozenset(), observe: Observer | None = None
) -> Graph:
    """Run the pipeline. ``exclude`` names passes to leave out; those that are required stay."""
    verify(graph, "trace")
    if observe:
        observe("trace", graph)
    sound: set[Node] = set()
    for step in PIPELINE:
        if step.name in exclude and not step.required:
            continue
        before, graph = graph, step(graph)
        if graph is not before:
            verify(graph, "graph", sound, made_by=step.name)
        if observe:
            observe(step.name, graph)
    return graph


def decide_formulas(graph: Graph) -> Graph:
    """What the passes make of a graph that come before parts are joined."""
    for step in PIPELINE:
        if step.name == "parts":
            break
        graph = step(graph)
    return graph
