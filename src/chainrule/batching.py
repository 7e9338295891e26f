"""Batching: a graph for one member as a graph for all of them.

Let f be a graph and x_1 ... x_n its inputs for n members: models of an ensemble, rows, seeds. What
differs from member to member is one array with the members as a new first axis, and what is the
same for all stays as it is, computed once. Every primitive knows its own ``batch``, the map from
such operands to such a result, as an expression in other primitives; one that computes element by
element needs none. So one walk from the inputs to the results gives f for all members, as ordinary
nodes that can be differentiated, batched again, compiled and printed like all others.

Random numbers are drawn for each member: a draw of one shape becomes one draw with an axis more.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

from .errors import VerifyError
from .ir.graph import Node, bind, topological
from .ir.rewrite import with_inputs
from .ir.types import DType

#: a node, and whether its first axis are the members
Value = tuple[Node, bool]


def batched(
    roots: Sequence[Node],
    env: Mapping[Node, Value],
    size: int,
    drawn: Collection[Node] | None = (),
) -> list[Value]:
    """``roots`` for all ``size`` members, given the values of what they are computed from.

    Of random draws, those in ``drawn`` differ from member to member, and what reads the same
    counts; None: all.
    """
    values = dict(env)
    own = None if drawn is None else _with_counts(drawn)
    for node in topological(roots, known=values):
        inputs = [values[i] for i in node.inputs]
        forced = draws(node) and (own is None or not own.isdisjoint((node, *node.inputs)))
        if own is not None and node.op == "item" and node.inputs[0] in own:
            own.add(node)
        values[node] = _apply(node, inputs, size, forced)
    return [values[r] for r in roots]


def _apply(node: Node, inputs: list[Value], size: int, forced: bool) -> Value:
    if not forced and not any(varies for _, varies in inputs):
        return with_inputs(node, [n for n, _ in inputs]), False
    if node.primitive.elementwise:
        return bound(node, *(stretched(v, size) for v in inputs)), True
    rule = node.primitive.batch
    if rule is None:
        raise VerifyError(
            f"`{node.op}` has no rule for several members", where=str(node.location or "")
        )
    result = rule(node, inputs, size)
    return result, node.op == "scan" or result.ndim > node.ndim


def _with_counts(drawn: Iterable[Node]) -> set[Node]:
    """The draws and what they count with: who draws again with that draws the same."""
    nodes = set(drawn)
    counts = (i for n in nodes for i in n.inputs if i.dtype is DType.u32 and not i.shape)
    return nodes | {i for i in counts if i.op != "const"}


def draws(node: Node) -> bool:
    """Whether a node makes random numbers."""
    if node.op == "scan":
        return any(draws(n) for n in node.params["body"].nodes())
    return node.op == "rng_bits" or node.params.get("keep", 1) < 1


# ------------------------------------------------------------------------- pieces of the rules


def bound(node: Node, *inputs: Node, **params: object) -> Node:
    """The primitive of ``node`` applied to other inputs, with some params replaced."""
    return bind(node.op, *inputs, location=node.location, **{**node.params, **params})


def stretched(value: Value, size: int) -> Node:
    """A value with the members as first axis, repeated if it is the same for all."""
    node, varies = value
    if varies:
        return node
    axes = tuple(range(1, node.ndim + 1))
    return bind("broadcast", node, shape=(size, *node.shape), axes=axes)


def moved(node: Node, source: int, to: int) -> Node:
    """``node`` with one axis in another place."""
    perm = [a for a in range(node.ndim) if a != source]
    perm.insert(to, source)
    order = tuple(perm)
    return node if order == tuple(range(node.ndim)) else bind("transpose", node, perm=order)


def merged(value: Value, size: int, axis: int = 0) -> Node:
    """The members as the slow part of ``axis``, as n of them would lie one after the other."""
    node = moved(stretched(value, size), 0, axis)
    shape = node.shape
    together = (*shape[:axis], size * shape[axis + 1], *shape[axis + 2 :])
    return bind("reshape", node, shape=together)


def divided(node: Node, size: int, axis: int = 0) -> Node:
    """`merged` undone: the members as first axis."""
    shape = node.shape
    apart = (*shape[:axis], size, shape[axis] // size, *shape[axis + 1 :])
    return moved(bind("reshape", node, shape=apart), axis, 0)


def unrolled(node: Node, inputs: list[Value], size: int) -> Node:
    """One member after the other: for what cannot do several at once."""
    rows = []
    for member in range(size):
        row = bound(node, *(_member(v, member) for v in inputs))
        rows.append(bind("reshape", row, shape=(1, *node.shape)))
    return bind("concat", *rows, axis=0)


def _member(value: Value, member: int) -> Node:
    node, varies = value
    if not varies:
        return node
    rest = node.shape[1:]
    start, stop = (member, *(0,) * len(rest)), (member + 1, *rest)
    row = bind("slice", node, start=start, stop=stop, step=(1,) * node.ndim)
    return bind("reshape", row, shape=rest)
