"""Random graphs whose states lie otherwise than they are read: turned, cut, merged, across.

`joins.random_joins` stores its states in any order of axes, but reads and updates each of them as
it is declared. Here a state is read through a view, and its new value comes back through the
inverse of that: the gradient of a weight that is stored across, a cache of which a slice moves on,
two states that change places. Loops carry what lies like that, too.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from chainrule import ops
from chainrule.ir.graph import Graph, Node, constant
from chainrule.ir.types import Array, Shape, f32, i32
from chainrule.ops.bodies import placeholder
from joins import JOINS, JoinGrower, JoinMaker, make_map, part
from loops import LENGTHS

__all__ = ["random_turns"]

#: matrices and cubes, square ones among them: those can be turned in place
SPACES: tuple[Shape, ...] = (
    (3, 5), (8, 8), (16, 16), (7, 33), (33, 16), (64, 40), (48, 130), (1, 9),
    (2, 3, 16), (4, 8, 8), (5, 4, 6), (12, 16, 20),
)  # fmt: skip
Perm = tuple[int, ...]


@dataclass(frozen=True)
class Home:
    """How a state of any shape is read as a value of the graph's shape, and the new state made of a
    new value and the old state."""

    shape: Shape
    read: Callable[[Node], Node]
    write: Callable[[Node, Node], Node]


def random_turns(rng: np.random.Generator, size: int) -> tuple[Graph, list[Array]]:
    """A graph of ``size`` patterns over one shape, and values of its inputs."""
    grower = TurnGrower(rng, SPACES[int(rng.integers(len(SPACES)))])
    makers = [*JOINS.values(), *TURNS.values(), *TURNS.values(), *TURNS.values()]
    for _ in range(size):
        grower.offer(makers[int(rng.integers(len(makers)))](grower), "turn")
        if rng.random() < 0.3:
            grower.offer(make_map(grower), "map")
    return grower.graph()


class TurnGrower(JoinGrower):
    """Its states are homes of values of the graph's shape."""

    def __init__(self, rng: np.random.Generator, space: Shape) -> None:
        self.homes: dict[Node, Home] = {}
        super().__init__(rng, space)
        self.state()

    def state(self) -> Node:
        """What a new state is read as."""
        home = HOMES[int(self.rng.integers(len(HOMES)))](self)
        node = self.input_node("state", f32, home.shape)
        self.values[node] = np.asarray(self.rng.uniform(-2, 2, home.shape), np.float32)
        self.homes[node] = home
        self.pool.append(home.read(node))
        return self.pool[-1]

    def array(self, shape: Shape) -> Node:
        """A new array of another shape than the graph's, a state or not."""
        kind = "state" if self.rng.random() < 0.5 else "arg"
        node = self.input_node(kind, f32, shape)
        self.values[node] = np.asarray(self.rng.uniform(-1, 1, shape), np.float32)
        return node

    def perm(self, ndim: int) -> Perm:
        """An order of axes; seldom the one that they have."""
        perm = tuple(int(a) for a in self.rng.permutation(ndim))
        same = perm == tuple(range(ndim)) and self.rng.random() < 0.8
        return tuple(reversed(perm)) if same else perm

    def graph(self) -> tuple[Graph, list[Array]]:
        """Nearly every state gets a new value: a late one, often beside its own or that of another
        state. Views of states are outputs, too, so that old values are read late."""
        computed = [n for n in self.pool if n.op not in ("input", "const")]
        updates = tuple(
            ops.assign(state, home.write(state, self.new_value(state, computed[-8:])))
            for state, home in self.homes.items()
            if self.rng.random() < 0.85
        )
        outputs = [n for n in computed if n not in self.read or self.rng.random() < 0.2]
        graph = Graph(tuple(self.inputs), tuple(outputs), updates)
        return graph, [self.values[n] for n in self.inputs]

    def new_value(self, state: Node, late: list[Node]) -> Node:
        """What is put into a state."""
        own = self.homes[state].read(state)
        value = late[int(self.rng.integers(len(late)))] if late else own
        kind = int(self.rng.integers(5))
        if kind == 0:
            other = list(self.homes)[int(self.rng.integers(len(self.homes)))]
            read = self.homes[other].read(other)
            square = self.space[-1] == self.space[-2]
            return turned(read, swapped(read.ndim)) if square else read
        if kind == 1:
            return own * 0.9 + value * 0.1
        if kind == 2:
            focus, self.focus = self.focus, own
            made = TURNS["product"](self)
            self.focus = focus
            return ops.tanh(made)
        return ops.tanh(value) if kind == 3 else value


def inverse(perm: Perm) -> Perm:
    return tuple(int(a) for a in np.argsort(perm))


def turned(x: Node, perm: Perm) -> Node:
    return ops.transpose(x, perm=perm)


# --------------------------------------------------------------------------------------- homes


def plain_home(grower: TurnGrower) -> Home:
    return Home(grower.space, lambda state: state, lambda state, value: value)


