"""Cross entropy of what a linear layer gives, without all that it gives in memory.

    Z = X Wᵀ + b      L_n = log sum_c exp Z_nc
    loss_n = L_n - (1 - s) Z_n,t(n) - s * mean of Z_n

X is [N, D], W [C, D], b [C], the classes t i32 [N], and s the share of the target that is spread
over all classes (label smoothing; Szegedy et al. 2016, arXiv:1512.00567). With a factor g for each
row,

    dZ_n = g_n (exp(Z_n - L_n) - (1 - s) [c = t(n)] - s / C)
    dX = dZ W         dW = dZᵀ X        db = sum of the rows of dZ

Each of these is a primitive; the pass ``vocabulary`` computes Z block by block. A class that does
not exist is nobody's: the row has no Z_n,t(n).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from ..batching import unrolled
from ..ir.graph import Node, full
from ..ir.primitive import Primitive, Sample
from ..ir.types import Array, DType, Shape
from .contract import dot
from .elementwise import eq, exp, log, select
from .examples import draw
from .formulas import along_columns, along_rows, everywhere, through, times
from .movement import transposed
from .reduce import reduce_max, reduce_sum
from .rules import FLOATS, describe, need_dtype, quiet, shape_error
from .sources import iota

#: rows, width, classes, smoothing
_CASES = ((5, 3, 4, 0.0), (3, 4, 7, 0.1), (1, 2, 1, 0.5), (6, 1, 5, 0.0))


# ----------------------------------------------------------------------------------- types


def _check(op: str, *given: Node) -> None:
    x, w, b, target = given
    need_dtype(op, FLOATS, x, w, b)
    need_dtype(op, (DType.i32,), target)
    same = x.ndim == w.ndim == 2 and x.dtype is w.dtype is b.dtype
    if not same or x.shape[1] != w.shape[1] or b.shape != w.shape[:1] or 0 in w.shape:
        raise _misfit(op, *given)
    if target.shape != x.shape[:1]:
        raise _misfit(op, *given)


def _misfit(op: str, *nodes: Node) -> Exception:
    return shape_error(
        f"`{op}` does not take {describe(*nodes)}",
        *nodes,
        help="inputs [N, D], weights [C, D], biases [C], classes [N], with C and D at least 1",
    )


def _row_type(name: str) -> Callable[..., tuple[Shape, DType]]:
    """A number for each row."""

    def type_rule(*given: Node, smoothing: float) -> tuple[Shape, DType]:
        _check(name, *given)
        return given[3].shape, given[0].dtype

    return type_rule


def _gradient_type(name: str, of: int) -> Callable[..., tuple[Shape, DType]]:
    """That of the input number ``of``."""

    def type_rule(*xs: Node, smoothing: float) -> tuple[Shape, DType]:
        *given, g, lse = xs
        _check(name, *given)
        if not g.shape == lse.shape == xs[3].shape or not g.dtype is lse.dtype is xs[0].dtype:
            raise _misfit(name, *xs)
        return xs[of].shape, g.dtype

    return type_rule


# ------------------------------------------------------------------------------ references


def loss_reference(x: Array, w: Array, b: Array, target: Array, *, smoothing: float) -> Array:
    z = x @ w.T + b
    right = np.where(target[:, None] == np.arange(z.shape[1]), z, 0).sum(-1)
    lse = lse_reference(x, w, b, target, smoothing=smoothing)
    return np.asarray(lse - (1 - smoothing) * right - smoothing * z.mean(-1), x.dtype)


def lse_reference(x: Array, w: Array, b: Array, target: Array, *, smoothing: float) -> Array:
    z = x @ w.T + b
    highest = z.max(-1)
    return np.asarray(highest + np.log(np.exp(z - highest[:, None]).sum(-1)))


def _change(xs: Sequence[Array], smoothing: float) -> Array:
    x, w, b, target, g, lse = xs
    z = x @ w.T + b
    wanted = (target[:, None] == np.arange(z.shape[1])) * (1 - smoothing) + smoothing / z.shape[1]
    return np.asarray(g[:, None] * (np.exp(z - lse[:, None]) - wanted), x.dtype)


def dx_reference(*xs: Array, smoothing: float) -> Array:
    return np.asarray(_change(xs, smoothing) @ xs[1])


def dw_reference(*xs: Array, smoothing: float) -> Array:
    return np.asarray(_change(xs, smoothing).T @ xs[0])


def db_reference(*xs: Array, smoothing: float) -> Array:
    return np.asarray(_change(xs, smoothing).sum(0))


# ------------------------------------------------------------ the same in other primitives


def change(z: Node, chosen: Node, g: Node, lse: Node, smoothing: float, classes: int) -> Node:
    """dZ of some rows and columns; ``chosen`` says which of them are the rows' classes."""
    even = smoothing / classes
    right, wrong = everywhere(1 - smoothing + even, z), everywhere(even, z)
    wanted = select(chosen, right, wrong)
    return along_rows(g, z) * (exp(z - along_rows(lse, z)) - wanted)


