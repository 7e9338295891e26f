"""How each primitive is applied at random to what a graph has so far.

`tests/test_complete.py` holds that a maker draws whatever its primitive has samples of: types,
scalars, axes, parameters.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from chainrule import ops
from chainrule.ir.graph import Node, constant
from chainrule.ir.primitive import Primitive
from chainrule.ir.types import DType, Shape, boolean, f32, f64, i16, i32, u8, u32
from grower import MOST_ELEMENTS, SIZES, Grower
from loops import LENGTHS, random_loop
from trees import make_dot_tree, make_tree_sum

__all__ = ["MAKERS"]

Maker = Callable[[Grower], Node]


def has_axes(x: Node) -> bool:
    return x.ndim > 0


def two(grower: Grower, dtype: DType, exact: bool = False) -> tuple[Node, Node]:
    a = grower.pick(dtype, exact=exact)
    return a, grower.pick(dtype, shape=a.shape, exact=exact)


def any_number(grower: Grower) -> DType:
    return (f32, f32, f32, i32, i16, u32, u8)[int(grower.rng.integers(7))]


def anything(grower: Grower) -> DType:
    return any_number(grower) if grower.rng.random() < 0.8 else boolean


def make_unary(op: Callable[[Node], Node]) -> Maker:
    return lambda grower: op(grower.pick())


def make_arithmetic(op: Callable[[Node, Node], Node]) -> Maker:
    return lambda grower: op(*two(grower, any_number(grower)))


def make_comparison(op: Callable[[Node, Node], Node]) -> Maker:
    return lambda grower: op(*two(grower, any_number(grower), exact=True))


def make_bits(op: Callable[[Node, Node], Node]) -> Maker:
    def make(grower: Grower) -> Node:
        return op(*two(grower, (boolean, i32, i16, u32, u8)[int(grower.rng.integers(5))]))

    return make


def make_shift(op: Callable[[Node, Node], Node]) -> Maker:
    def make(grower: Grower) -> Node:
        x = grower.pick(u32)
        return op(x, grower.fresh(u32, x.shape, 0, 34))

    return make


def make_div(grower: Grower) -> Node:
    b = grower.at_least(0.5)
    return grower.pick(shape=b.shape) / b


def make_pow(grower: Grower) -> Node:
    base = grower.at_least(0.5)
    return ops.pow(base, grower.fresh(f32, base.shape, -2, 2))


def make_cast(grower: Grower) -> Node:
    source = (f32, i32, i16, u32, u8, boolean)[int(grower.rng.integers(6))]
    target = (f32, i32, i16, u32, u8, boolean)[int(grower.rng.integers(6))]
    if source is u32 and target is f32:
        source = u8  # random bits would be large numbers
    return ops.cast(grower.pick(source, exact=True), dtype=target)


def make_scalar(grower: Grower) -> Node:
    """Arithmetic of 0-d f64, as learning rates do it, and the way into arrays."""
    node = grower.input_node("scalar", f64, ())
    grower.values[node] = np.asarray(grower.rng.uniform(0.5, 2.0))
    larger = grower.pick(boolean, shape=())
    wide = ops.select(larger, node * node + 0.25, ops.fence(node))
    narrow = ops.cast(wide, dtype=f32)
    shape = grower.shape()
    return ops.broadcast(narrow, shape=shape, axes=()) * grower.pick(shape=shape)


def make_select(grower: Grower) -> Node:
    a, b = two(grower, anything(grower))
    return ops.select(grower.pick(boolean, shape=a.shape), a, b)


def make_reshape(grower: Grower) -> Node:
    x = grower.pick()
    if x.size == 1 and grower.rng.random() < 0.5:
        return ops.reshape(x, shape=())
    rest, shape = x.size, []
    for n in grower.rng.permutation((2, 3, 5, 7, 8)):
        if rest % n == 0:
            shape.append(int(n))
            rest //= int(n)
    return ops.reshape(x, shape=(*shape, rest))


def make_transpose(grower: Grower) -> Node:
    x = grower.pick(fits=has_axes)
    return ops.transpose(x, perm=tuple(int(p) for p in grower.rng.permutation(x.ndim)))


def make_broadcast(grower: Grower) -> Node:
    x = grower.pick(fits=lambda n: n.ndim < 4 and n.size <= MOST_ELEMENTS // 8)
    ndim = x.ndim + int(grower.rng.integers(0, 3))
    axes = tuple(int(a) for a in grower.rng.permutation(ndim)[: x.ndim])
    shape = [int(n) for n in grower.rng.choice((1, 2, 3, 5), ndim)]
    for n, a in zip(x.shape, axes, strict=True):
        shape[a] = n
    return ops.broadcast(x, shape=tuple(shape), axes=axes)


def make_slice(grower: Grower) -> Node:
    x = grower.pick(fits=has_axes)
    start, stop, step = [], [], []
    for n in x.shape:
        a, b = sorted(grower.ints(0, n, 2))
        b = max(b, a + 1) if a < n else n
        a = min(a, n - 1)
        s = int(grower.rng.integers(1, 4))
        backwards = bool(grower.rng.random() < 0.3)
        start.append(b - 1 if backwards else a)
        stop.append(a - 1 if backwards else b)
        step.append(-s if backwards else s)
    return ops.slice(x, start=tuple(start), stop=tuple(stop), step=tuple(step))


def make_pad(grower: Grower) -> Node:
    x = grower.pick(fits=has_axes)
    low, high = grower.ints(0, 3, x.ndim), grower.ints(0, 3, x.ndim)
    return ops.pad(x, grower.pick(shape=()), low=low, high=high, interior=grower.ints(0, 2, x.ndim))


def make_concat(grower: Grower) -> Node:
    x = grower.pick(fits=has_axes)
    axis = grower.axis(x)
    others = [
        grower.fresh(f32, (*x.shape[:axis], int(n), *x.shape[axis + 1 :]))
        for n in grower.rng.choice((1, 3, 8), int(grower.rng.integers(0, 3)))
    ]
    return ops.concat(*others, x, axis=axis)


def indices(grower: Grower, size: int) -> Node:
    """One, a row or a table of indices into an axis of ``size``, some beyond its ends."""
    return grower.fresh(i32, grower.shape(int(grower.rng.choice((0, 1, 1, 2)))), -2, size + 1)


def make_gather(grower: Grower) -> Node:
    x = grower.pick(fits=has_axes)
    axis = grower.axis(x)
    return ops.gather(x, indices(grower, x.shape[axis]), axis=axis)


def make_scatter(op: Callable[..., Node]) -> Maker:
    def make(grower: Grower) -> Node:
        x = grower.pick(f32 if grower.rng.random() < 0.8 else i32, fits=has_axes)
        axis = grower.axis(x)
        rows = indices(grower, x.shape[axis])
        updates = grower.fresh(x.dtype, (*x.shape[:axis], *rows.shape, *x.shape[axis + 1 :]))
        return op(x, rows, updates, axis=axis)

    return make


def make_reduce(op: Callable[..., Node]) -> Maker:
    def make(grower: Grower) -> Node:
        x = grower.pick(any_number(grower))
        return op(x, axes=grower.axes(x))

    return make


def make_dot(grower: Grower) -> Node:
    a = grower.pick(fits=lambda n: n.ndim >= 2 and n.shape[-1] <= 33)
    b = grower.pick(shape=(*a.shape[:-2], a.shape[-1], int(grower.rng.choice(SIZES))))
    return ops.dot(a, b * (1.0 / a.shape[-1]))


def by_heads(grower: Grower, shape: Shape) -> Node:
    """A moderate array [N, T, D]: as it comes, or a view of one whose axes lie otherwise."""
    heads, steps, width = shape
    outer = 2 - heads % 2
    way = grower.rng.integers(5)
    if way == 0:
        return ops.tanh(grower.pick(shape=shape))
    lying, perm = (
        ((steps, heads, width), (1, 0, 2)),
        ((heads, width, steps), (0, 2, 1)),
        ((outer, steps, heads // outer, width), (0, 2, 1, 3)),
        ((outer, heads // outer, width, steps), (0, 1, 3, 2)),
    )[way - 1]
    x = grower.fresh(f32, lying, -1.0, 1.0)
    return ops.reshape(ops.transpose(x, perm=perm), shape=shape)


def make_attention(primitive: Primitive) -> Maker:
    """Attention or one of its derivatives; seldom, as each is a dozen nests."""

    def make(grower: Grower) -> Node:
        if grower.rng.random() < 0.7:
            return ops.tanh(grower.pick())
        heads, rows, columns, width, wide = (
            int(grower.rng.choice((1, 2, 4, 6, 17))) for _ in "NTSDE"
        )
        masked = int(primitive is ops.attention_dm or grower.rng.random() < 0.5)
        keep = float(grower.rng.choice((1.0, 0.5)))
        causal = int(grower.rng.random() < 0.5)
        how = {"causal": causal, "scale": 0.25, "masked": masked, "keep": keep}
        shapes = (heads, rows, width), (heads, columns, width), (heads, columns, wide)
        q, k, v = (by_heads(grower, shape) for shape in shapes)
        extras = [grower.pick(shape=(heads, columns))] * masked
        if keep < 1:
            extras += [grower.fresh(u32, (2,), 0, 2**31), grower.fresh(u32, (), 0, 2**31)]
        if primitive in (ops.attention, ops.attention_lse):
            return primitive(q, k, v, *extras, **how)
        g = grower.pick(shape=(heads, rows, wide))
        lse, y = (op(q, k, v, *extras, **how) for op in (ops.attention_lse, ops.attention))
        return primitive(q, k, v, g, lse, y, *extras, **how)

    return make


def make_cross_entropy(primitive: Primitive) -> Maker:
    """Cross entropy or one of its derivatives; seldom, for the same reason."""

    def make(grower: Grower) -> Node:
        if grower.rng.random() < 0.7:
            return ops.tanh(grower.pick())
        rows, width, classes = (int(grower.rng.choice((1, 2, 5, 17, n))) for n in (150, 1, 33))
        shapes = (rows, width), (classes, width), (classes,)
        x, w, b = (ops.tanh(grower.pick(shape=shape)) for shape in shapes)
        given = [x, w, b, grower.fresh(i32, (rows,), -1, classes + 1)]
        smoothing = float(grower.rng.choice((0.0, 0.1)))
        if primitive not in (ops.cross_entropy, ops.cross_entropy_lse):
            lse = ops.cross_entropy_lse(*given, smoothing=smoothing)
            given += [grower.pick(shape=(rows,)), lse]
        return primitive(*given, smoothing=smoothing)

    return make


def pixels(grower: Grower, count: int) -> Node:
    """[N, *sizes, G, C] with ``count`` axes of pixels: of what there is, or an array of its own."""
    if count == 3 or grower.rng.random() < 0.3:
        sizes = tuple(int(n) for n in grower.rng.integers(2, 10 - 2 * count, count))
        n, groups, channels = (int(k) for k in grower.rng.choice((1, 2, 3, 5), 3))
        return grower.pick(shape=(n, *sizes, groups, channels))
    x = grower.pick(fits=lambda n: n.ndim >= count + 2 and max(n.shape[1 : 1 + count]) <= 17)
    rest = int(np.prod(x.shape[1 + count :]))
    groups = int(grower.rng.choice([n for n in range(1, rest + 1) if rest % n == 0]))
    return ops.reshape(x, shape=(*x.shape[: 1 + count], groups, rest // groups))


def windows(grower: Grower, sizes: Shape) -> dict[str, Shape]:
    """Kernel, strides and dilation of a window that fits in ``sizes``."""
    kernel = tuple(int(grower.rng.integers(1, min(3, s) + 1)) for s in sizes)
    strides = grower.ints(1, 2, len(sizes))
    wide = [
        k * 2 - 1 <= s and grower.rng.random() < 0.3 for k, s in zip(kernel, sizes, strict=True)
    ]
    return {"kernel": kernel, "strides": strides, "dilation": tuple(1 + w for w in wide)}


def make_conv(grower: Grower) -> Node:
    """A convolution in groups along one to three axes, of what may be a view or a padded array."""
    x = pixels(grower, int(grower.rng.integers(1, 4)))
    window = windows(grower, x.shape[1:-2])
    kernel, out = window.pop("kernel"), int(grower.rng.choice([1, 3, 16, 17]))
    w = grower.pick(shape=(*kernel, *x.shape[-2:], out))
    return ops.conv(x, w * (1.0 / (x.shape[-1] * int(np.prod(kernel)))), **window)


def make_wgrad(grower: Grower) -> Node:
    """The gradient of a convolution with respect to its weights."""
    x = pixels(grower, int(grower.rng.integers(1, 4)))
    window = windows(grower, x.shape[1:-2])
    out = tuple(
        (size - (k - 1) * d - 1) // step + 1
        for size, k, step, d in zip(x.shape[1:-2], *window.values(), strict=True)
    )
    g = grower.pick(shape=(x.shape[0], *out, x.shape[-2], int(grower.rng.choice([1, 2, 3, 5, 16]))))
    return ops.conv_wgrad(x, g * 0.05, **window)


def make_rng_bits(grower: Grower) -> Node:
    key = grower.fresh(u32, (2,), 0, 2**32 - 1)
    count = grower.fresh(u32, (), 0, 1000)
    return ops.rng_bits(key, count, shape=grower.shape())


def make_rng_words(grower: Grower) -> Node:
    key = grower.fresh(u32, (2,), 0, 2**32 - 1)
    shape = grower.shape()
    count = grower.fresh(u32, shape if grower.rng.random() < 0.5 else (), 0, 1000)
    return ops.rng_words(grower.fresh(u32, shape, 0, 2**32 - 1), key, count)


def make_iota(grower: Grower) -> Node:
    shape = grower.shape(int(grower.rng.integers(1, 4)))
    return ops.iota(shape=shape, axis=int(grower.rng.integers(len(shape))))


def make_scan(grower: Grower) -> Node:
    """A loop over values of the pool; often over none that change from step to step."""
    first = grower.pick(fits=lambda n: n.size <= MOST_ELEMENTS // max(LENGTHS))
    shape = first.shape
    length = int(grower.rng.choice(LENGTHS))
    count = int(grower.rng.integers(0, 3))
    rows = [grower.pick(shape=(length, *shape)) for _ in range(count)]
    return random_loop(grower.rng, first, rows, grower.pick(shape=shape))


MAKERS: dict[str, Maker] = {
    "input": lambda grower: grower.fresh(f32, grower.shape()),
    "const": lambda grower: constant(grower.rng.uniform(-2, 2, grower.shape(2)), f32),
    "iota": make_iota,
    "rng_bits": make_rng_bits,
    "rng_words": make_rng_words,
    "neg": make_unary(ops.neg),
    "exp": lambda grower: ops.exp(ops.tanh(grower.pick()) * 2),
    "log": lambda grower: ops.log(grower.at_least(0.5)),
    "log1p": lambda grower: ops.log1p(grower.at_least(-0.5)),
    "tanh": make_unary(ops.tanh),
    "erf": make_unary(ops.erf),
    "sin": lambda grower: ops.sin(ops.tanh(grower.pick()) * 4),
    "cos": lambda grower: ops.cos(ops.tanh(grower.pick()) * 4),
    "tail": make_unary(ops.tail),
    "sqrt": lambda grower: ops.sqrt(grower.at_least(0.1)),
    "not": lambda grower: ops.not_(grower.pick(boolean)),
    "cast": make_cast,
    "scalar": make_scalar,
    "add": make_arithmetic(ops.add),
    "sub": make_arithmetic(ops.sub),
    "mul": make_arithmetic(ops.mul),
    "div": make_div,
    "pow": make_pow,
    "max": make_arithmetic(ops.max),
    "lt": make_comparison(ops.lt),
    "le": make_comparison(ops.le),
    "eq": make_comparison(ops.eq),
    "and": make_bits(ops.and_),
    "or": make_bits(ops.or_),
    "xor": make_bits(ops.xor),
    "shl": make_shift(ops.shl),
    "shr": make_shift(ops.shr),
    "select": make_select,
    "reshape": make_reshape,
    "transpose": make_transpose,
    "broadcast": make_broadcast,
    "slice": make_slice,
    "pad": make_pad,
    "concat": make_concat,
    "gather": make_gather,
    "scatter": make_scatter(ops.scatter),
    "scatter_add": make_scatter(ops.scatter_add),
    "reduce_sum": make_reduce(ops.reduce_sum),
    "reduce_max": make_reduce(ops.reduce_max),
    "dot": make_dot,
    "dot_tree": make_dot_tree,
    "tree_sum": make_tree_sum,
    "attention": make_attention(ops.attention),
    "attention_lse": make_attention(ops.attention_lse),
    "attention_dq": make_attention(ops.attention_dq),
    "attention_dk": make_attention(ops.attention_dk),
    "attention_dv": make_attention(ops.attention_dv),
    "attention_dm": make_attention(ops.attention_dm),
    "cross_entropy": make_cross_entropy(ops.cross_entropy),
    "cross_entropy_lse": make_cross_entropy(ops.cross_entropy_lse),
    "cross_entropy_dx": make_cross_entropy(ops.cross_entropy_dx),
    "cross_entropy_dw": make_cross_entropy(ops.cross_entropy_dw),
    "cross_entropy_db": make_cross_entropy(ops.cross_entropy_db),
    "conv": make_conv,
    "conv_wgrad": make_wgrad,
    "fence": lambda grower: ops.fence(grower.pick(anything(grower))),
    "detour": make_arithmetic(ops.detour),
    "scan": make_scan,
    "item": make_scan,
}
