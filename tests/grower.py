"""A graph that grows at random, and what its next node may read."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from chainrule import ops
from chainrule.ir.graph import Graph, Location, Node, constant, full
from chainrule.ir.types import Array, DType, Shape, boolean, f32, i32

__all__ = ["MOST_ELEMENTS", "SIZES", "Grower"]

SIZES = (1, 2, 3, 5, 7, 8, 15, 16, 17, 31, 33, 64, 100)
MOST_ELEMENTS = 6400
#: absolute values of real numbers, unless they are 0
SMALLEST, LARGEST = 1e-12, 100.0
WHERE = Location("graphs.py", 1)


class Grower:
    """A growing graph and the values of all its nodes, which have ``most`` elements at most."""

    most = MOST_ELEMENTS

    def __init__(self, rng: np.random.Generator) -> None:
        self.rng = rng
        self.values: dict[Node, Array] = {}
        self.pool: list[Node] = []
        self.inexact: set[Node] = set()
        self.inputs: list[Node] = []
        self.read: set[Node] = set()

    # ------------------------------------------------------------------------------- growth

    def value(self, node: Node) -> Array:
        if node not in self.values:
            arrays = [self.value(i) for i in node.inputs]
            self.values[node] = node.primitive.reference(*arrays, **node.params)
        return self.values[node]

    def is_tame(self, node: Node) -> bool:
        """Whether the values of ``node`` and of everything it was made of are moderate."""
        value = self.value(node)
        if not node.dtype.is_float or value.size == 0:
            return True
        size = np.abs(value[value != 0])
        return bool(np.isfinite(value).all() and np.all((size > SMALLEST) & (size < LARGEST)))

    def offer(self, node: Node, name: str) -> None:
        """Take ``node`` into the pool if its values are tame."""
        if node.size > self.most or not self.is_tame(node):
            return
        rounds = node.dtype.is_float and not (node.primitive.movement or name in ("select", "max"))
        if rounds or any(i in self.inexact for i in node.inputs):
            self.inexact.add(node)
        self.read.update(node.inputs)
        self.pool.append(node)

    def graph(self) -> tuple[Graph, list[Array]]:
        """Outputs are the nodes nobody reads; every second state is updated."""
        states = [n for n in self.inputs if n.params["kind"] == "state"][::2]
        updates = []
        for state in states:
            same = [n for n in self.pool if (n.shape, n.dtype) == (state.shape, state.dtype)]
            updates.append(ops.assign(state, same[-1]))
        outputs = tuple(n for n in self.pool if n not in self.read and n.op != "input")
        graph = Graph(tuple(self.inputs), outputs, tuple(updates))
        return graph, [self.values[n] for n in self.inputs]

    # ----------------------------------------------------------------------------- operands

    def shape(self, ndim: int | None = None) -> Shape:
        """Awkward sizes; the more axes, the smaller."""
        if ndim is None:
            ndim = int(self.rng.integers(0, 5))
        while True:
            shape = tuple(int(n) for n in self.rng.choice(SIZES, ndim))
            if np.prod(shape) <= MOST_ELEMENTS:
                return shape

    def fresh(self, dtype: DType, shape: Shape, low: float = -3.0, high: float = 3.0) -> Node:
        """A new input, or a constant; states may be stored with permuted axes."""
        if dtype is boolean:
            value: Array = np.asarray(self.rng.random(shape) < 0.5)
        elif dtype.is_float:
            value = np.asarray(self.rng.uniform(low, high, shape), dtype.numpy)
        else:
            low = max(low, 0) if dtype is not i32 else low
            value = np.asarray(self.rng.integers(int(low), int(high) + 1, shape), dtype.numpy)
        if self.rng.random() < 0.2:
            node = constant(value)
        else:
            kind = "state" if self.rng.random() < 0.4 else "arg"
            node = self.input_node(kind, dtype, shape)
        self.values[node] = value
        self.pool.append(node)
        return node

    def input_node(self, kind: str, dtype: DType, shape: Shape) -> Node:
        order = self.rng.permutation(len(shape)) if kind == "state" else np.arange(len(shape))
        strides, step = [0] * len(shape), 1
        for axis in reversed(order):
            strides[axis] = step
            step *= shape[axis]
        name = f"{kind}{len(self.inputs)}"
        node = ops.input(kind=kind, name=name, shape=shape, dtype=dtype, strides=tuple(strides))
        node = Node(node.primitive, (), node.params, shape, dtype, WHERE)
        self.inputs.append(node)
        return node

    def pick(
        self,
        dtype: DType = f32,
        fits: Callable[[Node], bool] = lambda n: True,
        shape: Shape | None = None,
        exact: bool = False,
    ) -> Node:
        """A node of the pool that ``fits``, or a new one."""
        found = [
            n
            for n in self.pool
            if n.dtype is dtype
            and fits(n)
            and (shape is None or n.shape == shape)
            and not (exact and n in self.inexact)
        ]
        if found and self.rng.random() < 0.8:
            return found[int(self.rng.integers(len(found)))]
        if shape is None:
            shape = self.shape()
            while not fits(full(0, shape, dtype)):
                shape = self.shape()
        return self.fresh(dtype, shape)

    def axis(self, x: Node) -> int:
        return int(self.rng.integers(x.ndim))

    def axes(self, x: Node) -> tuple[int, ...]:
        return tuple(a for a in range(x.ndim) if self.rng.random() < 0.5)

    def ints(self, low: int, high: int, count: int) -> tuple[int, ...]:
        return tuple(int(n) for n in self.rng.integers(low, high + 1, count))

    def at_least(self, low: float) -> Node:
        """A node whose values are ``low`` or more: a node of the pool, moved up."""
        x = self.pick()
        smallest = float(self.value(x).min(initial=low))
        return x if smallest >= low else x + round(low - smallest + 0.1, 3)