def turned_home(grower: TurnGrower) -> Home:
    """A state whose axes have another order than those of the value."""
    perm = grower.perm(len(grower.space))
    shape = tuple(grower.space[a] for a in inverse(perm))
    return Home(
        shape,
        lambda state: turned(state, perm),
        lambda state, value: turned(value, inverse(perm)),
    )


def cut_home(grower: TurnGrower) -> Home:
    """A longer state, turned or not, of which the value is a part; the rest stays, or moves on."""
    inner = turned_home(grower) if grower.rng.random() < 0.5 else plain_home(grower)
    axis = int(grower.rng.integers(len(grower.space)))
    low, high = grower.ints(0, 3, 2)
    extent = inner.shape[axis]
    shape = tuple(n + (low + high) * (a == axis) for a, n in enumerate(inner.shape))
    moves = bool(grower.rng.random() < 0.3)

    def write(state: Node, value: Node) -> Node:
        whole = low + extent + high
        ends = [part(state, axis, 0, low), part(state, axis, low + extent, whole)]
        if moves:
            ends.reverse()
        middle = inner.write(part(state, axis, low, low + extent), value)
        pieces = [ends[0], middle, ends[1]]
        pieces = [piece for piece in pieces if piece.shape[axis]]
        return ops.concat(*pieces, axis=axis) if len(pieces) > 1 else pieces[0]

    return Home(shape, lambda state: inner.read(part(state, axis, low, low + extent)), write)


def strided_home(grower: TurnGrower) -> Home:
    """Every second element along an axis, forwards or backwards; what lies between is halved."""
    inner = turned_home(grower) if grower.rng.random() < 0.5 else plain_home(grower)
    axis = int(grower.rng.integers(len(grower.space)))
    extent, backwards = inner.shape[axis], bool(grower.rng.random() < 0.4)
    shape = tuple(2 * n if a == axis else n for a, n in enumerate(inner.shape))
    step = -2 if backwards else 2

    def write(state: Node, value: Node) -> Node:
        made = inner.write(part(state, axis, 0, 2 * extent, step), value)
        if backwards:
            made = part(made, axis, 0, extent, -1)
        at = tuple(int(a == axis) for a in range(made.ndim))
        none = (0,) * made.ndim
        low, high = (at, none) if backwards else (none, at)
        wide = ops.pad(made, constant(0.0, f32), low=low, high=high, interior=at)
        return state * 0.5 + wide * 0.5

    return Home(shape, lambda state: inner.read(part(state, axis, 0, 2 * extent, step)), write)


