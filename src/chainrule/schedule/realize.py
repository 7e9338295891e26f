"""Which values get memory, and which are computed again where they are read.

Realized are: results of products, reductions, scatters, pads and concatenations; what a product
reads; what leaves the graph; and whatever several readers share, or many elements of one reader,
that is not cheap to compute twice. All else is inlined into its reader.
"""

from __future__ import annotations

from functools import cache

from ..ir.graph import Graph, Node, topological, users
from ..ir.primitive import Primitive
from ..passes.layout import PRODUCTS
from ..passes.reductions import REDUCTIONS
from .index import input_index, loops
from .tile import SMALL

#: writes of rows where indices say
SCATTERS = ("scatter", "scatter_add")
#: always realized; a ``fence`` that is left after the passes asks for a copy (see passes/layout)
HEAVY = frozenset({*PRODUCTS, *REDUCTIONS, *SCATTERS, "pad", "concat", "fence", "item"})
#: no more than another index into the same memory; pads and concatenations have memory to fill
MOVEMENT = frozenset({"reshape", "transpose", "broadcast", "slice"})
#: rough cost of an element-wise operation, in additions
COST = {
    "exp": 12,
    "log": 14,
    "log1p": 16,
    "tanh": 16,
    "erf": 20,
    "tail": 18,
    "sin": 30,
    "cos": 30,
    "pow": 80,
    "sqrt": 8,
    "div": 5,
    "rng_bits": 70,
    "rng_words": 70,
}
#: up to this cost an expression is computed again by every reader
CHEAP = 4
#: from this cost on an operation makes an epilogue long
LONG = 12
#: elements of a matrix for which rows are worth a nest of their own
LARGE = 2048
#: an expression never grows beyond this cost; its parts get memory instead
LARGEST = 400
#: nor beyond so many operations from its root to a leaf: whoever walks it calls itself
DEEPEST = 64


def has_memory(node: Node) -> bool:
    """Whether a node needs no computing: an input, or a constant array."""
    return node.op == "input" or (node.op == "const" and node.size > 1)


@cache
def cost_of(primitive: Primitive) -> int:
    """Cost of one element in additions; movement and sources are free."""
    if primitive.name in MOVEMENT or primitive.name in ("const", "iota", "input"):
        return 0
    return COST.get(primitive.name, 1)


def realized_nodes(graph: Graph) -> list[Node]:
    """The nodes that get memory and a nest each, in topological order."""
    order = list(topological(graph.roots))
    chosen = _demanded(graph, order)
    chosen |= _repeated(order, _inline_costs(order, chosen))
    costs = _inline_costs(order, chosen)
    readers = users(order)
    sinks: dict[Node, frozenset[Node]] = {}
    for node in reversed(order):
        ends: set[Node] = set()
        for reader in readers[node]:
            ends |= {reader} if reader in chosen or reader.op == "assign" else sinks[reader]
        plain = node.op not in MOVEMENT and node.op != "scan" and not has_memory(node)
        shared = len(ends) > 1 and plain
        if shared and costs[node] > CHEAP and _exact_cost(node, chosen, costs) > CHEAP:
            chosen.add(node)
        sinks[node] = frozenset(ends)
    return [n for n in order if n in chosen]


def _demanded(graph: Graph, order: list[Node]) -> set[Node]:
    """What must be realized whatever it costs."""
    chosen: set[Node] = {n for n in order if n.op in HEAVY}
    chosen.update(graph.outputs)
    chosen.update(u.inputs[1] for u in graph.updates)
    for node in order:
        if node.op in PRODUCTS:
            chosen.update(view_base(i) for i in node.inputs)
        elif node.op == "scan":
            chosen.update(view_base(i) for i in node.inputs[node.params["carries"] :])
        elif node.op in ("gather", *SCATTERS) or (node.op == "reshape" and not _affine(node)):
            chosen.add(node.inputs[0])
    return {n for n in chosen if not has_memory(n) and n.op != "assign"}


def _repeated(order: list[Node], costs: dict[Node, int]) -> set[Node]:
    """Rows that are not cheap and would be computed anew for each row of a large matrix.

    Numbers and columns are computed outside of the loop along the rows anyway.
    """
    repeated = set()
    for node in order:
        if node.op == "broadcast" and node.size >= max(LARGE, 2 * node.inputs[0].size):
            source = node.inputs[0]
            along = node.ndim - 1 in node.params["axes"] and source.shape[-1] > 1
            if along and costs[source] > CHEAP:
                repeated.add(view_base(source))
    return {n for n in repeated if not has_memory(n)}


def view_base(node: Node) -> Node:
    """The array whose memory a chain of movements reads.

    What a reshape merges that is not affine lies in row-major order and is read as it lies.
    """
    while node.op in MOVEMENT:
        whole = node.op == "reshape" and not _affine(node)
        node = node.inputs[0]
        if whole:
            break
    return node


def _affine(node: Node) -> bool:
    return input_index(node, loops(node.ndim), node.ndim) is not None


def _exact_cost(node: Node, chosen: set[Node], costs: dict[Node, int]) -> int:
    """The cost of ``node`` with parts that it uses twice counted once, where that could matter."""
    if costs[node] > 4 * CHEAP:
        return costs[node]
    below, stack = {node}, [node]
    while stack:
        current = stack.pop()
        parts = [i for i in current.inputs if i not in chosen and i not in below and costs[i]]
        if current.op != "broadcast" or costs[current]:
            below.update(parts)
            stack.extend(parts)
    return sum(cost_of(n.primitive) for n in below)


def _inline_costs(order: list[Node], chosen: set[Node]) -> dict[Node, int]:
    """Cost of computing one element of each node from what is realized."""
    costs: dict[Node, int] = {}
    depths: dict[Node, int] = {}
    for node in order:
        own = cost_of(node.primitive)
        depth = parts = 0
        for source in node.inputs:
            depth = max(depth, depths[source])
            parts += 0 if source in chosen else costs[source]
        depths[node] = (own > 0) + depth
        random = node.op in ("rng_bits", "rng_words")
        if random:
            parts = 0
        if node.op == "broadcast" and node.size >= SMALL:
            parts = parts * node.inputs[0].size // node.size  # rows are done by `_repeated`
        if own and not random and (own + parts > LARGEST or depths[node] > DEEPEST):
            chosen.add(node)
        if node in chosen:
            depths[node] = 0
        costs[node] = own + parts
    return costs