def _scores(x: Node, w: Node, b: Node) -> Node:
    z = dot(x, transposed(w))
    return z + along_columns(b, z)


def _plain_loss(x: Node, w: Node, b: Node, target: Node, *, smoothing: float) -> Node:
    z = _scores(x, w, b)
    chosen = eq(along_rows(target, z), iota(shape=z.shape, axis=1))
    right = reduce_sum(select(chosen, z, full(0.0, z.shape, z.dtype)), axes=(1,))
    even = times(reduce_sum(z, axes=(1,)), smoothing / z.shape[1])
    return _plain_lse(x, w, b, target, smoothing=smoothing) - times(right, 1 - smoothing) - even


def _plain_lse(x: Node, w: Node, b: Node, target: Node, *, smoothing: float) -> Node:
    z = _scores(x, w, b)
    highest = reduce_max(z, axes=(1,))
    return highest + log(reduce_sum(exp(z - along_rows(highest, z)), axes=(1,)))


def _plain_change(xs: Sequence[Node], smoothing: float) -> Node:
    x, w, b, target, g, lse = xs
    z = _scores(x, w, b)
    chosen = eq(along_rows(target, z), iota(shape=z.shape, axis=1))
    return change(z, chosen, g, lse, smoothing, z.shape[1])


def _plain_dx(*xs: Node, smoothing: float) -> Node:
    return dot(_plain_change(xs, smoothing), xs[1])


def _plain_dw(*xs: Node, smoothing: float) -> Node:
    return dot(transposed(_plain_change(xs, smoothing)), xs[0])


def _plain_db(*xs: Node, smoothing: float) -> Node:
    return reduce_sum(_plain_change(xs, smoothing), axes=(0,))


# ----------------------------------------------------------------------------- derivatives


def _vjp(
    g: Node, y: Node, x: Node, w: Node, b: Node, target: Node, *, smoothing: float
) -> Sequence[Node | None]:
    lse = cross_entropy_lse(x, w, b, target, smoothing=smoothing)
    given = (x, w, b, target, g, lse)
    parts = (cross_entropy_dx, cross_entropy_dw, cross_entropy_db)
    return (*(part(*given, smoothing=smoothing) for part in parts), None)


def samples(rng: np.random.Generator) -> Iterator[Sample]:
    """With and without smoothing, one class, and a class that does not exist."""
    for rows, width, classes, smoothing in _CASES:
        x, w, b = (
            draw(rng, shape, DType.f32, -1, 1)
            for shape in ((rows, width), (classes, width), (classes,))
        )
        target = rng.integers(0, classes, rows).astype(np.int32)
        target[rows // 2 : rows // 2 + (rows > 3)] = -100
        yield Sample((x, w, b, target), {"smoothing": smoothing})


def gradient_samples(rng: np.random.Generator) -> Iterator[Sample]:
    """A factor for each row, and L, beside them."""
    for sample in samples(rng):
        lse = lse_reference(*sample.inputs, **sample.params)
        g = draw(rng, lse.shape, DType.f32, -1, 1)
        yield Sample((*sample.inputs, g, lse), sample.params)


cross_entropy = Primitive(
    "cross_entropy",
    _row_type("cross_entropy"),
    quiet(loss_reference),
    _vjp,
    samples,
    batch=unrolled,
)
cross_entropy_lse = Primitive(
    "cross_entropy_lse",
    _row_type("cross_entropy_lse"),
    quiet(lse_reference),
    through(_plain_lse),
    samples,
    batch=unrolled,
)


def _gradient(
    name: str, of: int, reference: Callable[..., Array], plain: Callable[..., Node]
) -> Primitive:
    rule = _gradient_type(name, of)
    return Primitive(name, rule, quiet(reference), through(plain), gradient_samples, batch=unrolled)


cross_entropy_dx = _gradient("cross_entropy_dx", 0, dx_reference, _plain_dx)
cross_entropy_dw = _gradient("cross_entropy_dw", 1, dw_reference, _plain_dw)
cross_entropy_db = _gradient("cross_entropy_db", 2, db_reference, _plain_db)
