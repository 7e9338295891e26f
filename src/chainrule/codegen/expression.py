"""Scalar expressions of a nest as instructions.

Values that depend on the vector dim are vectors; all others are scalars, computed outside the
vector loop and splatted where a vector needs them. The leaf `Acc` gets its value by
`Placement.preset`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import partial

from ..ir.types import DType
from ..schedule.buffers import LANES, Buffer
from ..schedule.nest import Access, Apply, Const, Expr, Index, Indirect, Load, Nest
from .builder import Builder, Place
from .elementwise import MEMORY, REGISTER, apply, threefry, threefry_parity
from .placement import Dims, Placement, Point, affine_dims, bound
from .values import Value, const, const_vector, i64, lane_mask, vector_of

#: bytes of an array that is not expected in a near cache, and how far ahead of its use a walk asks
#: for it: the processor's own prefetching begins anew at each page and for each of many arrays
FAR, AHEAD = 1 << 19, 1536


class Expressions(Placement):
    """Values and addresses of one nest in one function.

    ``ahead``: loads of long walks ask for what comes later.
    """

    def __init__(
        self,
        b: Builder,
        nest: Nest,
        pointers: Mapping[Buffer, Value],
        top: Place | None = None,
        *,
        ahead: bool = False,
    ):
        super().__init__(b, nest, top)
        self.pointers = pointers
        self.ahead = ahead

    # ---------------------------------------------------------------------------------- values

    def value(self, expr: Expr, point: Point) -> Value:
        """``expr`` at ``point``: a vector if it depends on the lanes, else a scalar."""
        if isinstance(expr, Const):
            return const(REGISTER[expr.dtype], expr.value)
        dims = self.dims(expr)
        key = self.key(self.number(expr), dims, point)
        return self.place(key, dims, point, lambda: self._emit(expr, point))

    def vector(self, expr: Expr, point: Point) -> Value:
        """`value`, splatted if it is a scalar."""
        value = self.value(expr, point)
        if value.is_vector or isinstance(expr, Const):
            return self.b.splat(value)
        dims = self.dims(expr)
        key = self.key(("splat", self.number(expr)), dims, point)
        return self.place(key, dims, point, lambda: self.b.splat(value))

    def _emit(self, expr: Expr, point: Point) -> Value:
        if isinstance(expr, Load):
            return self._load(expr.access, point)
        if isinstance(expr, Index):
            return self._index(expr, point)
        if isinstance(expr, Apply):
            return self._apply(expr, point)
        raise TypeError(f"{expr} has no value at this point")

    def _apply(self, expr: Apply, point: Point) -> Value:
        values = [self.value(a, point) for a in expr.args]
        if any(v.is_vector for v in values):
            values = [self.vector(a, point) for a in expr.args]
        if expr.op == "rng_bits":
            return self._random(expr, point, values)
        dtypes = tuple(a.dtype for a in expr.args)
        return apply(self.b, expr.op, expr.dtype, dtypes, values)

    def _random(self, expr: Apply, point: Point, values: list[Value]) -> Value:
        """The third key word stands where the keys do, outside the loop over elements."""
        key0, key1, element, count = values
        pair = expr.args[:2]
        dims = tuple(sorted({d for a in pair for d in self.dims(a)}))
        key = self.key(("parity", *map(self.number, pair), element.is_vector), dims, point)
        parity = self.place(key, dims, point, lambda: threefry_parity(self.b, key0, key1))
        return threefry(self.b, (key0, key1, parity), element, count)

    def _index(self, expr: Index, point: Point) -> Value:
        """Modulo 2**32, for i32 and u32 alike."""
        b = self.b
        fixed, stride = expr.affine.const, 0
        total: Value | None = None
        for d in affine_dims(expr.affine):
            binding, coeff = bound(point, d), expr.affine.coeffs[d]
            fixed += binding.offset * coeff
            stride = coeff if binding.lanes else stride
            if not binding.index.name.startswith("%"):
                fixed += int(binding.index.name) * coeff
                continue
            term = b.mul(b.convert("trunc", binding.index, "i32"), const("i32", coeff))
            total = term if total is None else b.add(total, term)
        base = const("i32", _wrapped(fixed))
        total = base if total is None else b.add(total, base)
        if not stride:
            return total
        steps = const_vector("i32", [_wrapped(stride * lane) for lane in range(LANES)])
        return b.add(b.splat(total), steps)

    # ------------------------------------------------------------------------------- addresses

    def stride(self, access: Access, point: Point) -> int | None:
        """Elements between lanes; None if an indirect index varies along the lanes."""
        if not self.lanes(point):
            return 0
        if any(self.varies(i, point) for i in access.indirect):
            return None
        return access.offset.coeffs[self.vector_dim]

    def address(self, access: Access, point: Point) -> Value:
        """The address of lane 0, without indirect indices that vary along the lanes.

        Summands of outer loops come first, so that partial sums stand outside of inner loops.
        Indirect indices are clamped into range.
        """
        affine = affine_dims(access.offset)
        terms: list[tuple[Dims, object, int | Indirect]] = []
        for d in affine:
            terms.append(((d,), (d, bound(point, d).scope, access.offset.coeffs[d]), d))
        for indirect in access.indirect:
            dims = self.dims(indirect.index)
            if not self.varies(indirect, point):
                name = (self.number(indirect.index), indirect.stride, indirect.extent)
                terms.append((dims, self.key(name, dims, point), indirect))
        terms.sort(key=lambda t: max((bound(point, d).depth for d in t[0]), default=-1))

        pointer = self.pointers[access.buffer]
        key: tuple[object, ...] = ("address", access.buffer)
        seen: Dims = ()
        for dims, tag, term in terms:
            key, seen = (*key, tag), (*seen, *dims)
            step = partial(self._advance, pointer, access, term, point)
            pointer = self.place(key, seen, point, step)
        fixed = access.offset.const
        fixed += sum(access.offset.coeffs[d] * bound(point, d).offset for d in affine)
        last = partial(self.b.gep, pointer, fixed, MEMORY[access.buffer.dtype])
        return self.place((*key, "fixed", fixed), seen, point, last)

    def _advance(self, pointer: Value, access: Access, term: int | Indirect, point: Point) -> Value:
        b = self.b
        if isinstance(term, int):
            offset = scaled(b, bound(point, term).index, access.offset.coeffs[term])
        else:
            index = self._clamped(term, self.value(term.index, point))
            offset = scaled(b, b.convert("zext", index, "i64"), term.stride)
        return b.gep(pointer, offset, MEMORY[access.buffer.dtype])

    def varies(self, indirect: Indirect, point: Point) -> bool:
        """Whether an indirect index differs between the lanes of ``point``."""
        return bool(self.lanes(point)) and self.vector_dim in self.dims(indirect.index)

    def _clamped(self, indirect: Indirect, index: Value) -> Value:
        low = self.b.overloaded("smax", index, const(index.type, 0))
        return self.b.overloaded("smin", low, const(index.type, max(indirect.extent - 1, 0)))

    def inside(self, indirect: Indirect, point: Point) -> Value:
        """Whether an indirect index is in range, as ``i1`` for each lane or for all."""
        index = self.value(indirect.index, point)
        return self.b.compare("ult", index, const(index.type, indirect.extent))

    def lane_addresses(self, access: Access, point: Point) -> Value:
        """The address of every lane, with indirect indices clamped into range."""
        b = self.b
        scalar = "i32" if access.buffer.size < 2**31 else "i64"
        stride = access.offset.coeffs[self.vector_dim]
        offsets = const_vector(scalar, [stride * lane for lane in range(LANES)])
        for indirect in access.indirect:
            if self.varies(indirect, point):
                index = self._clamped(indirect, self.vector(indirect.index, point))
                wide = index if scalar == "i32" else b.convert("zext", index, scalar)
                step = b.mul(wide, const(wide.type, indirect.stride))
                offsets = b.add(offsets, step) if stride else step
                stride = 1
        return b.gep(self.address(access, point), offsets, MEMORY[access.buffer.dtype])

    def alignment(self, access: Access, point: Point) -> int:
        """Bytes that the address of lane 0 is a multiple of, as far as the nest tells.

        Nothing is assumed of the caller's memory: aligned moves gain nothing on it and would
        crash if it were not aligned.
        """
        buffer = access.buffer
        size = buffer.dtype.itemsize
        if not buffer.aligned or buffer.kind == "external":
            return size
        known = [access.offset.const, buffer.step_stride, *(i.stride for i in access.indirect)]
        for d in affine_dims(access.offset):
            binding, coeff = bound(point, d), access.offset.coeffs[d]
            known += [coeff * binding.multiple, coeff * binding.offset]
        return max(size, math.gcd(64, *(size * k for k in known)))

    # ----------------------------------------------------------------------------------- loads

    def _load(self, access: Access, point: Point) -> Value:
        value = self._load_memory(access, point)
        if access.buffer.dtype is DType.bool:
            return self.b.compare("ne", value, const(value.type, 0))
        return value

    def streams(self, access: Access) -> bool:
        """Whether the innermost loop walks through memory that no near cache holds."""
        along = self.ahead and self.vector_dim == len(self.nest.dims) - 1
        return along and not access.indirect and access.buffer.nbytes >= FAR

    def _load_memory(self, access: Access, point: Point) -> Value:
        b, lanes = self.b, self.lanes(point)
        scalar, size = MEMORY[access.buffer.dtype], access.buffer.dtype.itemsize
        stride = self.stride(access, point)
        if stride is None or stride not in (-1, 0, 1):
            return b.gather(scalar, self.lane_addresses(access, point), lane_mask(lanes), size)
        pointer = self.address(access, point)
        if stride == 0:
            return b.load(scalar, pointer, size)
        if stride == 1:
            if lanes == LANES and self.streams(access):
                b.ask_for(b.gep(pointer, AHEAD, "i8"))
            return load_lanes(b, scalar, pointer, lanes, self.alignment(access, point))
        first = b.gep(pointer, 1 - lanes, scalar)
        back = load_lanes(b, scalar, first, lanes, size)
        return b.shuffle(back, back, [max(lanes - 1 - lane, 0) for lane in range(LANES)])


def load_lanes(b: Builder, scalar: str, pointer: Value, lanes: int, align: int) -> Value:
    """The first ``lanes`` of sixteen consecutive elements; the others are any number.

    A single one is repeated in all lanes, which takes no mask.
    """
    if lanes == LANES:
        return b.load(vector_of(scalar), pointer, align)
    if lanes == 1:
        return b.splat(b.load(scalar, pointer, align))
    return b.masked_load(vector_of(scalar), pointer, lane_mask(lanes), align)


def store_lanes(b: Builder, value: Value, pointer: Value, lanes: int, align: int) -> None:
    """Store the first ``lanes`` of sixteen consecutive elements.

    A single lane is stored as a scalar: LLVM 22 makes a masked store of one lane of a narrowed
    vector (u8 from u32) as wide as before narrowing, and writes beside the buffer.
    """
    if lanes == LANES:
        b.store(value, pointer, align)
    elif lanes == 1:
        b.store(b.extract(value, 0), pointer, align)
    else:
        b.masked_store(value, pointer, lane_mask(lanes), align)


def scaled(b: Builder, index: Value, factor: int) -> Value:
    """index * factor in i64; a constant when ``index`` is one."""
    if not index.name.startswith("%"):
        return i64(int(index.name) * factor)
    return b.mul(index, i64(factor))


def _wrapped(value: int) -> int:
    """The signed 32-bit integer with the low bits of ``value``."""
    return (value + 2**31) % 2**32 - 2**31
