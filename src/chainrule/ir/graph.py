"""The graph of tensors: immutable nodes that apply primitives to other nodes.

    Graph := inputs outputs updates
    Node  := primitive(inputs; params) : dtype[shape]   at location

A node never changes. Two nodes are the same value if they are the same object. Effects exist only
as ``assign`` nodes in ``Graph.updates``: all reads of a state see its value from before the step,
all updates take effect together at its end.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from .types import DType, Shape

if TYPE_CHECKING:
    from .primitive import Primitive

Params = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Location:
    """A line of the user's program, and the layer of the model that was being called there.

    ``file`` is empty where a command runs: there is no program of the user's.
    """

    file: str
    line: int
    layer: str = field(default="", compare=False)

    def __str__(self) -> str:
        return f"{self.file}:{self.line}" if self.file else ""


@dataclass(frozen=True, slots=True, eq=False, repr=False, init=False, weakref_slot=True)
class Node:
    """One application of a primitive to whole arrays; ``op`` is the name of the primitive.

    Operators build graph expressions, so that a derivative rule reads like its formula:
    ``g * (1 - y * y)``. Shapes must be equal, except that Python numbers fit everywhere.
    """

    primitive: Primitive
    inputs: tuple[Node, ...]
    params: Params
    shape: Shape
    dtype: DType
    location: Location | None
    op: str

    def __init__(
        self,
        primitive: Primitive,
        inputs: tuple[Node, ...],
        params: Params,
        shape: Shape,
        dtype: DType,
        location: Location | None = None,
    ) -> None:
        put = object.__setattr__  # a step has thousands of nodes, and each pass makes new ones
        put(self, "primitive", primitive)
        put(self, "inputs", inputs)
        put(self, "params", params)
        put(self, "shape", shape)
        put(self, "dtype", dtype)
        put(self, "location", location)
        put(self, "op", primitive.name)

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """Number of elements."""
        return prod(self.shape)

    def __add__(self, other: Node | float) -> Node:
        return _binary("add", self, other)

    def __radd__(self, other: float) -> Node:
        return _binary("add", other, self)

    def __sub__(self, other: Node | float) -> Node:
        return _binary("sub", self, other)

    def __rsub__(self, other: float) -> Node:
        return _binary("sub", other, self)

    def __mul__(self, other: Node | float) -> Node:
        return _binary("mul", self, other)

    def __rmul__(self, other: float) -> Node:
        return _binary("mul", other, self)

    def __truediv__(self, other: Node | float) -> Node:
        return _binary("div", self, other)

    def __rtruediv__(self, other: float) -> Node:
        return _binary("div", other, self)

    def __neg__(self) -> Node:
        return bind("neg", self)

    def __repr__(self) -> str:
        dims = ",".join(map(str, self.shape))
        return f"<{self.op} {self.dtype!r}[{dims}]>"


@dataclass(frozen=True, slots=True)
class Graph:
    """A step: ``inputs`` (op ``input``), ``outputs``, and ``updates`` (op ``assign``)."""

    inputs: tuple[Node, ...]
    outputs: tuple[Node, ...]
    updates: tuple[Node, ...] = ()
    _nodes: list[tuple[Node, ...]] = field(
        default_factory=list, init=False, repr=False, compare=False
    )
    _ops: list[frozenset[str]] = field(default_factory=list, init=False, repr=False, compare=False)

    @property
    def roots(self) -> tuple[Node, ...]:
        """Everything that must be computed."""
        return self.outputs + self.updates

    def nodes(self) -> tuple[Node, ...]:
        """All nodes, each after its inputs; declared inputs first."""
        if not self._nodes:
            self._nodes.append(tuple(topological(self.inputs + self.roots)))
        return self._nodes[0]

    @property
    def ops(self) -> frozenset[str]:
        """The names of all primitives that it applies."""
        if not self._ops:
            self._ops.append(frozenset(node.op for node in self.nodes()))
        return self._ops[0]

    def with_roots(self, roots: Iterable[Node]) -> Graph:
        """The same graph with other roots, in the order of ``roots``."""
        new = tuple(roots)
        count = len(self.outputs)
        if new == self.roots:
            return self
        return Graph(self.inputs, new[:count], new[count:])


def topological(roots: Iterable[Node], known: Container[Node] = ()) -> Iterator[Node]:
    """Nodes reachable from ``roots``, every node after its inputs, in a fixed order.

    ``known`` nodes and what only they need are left out.
    """
    done: set[Node] = set()
    opened: set[Node] = set()  # what stands above them on the stack, they read
    stack = list(reversed(tuple(roots)))
    while stack:
        node = stack[-1]
        if node in done or node in known:
            stack.pop()
            continue
        if node not in opened and node.inputs:
            opened.add(node)
            stack += node.inputs[::-1]
            continue
        stack.pop()
        done.add(node)
        yield node


def users(nodes: Iterable[Node]) -> dict[Node, list[Node]]:
    """For each node, the nodes that read it (in order, once per read)."""
    table: dict[Node, list[Node]] = {}
    for node in nodes:
        table.setdefault(node, [])
        for source in node.inputs:
            table.setdefault(source, []).append(node)
    return table


def bind(name: str, /, *inputs: Node, location: Location | None = None, **params: Any) -> Node:
    """Apply the primitive called ``name``: check its inputs and compute the type of its result."""
    from_registry = _registry[name]
    shape, dtype = from_registry.type_rule(*inputs, **params)
    if location is None:
        location = _current_location.get()
    if location is None:
        location = next((i.location for i in inputs if i.location is not None), None)
    return Node(from_registry, inputs, params, shape, dtype, location)


@contextmanager
def at(location: Location | None) -> Iterator[None]:
    """Nodes bound inside belong to ``location`` (None: to the location of their inputs)."""
    token = _current_location.set(location)
    try:
        yield
    finally:
        _current_location.reset(token)


def constant(value: Any, dtype: DType | None = None) -> Node:
    """A ``const`` node that holds ``value``."""
    array = np.array(value, dtype=dtype.numpy if dtype else None, order="C")
    array.flags.writeable = False
    return bind("const", value=array)


def full(value: float, shape: Shape, dtype: DType) -> Node:
    """``value`` at every place of an array of ``shape``: a broadcast 0-d constant."""
    scalar = constant(value, dtype)
    return bind("broadcast", scalar, shape=shape, axes=()) if shape else scalar


def full_like(node: Node, value: float) -> Node:
    """``value`` in the shape and dtype of ``node``."""
    return full(value, node.shape, node.dtype)


def _binary(name: str, a: Node | float, b: Node | float) -> Node:
    if not isinstance(a, Node):
        assert isinstance(b, Node)
        return bind(name, full_like(b, a), b)
    return bind(name, a, b if isinstance(b, Node) else full_like(a, b))


_registry: dict[str, Primitive] = {}
_current_location: ContextVar[Location | None] = ContextVar("location", default=None)
