"""Primitives that fold axes away."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

import numpy as np

from ..batching import Value, bound
from ..ir.graph import Node, bind
from ..ir.primitive import Primitive, Sample
from ..ir.types import Array, DType, Shape
from .elementwise import cast, eq
from .examples import apart, draw
from .rules import INTEGERS, NUMBERS, describe, need_axes, need_dtype, quiet, shape_error

T = TypeVar("T")

_CASES: tuple[tuple[Shape, tuple[int, ...]], ...] = (
    ((), ()),
    ((17,), (0,)),
    ((3, 33), (0,)),
    ((3, 33), (1,)),
    ((3, 33), (0, 1)),
    ((2, 5, 7), (1,)),
    ((2, 5, 7), (0, 2)),
    ((1, 64), (0,)),
    ((5, 3), ()),
)


def tree(values: Sequence[T], add: Callable[[T, T], T]) -> T:
    """The sum of ``values`` along a tree: of neighbours, then of neighbouring sums, and so on."""
    level = list(values)
    while len(level) > 1:
        pairs = zip(level[::2], level[1::2], strict=False)
        level = [add(a, b) for a, b in pairs] + level[len(level) // 2 * 2 :]
    return level[0]


def remaining(shape: Shape, axes: tuple[int, ...]) -> tuple[int, ...]:
    """The axes of ``shape`` that are not in ``axes``."""
    return tuple(a for a in range(len(shape)) if a not in axes)


def spread(node: Node, like: Node, axes: tuple[int, ...]) -> Node:
    """``node``, reduced over ``axes``, repeated to the shape of ``like``."""
    return bind("broadcast", node, shape=like.shape, axes=remaining(like.shape, axes))


def reduce_batch(node: Node, inputs: list[Value], size: int) -> Node:
    """Members keep their axis."""
    return bound(node, inputs[0][0], axes=tuple(a + 1 for a in node.params["axes"]))


def reduce_sum_type(x: Node, *, axes: tuple[int, ...]) -> tuple[Shape, DType]:
    """The axes disappear."""
    need_axes("reduce_sum", axes, x.ndim, x)
    need_dtype("reduce_sum", NUMBERS, x)
    return tuple(x.shape[a] for a in remaining(x.shape, axes)), x.dtype


def reduce_sum_reference(x: Array, *, axes: tuple[int, ...]) -> Array:
    """The sum, accumulated in double for real numbers and wrapped for integers."""
    wide = np.float64 if x.dtype.kind == "f" else x.dtype
    return np.asarray(np.sum(x, axis=axes, dtype=wide)).astype(x.dtype)


def reduce_sum_samples(rng: np.random.Generator) -> Iterator[Sample]:
    """Leading, trailing, middle, all and no axes; integers that wrap."""
    for shape, axes in _CASES:
        yield Sample((draw(rng, shape, DType.f32),), {"axes": axes})
    for dtype in INTEGERS:
        yield Sample((draw(rng, (3, 17), dtype, -(2**31), 2**32),), {"axes": (1,)})


reduce_sum = Primitive(
    "reduce_sum",
    reduce_sum_type,
    quiet(reduce_sum_reference),
    lambda g, y, x, *, axes: (spread(g, x, axes),),
    reduce_sum_samples,
    batch=reduce_batch,
)


def reduce_max_type(x: Node, *, axes: tuple[int, ...]) -> tuple[Shape, DType]:
    """The axes disappear; none of them may be empty."""
    need_axes("reduce_max", axes, x.ndim, x)
    need_dtype("reduce_max", NUMBERS, x)
    if any(x.shape[a] == 0 for a in axes):
        raise shape_error(f"`reduce_max` finds no largest element in {describe(x)}", x)
    return tuple(x.shape[a] for a in remaining(x.shape, axes)), x.dtype


def reduce_max_vjp(g: Node, y: Node, x: Node, *, axes: tuple[int, ...]) -> tuple[Node]:
    """Shared equally among the largest elements."""
    largest = cast(eq(x, spread(y, x, axes)), dtype=g.dtype)
    return (spread(g / reduce_sum(largest, axes=axes), x, axes) * largest,)


def reduce_max_samples(rng: np.random.Generator) -> Iterator[Sample]:
    """No near ties among real numbers; integers; NaN."""
    for shape, axes in _CASES:
        yield Sample((apart(rng, shape),), {"axes": axes})
    for dtype in INTEGERS:
        yield Sample((draw(rng, (3, 17), dtype, -(2**31), 2**32),), {"axes": (1,)})
    edges = np.array([[np.nan, 1.0], [2.0, np.nan], [-np.inf, np.inf]], np.float32)
    yield Sample((edges,), {"axes": (1,)}, wrt=())


reduce_max = Primitive(
    "reduce_max",
    reduce_max_type,
    quiet(lambda x, *, axes: np.max(x, axis=axes)),
    reduce_max_vjp,
    reduce_max_samples,
    batch=reduce_batch,
)


def tree_sum_type(x: Node) -> tuple[Shape, DType]:
    """The first axis disappears."""
    if not x.ndim or not x.shape[0]:
        raise shape_error(f"`tree_sum` has nothing to sum in {describe(x)}", x)
    need_dtype("tree_sum", NUMBERS, x)
    return x.shape[1:], x.dtype


def tree_sum_samples(rng: np.random.Generator) -> Iterator[Sample]:
    """Powers of two and other numbers; integers that wrap."""
    for shape in ((1, 3), (2,), (5, 4), (7, 2, 3), (8, 1)):
        yield Sample((draw(rng, shape, DType.f32),))
    yield Sample((draw(rng, (3, 17), DType.i32, -(2**31), 2**32),), wrt=())


#: the sum along the first axis in the order of `tree`
tree_sum = Primitive(
    "tree_sum",
    tree_sum_type,
    quiet(lambda x: np.array(tree(list(x), np.add))),
    lambda g, y, x: (spread(g, x, (0,)),),
    tree_sum_samples,
    batch=lambda node, inputs, size: bound(
        node, bind("transpose", inputs[0][0], perm=(1, 0, *range(2, node.ndim + 2)))
    ),
)
