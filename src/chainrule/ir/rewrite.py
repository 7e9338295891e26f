"""Rewriting graphs: bottom-up, each node once, and "nothing changed" is identity.

A rule is a named function ``node -> node | None`` with a docstring ``log(exp(x)) -> x``; None says
that it does not apply. Rules see nodes whose inputs are already rewritten.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from ..errors import CompileError
from .graph import Graph, Node, bind, topological

Rule = Callable[[Node], Node | None]
#: a node that has been replaced this often in a row is being replaced in circles
PATIENCE = 100


def with_inputs(node: Node, inputs: Sequence[Node]) -> Node:
    """``node`` applied to other ``inputs``; itself if they are the same.

    Inputs of the same types give a result of the same type, except that of a loop only its body
    says what its items are.
    """
    new = tuple(inputs)
    if new == node.inputs:
        return node
    if node.location is None or node.op == "item" or not _same_types(new, node.inputs):
        return bind(node.op, *new, location=node.location, **node.params)
    return Node(node.primitive, new, node.params, node.shape, node.dtype, node.location)


def _same_types(some: Sequence[Node], others: Sequence[Node]) -> bool:
    for a, b in zip(some, others, strict=True):
        if a.dtype is not b.dtype or a.shape != b.shape:
            return False
    return True


def substitute(roots: Sequence[Node], others: Mapping[Node, Node]) -> list[Node]:
    """``roots`` with other nodes in the place of those that ``others`` names."""
    new = dict(others)
    for node in topological(roots, known=others):
        new[node] = with_inputs(node, [new[i] for i in node.inputs])
    return [new[r] for r in roots]


def map_nodes(graph: Graph, change: Callable[[Node], Node]) -> Graph:
    """Replace each node by ``change(node)``, inputs first. The graph's inputs stay."""
    new: dict[Node, Node] = {}
    for node in graph.nodes():
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

    def settle(nodes: Iterable[Node], depth: int) -> None:
        for node in nodes:
            if node not in settled:
                now = with_inputs(node, [settled[i] for i in node.inputs])
                settled[node] = settle_one(now, depth)

    def settle_one(node: Node, depth: int) -> Node:
        for rule in rules:
            rewritten = rule(node)
            if rewritten is None or rewritten is node:
                continue
            if depth >= PATIENCE:
                raise CompileError(f"rewriting does not end: {rule.__name__}: {rule.__doc__}")
            settle(topological((rewritten,), known=settled), depth + 1)
            return settled[rewritten]
        return node

    settle(graph.nodes(), 0)
    return graph.with_roots(settled[r] for r in graph.roots)
