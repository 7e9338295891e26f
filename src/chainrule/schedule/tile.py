"""The loops of a nest: which are dropped, merged, vectorised and shared out among threads.

Decisions that could change the order of a floating-point sum depend only on the shapes of the
graph, never on fusion, memory layout, threads or the processor.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from math import prod

from ..ir.types import DType
from .buffers import LANES, Buffer
from .nest import (
    Access,
    Affine,
    Apply,
    Expr,
    Index,
    Indirect,
    Load,
    Loop,
    Nest,
    Product,
    Reduce,
    Store,
    Waiting,
    walk,
)

#: bytes of operands that stay in the first or second cache while tiles pass over them
NEAR = (40 << 10, 256 << 10)
#: steps of a sum between which accumulators may go to memory and come back
LONG_ENOUGH = 96
#: steps of a sum beside which it does not count how the result is stored
LONG_SUM = 1024
#: below this many scalar operations a nest is done by one thread
SMALL = 16384


def tile(nest: Nest) -> Nest:
    """Simplify the loops of ``nest`` and choose its vector and split dims."""
    if isinstance(nest.source, Product):
        nest = _fold(nest)
        assert isinstance(nest.source, Product)
        nest = _fold(_exchange(nest, nest.source))
    else:
        nest = reorder_map(nest) if nest.source is None and not _scatters(nest) else nest
        nest = merge_loops(nest)
    vector = _vector_dim(nest)
    return replace(nest, vector=vector, split=_split_dim(nest, vector), waiting=_waiting(nest))


def _waiting(nest: Nest) -> Waiting | None:
    """Where accumulators wait, if the operands of the whole sum are too large to stay near.

    Each tile passes over both operands; images of a weight gradient come by the megabyte.
    """
    if not isinstance(nest.source, Product) or len(nest.dims) == nest.parallel + 1:
        return None
    operands = (nest.source.a, nest.source.b)
    moves = [all(x.offset.coeffs[d] for x in operands) for d in range(nest.parallel - 2)]
    apart = next((d for d, both in enumerate(moves) if not both), len(moves))
    part = next((p for near in NEAR if (p := _part(nest, operands, apart, near))), None)
    if part is None:
        return None
    *batch, m, n = nest.dims[: nest.parallel]
    size = prod(batch) * m * -(-n // LANES) * LANES
    return Waiting(Buffer(f"waiting_{nest.name}", DType.f32, size), *part, apart)


def _part(
    nest: Nest, operands: tuple[Access, ...], apart: int, near: int
) -> tuple[int, int] | None:
    """The outermost loop of the sum of which some steps fit into ``near`` bytes, and how many.

    None if all of it fits, if that is too few, or if parts share most of what they read.
    """
    still = set(range(apart))
    whole = 4 * sum(_span(nest, x, still) for x in operands)
    for loop in range(nest.parallel, len(nest.dims) - 1):
        still.add(loop)
        each = 4 * sum(_span(nest, x, still) for x in operands)
        step = 4 * sum(abs(x.offset.coeffs[loop]) for x in operands)
        chunk = min(1 + (near - each) // step, nest.dims[loop]) if step else 0
        if chunk > 0 and chunk * prod(nest.dims[loop + 1 :]) >= LONG_ENOUGH:
            parts = prod(nest.dims[nest.parallel : loop + 1]) / chunk
            apart_enough = parts * (each + (chunk - 1) * step) <= 2 * whole
            return (loop, chunk) if parts > 1 and apart_enough else None
    return None


def _span(nest: Nest, access: Access, still: set[int]) -> int:
    """Elements from the first to the last that is read while the loops ``still`` do not move."""
    moves = ((d, c) for d, c in enumerate(access.offset.coeffs) if d not in still)
    return 1 + sum(abs(c) * (nest.dims[d] - 1) for d, c in moves)


def traffic_of(nest: Nest | Loop) -> int:
    """Bytes of memory that one run touches, roughly."""
    if isinstance(nest, Loop):
        return nest.trips * sum(traffic_of(t.nest) for t in nest.tasks)
    return sum(b.nbytes for b in nest.buffers)


def work(nest: Nest | Loop) -> int:
    """Scalar operations of one run, roughly."""
    if isinstance(nest, Loop):
        return nest.trips * sum(work(t.nest) for t in nest.tasks)
    points = prod(nest.dims)
    if isinstance(nest.source, Product):
        return 2 * points
    return points * (1 + nest.operations)


def _scatters(nest: Nest) -> bool:
    return any(s.add or s.access.indirect for s in nest.stores)


def affines(nest: Nest) -> list[Affine]:
    """Every affine function of the nest."""
    functions: list[Affine] = []
    accesses = [*nest.reads, *nest.writes]
    functions.extend(a.offset for a in accesses)
    roots = [*(s.value for s in nest.stores), *nest.inside]
    roots += [i.index for a in accesses for i in a.indirect]
    functions.extend(e.affine for e in walk(roots) if isinstance(e, Index))
    return functions


def reorder_map(nest: Nest, first: int = 0) -> Nest:
    """Loops by falling stride of the first store, so that memory is written in order.

    Where most arrays are read in another order, loops follow these: turning one is less work.
    The ``first`` loops stay where they are.
    """
    if not nest.stores:
        return nest
    strides = nest.stores[0].access.offset.coeffs
    accesses = [a.offset.coeffs for a in (*nest.writes, *nest.reads) if a.buffer.size > 1]
    votes = {d: sum(c[d] == 1 for c in accesses) for d in range(len(nest.dims))}
    best = max(votes, key=lambda d: votes[d], default=0)
    if votes and votes[best] > 1 + sum(votes[d] for d, step in enumerate(strides) if step == 1):
        strides = next(c for c in accesses if c[best] == 1)
    order = sorted(range(first, len(nest.dims)), key=lambda d: -abs(strides[d]))
    return regroup(nest, [[d] for d in (*range(first), *order)], len(nest.dims))


def _exchange(nest: Nest, product: Product) -> Nest:
    """Rows for columns, where columns cannot fill a vector or lie apart in the result.

    (A B)' = B' A', element by element the same chain. Vectors run along the columns of the second
    operand, so the rows of A must lie side by side: they do in every weight gradient.
    """
    m, n = nest.parallel - 2, nest.parallel - 1
    if product.a.offset.coeffs[m] != 1 or product.a.indirect:
        return nest
    steps = [s.access.offset.coeffs for s in nest.stores]
    apart = all(c[n] != 1 for c in steps) and any(c[m] == 1 for c in steps)
    full = -(-nest.dims[m] // LANES) * LANES
    long = prod(nest.dims[nest.parallel :]) >= LONG_SUM
    if long and 2 * full >= 3 * nest.dims[m]:
        apart = False  # a third of the lanes would be idle for longer than stores take
    if not (nest.dims[n] < LANES <= nest.dims[m] or (apart and nest.dims[m] >= LANES)):
        return nest
    order = [*range(m), n, m, *range(nest.parallel, len(nest.dims))]
    turned = regroup(nest, [[d] for d in order], nest.parallel)
    assert isinstance(turned.source, Product)
    swapped = replace(turned.source, a=turned.source.b, b=turned.source.a)
    return replace(turned, source=swapped)


def _fold(nest: Nest) -> Nest:
    """Loops of a product that are one loop to every access become one.

    Batches of rows become more rows: a 1 x 1 convolution is a plain product. Taps of a kernel that
    lie beside their channels in both operands become a longer k; in a weight gradient more columns.
    """
    m, n, k = nest.parallel - 2, nest.parallel - 1, len(nest.dims) - 1
    long = [d for d in range(nest.parallel, k + 1) if nest.dims[d] != 1]
    needed = (m, n, long[-1] if long else k)
    kept = [d for d, extent in enumerate(nest.dims) if extent != 1 or d in needed]
    if len(kept) < len(nest.dims):
        parallel = sum(d < nest.parallel for d in kept)
        return _fold(regroup(nest, [[d] for d in kept], parallel))
    if nest.dims[m] == 1 and isinstance(nest.source, Product):
        still = [d for d in range(m) if not nest.source.b.offset.coeffs[d]]
        if still:  # a batch of single rows is as good as rows
            rows = max(still, key=lambda d: nest.dims[d])
            rest = [d for d in range(m) if d != rows]
            order = [*rest, rows, *range(n, len(nest.dims))]
            return _fold(regroup(nest, [[d] for d in order], nest.parallel - 1))
    pairs = [(d, t) for t in (m, n) for d in reversed(range(m))]
    pairs += [(d, d + 1) for d in range(nest.parallel, k)]
    functions = affines(nest)
    for outer, inner in pairs:
        if all(f.coeffs[outer] == f.coeffs[inner] * nest.dims[inner] for f in functions):
            groups = [[d] for d in range(len(nest.dims))]
            groups[inner].insert(0, outer)
            del groups[outer]
            return _fold(regroup(nest, groups, nest.parallel - (outer < nest.parallel)))
    return nest


def merge_loops(nest: Nest, apart: int | None = None) -> Nest:
    """Drop loops of extent 1 and merge neighbours that no access tells apart.

    The loop ``apart`` stays one of its own.
    """
    row = _is_row_reduction(nest)
    functions = affines(nest)
    groups: list[list[int]] = []
    for d in (d for d, extent in enumerate(nest.dims) if extent != 1):
        last = groups[-1][-1] if groups else None
        alone = apart is not None and apart in (d, last)
        if groups and not alone and _mergeable(nest, functions, groups[-1], d, row):
            groups[-1].append(d)
        else:
            groups.append([d])
    return regroup(nest, groups, sum(group[0] < nest.parallel for group in groups))


def _mergeable(nest: Nest, functions: list[Affine], group: list[int], d: int, row: bool) -> bool:
    last = group[-1]
    if (last < nest.parallel) != (d < nest.parallel):
        return False
    if row and d >= nest.parallel:
        return False  # lanes count along the innermost dim of the shape
    if _scatters(nest):
        return False
    return all(f.coeffs[last] == f.coeffs[d] * nest.dims[d] for f in functions)


def narrow_loops(nest: Nest) -> Nest:
    """``nest`` with one more loop, innermost, of one step: the others are not for vectors."""
    widened = map_nest(nest, lambda f: Affine(f.const, (*f.coeffs, 0)))
    return replace(widened, dims=(*nest.dims, 1), parallel=nest.parallel + 1)


def _is_row_reduction(nest: Nest) -> bool:
    """Whether lanes run along a reduced dim (lowering decides from the shape)."""
    return isinstance(nest.source, Reduce) and nest.vector >= nest.parallel


def _vector_dim(nest: Nest) -> int:
    if isinstance(nest.source, Product):
        return nest.parallel - 1
    return nest.vector if isinstance(nest.source, Reduce) else len(nest.dims) - 1


def _split_dim(nest: Nest, vector: int) -> int | None:
    if not nest.parallel or work(nest) < SMALL:
        return None
    candidates = list(range(nest.parallel))
    if _scatters(nest):
        moving = {
            d
            for s in nest.stores
            for i in s.access.indirect
            for d in range(nest.parallel)
            if _depends(i.index, d)
        }
        candidates = [d for d in candidates if d not in moving]
    if isinstance(nest.source, Product):
        return _split_product(nest)
    if not candidates:
        return None
    return max(candidates, key=lambda d: (nest.dims[d] // (LANES if d == vector else 1), -d))


def _split_product(nest: Nest) -> int:
    """Batches if there are many, otherwise the longer side of the result in tiles."""
    batches = nest.dims[: nest.parallel - 2]
    if batches and max(batches) >= 8:
        return max(range(len(batches)), key=lambda d: batches[d])
    m, n = nest.dims[nest.parallel - 2 : nest.parallel]
    return nest.parallel - (1 if shares_columns(m, n) else 2)


def shares_columns(m: int, n: int) -> bool:
    """Whether threads share out the columns of an m x n product, or its rows.

    Rows of a tall result are one piece of memory for each thread. Columns would let the processor,
    which fetches ahead along memory, take lines that the other thread is about to write: a weight
    update of 512 x 256 took a quarter longer.
    """
    return n // 64 >= m // 8 or n >= max(256, m + 1)


def _depends(expr: Expr, d: int) -> bool:
    for e in walk([expr]):
        if isinstance(e, Load) and e.access.offset.coeffs[d]:
            return True
        if isinstance(e, Index) and e.affine.coeffs[d]:
            return True
    return False


def regroup(nest: Nest, groups: list[list[int]], parallel: int) -> Nest:
    """The nest over new loops: each group of old loops (outer to inner) becomes one."""
    if groups == [[d] for d in range(len(nest.dims))]:
        return nest
    dims = [prod(nest.dims[d] for d in group) for group in groups]
    chosen = [group[-1] for group in groups]
    if not dims:
        dims, chosen, parallel = [1], [], 1

    def affine(old: Affine) -> Affine:
        return Affine(old.const, tuple(old.coeffs[d] for d in chosen) or (0,))

    rebuilt = map_nest(nest, affine)
    vector = next((i for i, g in enumerate(groups) if nest.vector in g), len(dims) - 1)
    return replace(rebuilt, dims=tuple(dims), parallel=parallel, vector=vector)


def map_nest(nest: Nest, affine: Callable[[Affine], Affine]) -> Nest:
    """``nest`` with every affine function replaced; expressions stay shared."""
    memo: dict[int, Expr] = {}

    def access(old: Access) -> Access:
        indirect = tuple(Indirect(expr(i.index), i.stride, i.extent) for i in old.indirect)
        return Access(old.buffer, affine(old.offset), indirect)

    def expr(old: Expr) -> Expr:
        if id(old) not in memo:
            memo[id(old)] = rebuild(old)
        return memo[id(old)]

    def rebuild(old: Expr) -> Expr:
        if isinstance(old, Load):
            return Load(old.dtype, access(old.access))
        if isinstance(old, Index):
            return Index(old.dtype, affine(old.affine))
        if isinstance(old, Apply):
            return Apply(old.dtype, old.op, tuple(expr(a) for a in old.args))
        return old

    def reduce(old: Reduce) -> Reduce:
        return Reduce(old.op, expr(old.value), tuple(reduce(r) for r in old.also))

    def store(old: Store) -> Store:
        return Store(access(old.access), expr(old.value), old.add)

    source = nest.source
    if isinstance(source, Reduce):
        source = reduce(source)
    elif isinstance(source, Product):
        source = replace(source, a=access(source.a), b=access(source.b))
    inner, stores = tuple(map(store, nest.inner)), tuple(map(store, nest.stores))
    return replace(nest, inner=inner, stores=stores, source=source)
