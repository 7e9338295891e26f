"""Which realized values a unit reads, and at which index.

The walk mirrors that of `inline.Builder`, which makes scalar expressions on the way; here only the
leaves are recorded.
"""

from __future__ import annotations

from collections.abc import Sequence
from collections.abc import Set as AbstractSet

from ..ir.graph import Node
from .index import Idx, axes_of, input_index, zero
from .nest import Affine
from .realize import MOVEMENT, has_memory

#: the index of a leaf that is read as flat memory, in an order no per-axis index describes
FLAT: Idx = (Affine(-1, ()),)
#: (leaf, index over the unit's axes); None: read inside a reduction, product or scatter
Reads = list[tuple[Node, Idx | None]]


def unit_reads(kind: str, value: Node, realized: AbstractSet[Node], *, own: bool = True) -> Reads:
    """The leaves that computing ``value`` reads, with indices over its own axes.

    ``own``: the unit is the one that computes ``value``; otherwise a realized value is itself read.
    """
    recorder = _Recorder(realized, value.ndim)
    if kind == "map":
        recorder.visit(value, axes_of(value.shape), root=own)
        return recorder.reads
    sources = value.inputs
    if kind == "scatter":
        sources = sources[1:]
    elif kind == "loop":  # the first values of what it carries are copied by others
        return [(leaf, FLAT) for leaf in _bases(sources[value.params["carries"] :], realized)]
    for source in sources:
        inner = _Recorder(realized, source.ndim)
        inner.visit(source, axes_of(source.shape))
        recorder.reads.extend((leaf, FLAT if idx is FLAT else None) for leaf, idx in inner.reads)
    return recorder.reads


def _bases(sources: Sequence[Node], realized: AbstractSet[Node]) -> list[Node]:
    """The arrays of which ``sources`` are views."""
    bases: dict[Node, None] = {}
    for node in sources:
        while not has_memory(node) and node not in realized:
            node = node.inputs[0]
        bases[node] = None
    return list(bases)


def walked_reads(node: Node, realized: AbstractSet[Node]) -> Reads:
    """The leaves below a reduction, with indices over the axes of what it reduces."""
    source = node.inputs[0]
    recorder = _Recorder(realized, source.ndim)
    recorder.visit(source, axes_of(source.shape))
    return recorder.reads


class _Recorder:
    """Walks from a node to the leaves below it."""

    def __init__(self, realized: AbstractSet[Node], count: int) -> None:
        self.realized = realized
        self.count = count
        self.reads: Reads = []
        self.seen: set[tuple[Node, Idx]] = set()

    def visit(self, node: Node, idx: Idx, *, root: bool = False) -> None:
        if (node, idx) in self.seen:
            return
        self.seen.add((node, idx))
        if has_memory(node) or (node in self.realized and not root):
            self.reads.append((node, idx))
        elif node.op in MOVEMENT:
            below = input_index(node, idx, self.count)
            if below is None:
                self.reads.append((node.inputs[0], FLAT))
            else:
                self.visit(node.inputs[0], below)
        elif node.op == "gather":
            axis = node.params["axis"]
            self.reads.append((node.inputs[0], None))
            self.visit(node.inputs[1], idx[axis : axis + node.inputs[1].ndim])
        elif node.op in ("rng_bits", "rng_words"):
            *index, key, count = node.inputs
            for source in index:
                self.visit(source, idx)
            for word in range(2):
                self.visit(key, (zero(self.count).shift(word),))
            self.visit(count, idx if count.ndim else ())
        else:
            for source in node.inputs[:1] if node.op == "detour" else node.inputs:
                self.visit(source, idx if source.ndim else ())
