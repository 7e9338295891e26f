"""Primitives that multiply and sum: matrix products."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ..batching import Value, bound, stretched, unrolled
from ..ir.graph import Node, bind
from ..ir.primitive import Primitive, Sample
from ..ir.types import Array, DType, Shape
from .examples import draw
from .movement import transposed
from .reduce import tree
from .rules import FLOATS, describe, need_dtype, quiet, shape_error


def dot_type(a: Node, b: Node) -> tuple[Shape, DType]:
    """a [*B, M, K] times b [*B, K, N] is [*B, M, N]."""
    need_dtype("dot", FLOATS, a, b)
    fits = a.ndim == b.ndim >= 2 and a.shape[:-2] == b.shape[:-2] and a.dtype is b.dtype
    if not fits or a.shape[-1] != b.shape[-2]:
        raise shape_error(
            f"`dot` cannot multiply {describe(a, b)}",
            a,
            b,
            help="[*B, M, K] times [*B, K, N]: equal leading axes, and the K of both equal",
        )
    return (*a.shape[:-1], b.shape[-1]), a.dtype


def dot_samples(rng: np.random.Generator) -> Iterator[Sample]:
    """Matrices, vectors as matrices, batches, one and many."""
    cases: tuple[tuple[Shape, int, int, int], ...] = (
        ((), 3, 5, 7),
        ((), 1, 17, 1),
        ((), 16, 33, 31),
        ((), 8, 1, 15),
        ((2,), 3, 8, 5),
        ((3, 2), 2, 5, 3),
    )
    for batch, m, k, n in cases:
        a, b = draw(rng, (*batch, m, k), DType.f32), draw(rng, (*batch, k, n), DType.f32)
        yield Sample((a, b))


def dot_batch(node: Node, inputs: list[Value], size: int) -> Node:
    """Rows of all members are one product with a matrix that is the same for all."""
    (a, _), (b, differs) = inputs
    if differs or node.ndim != 2:
        return bound(node, *(stretched(v, size) for v in inputs))
    flat = bind("reshape", a, shape=(size * node.shape[0], a.shape[-1]))
    return bind("reshape", bound(node, flat, b), shape=(size, *node.shape))


dot: Primitive = Primitive(
    "dot",
    dot_type,
    quiet(np.matmul),
    lambda g, y, a, b: (dot(g, transposed(b)), dot(transposed(a), g)),
    dot_samples,
    batch=dot_batch,
)


def dot_tree_type(a: Node, b: Node, *, runs: int) -> tuple[Shape, DType]:
    """a [M, K] times b [K, N] is [M, N]."""
    if a.ndim != 2 or runs < 1 or a.shape[-1] % runs:
        raise shape_error(f"`dot_tree` cannot multiply {describe(a, b)} in {runs} runs", a, b)
    return dot_type(a, b)


def dot_tree_reference(a: Array, b: Array, *, runs: int) -> Array:
    """The products of runs of columns and rows, summed along the tree."""
    pieces = zip(np.split(a, runs, axis=1), np.split(b, runs), strict=True)
    return tree([np.matmul(left, right) for left, right in pieces], np.add)


def dot_tree_samples(rng: np.random.Generator) -> Iterator[Sample]:
    """One run, two, other numbers."""
    for runs, m, k, n in ((1, 3, 5, 7), (2, 4, 6, 17), (3, 1, 6, 2), (8, 5, 8, 3)):
        a, b = draw(rng, (m, k), DType.f32), draw(rng, (k, n), DType.f32)
        yield Sample((a, b), {"runs": runs})


#: a product whose sums are cut into equal ``runs``, which are added along a tree
dot_tree: Primitive = Primitive(
    "dot_tree",
    dot_tree_type,
    quiet(dot_tree_reference),
    lambda g, y, a, b, *, runs: (dot(g, transposed(b)), dot(transposed(a), g)),
    dot_tree_samples,
    batch=unrolled,
)
