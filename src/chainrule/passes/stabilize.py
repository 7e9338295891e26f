"""Formulas that keep fewer values, or more digits, and mean the same.

These rewrites change which arithmetic is done, so they always run: fusion on top of them only
schedules.
"""

from __future__ import annotations

from ..ir.graph import Graph, Node, bind, users
from ..ir.rewrite import with_inputs
from .canonicalize import scalar_value


def stabilize(graph: Graph) -> Graph:
    """Apply the rewrites of this module once, bottom-up."""
    outputs = _rectifiers(graph)
    new: dict[Node, Node] = {}
    for node in graph.nodes():
        now = with_inputs(node, [new[i] for i in node.inputs])
        new[node] = log_one_plus(now) or mask_from_output(now, node, outputs, new) or now
    return graph.with_roots(new[r] for r in graph.roots)


def log_one_plus(node: Node) -> Node | None:
    """log(x + 1) -> log1p(x): exact when x is small"""
    if node.op == "log" and node.inputs[0].op == "add":
        x, one = node.inputs[0].inputs
        if scalar_value(one) == 1.0:
            return bind("log1p", x, location=node.location)
    return None


def mask_from_output(
    now: Node, old: Node, outputs: dict[Node, Node], new: dict[Node, Node]
) -> Node | None:
    """select(x <= 0, a, b) -> select(relu(x) <= 0, a, b)

    So the backward pass reads relu(x), which the next layer needs anyway, and x is not kept.
    """
    if old.op != "select" or old.inputs[0] not in outputs:
        return None
    relu = outputs[old.inputs[0]]
    if relu is old or relu not in new:
        return None
    y = new[relu]
    zero = now.inputs[0].inputs[1]
    mask = bind("le", y, zero, location=now.inputs[0].location)
    return bind("select", mask, *now.inputs[1:], location=now.location)


def _rectifiers(graph: Graph) -> dict[Node, Node]:
    """Masks ``x <= 0`` and the node ``select(x <= 0, 0, x)`` made from each."""
    rectifier_of: dict[Node, Node] = {}
    for node, readers in users(graph.nodes()).items():
        if node.op != "le" or scalar_value(node.inputs[1]) != 0.0:
            continue
        for reader in readers:
            if reader.op == "select" and reader.inputs[0] is node:
                _, a, b = reader.inputs
                if b is node.inputs[0] and scalar_value(a) == 0.0:
                    rectifier_of[node] = reader
                    break
    return rectifier_of
