"""Random graphs of joins: what is split, padded, shifted and stacked is read again at once.

`graphs.random_graph` draws every primitive with shapes of its own, so that two values rarely meet
and hardly anything can share a nest. Here all values of a graph have one shape, or that of its rows
or columns, every pattern has several readers, and outputs are drawn from what is read, too.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable

import numpy as np

from chainrule import ops
from chainrule.ir.graph import Graph, Node, constant
from chainrule.ir.types import Array, Shape, f32
from grower import Grower

#: small, awkward, and large enough for threads and for maps inside of reductions
SPACES: tuple[Shape, ...] = (
    (7,), (64,), (1, 9), (3, 5), (8, 8), (16, 33), (5, 6, 7), (2, 3, 16), (2, 3, 4, 5),
    (40, 70), (24, 768), (96, 256), (12, 16, 96),
)  # fmt: skip

JoinMaker = Callable[["JoinGrower"], Node]


def random_joins(rng: np.random.Generator, size: int) -> tuple[Graph, list[Array]]:
    """A graph of ``size`` patterns over one shape, and values of its inputs."""
    grower = JoinGrower(rng, SPACES[int(rng.integers(len(SPACES)))])
    names = list(JOINS)
    for _ in range(size):
        name = names[int(rng.integers(len(names)))]
        grower.offer(JOINS[name](grower), name)
        if rng.random() < 0.4:  # one more reader, which may share a nest with what it reads
            grower.offer(make_map(grower), "map")
    return grower.graph()


class JoinGrower(Grower):
    """A growing graph in which every value has the shape ``space``."""

    most = max(map(math.prod, SPACES))

    def __init__(self, rng: np.random.Generator, space: Shape) -> None:
        super().__init__(rng)
        self.space = space
        #: what patterns are made of, if not of anything
        self.focus: Node | None = None
        for _ in range(2):
            self.state()

    def state(self) -> Node:
        """A new state of the graph's shape, stored in any order of axes."""
        node = self.input_node("state", f32, self.space)
        self.values[node] = np.asarray(self.rng.uniform(-2, 2, self.space), np.float32)
        self.pool.append(node)
        return node

    def one(self) -> Node:
        """A value of the graph's shape: rather a late one, whose nest is still open."""
        if self.focus is not None:
            return self.focus
        if self.rng.random() < 0.08:
            return self.fresh(f32, self.space)
        late = self.pool[-6:] if self.rng.random() < 0.6 else self.pool
        return late[int(self.rng.integers(len(late)))]

    def offer(self, node: Node, name: str) -> None:
        """Values stay tame by way of tanh rather than by leaving the wild ones out."""
        assert node.shape == self.space, name
        super().offer(node if self.is_tame(node) else ops.tanh(node * 0.125), name)

    def some_axis(self) -> int:
        return int(self.rng.integers(len(self.space)))

    def cut(self, extent: int) -> int:
        """Where to cut an axis; often at a multiple of a vector."""
        if extent > 16 and self.rng.random() < 0.3:
            return 16 * int(self.rng.integers(1, (extent + 15) // 16))
        return int(self.rng.integers(0, extent + 1))

    def graph(self) -> tuple[Graph, list[Array]]:
        """Outputs are what nobody reads and some of what is read; states get late values, or such
        as are made of themselves: nothing may be overwritten that is still to be read.
        """
        own = {s: self.of_itself(s) for s in list(self.inputs) if self.rng.random() < 0.3}
        computed = [n for n in self.pool if n.op not in ("input", "const")]
        outputs = [n for n in computed if n not in self.read or self.rng.random() < 0.2]
        states = [n for n in self.inputs if n.params["kind"] == "state"]
        late = computed[-8:]
        updates = tuple(
            ops.assign(s, own.get(s) or late[int(self.rng.integers(len(late)))])
            for s in states
            if s.shape == self.space and late and self.rng.random() < 0.7
        )
        graph = Graph(tuple(self.inputs), tuple(outputs), updates)
        return graph, [self.values[n] for n in self.inputs]

    def of_itself(self, state: Node) -> Node | None:
        """A pattern made of nothing but ``state``; None for one of another shape."""
        if state.params["kind"] != "state" or state.shape != self.space:
            return None
        self.focus = state
        names = list(JOINS)
        value = JOINS[names[int(self.rng.integers(len(names)))]](self)
        self.focus = None
        return value if self.is_tame(value) else ops.tanh(value * 0.125)


def part(x: Node, axis: int, start: int, stop: int, step: int = 1) -> Node:
    """``x[..., start:stop:step, ...]`` along ``axis``; with a negative step from the end."""
    first, last = (start, stop) if step > 0 else (stop - 1, start - 1)
    starts = tuple(first if a == axis else 0 for a in range(x.ndim))
    stops = tuple(last if a == axis else n for a, n in enumerate(x.shape))
    steps = tuple(step if a == axis else 1 for a in range(x.ndim))
    return ops.slice(x, start=starts, stop=stops, step=steps)


def around(x: Node, axis: int, low: int, high: int, value: float = 0.0, interior: int = 0) -> Node:
    """``x`` with ``low`` and ``high`` more elements at the ends of ``axis``, and some between."""
    lows = tuple(low if a == axis else 0 for a in range(x.ndim))
    highs = tuple(high if a == axis else 0 for a in range(x.ndim))
    between = tuple(interior if a == axis else 0 for a in range(x.ndim))
    return ops.pad(x, constant(value, x.dtype), low=lows, high=highs, interior=between)


# ------------------------------------------------------------------------------------ patterns


def make_map(grower: JoinGrower) -> Node:
    x, y = grower.one(), grower.one()
    kind = int(grower.rng.integers(7))
    if kind == 0:
        return ops.tanh(x)
    if kind == 1:
        return x * 0.5 + y
    if kind == 2:
        return ops.exp(ops.tanh(x)) - y
    if kind == 3:
        return ops.select(ops.lt(x, y), x, y)
    if kind == 4:
        return ops.max(x, y)
    if kind == 5:
        return ops.tanh(x) * ops.tanh(y)
    return -x


def split(grower: JoinGrower, x: Node) -> tuple[int, list[Node]]:
    """An axis, and two or three parts that make up ``x``."""
    axis = grower.some_axis()
    extent = x.shape[axis]
    inside = [grower.cut(extent) for _ in range(int(grower.rng.integers(1, 3)))]
    cuts = sorted({0, *inside, extent})
    return axis, [part(x, axis, a, b) for a, b in itertools.pairwise(cuts)]


def make_cat(grower: JoinGrower) -> Node:
    """Parts of one value or of several, some with a function of their own, joined again."""
    axis, parts = split(grower, grower.one())
    extents = [p.shape[axis] for p in parts]
    if grower.rng.random() < 0.5:
        parts.reverse()
        extents.reverse()
    position, pieces = 0, []
    for piece, extent in zip(parts, extents, strict=True):
        kind = int(grower.rng.integers(4))
        if kind == 0:
            piece = ops.tanh(piece)
        elif kind == 1:
            other = part(grower.one(), axis, position, position + extent)
            piece = piece * other if grower.rng.random() < 0.5 else other
        pieces.append(piece)
        position += extent
    return ops.concat(*pieces, axis=axis) if len(pieces) > 1 else pieces[0]


def make_shift(grower: JoinGrower) -> Node:
    """Moved along an axis: cut at one end, padded at the other; often beside the value itself."""
    x, axis = grower.one(), grower.some_axis()
    extent = x.shape[axis]
    by = int(grower.rng.integers(0, extent))
    value = 0.0 if grower.rng.random() < 0.6 else 0.5
    if grower.rng.random() < 0.5:
        moved = around(part(x, axis, 0, extent - by), axis, by, 0, value)
    else:
        moved = around(part(x, axis, by, extent), axis, 0, by, value)
    return moved + grower.one() if grower.rng.random() < 0.5 else moved


def make_halo(grower: JoinGrower) -> Node:
    """A padded value read at several places, as a convolution of three taps reads it."""
    x, axis = grower.one(), grower.some_axis()
    extent = x.shape[axis]
    wide = around(ops.tanh(x) if grower.rng.random() < 0.5 else x, axis, 1, 1)
    taps = [part(wide, axis, k, k + extent) for k in range(3)]
    return taps[0] * 0.25 + taps[1] * 0.5 - taps[2] * 0.25


def make_roll(grower: JoinGrower) -> Node:
    x, axis = grower.one(), grower.some_axis()
    by = grower.cut(x.shape[axis])
    if not 0 < by < x.shape[axis]:
        return x * 0.75
    return ops.concat(part(x, axis, by, x.shape[axis]), part(x, axis, 0, by), axis=axis)


def make_flip(grower: JoinGrower) -> Node:
    x, axis = grower.one(), grower.some_axis()
    return part(x, axis, 0, x.shape[axis], -1) * 0.5 + grower.one()


def make_stack(grower: JoinGrower) -> Node:
    """Several values along a new axis, then one of them, their sum or their maximum."""
    axis = int(grower.rng.integers(len(grower.space) + 1))
    shape = (*grower.space[:axis], 1, *grower.space[axis:])
    values = [grower.one() for _ in range(int(grower.rng.integers(2, 4)))]
    stacked = ops.concat(*(ops.reshape(v, shape=shape) for v in values), axis=axis)
    kind = int(grower.rng.integers(3))
    if kind == 0:
        return ops.reduce_sum(stacked, axes=(axis,)) * (1.0 / len(values))
    if kind == 1:
        return ops.reduce_max(stacked, axes=(axis,))
    chosen = part(stacked, axis, len(values) - 1, len(values))
    return ops.reshape(chosen, shape=grower.space)


def make_spread(grower: JoinGrower) -> Node:
    """Every second element, with zeros between: what the gradient of a stride looks like."""
    x, axis = grower.one(), grower.some_axis()
    thin = part(x, axis, 0, x.shape[axis], 2)
    wide = around(ops.tanh(thin), axis, 0, (x.shape[axis] + 1) % 2, interior=1)
    return wide + x if grower.rng.random() < 0.5 else wide


def make_wide(grower: JoinGrower) -> Node:
    """Two values side by side, mapped and reduced together, then split again."""
    axis = grower.some_axis()
    a, b = grower.one(), ops.tanh(grower.one())
    wide = ops.concat(a, b, axis=axis)
    extent = a.shape[axis]
    mapped = wide * 0.5 + 0.25 if grower.rng.random() < 0.5 else wide
    left, right = part(mapped, axis, 0, extent), part(mapped, axis, extent, 2 * extent)
    return (left, right, left * right)[int(grower.rng.integers(3))]


def make_norm(grower: JoinGrower) -> Node:
    """Less its mean along the last axis, or softmax along it."""
    x = grower.one()
    last = x.ndim - 1
    kept = tuple(range(last))
    if grower.rng.random() < 0.5:
        mean = ops.reduce_sum(x, axes=(last,)) * (1.0 / x.shape[last])
        return x - ops.broadcast(mean, shape=x.shape, axes=kept)
    top = ops.broadcast(ops.reduce_max(x, axes=(last,)), shape=x.shape, axes=kept)
    e = ops.exp(x - ops.fence(top))
    total = ops.broadcast(ops.reduce_sum(e, axes=(last,)), shape=x.shape, axes=kept)
    return e / total + x * 0.125


def make_columns(grower: JoinGrower) -> Node:
    """Plus the mean of its columns."""
    x = grower.one()
    mean = ops.reduce_sum(x, axes=(0,)) * (1.0 / x.shape[0])
    return x * 0.5 + ops.broadcast(mean, shape=x.shape, axes=tuple(range(1, x.ndim)))


def make_product(grower: JoinGrower) -> Node:
    """A matrix product that keeps the shape; of one axis, a sum over all."""
    x = grower.one()
    if x.ndim == 1:
        return x + ops.broadcast(ops.reduce_sum(x * 0.01, axes=(0,)), shape=x.shape, axes=())
    extent = x.shape[-1]
    weight = grower.input_node("state", f32, (*x.shape[:-2], extent, extent))
    spread = extent**-0.5
    value = grower.rng.uniform(-spread, spread, weight.shape)
    grower.values[weight] = value.astype(np.float32)
    return ops.dot(x, weight)


def make_transposed(grower: JoinGrower) -> Node:
    """Turned, joined along the first axis with itself, and turned back."""
    x = grower.one()
    perm = tuple(reversed(range(x.ndim)))
    turned = ops.transpose(x, perm=perm)
    extent = turned.shape[0]
    joined = ops.concat(ops.tanh(turned), turned, axis=0)
    at = int(grower.rng.integers(0, extent + 1))
    return ops.transpose(part(joined, 0, at, at + extent), perm=perm)


def make_flat(grower: JoinGrower) -> Node:
    """As one long row: shifted across the ends of rows, and back in shape."""
    x = grower.one()
    flat = ops.reshape(x, shape=(x.size,))
    by = int(grower.rng.integers(0, min(x.size, 20)))
    moved = around(part(flat, 0, 0, x.size - by), 0, by, 0)
    return ops.reshape(moved + flat, shape=x.shape) * 0.5


JOINS: dict[str, JoinMaker] = {
    "map": make_map,
    "cat": make_cat,
    "shift": make_shift,
    "halo": make_halo,
    "roll": make_roll,
    "flip": make_flip,
    "stack": make_stack,
    "spread": make_spread,
    "wide": make_wide,
    "norm": make_norm,
    "columns": make_columns,
    "product": make_product,
    "transposed": make_transposed,
    "flat": make_flat,
}
