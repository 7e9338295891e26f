"""Nests that are alike: their kernels are the same text, so that one is written for all of them.

A deep network repeats its layers. What a kernel depends on is said as nested tuples, in which
buffers and expressions are numbers in order of first use.
"""

from __future__ import annotations

from collections.abc import Hashable

from ..schedule.nest import (
    Acc,
    Access,
    Apply,
    Const,
    Expr,
    Index,
    Load,
    Nest,
    Product,
    Reduce,
    Store,
    walk,
)


def structural_key(nest: Nest) -> Hashable:
    """Equal for two nests if only their buffers' names, places and contents differ."""
    return _Numbering(nest).key()


class _Numbering:
    """The numbers that a nest's buffers and expressions have got."""

    def __init__(self, nest: Nest):
        self.nest = nest
        self.buffers = {buffer: number for number, buffer in enumerate(nest.buffers)}
        self.numbers: dict[int, int] = {}

    def key(self) -> Hashable:
        n = self.nest
        accesses = (*n.reads, *n.writes)
        roots = [*n.inside, *(s.value for s in n.stores)]
        roots += [i.index for a in accesses for i in a.indirect]
        expressions = [self._expression(e) for e in walk(roots)]
        waiting = n.waiting and (n.waiting.loop, n.waiting.chunk, n.waiting.apart)
        stores = [tuple(map(self._store, some)) for some in (n.inner, n.stores)]
        memory = [(b.dtype, b.size, b.kind, b.step_stride, b.aligned) for b in self.buffers]
        loops = n.dims, n.parallel, n.vector, n.split, n.piece, waiting
        return loops, tuple(memory), tuple(expressions), self._source(), *stores

    def _expression(self, e: Expr) -> Hashable:
        self.numbers[id(e)] = len(self.numbers)
        match e:
            case Apply():
                own: Hashable = e.op, tuple(self.numbers[id(a)] for a in e.args)
            case Load():
                own = self._access(e.access)
            case Const():
                own = repr(e.value)  # 0.0 and -0.0 are equal, and so are 1 and True
            case Index():
                own = e.affine
            case Acc():
                own = e.number
            case _:
                raise AssertionError(f"{type(e).__name__} is no expression of a nest")
        return type(e), e.dtype, own

    def _access(self, access: Access) -> Hashable:
        added = tuple((self.numbers[id(i.index)], i.stride, i.extent) for i in access.indirect)
        return self.buffers[access.buffer], access.offset, added

    def _store(self, store: Store) -> Hashable:
        return self._access(store.access), self.numbers[id(store.value)], store.add

    def _source(self) -> Hashable:
        source = self.nest.source
        if isinstance(source, Product):
            return self._access(source.a), self._access(source.b), source.run
        parts = source.parts if isinstance(source, Reduce) else ()
        return tuple((part.op, self.numbers[id(part.value)]) for part in parts)
