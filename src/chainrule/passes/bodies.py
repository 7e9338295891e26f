"""Bodies of loops: optimised like graphs of their own, and how they read what lies outside.

A body reads a row of each x, and its consts, where they lie: its inputs get the strides of the
values outside, or these are copied first. What the layout of its products then copies, of values
that stay the same in all steps, is copied outside, once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ..ir.graph import Graph, Node, bind, topological
from ..ir.rewrite import map_nodes, substitute
from ..ir.text import canonical
from ..ops.bodies import parts_of, placeholder
from .layout import as_read, laid_out, view_strides


def optimize_bodies(graph: Graph, optimize: Callable[[Graph], Graph]) -> Graph:
    """Every loop with an optimised body whose inputs say how they lie in memory.

    Equal bodies, such as those of equal layers, become one graph, with the first one's locations.
    """
    copies: dict[Node, Node] = {}  # one of each value for all loops
    views: dict[Node, Node] = {}
    optimized: dict[str, Graph] = {}

    def once(body: Graph) -> Graph:
        text = canonical(body)
        if text not in optimized:
            optimized[text] = optimize(body)
        return optimized[text]

    def changed(node: Node) -> Node:
        return _optimized(node, once, copies, views) if node.op == "scan" else node

    return map_nodes(graph, changed)


def rebuilt(loop: Node, inputs: Sequence[Node], body: Graph, **params: int) -> Node:
    """``loop`` with other inputs and another body."""
    new = {**loop.params, **params, "body": body}
    return bind("scan", *inputs, location=loop.location, **new)


def _optimized(
    loop: Node,
    optimize: Callable[[Graph], Graph],
    copies: dict[Node, Node],
    views: dict[Node, Node],
) -> Node:
    count = loop.params["carries"]
    first, rest = loop.inputs[:count], [as_read(n, copies, views) for n in loop.inputs[count:]]
    copied = tuple(n if view_strides(n) is not None else laid_out(n, copies) for n in rest)
    body = optimize(_laid_out(loop, copied))
    return _hoist_copies(rebuilt(loop, (*first, *copied), body))


def _laid_out(loop: Node, inputs: Sequence[Node]) -> Graph:
    """The body of ``loop`` with inputs that lie as the rows of the values outside do."""
    body: Graph = loop.params["body"]
    count, scanned = loop.params["carries"], loop.params["scanned"]
    others: dict[Node, Node] = {}
    for position, (inner, outer) in enumerate(zip(body.inputs[count:], inputs, strict=True)):
        strides = view_strides(outer)
        assert strides is not None
        own = strides[1:] if position < scanned else strides
        if own != inner.params["strides"]:
            others[inner] = bind("input", **{**inner.params, "strides": own})
    if not others:
        return body
    new = tuple(others.get(n, n) for n in body.inputs)
    return Graph(new, tuple(substitute(body.outputs, others)))


def _hoist_copies(loop: Node) -> Node:
    """Copies of what stays the same are made before the loop."""
    body = loop.params["body"]
    _, _, consts = parts_of(body.inputs, loop.params["carries"], loop.params["scanned"])
    outside = dict(zip(consts, loop.inputs[len(loop.inputs) - len(consts) :], strict=True))
    same = set(consts)
    copies: list[Node] = []
    for node in topological(body.outputs):
        if node.op != "input" and all(i in same for i in node.inputs) and node.inputs:
            same.add(node)
            if node.op == "fence":
                copies.append(node)
    if not copies:
        return loop
    made = substitute(copies, outside)
    held = [placeholder(f"copy{i}", n.shape, n.dtype) for i, n in enumerate(copies)]
    outputs = substitute(body.outputs, dict(zip(copies, held, strict=True)))
    return rebuilt(loop, (*loop.inputs, *made), Graph((*body.inputs, *held), tuple(outputs)))