def merged_home(grower: TurnGrower) -> Home:
    """The first axis is two of the state, between which another one lies."""
    first, *rest = grower.space
    outer = next((n for n in (2, 3, 4) if first % n == 0), 1)
    shape = (outer, rest[0], first // outer, *rest[1:])
    perm = (0, 2, 1, *range(3, len(shape)))
    split = tuple(shape[a] for a in perm)
    return Home(
        shape,
        lambda state: ops.reshape(turned(state, perm), shape=grower.space),
        lambda state, value: turned(ops.reshape(value, shape=split), inverse(perm)),
    )


def flat_home(grower: TurnGrower) -> Home:
    """One long row."""
    size = int(np.prod(grower.space))
    return Home(
        (size,),
        lambda state: ops.reshape(state, shape=grower.space),
        lambda state, value: ops.reshape(value, shape=(size,)),
    )


HOMES: tuple[Callable[[TurnGrower], Home], ...] = (
    turned_home, turned_home, cut_home, strided_home, merged_home, flat_home, plain_home,
)  # fmt: skip


# ------------------------------------------------------------------------------------ patterns


def swapped(ndim: int) -> Perm:
    """The last two axes exchanged."""
    return (*range(ndim - 2), ndim - 1, ndim - 2)


def times(a: Node, b: Node, across: bool) -> Node:
    """``a @ b``; ``across``: as the transpose of another product, whose result lies otherwise."""
    if not across:
        return ops.dot(a, b)
    perm = swapped(a.ndim)
    return turned(ops.dot(turned(b, perm), turned(a, perm)), perm)


def make_product(grower: TurnGrower) -> Node:
    """With a square made of a value: how its operands lie is how a state does."""
    x, y = grower.one(), grower.one()
    square = times(turned(y, swapped(y.ndim)), y, bool(grower.rng.random() < 0.5))
    scaled = square * (1.0 / (x.shape[-1] * x.shape[-2]))
    return times(x, scaled, bool(grower.rng.random() < 0.5))


def make_gradient(grower: TurnGrower) -> Node:
    """The gradient of a weight: a sum over the rows of a batch."""
    *batch, rows, columns = grower.space
    count = int(grower.rng.choice((1, 4, 16, 33)))
    p, q = (grower.array((*batch, count, n)) for n in (rows, columns))
    gradient = times(turned(p, swapped(p.ndim)), q * (1.0 / count), bool(grower.rng.random() < 0.5))
    return gradient * 0.3 + grower.one() if grower.rng.random() < 0.5 else gradient * 0.3


def make_turn(grower: TurnGrower) -> Node:
    """Something turned, changed there by what is not the same along all axes, and turned back."""
    x = grower.one()
    perm = grower.perm(x.ndim)
    other = turned(x, perm)
    kind = int(grower.rng.integers(3))
    if kind == 0:
        mean = ops.reduce_sum(other, axes=(0,)) * (1.0 / other.shape[0])
        other = other - ops.broadcast(mean, shape=other.shape, axes=tuple(range(1, x.ndim)))
    elif kind == 1:
        steps = ops.cast(ops.iota(shape=other.shape, axis=x.ndim - 1), dtype=f32)
        other = other * 0.5 + steps * 0.01
    else:
        other = part(ops.tanh(other), 0, 0, other.shape[0], -1)
    return turned(other, inverse(perm))


def make_rows(grower: TurnGrower) -> Node:
    """Some rows of a value in place of others, along any axis of it as it is turned."""
    x, source = grower.one(), grower.one()
    perm = grower.perm(x.ndim)
    into, others = turned(x, perm), turned(source, perm)
    count = min(into.shape[0], int(grower.rng.integers(1, 4)))
    picked = grower.rng.permutation(into.shape[0])[:count].astype(np.int32)
    places = grower.input_node("arg", i32, (count,))
    grower.values[places] = picked
    rows = ops.gather(others, places, axis=0) * 0.5
    put = ops.scatter if grower.rng.random() < 0.5 else ops.scatter_add
    return turned(put(into, places, rows, axis=0), inverse(perm))


def make_loop(grower: TurnGrower) -> Node:
    """A loop that carries values turned, of which one becomes the other, and is turned back."""
    rng, length = grower.rng, int(grower.rng.choice(LENGTHS))
    x, same = grower.one(), grower.one()
    perm, back = grower.perm(x.ndim), swapped(x.ndim)
    first, constant_ = turned(x, perm), turned(same, perm)
    shape = first.shape
    across = tuple(shape[a] for a in back)
    rows = grower.array((*grower.space, length))
    # As many rows as steps: time is the last axis of the array, and the first of what is read.
    by_step = turned(rows, (x.ndim, *perm))
    h, g = placeholder("h", shape, f32), placeholder("g", across, f32)
    n = placeholder("n", (), i32)
    row, k = placeholder("x", shape, f32), placeholder("k", shape, f32)
    moved = moved_on(rng, h, row, k, n)
    new = ops.tanh(turned(g, back) * 0.5 + moved)
    other = ops.tanh(turned(h if rng.random() < 0.5 else moved, back) * 0.7)
    stacked = [turned(moved, back)] if rng.random() < 0.5 else [h]
    body = Graph((h, g, n, row, k), (new, other, n + constant(1, i32), *stacked))
    loop = ops.scan(
        first, turned(first, back) * 0.5, constant(0, i32), by_step, constant_,
        body=body, length=length, carries=3, scanned=1, reverse=int(rng.random() < 0.4),
        segment=int(rng.random() < 0.2), tiled=0, limited=0,
    )  # fmt: skip
    results = [r for r in ops.loops.results_of(loop) if r.dtype is f32]
    result = results[int(rng.integers(len(results)))]
    if result.ndim > x.ndim:
        result = ops.reduce_sum(result, axes=(0,)) * (1.0 / length)
    # Square ones have either shape: which way they are turned back then is as good as the other.
    result = result if result.shape == shape else turned(result, back)
    return turned(result, inverse(perm))


def moved_on(rng: np.random.Generator, h: Node, row: Node, k: Node, n: Node) -> Node:
    """What a step makes of ``h``, of this step's ``row`` and of ``k``, which is always the same."""
    kind = int(rng.integers(5))
    if kind == 0:
        square = times(turned(k, swapped(k.ndim)), k, bool(rng.random() < 0.5))
        scaled = square * (1.0 / (k.shape[-1] * k.shape[-2]))
        return times(h, scaled, bool(rng.random() < 0.5)) + row * 0.5
    if kind == 1:  # a row in, a row out
        axis = int(rng.integers(h.ndim))
        kept = part(h, axis, 1, h.shape[axis])
        newest = part(row, axis, 0, 1)
        return ops.concat(kept, newest, axis=axis) if h.shape[axis] > 1 else newest
    if kind == 2:  # one of the rows is replaced, as in a cache
        axis = int(rng.integers(h.ndim))
        rest = tuple(m for a, m in enumerate(row.shape) if a != axis)
        update = ops.reshape(part(row, axis, 0, 1), shape=rest)
        return ops.scatter(h, n, update, axis=axis)
    if kind == 3:
        return part(h, 0, 0, h.shape[0], -1) * 0.5 + row
    return h * 0.5 + row * k


TURNS: dict[str, JoinMaker] = {
    "product": make_product,
    "gradient": make_gradient,
    "turn": make_turn,
    "rows": make_rows,
    "loop": make_loop,
}
