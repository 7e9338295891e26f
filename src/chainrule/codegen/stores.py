"""Stores of a nest, after all values of the point are known."""

from __future__ import annotations

from contextlib import ExitStack

from ..ir.types import DType
from ..schedule.nest import Access, Store
from .elementwise import MEMORY
from .expression import Expressions, load_lanes, store_lanes
from .placement import Point
from .values import Value, lane_mask


def memory_form(e: Expressions, store: Store, point: Point) -> Value:
    """The value of ``store`` as memory holds it: a vector if the address varies along the lanes."""
    wide = spread(e, store, point) or (store.add and e.lanes(point))
    value = e.vector(store.value, point) if wide else e.value(store.value, point)
    if store.access.buffer.dtype is DType.bool:
        return e.b.convert("zext", value, "i8")
    return value


def spread(e: Expressions, store: Store, point: Point) -> bool:
    """Whether lanes of ``point`` store to different addresses."""
    return bool(e.lanes(point)) and e.vector_dim in e.access_dims(store.access)


def emit_store(e: Expressions, store: Store, value: Value, point: Point) -> None:
    """Store ``value`` (of `memory_form`) at ``point``; out of range nothing is stored."""
    access = store.access
    fixed = [i for i in access.indirect if not e.varies(i, point)]
    with ExitStack() as guards:
        for indirect in fixed:
            guards.enter_context(e.b.when(e.inside(indirect, point)))
        if store.add and value.is_vector and not _distinct(e, access, point):
            _add_each(e, store, value, point)
        elif spread(e, store, point):
            _store_lanes(e, store, value, point)
        else:
            _store_one(e, store, value, point)


def _distinct(e: Expressions, access: Access, point: Point) -> bool:
    """Whether no two lanes of ``point`` can have the same address."""
    return bool(e.stride(access, point))


def _store_one(e: Expressions, store: Store, value: Value, point: Point) -> None:
    """All lanes have one address; the last one stays."""
    b, size = e.b, store.access.buffer.dtype.itemsize
    pointer = e.address(store.access, point)
    if value.is_vector:
        value = b.extract(value, e.lanes(point) - 1)
    if store.add:
        value = b.add(b.load(value.type, pointer, size), value)
    b.store(value, pointer, size)


def _store_lanes(e: Expressions, store: Store, value: Value, point: Point) -> None:
    b, access, lanes = e.b, store.access, e.lanes(point)
    scalar, size = MEMORY[access.buffer.dtype], access.buffer.dtype.itemsize
    if e.stride(access, point) == 1:
        pointer, align = e.address(access, point), e.alignment(access, point)
        if store.add:
            value = b.add(load_lanes(b, scalar, pointer, lanes, align), value)
        store_lanes(b, value, pointer, lanes, align)
        return
    mask = lane_mask(lanes)
    for indirect in access.indirect:
        if e.varies(indirect, point):
            mask = b.bits("and", mask, e.inside(indirect, point))
    addresses = e.lane_addresses(access, point)
    if store.add:
        value = b.add(b.gather(scalar, addresses, mask, size), value)
    b.scatter(value, addresses, mask, size)


def _add_each(e: Expressions, store: Store, value: Value, point: Point) -> None:
    """Lanes may meet at one address: add one after the other."""
    b, access = e.b, store.access
    scalar, size = MEMORY[access.buffer.dtype], access.buffer.dtype.itemsize
    along = spread(e, store, point)
    addresses = e.lane_addresses(access, point) if along else e.address(access, point)
    checks = [e.inside(i, point) for i in access.indirect if e.varies(i, point)]
    with b.loop(0, e.lanes(point)) as lane, ExitStack() as guards:
        for check in checks:
            guards.enter_context(b.when(b.extract(check, lane)))
        pointer = b.extract(addresses, lane) if along else addresses
        total = b.add(b.load(scalar, pointer, size), b.extract(value, lane))
        b.store(total, pointer, size)
