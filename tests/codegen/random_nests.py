"""Random nests for tests: every shape of nest, stride, dtype and operation."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from chainrule.ir.types import Array, DType
from chainrule.schedule.buffers import Buffer
from chainrule.schedule.nest import (
    Acc,
    Access,
    Affine,
    Apply,
    Const,
    Expr,
    Index,
    Indirect,
    Load,
    Nest,
    Reduce,
    Store,
)

EXTENTS = (1, 2, 3, 5, 7, 8, 15, 16, 17, 31, 33, 64, 100)
F32, BOOL = DType.f32, DType.bool
I32, I16, U32, U8 = DType.i32, DType.i16, DType.u32, DType.u8
UNARY = ("neg", "exp", "log", "log1p", "tanh", "erf", "sin", "cos", "sqrt")


@dataclass
class Maker:
    """Draws nests and the arrays they work on."""

    rng: np.random.Generator
    memory: dict[Buffer, Array] = field(default_factory=dict)

    def pick(self, items):
        """One of ``items``."""
        return items[int(self.rng.integers(len(items)))]

    # ------------------------------------------------------------------------------- memory

    def numbers(self, dtype: DType, size: int) -> Array:
        """Data without subnormal numbers, with an occasional special one."""
        rng = self.rng
        if dtype is F32:
            x = rng.normal(size=size).astype(np.float32) * self.pick([1, 1, 30])
            x[rng.random(size) < 0.02] = self.pick([np.nan, np.inf, -np.inf, 0.0, -0.0])
            return x
        if dtype is BOOL:
            return rng.random(size) < 0.5
        low, high = (-1000, 1000) if dtype in (I32, I16) else (0, 256)
        return rng.integers(low, high, size).astype(dtype.numpy)

    def access(self, dims: tuple[int, ...], dtype: DType, *, injective: bool = False) -> Access:
        """A place in a new buffer, with random strides over ``dims``."""
        coeffs, size = [0] * len(dims), 1
        order = list(range(len(dims)))
        if self.rng.random() < 0.5:
            self.rng.shuffle(order)
        for d in reversed(order):
            if not injective and self.rng.random() < 0.2:
                continue
            coeffs[d] = size
            size *= dims[d] + int(self.rng.random() < 0.15)
        start = int(self.rng.integers(3))
        for d in range(len(dims)):
            if self.rng.random() < 0.15:
                start += coeffs[d] * (dims[d] - 1)
                coeffs[d] = -coeffs[d]
        low = start + sum(min(c * (n - 1), 0) for c, n in zip(coeffs, dims, strict=True))
        high = start + sum(max(c * (n - 1), 0) for c, n in zip(coeffs, dims, strict=True))
        buffer = Buffer(f"m{len(self.memory)}", dtype, high + 1, aligned=self.rng.random() < 0.5)
        if low < 0:
            raise AssertionError("an address below the buffer")
        self.memory[buffer] = self.numbers(dtype, high + 1)
        return Access(buffer, Affine(start, tuple(coeffs)))

    def full(self, affine: Affine, ndim: int) -> Affine:
        """Over all dims of the nest, from one over the first ones."""
        return Affine(affine.const, affine.coeffs + (0,) * (ndim - len(affine.coeffs)))

    # --------------------------------------------------------------------------- expressions

    def leaf(self, dims: tuple[int, ...], ndim: int, dtype: DType) -> Expr:
        """A load, constant or index."""
        kind = self.rng.random()
        if kind < 0.1 and dtype in (I32, U32):
            coeffs = tuple(int(c) for c in self.rng.integers(-3, 4, len(dims)))
            return Index(dtype, self.full(Affine(int(self.rng.integers(-9, 9)), coeffs), ndim))
        if kind < 0.2:
            return Const(dtype, self.numbers(dtype, 1)[0].item())
        access = self.access(dims, dtype)
        indirect: tuple[Indirect, ...] = ()
        if self.rng.random() < 0.15:
            rows, row = int(self.rng.integers(2, 9)), access.buffer.size
            buffer = Buffer(f"m{len(self.memory)}", dtype, rows * row)
            self.memory[buffer] = self.numbers(dtype, rows * row)
            chosen = Load(I32, self.wide(self.access(dims, I32), ndim))
            access = Access(buffer, access.offset)
            indirect = (Indirect(chosen, row, rows),)
        return Load(dtype, Access(access.buffer, self.full(access.offset, ndim), indirect))

    def wide(self, access: Access, ndim: int) -> Access:
        """The same place, said over all dims."""
        return Access(access.buffer, self.full(access.offset, ndim), access.indirect)

    def expr(self, dims: tuple[int, ...], ndim: int, dtype: DType, depth: int) -> Expr:
        """A random expression over the first dims."""
        if depth == 0:
            return self.leaf(dims, ndim, dtype)

        def part(kind: DType) -> Expr:
            return self.expr(dims, ndim, kind, depth - 1)

        choice = self.rng.random()
        if choice < 0.15:
            return Apply(dtype, "select", (part(BOOL), part(dtype), part(dtype)))
        if choice < 0.3:
            source = self.pick([F32, I32, I16, U32, U8, BOOL])
            return Apply(dtype, "cast", (part(source),)) if source is not dtype else part(dtype)
        if dtype is BOOL:
            if choice < 0.6:
                source = self.pick([F32, I32, I16, U32, U8])
                return Apply(BOOL, self.pick(["lt", "le", "eq"]), (part(source), part(source)))
            if choice < 0.7:
                return Apply(BOOL, "not", (part(BOOL),))
            return Apply(BOOL, self.pick(["and", "or", "xor"]), (part(BOOL), part(BOOL)))
        if dtype is F32:
            if choice < 0.5:
                return Apply(F32, self.pick(UNARY), (part(F32),))
            op = self.pick(["add", "sub", "mul", "div", "max"])
            return Apply(F32, op, (part(F32), part(F32)))
        if dtype is U32 and choice < 0.5:
            if choice < 0.35:
                return Apply(U32, "rng_bits", tuple(part(U32) for _ in range(4)))
            return Apply(U32, self.pick(["shl", "shr"]), (part(U32), part(U32)))
        op = self.pick(["add", "sub", "mul", "max", "and", "or", "xor"])
        return Apply(dtype, op, (part(dtype), part(dtype)))

    # ---------------------------------------------------------------------------------- nests

    def dims(self, least: int, most: int) -> tuple[int, ...]:
        """Random extents, not more than some thousand points together."""
        while True:
            count = int(self.rng.integers(least, most + 1))
            dims = tuple(self.pick(EXTENTS) for _ in range(count))
            if np.prod(dims, dtype=np.int64) <= 20_000:
                return dims

    def stores(
        self, dims: tuple[int, ...], ndim: int, acc: DType | None, accs: int = 1
    ) -> tuple[Store, ...]:
        """One or two stores of values over the given dims, made of one of ``accs`` accumulators."""
        found = []
        for _ in range(int(self.rng.integers(1, 3))):
            dtype = self.pick([F32, F32, F32, I32, I16, U32, U8, BOOL])
            if acc is None:
                value = self.expr(dims, ndim, dtype, int(self.rng.integers(1, 4)))
            else:
                dtype, value = acc, Acc(acc, int(self.rng.integers(accs)))
                if self.rng.random() < 0.7:
                    value = Apply(acc, "add", (value, self.expr(dims, ndim, acc, 1)))
            place = self.wide(self.access(dims, dtype, injective=True), ndim)
            found.append(Store(place, value))
        return tuple(found)

    def map_nest(self) -> Nest:
        """A map; its vector dim is mostly the last."""
        dims = self.dims(0, 3)
        vector = int(self.rng.integers(len(dims))) if dims and self.rng.random() < 0.3 else -1
        split = int(self.rng.integers(len(dims))) if dims and self.rng.random() < 0.7 else None
        return Nest(dims, len(dims), self.stores(dims, len(dims), None), None, vector, split)

    def reduce_nest(self) -> Nest:
        """A reduction over trailing dims, in lanes or in order."""
        dims = self.dims(1, 4)
        parallel = int(self.rng.integers(len(dims)))
        dtype = self.pick([F32, F32, F32, I32, I16, U32, U8])
        first, *more = (
            Reduce(
                self.pick(["sum", "max"]),
                self.expr(dims, len(dims), dtype, int(self.rng.integers(0, 3))),
            )
            for _ in range(int(self.rng.integers(1, 4)))
        )
        source = replace(first, also=tuple(more))
        along = parallel == 0 or self.rng.random() < 0.5
        vector = len(dims) - 1 if along else int(self.rng.integers(parallel))
        split = int(self.rng.integers(parallel)) if parallel and self.rng.random() < 0.7 else None
        stores = self.stores(dims[:parallel], len(dims), dtype, len(source.parts))
        inner = self.stores(dims, len(dims), None) if self.rng.random() < 0.5 else ()
        return Nest(dims, parallel, stores, source, vector, split, inner=inner)

    def scatter_nest(self) -> Nest:
        """Additions to rows chosen by an index, some out of range."""
        dims = self.dims(1, 3)
        dtype = self.pick([F32, I32, I16])
        moving = int(self.rng.integers(len(dims)))
        rest = tuple(n for d, n in enumerate(dims) if d != moving)
        row = self.access(rest, dtype, injective=True)
        coeffs = list(row.offset.coeffs)
        coeffs.insert(moving, 0)
        rows = int(self.rng.integers(1, 6))
        target = Buffer(f"m{len(self.memory)}", dtype, rows * row.buffer.size)
        self.memory[target] = self.numbers(dtype, target.size)
        index = Buffer(f"m{len(self.memory)}", I32, dims[moving])
        self.memory[index] = self.rng.integers(-1, rows + 1, dims[moving]).astype(np.int32)
        along = Affine(0, tuple(int(d == moving) for d in range(len(dims))))
        indirect = Indirect(Load(I32, Access(index, along)), row.buffer.size, rows)
        access = Access(target, Affine(row.offset.const, tuple(coeffs)), (indirect,))
        value = self.expr(dims, len(dims), dtype, 1)
        return Nest(dims, len(dims), (Store(access, value, self.rng.random() < 0.8),))
