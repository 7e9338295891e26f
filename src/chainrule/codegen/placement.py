"""Where code of a nest stands: each value once, in the outermost loop that knows all it needs.

A `Binding` says where one loop stands: its index, how many lanes (0: one number), and the place for
code that needs no deeper loop. A point binds every loop that an expression depends on.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from ..schedule.nest import Acc, Access, Affine, Apply, Const, Expr, Index, Load, Nest
from .builder import Builder, Place
from .elementwise import REGISTER
from .values import Value, literal


@dataclass(frozen=True)
class Binding:
    """Where one loop stands.

    index:    the loop variable (i64), of lane 0 for the vector dim.
    depth:    0 for the outermost loop.
    scope:    a name for this emission of the loop, shared by its unrolled copies.
    place:    where code goes that needs this loop and no deeper one; None: where emission is.
    offset:   a constant added to ``index``, for unrolled copies.
    lanes:    active lanes, from lane 0; 0 when the loop is not the vector dim.
    multiple: ``index`` is a multiple of this.
    """

    index: Value
    depth: int
    scope: str
    place: Place | None = None
    offset: int = 0
    lanes: int = 0
    multiple: int = 1

    @property
    def key(self) -> tuple[str, int, int]:
        """What tells the values of this binding from those of another."""
        return self.scope, self.offset, self.lanes

    def shifted(self, amount: int) -> Binding:
        """An unrolled copy ``amount`` further on."""
        return replace(self, offset=self.offset + amount)


Point = Sequence[Binding | None]
Dims = tuple[int, ...]


def bound(point: Point, dim: int) -> Binding:
    """The binding of a loop that must be bound."""
    binding = point[dim]
    if binding is None:
        raise ValueError(f"loop {dim} is not bound here")
    return binding


@lru_cache(4096)
def affine_dims(affine: Affine) -> Dims:
    """The loops with a coefficient other than 0."""
    return tuple(d for d, c in enumerate(affine.coeffs) if c)


class Placement:
    """Remembers what was emitted where, for one nest in one function.

    ``top`` is the place for code that depends on no loop (None: where emission is).
    """

    def __init__(self, b: Builder, nest: Nest, top: Place | None = None):
        self.b = b
        self.nest = nest
        self.top = top
        self.vector_dim = nest.vector % len(nest.dims) if nest.dims else -1
        self._cache: dict[object, Value] = {}
        self._numbers: dict[object, int] = {}
        self._number_of: dict[int, tuple[Expr, int]] = {}
        self._dims_of: dict[int, tuple[Expr, Dims]] = {}

    def dims(self, expr: Expr) -> Dims:
        """The loops that ``expr`` depends on, ascending."""
        known = self._dims_of.get(id(expr))
        if known is None:
            known = self._dims_of[id(expr)] = expr, self._find_dims(expr)
        return known[1]

    def _find_dims(self, expr: Expr) -> Dims:
        if isinstance(expr, Acc):
            return tuple(range(self.nest.parallel))
        if isinstance(expr, Index):
            return affine_dims(expr.affine)
        if isinstance(expr, Load):
            return self.access_dims(expr.access)
        if isinstance(expr, Apply):
            return tuple(sorted({d for a in expr.args for d in self.dims(a)}))
        return ()

    def access_dims(self, access: Access) -> Dims:
        """The loops that an address depends on."""
        inner = {d for i in access.indirect for d in self.dims(i.index)}
        return tuple(sorted(inner | set(affine_dims(access.offset))))

    def number(self, expr: Expr) -> int:
        """Equal numbers for expressions of equal structure."""
        known = self._number_of.get(id(expr))
        if known is None:
            number = self._numbers.setdefault(self._structure(expr), len(self._numbers))
            known = self._number_of[id(expr)] = expr, number
        return known[1]

    def _structure(self, expr: Expr) -> tuple[object, ...]:
        if isinstance(expr, Apply):
            return (expr.op, expr.dtype, *(self.number(a) for a in expr.args))
        if isinstance(expr, Load):
            access = expr.access
            inner = tuple((self.number(i.index), i.stride, i.extent) for i in access.indirect)
            return "load", access.buffer, access.offset, inner
        if isinstance(expr, Const):
            return "const", expr.dtype, literal(REGISTER[expr.dtype], expr.value)
        if isinstance(expr, Index):
            return "index", expr.affine
        return "acc", expr.number if isinstance(expr, Acc) else 0

    def lanes(self, point: Point) -> int:
        """Active lanes at ``point``; 0 if it is a single one."""
        binding = point[self.vector_dim] if self.vector_dim >= 0 else None
        return binding.lanes if binding else 0

    def key(self, tag: object, dims: Sequence[int], point: Point) -> object:
        """Names a value that depends on ``dims`` alone."""
        return tag, tuple([bound(point, d).key for d in dims])

    def place(
        self, key: object, dims: Sequence[int], point: Point, emit: Callable[[], Value]
    ) -> Value:
        """``emit()`` in the outermost loop that binds ``dims``; once for each ``key``."""
        emitted = self._cache.get(key)
        if emitted is not None:
            return emitted
        block, deepest = self.top, -1
        for d in dims:
            binding = bound(point, d)
            if binding.depth > deepest:
                block, deepest = binding.place, binding.depth
        if block is None:
            emitted = emit()
        else:
            with self.b.at(block):
                emitted = emit()
        self._cache[key] = emitted
        return emitted

    def preset(self, expr: Expr, point: Point, value: Value) -> None:
        """Say what ``expr`` is at ``point``: an accumulator, or a load done in another way."""
        self._cache[self.key(self.number(expr), self.dims(expr), point)] = value
