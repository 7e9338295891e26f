"""Primitives that compute each element from the elements at the same place of their inputs."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np

from ..errors import DTypeError
from ..ir.graph import Node, full_like
from ..ir.primitive import Primitive, Sample, Samples, Vjp
from ..ir.types import Array, DType, Shape
from .examples import SHAPES, apart, both, draw, uniform
from .rules import (
    FLOATS,
    INTEGERS,
    NUMBERS,
    describe,
    line_of,
    need_dtype,
    need_same_type,
    quiet,
    shape_error,
)

# ----------------------------------------------------------------------------- one operand


def unary(
    name: str, *, reference: Callable[..., Any], vjp: Vjp | None, samples: Samples
) -> Primitive:
    """Declare an element-wise function of real numbers."""

    def type_rule(x: Node) -> tuple[Shape, DType]:
        need_dtype(name, FLOATS, x)
        return x.shape, x.dtype

    return Primitive(name, type_rule, quiet(reference), vjp, samples, elementwise=True)


def erf_reference(x: Array) -> Array:
    """The error function 2/sqrt(pi) * integral of exp(-t²) from 0 to x, computed in double."""
    values = map(math.erf, np.asarray(x, dtype=np.float64).ravel().tolist())
    return np.fromiter(values, np.float64, x.size).reshape(x.shape).astype(x.dtype)


def in_double(function: Callable[[Array], Array]) -> Callable[[Array], Array]:
    """``function`` computed in double, so that it depends on no processor's short cuts."""

    def reference(x: Array) -> Array:
        return np.asarray(function(x.astype(np.float64)), dtype=x.dtype)

    return reference


#: the smallest tail, so that its sign can be told
TAIL = 2.0**-126


def tail_reference(x: Array) -> Array:
    """1 / (1 + exp(|x|)), but at least `TAIL`, with the sign of x."""
    small = np.exp(-np.abs(x))
    size = np.maximum(small / (1 + small), x.dtype.type(TAIL))
    result: Array = np.copysign(size, x)
    return result


neg = unary(
    "neg",
    reference=np.negative,
    vjp=lambda g, y, x: (-g,),
    samples=uniform((-3.0, 3.0)),
)
exp = unary(
    "exp",
    reference=np.exp,
    vjp=lambda g, y, x: (g * y,),
    samples=uniform((-3.0, 3.0)),
)
log = unary(
    "log",
    reference=np.log,
    vjp=lambda g, y, x: (g / x,),
    samples=uniform((0.3, 5.0)),
)
log1p = unary(
    "log1p",
    reference=np.log1p,
    vjp=lambda g, y, x: (g / (1 + x),),
    samples=uniform((-0.7, 4.0)),
)
tanh = unary(
    "tanh",
    reference=np.tanh,
    vjp=lambda g, y, x: (g * (1 - y * y),),  # saves y, not x
    samples=uniform((-3.0, 3.0)),
)


def tail_vjp(g: Node, t: Node, x: Node) -> tuple[Node]:
    """-s (1 - s) for the size s of the tail, whichever its sign; saves t, not x."""
    size = select(lt(t, full_like(t, 0.0)), -t, t)
    return (g * (size * (size - 1)),)


#: What the sigmoid of x lacks to the nearer of 0 and 1, with the sign of x: exact where the sigmoid
#: rounds to 1, so that its derivative is, too.
tail = unary("tail", reference=tail_reference, vjp=tail_vjp, samples=uniform((-3.0, 3.0)))
erf = unary(
    "erf",
    reference=erf_reference,
    vjp=lambda g, y, x: (g * (2 / math.sqrt(math.pi) * exp(-(x * x))),),
    samples=uniform((-3.0, 3.0)),
)
sqrt = unary(
    "sqrt",
    reference=np.sqrt,
    vjp=lambda g, y, x: (g * 0.5 / y,),  # saves y, not x
    samples=uniform((0.3, 5.0)),
)


def circular_samples(rng: np.random.Generator) -> Iterator[Sample]:
    """Some turns; all sizes of arguments; where there is no value."""
    yield from uniform((-9.0, 9.0))(rng)
    large = np.exp2(rng.uniform(-20, 127, (3, 33))) * rng.choice([-1, 1], (3, 33))
    yield Sample((large.astype(np.float32),), wrt=())
    edges = [0.0, -0.0, np.pi / 2, np.pi, 2.0**20, -(2.0**20), 3.4e38, np.inf, -np.inf, np.nan]
    yield Sample((np.array(edges, np.float32),), wrt=())


