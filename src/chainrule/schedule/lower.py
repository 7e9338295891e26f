"""From clusters to nests."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from ..errors import VerifyError
from ..ir.graph import Node
from ..ir.types import Shape
from .grouping import Cluster
from .index import Idx, dot_strides, loops, zero
from .inline import Builder
from .nest import (
    MOST_TAPS,
    Acc,
    Access,
    Affine,
    Expr,
    Indirect,
    Load,
    Nest,
    Product,
    Reduce,
    Store,
)
from .places import Place
from .tile import regroup
from .units import Plan, Unit


def lower_cluster(cluster: Cluster, plan: Plan, needed: set[Node]) -> Nest:
    """The nest of ``cluster``. ``needed`` are the values that other nests read from memory."""
    lower = {"map": _map, "reduce": _reduce, "product": _product, "scatter": _scatter}
    nest = lower[cluster.host.kind](cluster, plan, needed)
    _check_loads(nest, cluster, plan)
    return nest


def _check_loads(nest: Nest, cluster: Cluster, plan: Plan) -> None:
    """A nest never loads what it computes (see `fuse.py`): nobody may have stored it yet.

    The old value of a state is no result of the nest, and a scatter adds to what was there.
    """
    given = plan.around.lent
    computed = {p.buffer: u for u in cluster.units for p in u.places if p.buffer not in given}
    adding = {store.access for store in nest.stores if store.add}
    for access in nest.reads:
        if access.buffer in computed and access not in adding:
            node = computed[access.buffer].node
            raise VerifyError(f"a nest loads {node.op} {node.shape}, which it computes itself")


def _map(cluster: Cluster, plan: Plan, needed: set[Node]) -> Nest:
    shape = cluster.shape
    builder = Builder(plan.places, len(shape))
    stores = _stores(cluster.index, cluster, builder, plan, needed)
    return Nest(shape, len(shape), stores, name=cluster.host.node.op)


def _reduce(cluster: Cluster, plan: Plan, needed: set[Node]) -> Nest:
    """Inner units first: what is reduced may be made of them."""
    node = cluster.host.node
    source = node.inputs[0]
    axes = node.params["axes"]
    kept = [a for a in range(source.ndim) if a not in axes]
    order = [*kept, *sorted(axes)]
    builder = Builder(plan.places, len(order))
    position = {axis: loop for loop, axis in enumerate(order)}
    every = loops(len(order), [position[a] for a in range(source.ndim)])
    none = zero(len(order))
    idx = tuple(none if e == 1 else i for e, i in zip(source.shape, every, strict=True))
    inner = _stores(cluster.inner, cluster, builder, plan, needed)
    parts = []
    for unit in cluster.reductions:
        op = "sum" if unit.node.op == "reduce_sum" else "max"
        parts.append(Reduce(op, builder.build(unit.node.inputs[0], idx)))
    reduce = replace(parts[0], also=tuple(parts[1:]))
    stores = _stores(cluster.index, cluster, builder, plan, needed)
    dims = tuple(source.shape[a] for a in order)
    last = max((a for a in range(source.ndim) if source.shape[a] > 1), default=source.ndim - 1)
    vector = position[last]  # lanes run along the last axis of the reduced array
    return Nest(dims, len(kept), stores, reduce, vector, name=node.op, inner=inner)


def _product(cluster: Cluster, plan: Plan, needed: set[Node]) -> Nest:
    """The loops of the result's axes, then the reduced ones; then m and n moved to the end."""
    node = cluster.host.node
    read = {"dot": _dot, "dot_tree": _dot, "conv": _conv, "conv_wgrad": _wgrad}[node.op](node)
    builder = Builder(plan.places, node.ndim + len(read.reduced))
    left = _operand(builder.build(*read.left))
    right = _operand(builder.build(*read.right))
    stores = _stores(cluster.index, cluster, builder, plan, needed)
    dims = (*node.shape, *read.reduced)
    run = dims[-1] // node.params["runs"] if node.op == "dot_tree" else 0
    source = Product(left, right, run)
    nest = Nest(dims, node.ndim, stores, source, node.ndim - 1, name=node.op)
    first = [d for d in range(node.ndim) if d not in (read.m, node.ndim - 1)]
    order = [*first, read.m, *range(node.ndim - 1, len(dims))]
    return regroup(nest, [[d] for d in order], node.ndim)


@dataclass(frozen=True)
class _Read:
    """What a product reads at each point: operands with their indices. ``m`` is an axis of the
    result; n is its last one."""

    left: tuple[Node, Idx]
    right: tuple[Node, Idx]
    m: int
    reduced: Shape


