"""One step's values for all steps at once: nodes with the steps as a new first axis.

A body that depends on no carry is the same expression for every step, and one with more rows does
all of them. Products with an operand that stays the same become one product over all rows.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from ..ir.graph import Node, bind, topological
from ..ir.rewrite import with_inputs

#: an outer value, and whether its first axis are the steps
Value = tuple[Node, bool]


class CannotBatchError(Exception):
    """An operation for which no rule says how to do all steps at once."""


def batched(roots: Sequence[Node], env: Mapping[Node, Value], length: int) -> list[Node]:
    """``roots`` for all ``length`` steps, given the values of what they are computed from.

    `CannotBatchError` if there is no rule for an operation.
    """
    values = dict(env)
    for node in topological(roots, known=values):
        values[node] = _apply(node, [values[i] for i in node.inputs], length)
    return [stretched(values[r], length) for r in roots]


def stretched(value: Value, length: int) -> Node:
    """A value with the steps as first axis, repeated if it is the same in all."""
    node, varies = value
    if varies:
        return node
    axes = tuple(range(1, node.ndim + 1))
    return bind("broadcast", node, shape=(length, *node.shape), axes=axes)


def _apply(node: Node, inputs: list[Value], length: int) -> Value:
    if node.op == "input":
        raise CannotBatchError("an input that has no value")
    if not any(varies for _, varies in inputs):
        return with_inputs(node, [n for n, _ in inputs]), False
    if node.primitive.elementwise:
        return _bound(node, [stretched(v, length) for v in inputs]), True
    rule = _RULES.get(node.op)
    if rule is None:
        raise CannotBatchError(node.op)
    return rule(node, inputs, length), True


def _bound(node: Node, inputs: Sequence[Node], **params: object) -> Node:
    return bind(node.op, *inputs, location=node.location, **{**node.params, **params})


def _reshape(node: Node, inputs: list[Value], length: int) -> Node:
    return _bound(node, [inputs[0][0]], shape=(length, *node.shape))


def _transpose(node: Node, inputs: list[Value], length: int) -> Node:
    return _bound(node, [inputs[0][0]], perm=(0, *(p + 1 for p in node.params["perm"])))


def _broadcast(node: Node, inputs: list[Value], length: int) -> Node:
    axes = (0, *(a + 1 for a in node.params["axes"]))
    return _bound(node, [inputs[0][0]], shape=(length, *node.shape), axes=axes)


def _slice(node: Node, inputs: list[Value], length: int) -> Node:
    start, stop, step = (node.params[k] for k in ("start", "stop", "step"))
    return _bound(node, [inputs[0][0]], start=(0, *start), stop=(length, *stop), step=(1, *step))


def _pad(node: Node, inputs: list[Value], length: int) -> Node:
    (x, varies), (value, moves) = inputs
    if moves or not varies:
        raise CannotBatchError("pad")
    sides = {k: (0, *node.params[k]) for k in ("low", "high", "interior")}
    return _bound(node, [x, value], **sides)


def _concat(node: Node, inputs: list[Value], length: int) -> Node:
    return _bound(node, [stretched(v, length) for v in inputs], axis=node.params["axis"] + 1)


def _reduce(node: Node, inputs: list[Value], length: int) -> Node:
    return _bound(node, [inputs[0][0]], axes=tuple(a + 1 for a in node.params["axes"]))


def _gather(node: Node, inputs: list[Value], length: int) -> Node:
    (x, varies), (indices, _) = inputs
    if varies or node.params["axis"] != 0:
        raise CannotBatchError("gather")
    return _bound(node, [x, indices])


def _dot(node: Node, inputs: list[Value], length: int) -> Node:
    (a, _), (b, varies) = inputs
    if varies or node.ndim != 2:
        return _bound(node, [stretched(v, length) for v in inputs])
    flat = bind("reshape", a, shape=(length * node.shape[0], a.shape[-1]))
    product = bind("dot", flat, b, location=node.location)
    return bind("reshape", product, shape=(length, *node.shape))


def _conv(node: Node, inputs: list[Value], length: int) -> Node:
    (x, _), (w, varies) = inputs
    if varies:
        raise CannotBatchError("conv")
    images = bind("reshape", x, shape=(length * x.shape[1], *x.shape[2:]))
    return bind("reshape", _bound(node, [images, w]), shape=(length, *node.shape))


_RULES: dict[str, Callable[[Node, list[Value], int], Node]] = {
    "reshape": _reshape,
    "transpose": _transpose,
    "broadcast": _broadcast,
    "slice": _slice,
    "pad": _pad,
    "concat": _concat,
    "reduce_sum": _reduce,
    "reduce_max": _reduce,
    "gather": _gather,
    "dot": _dot,
    "conv": _conv,
}
