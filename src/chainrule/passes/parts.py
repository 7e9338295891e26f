"""Parts of a batch, all at once.

A loop over parts computes the same of each, from rows of its own: what a training does by parts is
recorded as one. Once it is decided which formulas a part has, there is no more loop: one operation
does all parts (`batching.py`), so that what belongs to rows is computed of all rows together, and
only sums over rows are taken part by part. As every element is computed as it would be for one
part, so are its bits.
"""

from __future__ import annotations

from collections.abc import Callable

from ..batching import Value, batched, stretched
from ..ir.graph import Graph, Node
from ..ir.rewrite import map_nodes, substitute
from ..ops.loops import PARTS
from .bodies import rebuilt
from .splits import sink_splits

Decide = Callable[[Graph], Graph]


def join_parts(graph: Graph, decide: Decide) -> Graph:
    """Put what all parts compute in the place of every loop over parts. ``decide`` chooses the
    formulas of one."""
    others: dict[Node, Node] = {}
    for node in graph.nodes():
        if node.op == "scan" and node.params["tiled"] == PARTS:
            values = _all_parts(node, decide)
            items = (n for n in graph.nodes() if n.op == "item" and n.inputs[0] is node)
            others |= {item: values[item.params["index"]] for item in items}
    return graph.with_roots(substitute(graph.roots, others)) if others else graph


def _all_parts(loop: Node, decide: Decide) -> list[Node]:
    body, scanned = loop.params["body"], loop.params["scanned"]
    rows, outside = body.inputs[:scanned], loop.inputs[scanned:]
    same = dict(zip(body.inputs[scanned:], outside, strict=True))
    roots = tuple(substitute(body.outputs, same))
    one = _with_bodies(decide(Graph((*rows, *same.values()), roots)), decide)
    each = zip(rows, loop.inputs[:scanned], strict=True)
    known: dict[Node, Value] = {inner: (outer, True) for inner, outer in each}
    parts = loop.params["length"]
    values = [stretched(v, parts) for v in batched(one.outputs, known, parts)]
    return sink_splits(values, parts) if "conv" in one.ops else values


def _with_bodies(graph: Graph, decide: Decide) -> Graph:
    """The formulas of the steps of loops are decided, too."""

    def changed(node: Node) -> Node:
        if node.op != "scan":
            return node
        return rebuilt(node, node.inputs, _with_bodies(decide(node.params["body"]), decide))

    return map_nodes(graph, changed)
