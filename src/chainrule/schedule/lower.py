"""From clusters to nests."""

from __future__ import annotations

from ..ir.graph import Node
from .fuse import Cluster
from .index import Idx, dot_strides, loops
from .inline import Builder
from .nest import Acc, Access, Affine, Expr, Indirect, Load, Nest, Product, Reduce, Store
from .units import Place, Plan, Unit


def lower_cluster(cluster: Cluster, plan: Plan, needed: set[Node]) -> Nest:
    """The nest of ``cluster``. ``needed`` are the values that other nests read from memory."""
    lower = {"map": _map, "reduce": _reduce, "product": _product, "scatter": _scatter}
    return lower[cluster.host.kind](cluster, plan, needed)


def _map(cluster: Cluster, plan: Plan, needed: set[Node]) -> Nest:
    shape = cluster.shape
    builder = Builder(plan.places, len(shape))
    stores = _stores(cluster, builder, plan, needed)
    return Nest(shape, len(shape), stores, name=cluster.host.node.op)


def _reduce(cluster: Cluster, plan: Plan, needed: set[Node]) -> Nest:
    node = cluster.host.node
    source = node.inputs[0]
    axes = node.params["axes"]
    kept = [a for a in range(source.ndim) if a not in axes]
    order = [*kept, *sorted(axes)]
    builder = Builder(plan.places, len(order))
    position = {axis: loop for loop, axis in enumerate(order)}
    idx = loops(len(order), [position[a] for a in range(source.ndim)])
    value = builder.build(source, idx)
    op = "sum" if node.op == "reduce_sum" else "max"
    stores = _stores(cluster, builder, plan, needed)
    dims = tuple(source.shape[a] for a in order)
    last = max((a for a in range(source.ndim) if source.shape[a] > 1), default=source.ndim - 1)
    vector = position[last]  # lanes run along the last axis of the reduced array
    return Nest(dims, len(kept), stores, Reduce(op, value), vector, name=node.op)


def _product(cluster: Cluster, plan: Plan, needed: set[Node]) -> Nest:
    node = cluster.host.node
    a, b = node.inputs
    count = node.ndim + 1
    batch = list(range(node.ndim - 2))
    m, n, k = node.ndim - 2, node.ndim - 1, node.ndim
    builder = Builder(plan.places, count)
    left = _operand(builder.build(a, loops(count, [*batch, m, k])))
    right = _operand(builder.build(b, loops(count, [*batch, k, n])))
    stores = _stores(cluster, builder, plan, needed)
    dims = (*node.shape, a.shape[-1])
    return Nest(dims, node.ndim, stores, Product(left, right), vector=n, name="dot")


def _operand(expr: Expr) -> Access:
    if not isinstance(expr, Load):
        raise AssertionError("the operand of a product has no memory")
    return expr.access


def _scatter(cluster: Cluster, plan: Plan, needed: set[Node]) -> Nest:
    """x[.., indices[j], ..] += updates[.., j, ..], in the order of j."""
    node = cluster.host.node
    _, indices, updates = node.inputs
    axis = node.params["axis"]
    rows = list(range(axis, axis + indices.ndim))
    others = [a for a in range(updates.ndim) if a not in rows]
    order = [*rows, *others]
    position = {a: loop for loop, a in enumerate(order)}
    count = len(order)
    builder = Builder(plan.places, count)
    idx = loops(count, [position[a] for a in range(updates.ndim)])
    value = builder.build(updates, idx)
    row = builder.build(indices, loops(count, [position[a] for a in rows]))
    stores = []
    for place in cluster.host.places:
        extent = node.shape[axis]
        outer = tuple(idx[a] for a in others)
        strides = place.strides[:axis] + place.strides[axis + 1 :]
        offset = dot_strides(outer, strides, count)
        indirect = (Indirect(row, place.strides[axis], extent),)
        stores.append(Store(Access(place.buffer, offset, indirect), value, add=True))
    dims = tuple(updates.shape[a] for a in order)
    return Nest(dims, len(dims), tuple(stores), name="scatter_add")


def _stores(cluster: Cluster, builder: Builder, plan: Plan, needed: set[Node]) -> tuple[Store, ...]:
    """Build every unit's value and store what leaves the nest."""
    stores: list[Store] = []
    for unit in cluster.units:
        idx = _widen(cluster.index[unit], builder.count)
        mine = unit in plan.writers.get(unit.node, ())  # else it copies what others made
        if unit is cluster.host and unit.kind != "map":
            value: Expr = Acc(unit.node.dtype)
        elif unit.value is unit.node and mine:
            value = builder.compute(unit.value, idx)
        else:
            value = builder.build(unit.value, idx)
        if unit.whole and mine:
            builder.members[unit.node] = (idx, value)
        for place in unit.places:
            if place.buffer.kind == "arena" and unit.node not in needed:
                continue
            stores.append(Store(_target(unit, place, idx, builder.count), value))
    return tuple(stores)


def _target(unit: Unit, place: Place, idx: Idx, count: int) -> Access:
    inside = tuple(
        (part * step).shift(start)
        for part, step, start in zip(idx, unit.step, unit.start, strict=True)
    )
    return Access(place.buffer, dot_strides(inside, place.strides, count))


def _widen(idx: Idx, count: int) -> Idx:
    """The same index in a space with more (reduced) loops."""
    return tuple(Affine(p.const, p.coeffs + (0,) * (count - len(p.coeffs))) for p in idx)
