"""Random loops: bodies of the kinds that networks have, and of kinds that nobody would write.

What is carried is squashed, so that it stays tame however long the loop is.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from chainrule import ops
from chainrule.ir.graph import Graph, Node, constant
from chainrule.ir.types import f32, i32
from chainrule.ops.bodies import placeholder

LENGTHS = (1, 2, 3, 5, 8)

#: of a value and another of its shape, a third of the same shape
Move = Callable[[np.random.Generator, Node, Node], Node]


def random_loop(
    rng: np.random.Generator, first: Node, rows: Sequence[Node], same: Node, depth: int = 0
) -> Node:
    """A result of a loop that carries ``first``; ``same`` stays as it is, and all have one shape.

    Each of ``rows`` has as many rows of that shape as the loop has steps.
    """
    length = rows[0].shape[0] if rows else int(rng.choice(LENGTHS))
    shape = first.shape
    h, k = placeholder("h", shape, f32), placeholder("k", shape, f32)
    n = placeholder("n", (), i32)
    xs = [placeholder(f"x{i}", shape, f32) for i in range(len(rows))]
    values = [h, k, *xs]
    for _ in range(int(rng.integers(1, 5))):
        a, b = (values[int(i)] for i in rng.integers(len(values), size=2))
        moves = MOVES if depth < 1 else MOVES[1:]
        values.append(moves[int(rng.integers(len(moves)))](rng, a, b))
    second = bool(rng.random() < 0.4)  # another carry, which the first one reads late
    g = placeholder("g", shape, f32)
    new = [ops.tanh(values[-1] + g * 0.5 if second else values[-1] + h * 0.5)]
    if second:
        new.append(ops.tanh(values[int(rng.integers(len(values)))] * 0.7 + h * 0.3))
    stacked = [values[int(i)] for i in rng.integers(len(values), size=int(rng.integers(0, 3)))]
    if rng.random() < 0.5:
        stacked.append(new[0])
    if rng.random() < 0.3:
        stacked.append(h)
    carries = [h, *([g] if second else []), n]
    counted = n + constant(1, i32)
    body = Graph((*carries, *xs, k), (*new, counted, *stacked))
    start = [first, *([first * 0.5] if second else []), constant(0, i32)]
    loop = ops.scan(
        *start,
        *rows,
        same,
        body=body,
        length=length,
        carries=len(carries),
        scanned=len(xs),
        reverse=int(rng.random() < 0.4),
        segment=int(rng.random() < 0.2),
        tiled=0,
        limited=0,
    )
    results = [r for r in ops.loops.results_of(loop) if r.dtype is f32]
    return results[int(rng.integers(len(results)))]


def _inner(rng: np.random.Generator, a: Node, b: Node) -> Node:
    """A loop in the body, of whose stacked results one row is taken."""
    result = random_loop(rng, a, [], b, depth=1)
    if result.ndim == a.ndim:
        return result
    rest = (0,) * a.ndim
    row = ops.slice(result, start=(0, *rest), stop=(1, *a.shape), step=(1,) * result.ndim)
    return ops.reshape(row, shape=a.shape)


def _product(rng: np.random.Generator, a: Node, b: Node) -> Node:
    """A product with a matrix made of the other value."""
    if a.ndim != 2:
        return a * b
    square = ops.dot(ops.transpose(b, perm=(1, 0)), b)
    return ops.dot(a, square * (1.0 / (a.shape[0] * a.shape[1])))


def _turned(rng: np.random.Generator, a: Node, b: Node) -> Node:
    """The other value moved along one axis by one element."""
    if not a.ndim or a.shape[-1] < 2:
        return ops.tanh(a - b)
    cut = int(rng.integers(1, a.shape[-1]))
    zeros, ones = (0,) * a.ndim, (1,) * a.ndim
    head = ops.slice(b, start=zeros, stop=(*a.shape[:-1], cut), step=ones)
    tail = ops.slice(b, start=(*zeros[:-1], cut), stop=a.shape, step=ones)
    return a * 0.5 + ops.concat(tail, head, axis=a.ndim - 1)


def _centred(rng: np.random.Generator, a: Node, b: Node) -> Node:
    """Minus the mean along one axis, which may be that of the rows."""
    if not a.ndim:
        return a * b
    axis = int(rng.integers(a.ndim))
    mean = ops.reduce_sum(b, axes=(axis,)) * (1.0 / a.shape[axis])
    rest = tuple(i for i in range(a.ndim) if i != axis)
    return a - ops.broadcast(mean, shape=a.shape, axes=rest)


MOVES: tuple[Move, ...] = (
    _inner,
    _product,
    _product,
    _turned,
    _centred,
    lambda rng, a, b: a * b,
    lambda rng, a, b: ops.tanh(a + b),
    lambda rng, a, b: ops.select(ops.lt(a, a * 0.0 + 0.1), a, b),
    lambda rng, a, b: ops.max(a, b) - a * 0.5,
)
