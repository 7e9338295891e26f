"""One step's values for all steps at once: nodes with the steps as a new first axis.

A body that depends on no carry is the same expression for every step, and one with more rows does
all of them. Products with an operand that stays the same become one product over all rows. Only
what costs no more for all steps at once is done so.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..batching import Value, bound, stretched
from ..ir.graph import Node, topological
from ..ir.rewrite import with_inputs

#: worth doing for all steps at once, beside what is computed element by element
_WORTH = frozenset({
    "reshape", "transpose", "broadcast", "slice", "pad", "concat", "reduce_sum", "reduce_max",
    "gather", "dot", "conv",
})  # fmt: skip


class CannotBatchError(Exception):
    """An operation that is not done for all steps at once."""


def batched(roots: Sequence[Node], env: Mapping[Node, Value], length: int) -> list[Node]:
    """``roots`` for all ``length`` steps, given the values of what they are computed from.

    `CannotBatchError` if an operation has to be done step by step.
    """
    values = dict(env)
    for node in topological(roots, known=values):
        values[node] = _apply(node, [values[i] for i in node.inputs], length)
    return [stretched(values[r], length) for r in roots]


def _apply(node: Node, inputs: list[Value], length: int) -> Value:
    if node.op == "input":
        raise CannotBatchError("an input that has no value")
    if not any(varies for _, varies in inputs):
        return with_inputs(node, [n for n, _ in inputs]), False
    if node.primitive.elementwise:
        return bound(node, *(stretched(v, length) for v in inputs)), True
    rule = node.primitive.batch
    if rule is None or node.op not in _WORTH or not _fits(node, [v for _, v in inputs]):
        raise CannotBatchError(node.op)
    return rule(node, inputs, length), True


def _fits(node: Node, varies: list[bool]) -> bool:
    """Whether those operands differ from step to step with which one operation does all."""
    if node.op == "gather":
        return not varies[0] and node.params["axis"] == 0
    if node.op == "pad":
        return varies == [True, False]
    return node.op != "conv" or not varies[1]