sin: Primitive = unary(
    "sin",
    reference=in_double(np.sin),
    vjp=lambda g, y, x: (g * cos(x),),
    samples=circular_samples,
)
cos: Primitive = unary(
    "cos",
    reference=in_double(np.cos),
    vjp=lambda g, y, x: (-(g * sin(x)),),
    samples=circular_samples,
)


def not_type(x: Node) -> tuple[Shape, DType]:
    """bool to bool."""
    need_dtype("not", (DType.bool,), x)
    return x.shape, x.dtype


not_ = Primitive(
    "not",
    not_type,
    quiet(np.logical_not),
    vjp=None,
    samples=uniform((0, 1), dtypes=(DType.bool,)),
    elementwise=True,
)


def cast_reference(x: Array, *, dtype: DType) -> Array:
    """``x`` in another dtype.

    Real to integer truncates toward zero, saturates at the bounds and turns NaN into 0; integer
    to integer keeps the low bits; to bool is ``x != 0``.
    """
    if x.dtype.kind == "f" and dtype in INTEGERS:
        limits = np.iinfo(dtype.numpy)
        whole = np.nan_to_num(np.trunc(x.astype(np.float64)), nan=0.0)
        whole = np.clip(whole, limits.min, limits.max)
        return np.asarray(whole, dtype=dtype.numpy)
    return x.astype(dtype.numpy)


def cast_vjp(g: Node, y: Node, x: Node, *, dtype: DType) -> tuple[Node | None]:
    """Real to real is the identity up to rounding; there is no derivative through integers."""
    return (cast(g, dtype=x.dtype) if x.dtype.is_float and y.dtype.is_float else None,)


def cast_samples(rng: np.random.Generator) -> Iterator[Sample]:
    """All pairs of dtypes, with real numbers beyond the range of the integers."""
    for source in DType:
        for target in DType:
            yield Sample((draw(rng, (3, 17), source, -300, 300),), {"dtype": target})
    edges = np.array([np.nan, np.inf, -np.inf, 3e9, -3e9, 0.99, -0.99], np.float32)
    for target in (*INTEGERS, DType.bool):
        yield Sample((edges,), {"dtype": target})


cast = Primitive(
    "cast",
    lambda x, *, dtype: (x.shape, dtype),
    quiet(cast_reference),
    cast_vjp,
    cast_samples,
    elementwise=True,
)


# ---------------------------------------------------------------------------- two operands


def binary(
    name: str,
    dtypes: frozenset[DType],
    *,
    reference: Callable[..., Any],
    vjp: Vjp | None,
    samples: Samples,
    result: DType | None = None,
) -> Primitive:
    """Declare a function of two operands of one shape and dtype; ``result`` if not that dtype."""

    def type_rule(a: Node, b: Node) -> tuple[Shape, DType]:
        need_same_type(name, a, b)
        need_dtype(name, dtypes, a, b)
        return a.shape, result or a.dtype

    return Primitive(name, type_rule, quiet(reference), vjp, samples, elementwise=True)


def div_vjp(g: Node, y: Node, a: Node, b: Node) -> tuple[Node, Node]:
    """d(a/b) = da/b - (a/b) db/b; saves y instead of a."""
    over_b = g / b
    return over_b, -(over_b * y)


def max_vjp(g: Node, y: Node, a: Node, b: Node) -> tuple[Node, Node]:
    """All to the larger operand, half to each at a tie."""
    half = select(eq(a, b), g * 0.5, full_like(g, 0.0))
    return select(lt(b, a), g, half), select(lt(a, b), g, half)


def pow_reference(x: Array, e: Array) -> Array:
    """x to the power of e, computed in double."""
    return np.asarray(np.power(x.astype(np.float64), e.astype(np.float64)), dtype=x.dtype)


def pow_vjp(g: Node, y: Node, x: Node, e: Node) -> tuple[Node, Node]:
    """e x^(e - 1), 0 for e = 0 also at x = 0; and y log x, 0 at x = 0, NaN for negative x."""
    zero = eq(x, full_like(x, 0.0))
    flat = and_(zero, eq(e, full_like(e, 0.0)))
    slope = e * pow_(select(flat, full_like(x, 1.0), x), e - 1)
    grown = select(zero, full_like(y, 0.0), y) * log(select(zero, full_like(x, 1.0), x))
    return g * slope, g * grown


