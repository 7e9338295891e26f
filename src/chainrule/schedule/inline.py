"""Scalar expressions: a node at an index becomes loads and arithmetic."""

from __future__ import annotations

from collections.abc import Mapping

from ..ir.graph import Node
from ..ir.types import DType, row_major
from .index import Idx, dot_strides, input_index, zero
from .nest import Access, Apply, Const, Expr, Index, Indirect, Load
from .places import Place
from .realize import MOVEMENT


class Builder:
    """Builds expressions over ``count`` loops.

    ``places`` says where realized values lie. ``members`` holds values that the nest under
    construction has at hand, with the index at which it has them: they are used without a load.
    """

    def __init__(self, places: Mapping[Node, Place], count: int) -> None:
        self.places = places
        self.count = count
        self.members: dict[Node, tuple[Idx, Expr]] = {}
        self._memo: dict[tuple[Node, Idx], Expr] = {}

    def build(self, node: Node, idx: Idx) -> Expr:
        """The value of ``node`` at ``idx``."""
        member = self.members.get(node)
        if member is not None and member[0] == idx:
            return member[1]
        key = (node, idx)
        if key not in self._memo:
            place = self.places.get(node)
            self._memo[key] = self.compute(node, idx) if place is None else self.load(place, idx)
        return self._memo[key]

    def load(self, place: Place, idx: Idx) -> Load:
        """The element at ``idx`` of a realized value."""
        offset = place.at(idx, self.count)
        return Load(place.buffer.dtype, Access(place.buffer, offset))

    def compute(self, node: Node, idx: Idx) -> Expr:
        """The value of ``node`` from its inputs, even if it is realized elsewhere."""
        if node.op in MOVEMENT:
            return self._movement(node, idx)
        if node.op == "gather":
            return self._gather(node, idx)
        if node.op in ("rng_bits", "rng_words"):
            return self._random(node, idx)
        if node.op == "const":
            return Const(node.dtype, node.params["value"].reshape(()).item())
        if node.op == "iota":
            return Index(DType.i32, idx[node.params["axis"]])
        if node.op in ("fence", "detour"):
            return self.build(node.inputs[0], idx)
        args = tuple(self.build(i, idx if i.ndim else ()) for i in node.inputs)
        return Apply(node.dtype, node.op, args)

    def _movement(self, node: Node, idx: Idx) -> Expr:
        source = node.inputs[0]
        below = input_index(node, idx, self.count)
        if below is not None:
            return self.build(source, below)
        place = self.places[source]  # which is in row-major order
        offset = dot_strides(idx, row_major(node.shape), self.count).shift(place.start)
        return Load(source.dtype, Access(place.buffer, offset))

    def _gather(self, node: Node, idx: Idx) -> Expr:
        source, indices = node.inputs
        axis = node.params["axis"]
        place = self.places[source]
        rest = (*idx[:axis], zero(self.count), *idx[axis + indices.ndim :])
        chosen = self.build(indices, idx[axis : axis + indices.ndim])
        indirect = Indirect(chosen, place.strides[axis], source.shape[axis])
        offset = place.at(rest, self.count)
        return Load(node.dtype, Access(place.buffer, offset, (indirect,)))

    def _random(self, node: Node, idx: Idx) -> Expr:
        *index, key, count = node.inputs
        words = tuple(self.build(key, (zero(self.count).shift(w),)) for w in range(2))
        element: Expr
        if index:
            element = self.build(index[0], idx)
        else:
            element = Index(DType.u32, dot_strides(idx, row_major(node.shape), self.count))
        number = self.build(count, idx if count.ndim else ())
        return Apply(DType.u32, "rng_bits", (*words, element, number))