def _dot(node: Node) -> _Read:
    a, b = node.inputs
    m, n, k = node.ndim - 2, node.ndim - 1, node.ndim
    batch = list(range(m))
    left = a, loops(node.ndim + 1, [*batch, m, k])
    right = b, loops(node.ndim + 1, [*batch, k, n])
    return _Read(left, right, m, a.shape[-1:])


def _conv(node: Node) -> _Read:
    """y [N, *P, G, O]; reduced are the kernel's axes and C.

    The last two change places where a step along the kernel is one from place to place: neighbours
    then read the same elements of x, one after the other.
    """
    x, w = node.inputs
    count = node.ndim - 3
    at = loops(node.ndim + count + 1)
    n, places, (g, o) = at[0], at[1 : 1 + count], at[1 + count : 3 + count]
    taps, c = at[node.ndim : -1], at[-1]
    reduced = [*w.shape[:count], w.shape[-2]]
    shared = node.params["strides"][-1] == node.params["dilation"][-1] and node.shape[count] > 1
    if shared and reduced[-2] <= MOST_TAPS:
        taps, c = (*taps[:-1], c), taps[-1]
        reduced[-2:] = reversed(reduced[-2:])
    left = x, (n, *_slid(node, places, taps), g, c)
    right = w, (*taps, g, c, o)
    return _Read(left, right, count, tuple(reduced))


def _wgrad(node: Node) -> _Read:
    """dw [G, O, *K, C]; reduced are N and the places of dy."""
    x, dy = node.inputs
    count = node.ndim - 3
    at = loops(node.ndim + 1 + count)
    g, o, taps, c = at[0], at[1], at[2 : 2 + count], at[2 + count]
    n, places = at[node.ndim], at[node.ndim + 1 :]
    left = dy, (n, *places, g, o)
    right = x, (n, *_slid(node, places, taps), g, c)
    return _Read(left, right, 1, dy.shape[: 1 + count])


def _slid(node: Node, places: Idx, taps: Idx) -> Idx:
    """Where the kernel's elements ``taps`` lie when it stands at ``places``."""
    steps = zip(places, node.params["strides"], taps, node.params["dilation"], strict=True)
    return tuple(p * s + k * d for p, s, k, d in steps)


def _operand(expr: Expr) -> Access:
    if not isinstance(expr, Load):
        raise AssertionError("the operand of a product has no memory")
    return expr.access


def _scatter(cluster: Cluster, plan: Plan, needed: set[Node]) -> Nest:
    """x[.., indices[j], ..] = updates[.., j, ..], or +=, in the order of j."""
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
        access = Access(place.buffer, offset, indirect)
        stores.append(Store(access, value, add=node.op == "scatter_add"))
    dims = tuple(updates.shape[a] for a in order)
    return Nest(dims, len(dims), tuple(stores), name=node.op)


def _stores(
    index: Mapping[Unit, Idx], cluster: Cluster, builder: Builder, plan: Plan, needed: set[Node]
) -> tuple[Store, ...]:
    """Build the value of every unit of ``index`` and store what leaves the nest."""
    stores: list[Store] = []
    for unit in cluster.units:
        if unit not in index:
            continue
        idx = _widen(index[unit], builder.count)
        mine = unit in plan.writers.get(unit.node, ())  # else it copies what others made
        if unit.kind == "reduce":
            value: Expr = Acc(unit.node.dtype, cluster.reductions.index(unit))
        elif unit.kind == "product":
            value = Acc(unit.node.dtype)
        elif unit.value is unit.node and mine:
            value = builder.compute(unit.value, idx)
        else:
            value = builder.build(unit.value, idx)
        if unit.whole and mine:
            builder.members[unit.node] = (idx, value)
        for place in unit.places:
            if place.buffer.is_temporary and unit.node not in needed:
                continue
            stores.append(Store(_target(unit, place, idx, builder.count), value))
    return tuple(stores)


def _target(unit: Unit, place: Place, idx: Idx, count: int) -> Access:
    inside = tuple(
        (part * step).shift(start)
        for part, step, start in zip(idx, unit.step, unit.start, strict=True)
    )
    return Access(place.buffer, place.at(inside, count))


def _widen(idx: Idx, count: int) -> Idx:
    """The same index in a space with more (reduced) loops."""
    return tuple(Affine(p.const, p.coeffs + (0,) * (count - len(p.coeffs))) for p in idx)
