"""Element-wise operations: promotion of dtypes, broadcasting, operators and functions.

Promotion, from weak to strong: Python numbers take the dtype of the Tensor they meet, if it can
hold them; bool < u8 < i16 < i32 (and u32) < f32. A 0-d f64, which is how the scalars of a step
arrive, becomes f32 next to f32 and stays f64 next to Python numbers and other scalars of the step.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeAlias, TypeGuard

import numpy as np

from ... import ops
from ...errors import DTypeError, ShapeError
from ...ir.primitive import Primitive
from ...ir.types import Array, DType, Shape
from ...ops.elementwise import TAIL
from ..apply import apply, scalar, separate, tensor_of
from ..modes import user_line
from ..storage import Storage

if TYPE_CHECKING:
    from ..tensor import Tensor

Operand: TypeAlias = "Tensor | Array | float"

#: powers of real numbers that products give as exactly
_PRODUCTS = (0.0, 1.0, 2.0, 3.0, 4.0)

#: from weak to strong
_ORDER = (DType.bool, DType.u8, DType.i16, DType.u32, DType.i32, DType.f64, DType.f32)
_RANK = {dtype: i for i, dtype in enumerate(_ORDER)}


# ------------------------------------------------------------------------------- promotion


def cast(x: Operand, dtype: DType) -> Tensor:
    """``x`` in another dtype; itself if it has that dtype."""
    x = tensor_of(x)
    return x if x.dtype is dtype else apply(ops.cast, x, dtype=dtype)


def floating(x: Operand) -> Tensor:
    """``x`` as real numbers."""
    x = tensor_of(x)
    return x if x.dtype.is_float else cast(x, DType.f32)


def common_dtype(a: DType, b: DType) -> DType:
    """The dtype in which values of both can be combined."""
    return a if _RANK[a] >= _RANK[b] else b


def dtype_beside(value: Any, dtype: DType) -> DType:
    """The dtype of ``dtype`` combined with a Python number."""
    if isinstance(value, bool) or dtype.is_float:
        return dtype
    if isinstance(value, float):
        return DType.f32
    return DType.i32 if dtype is DType.bool else dtype


def is_number(value: Any) -> TypeGuard[bool | float]:
    """Whether ``value`` is a number of Python or NumPy, which takes the dtype it meets."""
    return isinstance(value, bool | int | float | np.generic)


def promote(a: Operand, b: Operand) -> tuple[Tensor, Tensor]:
    """Both as Tensors of one dtype and one shape."""
    if is_number(a) and is_number(b):
        a = tensor_of(np.float32(a) if isinstance(a, float) else a)
    if is_number(b):
        x, y = _with_number(tensor_of(a), b)
    elif is_number(a):
        y, x = _with_number(tensor_of(b), a)
    else:
        x, y = tensor_of(a), tensor_of(b)
        dtype = common_dtype(x.dtype, y.dtype)
        if dtype is DType.f64 and (x.ndim or y.ndim):
            dtype = DType.f32
        x, y = cast(x, dtype), cast(y, dtype)
    return (x, y) if x.shape == y.shape else broadcast_all(x, y)


def _with_number(x: Tensor, number: Any) -> tuple[Tensor, Tensor]:
    value: bool | float = number.item() if isinstance(number, np.generic) else number
    dtype = dtype_beside(value, x.dtype)
    if not dtype.is_float and dtype is not DType.bool:
        limits = np.iinfo(dtype.numpy)
        if not limits.min <= value <= limits.max:
            raise DTypeError(f"{value} does not fit into {dtype!r}", where=user_line())
    return cast(x, dtype), scalar(value, dtype)


# ---------------------------------------------------------------------------- broadcasting


def broadcast_shapes(*shapes: Shape) -> Shape:
    """The shape that all ``shapes`` stretch to: axes align at the end, length 1 repeats.

    `ShapeError` where lengths differ and none of them is 1.
    """
    result: list[int] = []
    for i in range(1, max(map(len, shapes), default=0) + 1):
        lengths = {s[-i] for s in shapes if len(s) >= i} - {1}
        if len(lengths) > 1:
            shown = " and ".join(str(s) for s in shapes)
            raise ShapeError(
                f"shapes {shown} do not fit",
                where=user_line(),
                help="counting from the last axis, lengths must be equal or 1",
            )
        result.insert(0, lengths.pop() if lengths else 1)
    return tuple(result)


def broadcast_to(x: Tensor, shape: Shape) -> Tensor:
    """``x`` repeated along new axes in front and along axes of length 1; else `ShapeError`."""
    if x.shape == shape:
        return x
    first = len(shape) - x.ndim
    if first < 0 or broadcast_shapes(x.shape, shape) != shape:
        raise ShapeError(
            f"shape {x.shape} cannot be broadcast to {shape}",
            where=user_line(),
            help="new axes go in front, and only axes of length 1 can be expanded",
        )
    kept = [a for a in range(x.ndim) if x.shape[a] == shape[first + a]]
    if len(kept) < x.ndim:
        x = apply(ops.reshape, x, shape=tuple(x.shape[a] for a in kept))
    return apply(ops.broadcast, x, shape=shape, axes=tuple(first + a for a in kept))


def broadcast_all(*xs: Tensor) -> tuple[Any, ...]:
    """All stretched to one shape."""
    shape = broadcast_shapes(*(x.shape for x in xs))
    return tuple(broadcast_to(x, shape) for x in xs)


# ------------------------------------------------------------------------------- operators


def _same(primitive: Primitive, name: str) -> Callable[[Operand, Operand], Tensor]:
    """``primitive`` of both operands, brought to one dtype and shape."""

    def operator(a: Operand, b: Operand) -> Tensor:
        return apply(primitive, *promote(a, b))

    return _named(operator, name)


def _numeric(primitive: Primitive, name: str) -> Callable[[Operand, Operand], Tensor]:
    """As `_same`; bools count as 0 and 1."""

    def operator(a: Operand, b: Operand) -> Tensor:
        x, y = promote(a, b)
        if x.dtype is DType.bool:
            x, y = cast(x, DType.i32), cast(y, DType.i32)
        return apply(primitive, x, y)

    return _named(operator, name)


def _named(function: Callable[..., Tensor], name: str) -> Callable[..., Tensor]:
    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"``{name}``, element by element."
    return function


add = _numeric(ops.add, "add")
sub = _numeric(ops.sub, "sub")
mul = _numeric(ops.mul, "mul")
less = _numeric(ops.lt, "less")
less_equal = _numeric(ops.le, "less_equal")
equal = _same(ops.eq, "equal")
bitwise_and = _same(ops.and_, "bitwise_and")
bitwise_or = _same(ops.or_, "bitwise_or")
bitwise_xor = _same(ops.xor, "bitwise_xor")


def div(a: Operand, b: Operand) -> Tensor:
    """a / b as real numbers."""
    x, y = promote(a, b)
    return apply(ops.div, floating(x), floating(y))


def not_equal(a: Operand, b: Operand) -> Tensor:
    """Whether elements differ; NaN differs from everything."""
    return apply(ops.not_, equal(a, b))


def negative(x: Operand) -> Tensor:
    """-x."""
    x = tensor_of(x)
    return apply(ops.neg, x) if x.dtype.is_float else sub(0, x)


def maximum(a: Operand, b: Operand) -> Tensor:
    """The larger element; NaN if one of them is. A tie shares the gradient."""
    x, y = promote(a, b)
    return apply(ops.or_ if x.dtype is DType.bool else ops.max, x, y)


def minimum(a: Operand, b: Operand) -> Tensor:
    """The smaller element; NaN if one of them is. A tie shares the gradient."""
    x, y = promote(a, b)
    if x.dtype.is_float:
        return negative(apply(ops.max, negative(x), negative(y)))
    return where(less(y, x), y, x)


def where(condition: Operand, a: Operand, b: Operand) -> Tensor:
    """a where ``condition`` holds, else b; the gradient goes to the one that was taken.

    `DTypeError` unless the condition is bool.
    """
    c = tensor_of(condition)
    if c.dtype is not DType.bool:
        raise DTypeError(
            f"where needs a bool condition, not {c.dtype!r}",
            where=user_line(),
            help="compare, for example with x != 0",
        )
    x, y = promote(a, b)
    return apply(ops.select, *broadcast_all(c, x, y))


def logical_not(x: Operand) -> Tensor:
    """Whether x is false (zero)."""
    return apply(ops.not_, cast(x, DType.bool))


def invert(x: Tensor) -> Tensor:
    """All bits of whole numbers the other way; of bools, not x."""
    return logical_not(x) if x.dtype is DType.bool else bitwise_xor(x, all_ones(x.dtype))


def all_ones(dtype: DType) -> int:
    """The whole number with every bit set."""
    return int(np.iinfo(dtype.numpy).max) if dtype in (DType.u8, DType.u32) else -1


# ------------------------------------------------------------------------------- functions


def _unary(primitive: Primitive) -> Callable[[Tensor], Tensor]:
    """The element-wise function of real numbers that ``primitive`` is."""

    def function(x: Tensor) -> Tensor:
        return apply(primitive, floating(tensor_of(x)))

    return _named(function, primitive.name)


exp = _unary(ops.exp)
log = _unary(ops.log)
log1p = _unary(ops.log1p)
tanh = _unary(ops.tanh)
erf = _unary(ops.erf)
sin = _unary(ops.sin)
cos = _unary(ops.cos)
sqrt = _unary(ops.sqrt)


def expm1(x: Tensor) -> Tensor:
    """exp(x) - 1 = tanh(x/2) (exp(x) + 1): no cancellation near 0. Its derivative is exp(x)."""
    slope = exp(x)  # that of the product is 0 · inf where exp(x) overflows
    return apply(ops.detour, tanh(floating(x) * 0.5) * (slope + 1.0), slope)


def sigmoid(x: Operand) -> Tensor:
    """1 / (1 + exp(-x)): the tail of x below 0, 1 minus its tail above.

    The derivative is exact to rounding also where the value rounds to 1.
    """
    tail = apply(ops.tail, floating(x))
    below = where(less(tail, -TAIL), -tail, 0.0)
    return where(less(tail, 0.0), below, 1.0 - tail)


def sign(x: Operand) -> Tensor:
    """-1, 0 or 1; NaN stays, as bools do. Its derivative is 0."""
    x = tensor_of(x)
    if x.dtype is DType.bool:
        return apply(ops.reshape, x, shape=x.shape)
    one = where(less(0, x), 1, where(less(x, 0), -1, 0))
    return where(equal(x, x), cast(one, x.dtype), x.detach()) if x.dtype.is_float else one


def absolute(x: Operand) -> Tensor:
    """|x|; the derivative at 0 is 0."""
    x = tensor_of(x)
    if not x.dtype.is_float:
        return where(less(x, 0), negative(x), x)
    return x * where(less(0.0, x), 1.0, where(less(x, 0.0), -1.0, 0.0))


def square(x: Tensor) -> Tensor:
    """x²."""
    x = tensor_of(x)
    return x * x


def reciprocal(x: Tensor) -> Tensor:
    """1/x."""
    return div(1.0, x)


@separate
def power(x: Operand, exponent: Operand) -> Tensor:
    """x to the power of ``exponent``, as IEEE 754 says; a whole number if both are.

    Whole numbers from -2 to 4 multiply, ±0.5 takes the root. The power of a negative x is NaN where
    the exponent is not whole; whole numbers to negative powers are 0 unless x is 1 or -1, as in
    PyTorch, where both are Tensors.
    """
    base = tensor_of(x)
    if isinstance(exponent, Storage) or not is_number(exponent):
        e = tensor_of(exponent)
        if not (base.dtype.is_float or e.dtype.is_float):
            return _power_of_integers(*promote(base, e))
        return apply(ops.pow, *promote(floating(base), floating(e)))
    value = float(exponent)
    whole = value.is_integer() and not base.dtype.is_float
    if value in _PRODUCTS or (whole and value >= 0):
        return _whole_power(base, int(value))
    if value in (-1.0, -2.0):
        return _whole_power(reciprocal(base), -int(value))
    base = floating(base)
    if abs(value) == 0.5:
        return sqrt(base) if value > 0 else reciprocal(sqrt(base))
    return apply(ops.pow, *promote(base, scalar(value, base.dtype)))


def _whole_power(x: Tensor, n: int) -> Tensor:
    """x^n by squaring; x^0 is 1 even for NaN."""
    if n == 0:
        return apply(ops.detour, broadcast_to(scalar(1, x.dtype), x.shape), x * 0)
    half = x if n == 1 else _whole_power(x, n // 2)
    if n == 1:
        return x
    return half * half if n % 2 == 0 else half * half * x


def _power_of_integers(x: Tensor, e: Tensor) -> Tensor:
    """x^e by squaring, modulo 2^bits as all products: odd numbers come back to 1 in time."""
    if x.dtype is DType.bool:
        x, e = cast(x, DType.i32), cast(e, DType.i32)
    result, product = broadcast_to(scalar(1, x.dtype), x.shape), x
    signed = x.dtype in (DType.i32, DType.i16)
    for bit in range(8 * x.dtype.itemsize - signed):
        result = where(equal(bitwise_and(e, 1 << bit), 0), result, result * product)
        product = product * product
    if not signed:
        return result
    turned = where(equal(bitwise_and(e, 1), 0), 1, -1)
    inverse = where(equal(x, 1), 1, where(equal(x, -1), turned, 0))
    return where(less(e, 0), inverse, result)


@separate
def clamp(x: Operand, min: Operand | None = None, max: Operand | None = None) -> Tensor:
    """x, but at least ``min`` and at most ``max``. At a bound the gradient passes."""
    x = tensor_of(x)
    if min is not None:
        x = where(less(x, min), min, x)
    if max is not None:
        x = where(less(max, x), max, x)
    return x


def isnan(x: Tensor) -> Tensor:
    """Whether elements are NaN."""
    return not_equal(x, x)


def isfinite(x: Operand) -> Tensor:
    """Whether elements are neither infinite nor NaN."""
    x = tensor_of(x)
    return less(absolute(x), math.inf) if x.dtype.is_float else equal(x, x)
