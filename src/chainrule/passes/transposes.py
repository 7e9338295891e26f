"""Transposes sink through what follows them until they cancel.

A convolution works on channels-last arrays, and its layer shows channels first: it stands between
two transposes. Between layers there is only what does not mind the order of axes, so

    op(T x, T y) -> T op(x, y)        T' T x -> x

brings the second transpose of one layer to the first of the next, where both vanish: activations
stay channels-last from the first layer to the last, and so do their gradients. Only what comes from
a convolution is kept in its order; a transpose of anything else stays where it is.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from itertools import pairwise

from ..ir.graph import Graph, Node, bind
from ..ir.rewrite import map_nodes, with_inputs
from ..ops.movement import inverse
from .layout import matching_groups

Perm = tuple[int, ...]


def sink_transposes(graph: Graph) -> Graph:
    """Move the transposes of convolutions' results down."""
    ordered: set[Node] = set()  # in the order of axes that a convolution gave

    def sunk(node: Node) -> Node:
        movable = any(i.op == "transpose" and i.inputs[0] in ordered for i in node.inputs)
        if node.op == "transpose":
            node = turned(node.inputs[0], node.params["perm"])
        elif movable and node.primitive.elementwise:
            node = _through_each(node, ordered)
        elif movable and node.op in _RULES:
            node = _RULES[node.op](node)
        core = node.inputs[0] if node.op == "transpose" else node
        follows = core.primitive.elementwise or core.op in _RULES
        if core.op == "conv" or (follows and any(i in ordered for i in core.inputs)):
            ordered.add(core)
        return node

    return map_nodes(graph, sunk)


def turned(x: Node, perm: Perm) -> Node:
    """transpose(x), without a second transpose, or one of a broadcast, or of nothing."""
    if x.op == "transpose":
        inner = x.params["perm"]
        return turned(x.inputs[0], tuple(inner[p] for p in perm))
    if perm == tuple(range(x.ndim)):
        return x
    if x.op == "broadcast":
        position_of = inverse(perm)
        axes = tuple(position_of[a] for a in x.params["axes"])
        shape = tuple(x.shape[p] for p in perm)
        return bind("broadcast", x.inputs[0], shape=shape, axes=axes, location=x.location)
    return bind("transpose", x, perm=perm, location=x.location)


def _through_each(node: Node, ordered: set[Node]) -> Node:
    """op(T x, y) -> T op(x, T⁻¹ y), for the commonest T of the operands."""
    turns = [i for i in node.inputs if i.op == "transpose" and i.inputs[0] in ordered]
    perm = Counter(i.params["perm"] for i in turns).most_common(1)[0][0]
    back = inverse(perm)
    inner = with_inputs(node, [turned(i, back) for i in node.inputs])
    ordered.add(inner)
    return turned(inner, perm)


def _through_fence(node: Node) -> Node:
    """fence(T x) -> T fence(x)"""
    perm, x = _parts(node)
    return turned(with_inputs(node, [x]), perm)


def _through_reduction(node: Node) -> Node:
    """reduce(T x) -> T' reduce(x)"""
    perm, x = _parts(node)
    axes = tuple(sorted(perm[a] for a in node.params["axes"]))
    kept = [perm[a] for a in range(x.ndim) if a not in node.params["axes"]]
    rest = bind(node.op, x, axes=axes, location=node.location)
    return turned(rest, tuple(sorted(kept).index(a) for a in kept))


def _through_broadcast(node: Node) -> Node:
    """broadcast(T x) -> T' broadcast(x), where new axes stay behind the axes that they follow"""
    perm, x = _parts(node)
    position_of = inverse(perm)
    homes = [node.params["axes"][position_of[axis]] for axis in range(x.ndim)]
    order = list(range(min(homes, default=node.ndim)))
    for home in homes:
        following = (a for a in range(home + 1, node.ndim + 1) if a in homes or a == node.ndim)
        order.extend(range(home, next(following)))
    shape = tuple(node.shape[axis] for axis in order)
    axes = tuple(order.index(home) for home in homes)
    wide = bind("broadcast", x, shape=shape, axes=axes, location=node.location)
    if order == sorted(order):
        return wide
    # Not `turned`, which would put the order of axes into the broadcast again.
    return bind("transpose", wide, perm=inverse(tuple(order)), location=node.location)


def _through_slice(node: Node) -> Node:
    """slice(T x) -> T slice(x)"""
    perm, x = _parts(node)
    back = inverse(perm)
    params = {k: tuple(v[p] for p in back) for k, v in node.params.items()}
    return turned(bind("slice", x, location=node.location, **params), perm)


def _through_pad(node: Node) -> Node:
    """pad(T x) -> T pad(x)"""
    perm, x = _parts(node)
    back = inverse(perm)
    params = {k: tuple(v[p] for p in back) for k, v in node.params.items()}
    return turned(bind("pad", x, node.inputs[1], location=node.location, **params), perm)


def _through_concat(node: Node) -> Node:
    """concat(T x, T y) -> T concat(x, y)"""
    perms = {i.params["perm"] if i.op == "transpose" else None for i in node.inputs}
    if len(perms) != 1:
        return node
    perm, _ = _parts(node)
    pieces = [i.inputs[0] for i in node.inputs]
    axis = perm[node.params["axis"]]
    return turned(bind("concat", *pieces, axis=axis, location=node.location), perm)


def through_reshape(node: Node) -> Node:
    """reshape(T x) -> T' reshape(x), where axes that merge are neighbours in x too"""
    perm, x = _parts(node)
    groups = _matched(node, perm)
    if groups is None:
        return node
    order = [t for _, targets in sorted(groups) for t in targets]
    shape = tuple(node.shape[t] for t in order)
    return turned(bind("reshape", x, shape=shape, location=node.location), inverse(tuple(order)))


def _matched(node: Node, perm: Perm) -> list[tuple[int, list[int]]] | None:
    """For each run of axes of x the axes of the result that it becomes; None if x has no such run.

    A run is named by its first axis in x. Axes of extent 1 that come in join the run before.
    """
    source = node.inputs[0].shape
    groups: list[tuple[int, list[int]]] = []
    spare: list[int] = []
    for sources, targets in matching_groups(source, node.shape):
        wide = [perm[s] for s in sources if source[s] != 1]
        if any(b != a + 1 for a, b in pairwise(wide)):
            return None
        if wide:
            groups.append((wide[0], [*spare, *targets]))
            spare = []
        elif groups:
            groups[-1][1].extend(targets)
        else:
            spare.extend(targets)
    return None if spare or 0 in source else groups


def _parts(node: Node) -> tuple[Perm, Node]:
    """The permutation of the first operand, and what it permutes."""
    first = node.inputs[0]
    if first.op != "transpose":
        return tuple(range(first.ndim)), first
    return first.params["perm"], first.inputs[0]


_RULES: dict[str, Callable[[Node], Node]] = {
    "fence": _through_fence,
    "reduce_sum": _through_reduction,
    "reduce_max": _through_reduction,
    "broadcast": _through_broadcast,
    "slice": _through_slice,
    "pad": _through_pad,
    "concat": _through_concat,
    "reshape": through_reshape,
}
