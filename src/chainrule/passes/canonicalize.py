"""Canonical form: constants folded, neutral operations gone, equal nodes shared.

Rules never change a value except for the sign of zero. Nothing assumes that values are finite.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from ..ir.graph import Graph, Node, bind, constant, topological
from ..ir.rewrite import Rule, with_inputs
from .reductions import REDUCTIONS

#: elements of a result that may become a constant: it lies in the program, and in its text
FOLD_LIMIT = 1024


def canonicalize(graph: Graph) -> Graph:
    """Apply `RULES` bottom-up until nothing changes, sharing equal nodes."""
    settler = _Settler()
    settler.settle(graph.nodes())
    return graph.with_roots(settler.form[r] for r in graph.roots)


class _Settler:
    """Maps nodes to their canonical form."""

    def __init__(self) -> None:
        self.shared: dict[Any, Node] = {}
        self.form: dict[Node, Node] = {}

    def settle(self, nodes: Iterable[Node]) -> None:
        """Find the canonical forms of ``nodes``, each of which comes after its inputs."""
        form = self.form
        for node in nodes:
            if node not in form:
                form[node] = self._settle(with_inputs(node, [form[i] for i in node.inputs]))

    def _settle(self, node: Node) -> Node:
        """The canonical form of a node whose inputs are canonical."""
        if node.op in ("input", "assign"):
            return node
        key = node_key(node)
        if key in self.shared:
            return self.shared[key]
        result = node
        for rule in RULES:
            rewritten = rule(node)
            if rewritten is not None:
                self.settle(topological((rewritten,), self.form))
                result = self.form[rewritten]
                break
        self.shared[key] = self.form[node] = result
        return result


def node_key(node: Node) -> Any:
    """Equal for nodes that compute the same value from the same inputs."""
    if node.op == "const":
        value = node.params["value"]
        return ("const", node.dtype, node.shape, value.tobytes())
    return (node.op, node.inputs, tuple(sorted(node.params.items())))


def scalar_value(node: Node) -> float | None:
    """The number that fills ``node``, if it is a constant (possibly broadcast)."""
    while node.op in ("broadcast", "reshape", "fence"):
        node = node.inputs[0]
    if node.op == "const" and node.size == 1:
        return float(node.params["value"].reshape(()))
    return None


def drop_fence(node: Node) -> Node | None:
    """fence(x) -> x, detour(x, way) -> x: derivatives are done"""
    return node.inputs[0] if node.op in ("fence", "detour") else None


def fold_constants(node: Node) -> Node | None:
    """f(const, ...) -> const, for small results"""
    if not node.inputs or node.size > FOLD_LIMIT or any(i.op != "const" for i in node.inputs):
        return None
    if node.op == "scan" or (node.op in ("broadcast", "rng_bits") and node.size > 1):
        return None
    values = [i.params["value"] for i in node.inputs]
    return constant(node.primitive.reference(*values, **node.params), node.dtype)


def drop_neutral(node: Node) -> Node | None:
    """x + 0 -> x, x - 0 -> x, x * 1 -> x, x / 1 -> x"""
    if node.op not in ("add", "sub", "mul", "div"):
        return None
    neutral = 0.0 if node.op in ("add", "sub") else 1.0
    a, b = node.inputs
    if scalar_value(b) == neutral:
        return a
    if node.op in ("add", "mul") and scalar_value(a) == neutral:
        return b
    return None


def constants_right(node: Node) -> Node | None:
    """c + x -> x + c, c * x -> x * c"""
    if node.op not in ("add", "mul"):
        return None
    a, b = node.inputs
    if scalar_value(a) is not None and scalar_value(b) is None:
        return bind(node.op, b, a, location=node.location)
    return None


def cancel_negation(node: Node) -> Node | None:
    """--x -> x, not not x -> x, a + -b -> a - b, a - -b -> a + b"""
    if node.op in ("neg", "not") and node.inputs[0].op == node.op:
        return node.inputs[0].inputs[0]
    if node.op in ("add", "sub") and node.inputs[1].op == "neg":
        other = "sub" if node.op == "add" else "add"
        return bind(other, node.inputs[0], node.inputs[1].inputs[0], location=node.location)
    return None


def drop_identity(node: Node) -> Node | None:
    """reshape, transpose, broadcast, slice, pad, cast, reduce that change nothing -> x"""
    changes_nothing = _IDENTITIES.get(node.op)
    if changes_nothing is None or not changes_nothing(node, node.inputs[0]):
        return None
    return node.inputs[0]


#: for each operation that can be the identity of its first operand x, when it is
_IDENTITIES: dict[str, Callable[[Node, Node], bool]] = {
    "reshape": lambda node, x: node.shape == x.shape,
    "cast": lambda node, x: node.dtype is x.dtype,
    "transpose": lambda node, x: _in_place(node.params["perm"]),
    "broadcast": lambda node, x: node.shape == x.shape and _in_place(node.params["axes"]),
    "slice": lambda node, x: node.shape == x.shape and set(node.params["step"]) <= {1},
    "pad": lambda node, x: node.shape == x.shape,
    "reduce_sum": lambda node, x: not node.params["axes"],
    "reduce_max": lambda node, x: not node.params["axes"],
    "concat": lambda node, x: len(node.inputs) == 1,
}


def _in_place(axes: Sequence[int]) -> bool:
    return all(axis == position for position, axis in enumerate(axes))


def merge_movement(node: Node) -> Node | None:
    """reshape(reshape(x)), transpose(transpose(x)), broadcast(broadcast(x)) -> one of them"""
    if node.op not in ("reshape", "transpose", "broadcast") or node.inputs[0].op != node.op:
        return None
    inner = node.inputs[0]
    x = inner.inputs[0]
    if node.op == "reshape":
        return bind("reshape", x, shape=node.shape, location=node.location)
    if node.op == "transpose":
        perm = tuple(inner.params["perm"][p] for p in node.params["perm"])
        return bind("transpose", x, perm=perm, location=node.location)
    axes = tuple(node.params["axes"][a] for a in inner.params["axes"])
    return bind("broadcast", x, shape=node.shape, axes=axes, location=node.location)


def sink_into_broadcast(node: Node) -> Node | None:
    """transpose(broadcast(x)) -> broadcast(x'), reshape(broadcast(scalar)) -> broadcast(scalar)"""
    if node.op not in ("transpose", "reshape") or node.inputs[0].op != "broadcast":
        return None
    inner = node.inputs[0]
    x = inner.inputs[0]
    if x.shape == ():
        return bind("broadcast", x, shape=node.shape, axes=(), location=node.location)
    if node.op == "reshape":
        return None
    perm = node.params["perm"]
    place = {old: new for new, old in enumerate(perm)}
    axes = [place[a] for a in inner.params["axes"]]
    order = tuple(int(i) for i in np.argsort(axes))
    moved = bind("transpose", x, perm=order) if order != tuple(range(x.ndim)) else x
    new_axes = tuple(sorted(axes))
    return bind("broadcast", moved, shape=node.shape, axes=new_axes, location=node.location)


def select_known(node: Node) -> Node | None:
    """select(true, a, b) -> a, select(false, a, b) -> b, select(c, a, a) -> a"""
    if node.op != "select":
        return None
    c, a, b = node.inputs
    if a is b:
        return a
    known = scalar_value(c)
    if known is None:
        return None
    return a if known else b


def sum_of_broadcast(node: Node) -> Node | None:
    """reduce_sum(broadcast(x)) over the new axes -> x * count"""
    if node.op != "reduce_sum" or node.inputs[0].op != "broadcast" or not node.dtype.is_float:
        return None
    inner = node.inputs[0]
    axes = inner.params["axes"]
    gone = node.params["axes"]
    if set(axes) & set(gone) or axes != tuple(sorted(axes)):
        return None
    if len(axes) + len(gone) != inner.ndim:
        return None
    count = float(np.prod([inner.shape[a] for a in gone]))
    return inner.inputs[0] * count


def narrow_reduction(node: Node) -> Node | None:
    """reduce over axes of extent 1 -> reshape"""
    if node.op not in REDUCTIONS:
        return None
    x = node.inputs[0]
    axes = node.params["axes"]
    wide = tuple(a for a in axes if x.shape[a] != 1)
    if wide == axes:
        return None
    shape = tuple(e for a, e in enumerate(x.shape) if a not in axes or a in wide)
    narrow = bind("reshape", x, shape=shape, location=node.location)
    moved = tuple(a - sum(1 for g in axes if g < a and g not in wide) for a in wide)
    return bind(node.op, narrow, axes=moved, location=node.location)


RULES: tuple[Rule, ...] = (
    drop_fence,
    fold_constants,
    drop_identity,
    drop_neutral,
    constants_right,
    cancel_negation,
    merge_movement,
    sink_into_broadcast,
    select_known,
    sum_of_broadcast,
    narrow_reduction,
)
