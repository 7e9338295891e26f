"""Rewriting graphs: bottom-up, each node once, and "nothing changed" is identity.

A rule is a named function ``node -> node | None`` with a docstring ``log(exp(x)) -> x``; None says
that it does not apply. Rules see nodes whose inputs are already rewritten.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from ..errors import CompileError
from .graph import Graph, Node, bind, topological

Rule = Callable[[Node], Node | None]
#: a node that has been replaced this often in a row is being replaced in circles
PATIENCE = 100


def with_inputs(node: Node, inputs: Sequence[Node]) -> Node:
    """``node`` applied to other ``inputs``; itself if they are the same."""
    if all(a is b for a, b in zip(inputs, node.inputs, strict=True)):
        return node
    return bind(node.op, *inputs, location=node.location, **node.params)


def substitute(roots: Sequence[Node], others: Mapping[Node, Node]) -> list[Node]:
    """``roots`` with other nodes in the place of those that ``others`` names."""
    new = dict(others)
    for node in topological(roots, known=others):
        new[node] = with_inputs(node, [new[i] for i in node.inputs])
    return [new[r] for r in roots]


def map_nodes(graph: Graph, change: Callable[[Node], Node]) -> Graph:
    """Replace each node by ``change(node)``, inputs first. The graph's inputs stay."""
    new: dict[Node, Node] = {}
    for node in topological(graph.inputs + graph.roots):
        if node.op == "input":
            new[node] = node
        else:
            new[node] = change(with_inputs(node, [new[i] for i in node.inputs]))
    return graph.with_roots(new[r] for r in graph.roots)


def rewrite(graph: Graph, rules: Sequence[Rule]) -> Graph:
    """Apply to every node, and to what comes out of it, the first rule that fits.

    `CompileError` that names the rule if rules undo one another without end.
    """
    settled: dict[Node, Node] = {}

    def settle(roots: Sequence[Node], depth: int) -> list[Node]:
        for node in topological(roots, known=settled):
            settled[node] = settle_one(with_inputs(node, [settled[i] for i in node.inputs]), depth)
        return [settled[r] for r in roots]

    def settle_one(node: Node, depth: int) -> Node:
        for rule in rules:
            rewritten = rule(node)
            if rewritten is None or rewritten is node:
                continue
            if depth >= PATIENCE:
                raise CompileError(f"rewriting does not end: {rule.__name__}: {rule.__doc__}")
            return settle([rewritten], depth + 1)[0]
        return node

    return graph.with_roots(settle(graph.roots, 0))
