"""Nests: loops over an iteration space, with scalar expressions inside.

    Nest   := dims parallel source inner stores vector split
    source := none | Reduce(op, value, also) | Product(a, b)  what the leaf `Acc` stands for
    inner  := Store*                                          for every point of all dims
    stores := Store*                                          for every point of the parallel dims
    Store  := buffer[offset] = value
    Expr   := Load | Const | Index | Apply(op, args) | Acc

``dims`` are loop extents: the parallel dims first, then the reduced ones. All offsets are affine in
the loop indices, in elements of the buffer. Three shapes of nest exist:

* map:      no source; every point of ``dims`` stores.
* reduce:   ``Acc`` is the sum (or maximum) of ``value`` over the reduced dims; ``Acc`` number i
            that of ``also[i - 1]``. Values met on the way may be stored as well (``inner``).
* product:  dims are (*batch, m, n, *outer, k); ``Acc`` is the sum over outer and k of a * b, one
  FMA chain in loop order, or a tree of chains (``run``). ``a`` stays along n and ``b`` along m;
  ``b`` has stride 1 along n. Stores are its epilogue.

The order of every floating-point reduction is fixed by the nest alone, never by threads or vector
width:

* reduced over the vector dim (``vector`` is the last dim): sixteen partial results, lane l takes
  the elements l, l+16, l+32, ... of the innermost dim in order (outer reduced dims outermost, all
  into the same sixteen lanes); then lanes combine as a tree: l with l+8, then l+4, l+2, l+1.
* reduced over other dims (``vector`` is a parallel dim): sequential, in loop order, one chain per
  element.
* absent elements of a tail contribute nothing (0 for sums, -inf for maxima).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

from ..ir.types import DType
from .buffers import Buffer, Trip

#: a kernel with more elements along its last axis is not summed tap by tap inside of a channel
MOST_TAPS = 9


class Affine(NamedTuple):
    """``const + sum(coeffs[d] * index[d])`` over the loop dims of a nest.

    There are very many, compared and looked up all the time, which tuples do fastest.
    """

    const: int
    coeffs: tuple[int, ...]

    def __add__(self, other: Affine) -> Affine:  # type: ignore[override]  # of numbers
        pairs = zip(self.coeffs, other.coeffs, strict=True)
        return Affine(self.const + other.const, tuple([a + b for a, b in pairs]))

    def __mul__(self, factor: int) -> Affine:  # type: ignore[override]
        return Affine(self.const * factor, tuple([c * factor for c in self.coeffs]))

    def shift(self, amount: int) -> Affine:
        """This plus a constant."""
        return Affine(self.const + amount, self.coeffs)


@dataclass(frozen=True)
class Expr:
    """A scalar value at one point of the iteration space."""

    dtype: DType


@dataclass(frozen=True)
class Indirect:
    """Adds ``index * stride`` to an offset, where 0 <= index < extent.

    A load clamps the index into range; a store outside the range is dropped.
    """

    index: Expr
    stride: int
    extent: int


class Access(NamedTuple):
    """A place in a buffer."""

    buffer: Buffer
    offset: Affine
    indirect: tuple[Indirect, ...] = ()


@dataclass(frozen=True)
class Load(Expr):
    """The element at ``access``."""

    access: Access


@dataclass(frozen=True)
class Const(Expr):
    """A number."""

    value: float | int | bool


@dataclass(frozen=True)
class Index(Expr):
    """An affine function of the loop indices, as i32 (or u32, wrapping)."""

    affine: Affine


@dataclass(frozen=True)
class Apply(Expr):
    """An element-wise primitive applied to scalars.

    ``op`` is the name of an element-wise primitive (`neg exp ... select cast`); operand dtypes tell
    the variant; or ``rng_bits`` with args (key0 u32, key1 u32, element index u32, count u32).
    """

    op: str
    args: tuple[Expr, ...]


@dataclass(frozen=True)
class Acc(Expr):
    """The finished value of the nest's source at this point of the parallel dims.

    ``number`` tells several reductions of one nest apart.
    """

    number: int = 0


@dataclass(frozen=True)
class Reduce:
    """``op`` is ``sum`` or ``max`` (NaN wins); ``value`` is evaluated at all dims.

    ``also``: further reductions over the same dims, made in the same walk.
    """

    op: str
    value: Expr
    also: tuple[Reduce, ...] = ()

    @property
    def parts(self) -> tuple[Reduce, ...]:
        """All reductions of the nest, in the order of their numbers."""
        return (self, *self.also)


@dataclass(frozen=True)
class Product:
    """The operands of a batch-reduce GEMM; dims of the nest are (*batch, m, n, *outer, k).

    With ``run``, k is cut into runs of so many steps, each a chain of its own, which are added
    along a binary tree: neighbours, then neighbouring sums, and so on. There is no outer then.
    """

    a: Access
    b: Access
    run: int = 0


@dataclass(frozen=True)
class Waiting:
    """Memory in which the accumulators of a product wait, between parts of the sum.

    A part is ``chunk`` steps of ``loop``, one of the reduced loops, with those outside of it at
    rest: few enough for all tiles to find the operands near. The first ``apart`` loops of the nest
    are outside of all parts: along them both operands move on. The chains are the same.
    """

    buffer: Buffer
    loop: int
    chunk: int
    apart: int


@dataclass(frozen=True)
class Store:
    """``buffer[offset] = value``, or ``+=`` in loop order with ``add``.

    Of elements stored twice the last one stays, so a nest that stores where an indirect index says,
    or adds, is sequential along every dim that the index depends on.
    """

    access: Access
    value: Expr
    add: bool = False


@dataclass(frozen=True, eq=False)
class Nest:
    """Loops with a body; see the head of this module.

    inner:  stores of a reduction at every point of all dims, before those at its end.
    vector: the dim whose neighbours share one vector (stride-1 in most accesses).
    split:  the parallel dim that threads share out in ranges [lo, hi); None: one thread does all.
            A range starts at a multiple of 16 when split == vector; for products at multiples of
            the tile.
    piece:  if not 0, a range is that long and starts at a multiple of it.
    """

    dims: tuple[int, ...]
    parallel: int
    stores: tuple[Store, ...]
    source: Reduce | Product | None = None
    vector: int = -1
    split: int | None = None
    name: str = ""
    waiting: Waiting | None = None
    inner: tuple[Store, ...] = ()
    piece: int = 0

    @property
    def inside(self) -> list[Expr]:
        """What is evaluated at all dims of a reduction."""
        parts = self.source.parts if isinstance(self.source, Reduce) else ()
        return [p.value for p in parts] + [s.value for s in self.inner]

    @cached_property
    def reads(self) -> tuple[Access, ...]:
        """Every access that loads, in first-use order (loads of indices included)."""
        accesses: dict[Access, None] = {}
        roots = self.inside
        if isinstance(self.source, Product):
            for access in (self.source.a, self.source.b):
                accesses[access] = None
                roots.extend(i.index for i in access.indirect)
        for store in self.stores:
            roots.append(store.value)
            roots.extend(i.index for i in store.access.indirect)
            if store.add:
                accesses[store.access] = None
        for expr in walk(roots):
            if isinstance(expr, Load):
                accesses[expr.access] = None
        return tuple(accesses)

    @cached_property
    def writes(self) -> tuple[Access, ...]:
        """Every access that stores."""
        own = tuple(s.access for s in (*self.inner, *self.stores))
        if self.waiting is None:
            return own
        return (*own, Access(self.waiting.buffer, Affine(0, (0,) * len(self.dims))))

    @cached_property
    def buffers(self) -> tuple[Buffer, ...]:
        """The distinct buffers in order of first use: reads, then stores."""
        return tuple(dict.fromkeys([a.buffer for a in (*self.reads, *self.writes)]))

    @cached_property
    def operations(self) -> int:
        """Operations on scalars at each point."""
        roots = [*(s.value for s in self.stores), *self.inside]
        return sum(isinstance(e, Apply) for e in walk(roots))


def children(expr: Expr) -> tuple[Expr, ...]:
    """The expressions that ``expr`` is made of."""
    if isinstance(expr, Apply):
        return expr.args
    if isinstance(expr, Load) and expr.access.indirect:
        return tuple(i.index for i in expr.access.indirect)
    return ()


def walk(roots: list[Expr]) -> list[Expr]:
    """All expressions below ``roots``, each object once, parts before wholes."""
    seen: set[int] = set()
    order: list[Expr] = []

    def visit(expr: Expr) -> None:
        seen.add(id(expr))
        for child in children(expr):
            if id(child) not in seen:
                visit(child)
        order.append(expr)

    for root in roots:
        if id(root) not in seen:
            visit(root)
    return order


@dataclass(frozen=True, eq=False)
class Chain:
    """Tasks that a thread runs one after the other, some pieces at a time.

    The split dims of all its nests fall into ``pieces`` equal ranges, which threads share out; all
    nests do ``block`` of them before the first goes on. ``local``: buffers that no other nest
    touches, with the elements of one piece; each turn of a thread uses them at the same place.
    """

    pieces: int
    block: int
    local: dict[Buffer, int]


@dataclass(frozen=True, eq=False)
class Loop:
    """The phases of a body, ``trips`` times, with a barrier after each trip.

    With ``pieces`` its nests are split into so many, and no piece needs another: each thread takes
    some of them through all trips, and nobody waits. Where the trips are ``shared``, none needs
    another: each thread does some of them, all that is inside, loops too. ``limit``: where it says
    how many trips are done, no more than ``trips``. ``reads`` and ``writes`` are the buffers
    outside of it, and its temporaries, as a whole.
    """

    trips: int
    phases: tuple[tuple[Task, ...], ...]
    reads: tuple[Access, ...]
    writes: tuple[Access, ...]
    pieces: int = 0
    shared: bool = False
    limit: Access | None = None
    name: str = "scan"
    #: threads share what is inside of it, not its trips
    split: None = None

    def trip(self, at: int, count: int) -> Trip:
        """Trip number ``at`` of ``count``."""
        return Trip(at, count - at if self.limit else at)

    @property
    def tasks(self) -> tuple[Task, ...]:
        """Those of all phases, in their order."""
        return tuple(task for phase in self.phases for task in phase)

    @cached_property
    def buffers(self) -> tuple[Buffer, ...]:
        """The distinct buffers outside of it, those it reads first."""
        return tuple(dict.fromkeys([a.buffer for a in (*self.reads, *self.writes)]))


@dataclass(frozen=True)
class Task:
    """A nest or a loop in a phase.

    ``owner``: which thread does it, modulo their number; None when they share it. Tasks of one
    ``chain`` stand side by side in their order.
    """

    nest: Nest | Loop
    owner: int | None = None
    chain: Chain | None = None


#: what runs one after the other, with a barrier between
Phases = tuple[tuple[Task, ...], ...]


def nests_of(phases: Iterable[Iterable[Task]]) -> Iterator[Nest]:
    """All nests, those inside of loops too, in their order."""
    for task in (task for phase in phases for task in phase):
        if isinstance(task.nest, Loop):
            yield from nests_of(task.nest.phases)
        else:
            yield task.nest


class Milestone(NamedTuple):
    """Once ``phase`` is over, the outputs in ``slots`` are complete, and nobody stores there."""

    phase: int
    slots: tuple[int, ...]


@dataclass(frozen=True)
class Program:
    """What one step does: phases, run one after the other with a barrier between.

    ``offsets`` places arena buffers in bytes, kept ones in the first ``kept_bytes``; ``slots``
    names the pointer table, in order: first ``inputs`` that the caller fills, then outputs.
    ``milestones``: when outputs that somebody waits for are complete, in the order of phases.
    """

    phases: tuple[tuple[Task, ...], ...]
    offsets: dict[Buffer, int] = field(default_factory=dict)
    arena_bytes: int = 0
    slots: tuple[str, ...] = ()
    kept_bytes: int = 0
    inputs: int = 0
    milestones: tuple[Milestone, ...] = ()
