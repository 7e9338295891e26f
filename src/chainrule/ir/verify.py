"""What is legal in a graph at each stage, as a table. A violation is a defect of the compiler.

That graphs have no cycles needs no check: a node is made after its inputs and never changes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from ..config import VERIFY
from ..errors import ChainruleError, VerifyError
from .graph import Graph, Node
from .primitive import primitives
from .text import node_text, type_text
from .types import DType

NodeRule = Callable[[Node], str | None]
GraphRule = Callable[[Graph], Iterator[tuple[Node, str]]]


def verify(graph: Graph, stage: str, sound: set[Node] | None = None, *, made_by: str = "") -> None:
    """Do nothing if ``graph`` is legal at ``stage``; else `VerifyError`.

    It names the pass that made the graph (``made_by``) or the stage, the node, and the user's line.
    ``sound`` nodes have been looked at before; those of ``graph`` are added to them.
    """
    maker = f"pass `{made_by}`" if made_by else f"stage `{stage}`"
    node_rules, graph_rules = STAGES[stage]
    if VERIFY.read():
        node_rules = (*BOUND, *node_rules)
    nodes = graph.nodes()
    new = nodes if sound is None else [n for n in nodes if n not in sound]
    for rule in node_rules:
        for node in new:
            problem = rule(node)
            if problem is not None:
                raise _error(maker, nodes, node, problem)
    for check in graph_rules:
        for node, problem in check(graph):
            raise _error(maker, nodes, node, problem)
    if sound is not None:
        sound.update(nodes)


def _error(maker: str, nodes: Sequence[Node], node: Node, problem: str) -> VerifyError:
    numbers = {n: i for i, n in enumerate(nodes)}
    where = str(node.location) if node.location else "no line of the program is known"
    line = f"%{numbers[node]} = {node_text(node, numbers, locations=False)}"
    return VerifyError(
        f"after {maker}: {problem}\n    {line}",
        where=where,
        help="this is a compiler bug, not a mistake in your program; please report it",
    )


# ------------------------------------------------------------------------------- each node


def is_declared(node: Node) -> str | None:
    """The primitive is the registered one of its name."""
    known = primitives().get(node.op) is node.primitive
    return None if known else f"primitive `{node.op}` is not declared"


def has_plain_params(node: Node) -> str | None:
    """Params are Python values that hash; only ``const`` holds an array, which nobody can write."""
    for name, value in node.params.items():
        if node.op == "const" and name == "value":
            if not isinstance(value, np.ndarray) or value.flags.writeable:
                return "the value of a constant must be an array that is read-only"
        elif type(value) not in _PLAIN and not _is_plain(value):
            return f"param {name}={value!r} of type {type(value).__name__} is no plain value"
    return None


_PLAIN = frozenset({int, str, float, DType, Graph})


def _is_plain(value: Any) -> bool:
    if isinstance(value, tuple):
        return _PLAIN.issuperset(map(type, value)) or all(map(_is_plain, value))
    return type(value) in _PLAIN


def has_derived_type(node: Node) -> str | None:
    """Shape and dtype are what the type rule says."""
    try:
        shape, dtype = node.primitive.type_rule(*node.inputs, **node.params)
    except (ChainruleError, TypeError, ValueError) as error:
        return f"the type rule refuses its inputs: {error}"
    if (shape, dtype) != (node.shape, node.dtype):
        return f"the type rule says {type_text(shape, dtype)}"
    if not _is_plain(node.shape):
        return f"shape {node.shape!r} is not a tuple of Python integers"
    return None


def has_sound_bodies(node: Node) -> str | None:
    """A graph inside of a node keeps the same rules, and has no effects."""
    for value in node.params.values():
        if isinstance(value, Graph):
            if value.updates:
                return "the body of a loop has no effects"
            try:
                verify(value, "trace")
            except VerifyError as error:
                return f"in its body: {error}"
    return None


def is_taken_apart(node: Node) -> str | None:
    """The results of a loop are read one by one, through ``item``."""
    for source in node.inputs:
        if source.op == "scan" and node.op != "item":
            return "reads all results of a loop as if they were one"
    return None


def has_native_type(node: Node) -> str | None:
    """f64 is native for 0-d values only."""
    if node.dtype is DType.f64 and node.shape:
        return "arrays of f64 run in the interpreter only; native code takes 0-d f64"
    return None


def reads_no_effect(node: Node) -> str | None:
    """An ``assign`` is an end, not a value."""
    for source in node.inputs:
        if source.op == "assign":
            return "reads the result of an assign"
    return None


# -------------------------------------------------------------------------- the whole graph


def declares_inputs(graph: Graph) -> Iterator[tuple[Node, str]]:
    """``inputs`` are different ``input`` nodes, and no other is reached."""
    seen: set[Node] = set()
    for node in graph.inputs:
        if node.op != "input":
            yield node, "stands among the inputs but is none"
        if node in seen:
            yield node, "stands among the inputs twice"
        seen.add(node)
    for node in graph.nodes():
        if node.op == "input" and node not in seen:
            yield node, f"input {node.params['name']!r} is used but not declared"


def returns_no_loop(graph: Graph) -> Iterator[tuple[Node, str]]:
    """Outputs and new values of states are arrays."""
    for node in graph.outputs:
        if node.op == "scan":
            yield node, "a loop stands among the outputs: only its results are values"


def updates_states_once(graph: Graph) -> Iterator[tuple[Node, str]]:
    """``updates`` are assigns to different states of the graph; outputs hold none."""
    written: set[Node] = set()
    for node in graph.updates:
        if node.op != "assign":
            yield node, "stands among the updates but is no assign"
            continue
        state = node.inputs[0]
        if state in written:
            yield node, f"state {state.params.get('name')!r} is assigned twice"
        written.add(state)
    for node in graph.outputs:
        if node.op == "assign":
            yield node, "an assign stands among the outputs"


#: what `bind`, which makes all nodes, sees to: looked at where programs are proved
BOUND: tuple[NodeRule, ...] = (is_declared, has_derived_type)
_NODES: tuple[NodeRule, ...] = (
    has_plain_params,
    has_sound_bodies,
    is_taken_apart,
    reads_no_effect,
)
_GRAPH: tuple[GraphRule, ...] = (declares_inputs, returns_no_loop, updates_states_once)

STAGES: dict[str, tuple[tuple[NodeRule, ...], tuple[GraphRule, ...]]] = {
    "trace": (_NODES, _GRAPH),
    "graph": ((*_NODES, has_native_type), _GRAPH),
}
