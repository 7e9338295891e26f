"""Random graphs over all primitives, with awkward sizes: food for whatever eats graphs.

`random_graph` keeps every value finite and moderate. What decides between branches (comparisons,
casts to integers) is computed from exact numbers only, so that rounding differences between two
ways to run the graph stay small.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from chainrule import ops
from chainrule.ir.graph import Graph, Location, Node, constant, full
from chainrule.ir.primitive import Primitive
from chainrule.ir.types import Array, DType, Shape, boolean, f32, f64, i16, i32, u8, u32
from loops import LENGTHS, random_loop

SIZES = (1, 2, 3, 5, 7, 8, 15, 16, 17, 31, 33, 64, 100)
MOST_ELEMENTS = 6400
#: absolute values of real numbers, unless they are 0
SMALLEST, LARGEST = 1e-12, 100.0
WHERE = Location("graphs.py", 1)

Maker = Callable[["Grower"], Node]


def random_graph(rng: np.random.Generator, size: int) -> tuple[Graph, list[Array]]:
    """About ``size`` applications of random primitives, and values of the inputs."""
    grower = Grower(rng)
    names = list(MAKERS)
    for step in range(size):
        name = names[step % len(names)] if size >= len(names) else str(rng.choice(names))
        grower.offer(MAKERS[name](grower), name)
    return grower.graph()


class Grower:
    """A growing graph and the values of all its nodes."""

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
        if node.size > MOST_ELEMENTS or not self.is_tame(node):
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


# --------------------------------------------------------------------------------- makers


def has_axes(x: Node) -> bool:
    return x.ndim > 0


def two(grower: Grower, dtype: DType, exact: bool = False) -> tuple[Node, Node]:
    a = grower.pick(dtype, exact=exact)
    return a, grower.pick(dtype, shape=a.shape, exact=exact)


def any_number(grower: Grower) -> DType:
    return (f32, f32, f32, i32, i16, u32, u8)[int(grower.rng.integers(7))]


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
    narrow = ops.cast(node * node + 0.25, dtype=f32)
    shape = grower.shape()
    return ops.broadcast(narrow, shape=shape, axes=()) * grower.pick(shape=shape)


def make_select(grower: Grower) -> Node:
    a, b = two(grower, any_number(grower))
    return ops.select(grower.pick(boolean, shape=a.shape), a, b)


def make_reshape(grower: Grower) -> Node:
    x = grower.pick()
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
    return ops.pad(x, grower.pick(shape=()), low=low, high=high, interior=grower.ints(0, 1, x.ndim))


def make_concat(grower: Grower) -> Node:
    x = grower.pick(fits=has_axes)
    axis = grower.axis(x)
    others = [
        grower.fresh(f32, (*x.shape[:axis], int(n), *x.shape[axis + 1 :]))
        for n in grower.rng.choice((1, 3, 8), int(grower.rng.integers(0, 3)))
    ]
    return ops.concat(*others, x, axis=axis)


def make_gather(grower: Grower) -> Node:
    x = grower.pick(fits=has_axes)
    axis = grower.axis(x)
    shape = grower.shape(int(grower.rng.integers(0, 2)))
    return ops.gather(x, grower.fresh(i32, shape, -2, x.shape[axis] + 1), axis=axis)


def make_scatter(op: Callable[..., Node]) -> Maker:
    def make(grower: Grower) -> Node:
        x = grower.pick(fits=has_axes)
        axis = grower.axis(x)
        indices = grower.fresh(i32, grower.shape(1), -2, x.shape[axis] + 1)
        updates = grower.fresh(f32, (*x.shape[:axis], *indices.shape, *x.shape[axis + 1 :]))
        return op(x, indices, updates, axis=axis)

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
        g, delta = (grower.pick(shape=shape) for shape in ((heads, rows, wide), (heads, rows)))
        lse = ops.attention_lse(q, k, v, *extras, **how)
        return primitive(q, k, v, g, lse, delta, *extras, **how)

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


def make_conv(grower: Grower) -> Node:
    """A convolution along one or two axes, of what may be a view or a padded array."""
    count = int(grower.rng.integers(1, 3))
    x = grower.pick(fits=lambda n: n.ndim >= count + 2 and max(n.shape[1 : 1 + count]) <= 17)
    sizes = x.shape[1 : 1 + count]
    rest = int(np.prod(x.shape[1 + count :]))
    x = ops.reshape(x, shape=(x.shape[0], *sizes, 1, rest)) if rest <= 33 else None
    if x is None:
        return make_dot(grower)
    kernel = tuple(int(grower.rng.integers(1, min(3, s) + 1)) for s in sizes)
    strides = tuple(int(grower.rng.integers(1, 3)) for _ in sizes)
    out = int(grower.rng.choice([1, 3, 16, 17]))
    w = grower.pick(shape=(*kernel, 1, rest, out))
    scale = 1.0 / (rest * int(np.prod(kernel)))
    return ops.conv(x, w * scale, strides=strides, dilation=(1,) * count)


def make_wgrad(grower: Grower) -> Node:
    """The gradient of a convolution with respect to its weights."""
    count = int(grower.rng.integers(1, 3))
    sizes = tuple(int(grower.rng.integers(2, 8)) for _ in range(count))
    kernel = tuple(int(grower.rng.integers(1, min(3, s) + 1)) for s in sizes)
    n, c, o = (int(grower.rng.choice([1, 2, 3, 5, 16])) for _ in range(3))
    out = tuple(s - k + 1 for s, k in zip(sizes, kernel, strict=True))
    x, g = grower.pick(shape=(n, *sizes, 1, c)), grower.pick(shape=(n, *out, 1, o))
    ones = (1,) * count
    return ops.conv_wgrad(x, g * 0.05, kernel=kernel, strides=ones, dilation=ones)


def make_rng_bits(grower: Grower) -> Node:
    key = grower.fresh(u32, (2,), 0, 2**32 - 1)
    count = grower.fresh(u32, (), 0, 1000)
    return ops.rng_bits(key, count, shape=grower.shape())


def make_rng_words(grower: Grower) -> Node:
    key = grower.fresh(u32, (2,), 0, 2**32 - 1)
    count = grower.fresh(u32, (), 0, 1000)
    return ops.rng_words(grower.fresh(u32, grower.shape(), 0, 2**32 - 1), key, count)


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
    "fence": make_unary(ops.fence),
    "detour": make_arithmetic(ops.detour),
    "scan": make_scan,
    "item": make_scan,
}
