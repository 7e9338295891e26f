"""What nests and programs compute, by NumPy: slow, and with the exact order of every reduction.

Native code must agree with this bit for bit. ``functions`` replaces element-wise primitives whose
last bits are the business of the code generator (exp, log, ...).

Temporaries start each step as NaN, and each element that is read is looked up in shadow memory:
reading what no nest of the step stored raises VerifyError.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import VerifyError
from ..ir.types import Array, DType
from ..ops import elementwise
from ..ops.random import threefry2x32
from ..ops.reduce import tree
from .buffers import LANES, Buffer, Trip
from .nest import (
    Acc,
    Access,
    Affine,
    Apply,
    Const,
    Expr,
    Index,
    Load,
    Loop,
    Nest,
    Phases,
    Product,
    Program,
    Reduce,
    Store,
)
from .shadow import Elements, Shadow
from .verify import make_shadow

Functions = Mapping[str, Callable[..., Any]]
Memory = Mapping[Buffer, Array]
#: bytes of a temporary before it is stored: NaN, -1, and no value of a bool
POISON = 0xFF


def simulate_nest(
    nest: Nest, memory: Memory, functions: Functions | None = None, shadow: Shadow | None = None
) -> None:
    """Run ``nest`` on flat arrays; stores change them. ``shadow`` knows what has been stored."""
    if 0 in nest.dims[: nest.parallel]:
        return
    with np.errstate(all="ignore"):
        point = _Grid(nest, memory, functions or {}, nest.parallel, shadow)
        every = _Grid(nest, memory, functions or {}, len(nest.dims), shadow)
        if nest.source is not None:
            point.accs = _sources(nest, every)
        grids = [(every, s) for s in nest.inner] + [(point, s) for s in nest.stores]
        values = [grid.value(store.value) for grid, store in grids]
        for (grid, store), value in zip(grids, values, strict=True):
            _store(grid, store, value)


def simulate_program(
    program: Program, externals: Sequence[Array], steps: int = 1, functions: Functions | None = None
) -> None:
    """Run ``steps`` steps; ``externals`` are flat arrays, one for each slot."""
    arena = np.zeros(program.arena_bytes, np.uint8)
    for step in range(steps):
        arena[program.kept_bytes :] = POISON
        shadow = make_shadow(program)
        run = _Run(program, externals, arena, step, functions, shadow)
        run.phases(program.phases, ())
        shadow.check_outputs(range(program.inputs, len(program.slots)))


@dataclass(frozen=True)
class _Run:
    """One step of a program."""

    program: Program
    externals: Sequence[Array]
    arena: Array
    step: int
    functions: Functions | None
    shadow: Shadow

    def phases(self, phases: Phases, trips: tuple[Trip, ...]) -> None:
        """All tasks in their order, in the present trips of the loops around them."""
        for task in (task for phase in phases for task in phase):
            if isinstance(task.nest, Loop):
                count = self._trips(task.nest, trips)
                for at in range(count):
                    self.phases(task.nest.phases, (*trips, task.nest.trip(at, count)))
                continue
            self.shadow.trips = trips
            used = {a.buffer for a in (*task.nest.reads, *task.nest.writes)}
            memory = {b: self._memory(b, trips) for b in used}
            simulate_nest(task.nest, memory, self.functions, self.shadow)

    def _trips(self, loop: Loop, trips: tuple[Trip, ...]) -> int:
        """How many trips ``loop`` makes now."""
        if loop.limit is None:
            return loop.trips
        said = self._memory(loop.limit.buffer, trips)[loop.limit.offset.const]
        return max(0, min(int(said), loop.trips))

    def _memory(self, buffer: Buffer, trips: tuple[Trip, ...]) -> Array:
        whole = _memory(buffer.root, self.program, self.externals, self.arena, self.step)
        return whole[buffer.shift(trips) :]


def _memory(
    buffer: Buffer, program: Program, externals: Sequence[Array], arena: Array, step: int
) -> Array:
    if buffer.kind == "external":
        return externals[buffer.slot][step * buffer.step_stride :]
    if buffer.kind == "arena":
        start = program.offsets[buffer]
        return arena[start : start + buffer.nbytes].view(buffer.dtype.numpy)
    if buffer.data is None:
        raise VerifyError(f"constant {buffer} has no data")
    return buffer.data.reshape(-1)


class _Grid:
    """Expressions at all points of the first ``ndim`` loops at once."""

    def __init__(
        self, nest: Nest, memory: Memory, functions: Functions, ndim: int, shadow: Shadow | None
    ):
        self.nest, self.shadow = nest, shadow
        self.dims, self.memory, self.functions = nest.dims[:ndim], memory, functions
        self.index = np.indices(self.dims, dtype=np.int64, sparse=True)
        self.accs: list[Array] = []
        self._known: dict[int, Array] = {}

    def affine(self, affine: Affine) -> Array:
        total: Any = np.int64(affine.const)
        for coeff, index in zip(affine.coeffs, self.index, strict=False):
            total = total + coeff * index
        return np.broadcast_to(total, self.dims)

    def value(self, expr: Expr) -> Array:
        if id(expr) not in self._known:
            self._known[id(expr)] = np.broadcast_to(self._value(expr), self.dims)
        return self._known[id(expr)]

    def _value(self, expr: Expr) -> Array:
        dtype = expr.dtype.numpy
        if isinstance(expr, Const):
            return np.asarray(expr.value, dtype)
        if isinstance(expr, Index):
            return self.affine(expr.affine).astype(dtype)
        if isinstance(expr, Load):
            return self.load(expr.access)
        if isinstance(expr, Apply):
            return self._apply(expr)
        if not isinstance(expr, Acc) or expr.number >= len(self.accs):
            raise VerifyError("`Acc` outside of a store")
        return self.accs[expr.number]

    def _apply(self, expr: Apply) -> Array:
        args = [self.value(a) for a in expr.args]
        if expr.op == "rng_bits":
            return threefry2x32((args[0], args[1]), (args[2], args[3]))[0]
        if expr.op == "cast":
            return elementwise.cast_reference(args[0], dtype=expr.dtype)
        if expr.op == "max":
            return _maximum(args[0], args[1])
        chosen = self.functions.get(expr.op) or _REFERENCE[expr.op]
        return np.asarray(chosen(*args), expr.dtype.numpy)

    def load(self, access: Access) -> Array:
        """The elements at ``access``."""
        where = self.offsets(access)
        if self.shadow is not None:
            self.shadow.check(access.buffer, Elements.listed(where), self.nest)
        return self.memory[access.buffer][where]

    def offsets(self, access: Access) -> Array:
        """Element numbers, with indirect indices clamped into range."""
        total = self.affine(access.offset)
        for indirect in access.indirect:
            index = self.value(indirect.index).astype(np.int64)
            total = total + np.clip(index, 0, indirect.extent - 1) * indirect.stride
        return total

    def inside(self, access: Access) -> Array:
        """Where all indirect indices are in range."""
        good = np.ones(self.dims, np.bool_)
        for indirect in access.indirect:
            index = self.value(indirect.index)
            good &= (index >= 0) & (index < indirect.extent)
        return good


def _store(grid: _Grid, store: Store, value: Array) -> None:
    good = grid.inside(store.access)
    where, what = grid.offsets(store.access)[good], value[good]
    memory = grid.memory[store.access.buffer]
    if store.add:
        if grid.shadow is not None:
            grid.shadow.check(store.access.buffer, Elements.listed(where), grid.nest)
        np.add.at(memory, where, what)
    else:
        memory[where] = what
        if grid.shadow is not None:
            grid.shadow.stored(store.access.buffer, Elements.listed(where))


def _maximum(a: Array, b: Array) -> Array:
    """The larger; NaN if either is; a when they are equal."""
    larger: Array = np.where(a < b, b, a)
    return np.where(b != b, b, larger) if b.dtype.kind == "f" else larger


_REFERENCE: dict[str, Callable[..., Any]] = {
    "neg": np.negative,
    "exp": np.exp,
    "log": np.log,
    "log1p": np.log1p,
    "tanh": np.tanh,
    "erf": elementwise.erf_reference,
    "tail": elementwise.tail_reference,
    "sin": elementwise.in_double(np.sin),
    "cos": elementwise.in_double(np.cos),
    "sqrt": np.sqrt,
    "not": np.logical_not,
    "add": np.add,
    "sub": np.subtract,
    "mul": np.multiply,
    "div": np.divide,
    "pow": elementwise.pow_reference,
    "lt": np.less,
    "le": np.less_equal,
    "eq": np.equal,
    "and": np.bitwise_and,
    "or": np.bitwise_or,
    "xor": np.bitwise_xor,
    "shl": np.left_shift,
    "shr": np.right_shift,
    "select": np.where,
}

# ---------------------------------------------------------------------------------- reductions


def _sources(nest: Nest, every: _Grid) -> list[Array]:
    """What the accumulators of a nest end with."""
    if isinstance(nest.source, Product):
        return [_product(nest, nest.source, every)]
    if not isinstance(nest.source, Reduce):
        raise VerifyError("a nest without source has no `Acc`")
    ordered = _in_order if nest.vector % len(nest.dims) < nest.parallel else _in_lanes
    return [
        ordered(part.op, part.value.dtype, every.value(part.value), nest)
        for part in nest.source.parts
    ]


def _identity(op: str, dtype: DType) -> Any:
    if op == "sum":
        return dtype.numpy.type(0)
    return dtype.numpy.type(-np.inf if dtype.is_float else np.iinfo(dtype.numpy).min)


def _combine(op: str, a: Array, b: Array) -> Array:
    return a + b if op == "sum" else _maximum(a, b)


def _in_order(op: str, dtype: DType, values: Array, nest: Nest) -> Array:
    """One chain for each element, in loop order."""
    total = np.full(nest.dims[: nest.parallel], _identity(op, dtype))
    for index in itertools.product(*(range(n) for n in nest.dims[nest.parallel :])):
        total = _combine(op, total, values[(slice(None),) * nest.parallel + index])
    return total


def _in_lanes(op: str, dtype: DType, values: Array, nest: Nest) -> Array:
    """Sixteen chains along the innermost loop, then a tree."""
    identity = _identity(op, dtype)
    shape = nest.dims[: nest.parallel]
    lanes = np.full((*shape, LANES), identity)
    for index in itertools.product(*(range(n) for n in nest.dims[nest.parallel : -1])):
        row = values[(slice(None),) * len(shape) + index]
        for start in range(0, nest.dims[-1], LANES):
            part = row[..., start : start + LANES]
            filled = np.full((*shape, LANES), identity)
            filled[..., : part.shape[-1]] = part
            lanes = _combine(op, lanes, filled)
    half = LANES // 2
    while half:
        lanes = _combine(op, lanes[..., :half], lanes[..., half : 2 * half])
        half //= 2
    return lanes[..., 0]


def _product(nest: Nest, source: Product, grid: _Grid) -> Array:
    """One chain of fused multiply-adds for each element, in loop order; or a tree of chains."""
    a, b = grid.load(source.a), grid.load(source.b)
    shape = nest.dims[: nest.parallel]
    a, b = a.reshape(*shape, -1), b.reshape(*shape, -1)
    runs = []
    for first in range(0, a.shape[-1], source.run or a.shape[-1] or 1):
        total = np.zeros(shape, np.float32)
        for k in range(first, first + (source.run or a.shape[-1])):
            total = fma(a[..., k], b[..., k], total)
        runs.append(total)
    return tree(runs, np.add) if runs else np.zeros(shape, np.float32)


def fma(a: Array, b: Array, c: Array) -> Array:
    """a * b + c in float32, rounded once.

    The product is exact in double. The sum is rounded to odd there, which makes the second
    rounding right (Boldo and Melquiond, 2008).
    """
    product = a.astype(np.float64) * b.astype(np.float64)
    wide = c.astype(np.float64)
    total = product + wide
    back = total - product
    lost = (product - (total - back)) + (wide - back)
    even = (total.view(np.int64) & 1) == 0
    toward = np.where(lost > 0, np.inf, -np.inf)
    adjust = (lost != 0) & even & np.isfinite(total)
    return np.where(adjust, np.nextafter(total, toward), total).astype(np.float32)