def pow_samples(rng: np.random.Generator) -> Iterator[Sample]:
    """Positive bases; all pairs of special numbers."""
    yield from uniform((0.3, 3.0), (-3.0, 3.0))(rng)
    edges = [0.0, -0.0, 1.0, -1.0, 0.5, -0.5, 2.0, -2.0, 3.0, -3.0, 2.5, 2.0**24, 2.0**24 - 1]
    edges += [-(2.0**24) + 1, 2.0**31, 3e38, -3e38, np.inf, -np.inf, np.nan]
    x, e = np.meshgrid(np.array(edges, np.float32), np.array(edges, np.float32))
    yield Sample((x.copy(), e.copy()), wrt=())


def ordered_samples(rng: np.random.Generator) -> Iterator[Sample]:
    """Real operands without near ties; integers with ties; NaN and signed zeros."""
    for shape in SHAPES:
        a = apart(rng, (2, *shape))
        yield Sample((a[0], a[1]))
    yield from uniform((-2, 2), (-2, 2), dtypes=INTEGERS)(rng)
    edges = np.array([np.nan, 1.0, np.nan, 0.0, -0.0, np.inf, -np.inf], np.float32)
    yield Sample((edges, edges[[1, 0, 2, 4, 3, 6, 5]].copy()), wrt=())


NUMERIC = (DType.f32, *INTEGERS)
add = binary(
    "add",
    NUMBERS,
    reference=np.add,
    vjp=lambda g, y, a, b: (g, g),
    samples=uniform((-3, 3), (-3, 3), dtypes=NUMERIC),
)
sub = binary(
    "sub",
    NUMBERS,
    reference=np.subtract,
    vjp=lambda g, y, a, b: (g, -g),
    samples=uniform((-3, 3), (-3, 3), dtypes=NUMERIC),
)
mul = binary(
    "mul",
    NUMBERS,
    reference=np.multiply,
    vjp=lambda g, y, a, b: (g * b, g * a),
    samples=both(
        uniform((-3, 3), (-3, 3)),
        uniform((-99999, 99999), (-99999, 99999), dtypes=INTEGERS),  # products wrap
    ),
)
div = binary(
    "div",
    FLOATS,
    reference=np.divide,
    vjp=div_vjp,
    samples=uniform((-3, 3), (0.5, 4)),
)
pow_ = binary("pow", FLOATS, reference=pow_reference, vjp=pow_vjp, samples=pow_samples)
max_ = binary("max", NUMBERS, reference=np.maximum, vjp=max_vjp, samples=ordered_samples)

lt = binary("lt", NUMBERS, reference=np.less, vjp=None, samples=ordered_samples, result=DType.bool)
le = binary(
    "le", NUMBERS, reference=np.less_equal, vjp=None, samples=ordered_samples, result=DType.bool
)
eq = binary(
    "eq", frozenset(DType), reference=np.equal, vjp=None, samples=ordered_samples, result=DType.bool
)

_BITS = uniform((0, 255), (0, 255), dtypes=(DType.bool, *INTEGERS))
_bitwise = partial(binary, dtypes=frozenset((*INTEGERS, DType.bool)), vjp=None, samples=_BITS)
and_ = _bitwise("and", reference=np.bitwise_and)
or_ = _bitwise("or", reference=np.bitwise_or)
xor = _bitwise("xor", reference=np.bitwise_xor)

# Shifts by 32 or more give 0.
_shift = partial(
    binary,
    dtypes=frozenset({DType.u32}),
    vjp=None,
    samples=uniform((0, 2**32 - 1), (0, 40), dtypes=(DType.u32,)),
)
shl = _shift("shl", reference=np.left_shift)
shr = _shift("shr", reference=np.right_shift)


# -------------------------------------------------------------------------- three operands


def select_type(c: Node, a: Node, b: Node) -> tuple[Shape, DType]:
    """A bool and two operands of one type, all of one shape."""
    if c.dtype is not DType.bool:
        raise DTypeError(
            f"`select` needs a bool condition, not {c.dtype!r}", where=line_of((c, a, b))
        )
    need_same_type("select", a, b)
    if c.shape != a.shape:
        raise shape_error(f"`select` needs equal shapes, not {describe(c, a, b)}", c, a, b)
    return a.shape, a.dtype


def select_vjp(g: Node, y: Node, c: Node, a: Node, b: Node) -> tuple[None, Node, Node]:
    """The cotangent goes where the value came from."""
    zero = full_like(g, 0.0)
    return None, select(c, g, zero), select(c, zero, g)


def select_samples(rng: np.random.Generator) -> Iterator[Sample]:
    """All dtypes."""
    for dtype in DType:
        for shape in SHAPES:
            a, b = draw(rng, shape, dtype), draw(rng, shape, dtype)
            yield Sample((draw(rng, shape, DType.bool), a, b))


select = Primitive(
    "select", select_type, quiet(np.where), select_vjp, select_samples, elementwise=True
)
