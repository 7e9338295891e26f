"""Where values lie before any nest is made: inputs, outputs, constants."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ..ir.graph import Graph, Node
from ..ir.types import row_major
from .index import Idx, dot_strides, input_index, loops
from .nest import Affine, Buffer


@dataclass(frozen=True, eq=False)
class Place:
    """Where a value lies: ``buffer[start + sum(index * strides)]``."""

    buffer: Buffer
    strides: tuple[int, ...]
    start: int = 0

    def at(self, idx: Idx, count: int) -> Affine:
        """The offset of the element at ``idx`` over ``count`` loops."""
        return dot_strides(idx, self.strides, count).shift(self.start)


@dataclass(frozen=True)
class InputLayout:
    """How the graph's inputs and outputs lie in the caller's memory.

    ``stepped``: positions of inputs of which each step takes the next row; ``unaligned``: positions
    of inputs that need not start at a multiple of 64 bytes.
    """

    stepped: frozenset[int] = frozenset()
    unaligned: frozenset[int] = frozenset()

    def step_stride(self, position: int, node: Node) -> int:
        """Elements from one step's value of an input to the next; 0 if all steps share it."""
        moves = node.params["kind"] == "scalar" or position in self.stepped
        return node.size if moves else 0

    def is_aligned(self, position: int, node: Node) -> bool:
        """Whether code may rely on an input to start at a multiple of 64 bytes in every step."""
        return position not in self.unaligned and not self.step_stride(position, node)


@dataclass(frozen=True)
class Surroundings:
    """Memory that is there before a graph is scheduled.

    ``places``: of its inputs; ``given``: their buffers; ``targets``: values that must end up
    somewhere, and where. ``depth``: loops around the graph.
    """

    places: Mapping[Node, Place]
    given: tuple[Buffer, ...]
    targets: tuple[tuple[Node, Place], ...]
    depth: int = 0


def of_step(graph: Graph, layout: InputLayout) -> Surroundings:
    """A slot for each input and each output of a step."""
    places: dict[Node, Place] = {}
    given: list[Buffer] = []
    for i, node in enumerate(graph.inputs):
        stride, aligned = layout.step_stride(i, node), layout.is_aligned(i, node)
        buffer = Buffer(f"in{i}", node.dtype, node.size, "external", i, stride, aligned)
        given.append(buffer)
        places[node] = Place(buffer, node.params["strides"])
    targets = []
    for i, node in enumerate(graph.outputs):
        slot = len(given) + i
        buffer = Buffer(f"out{i}", node.dtype, node.size, "external", slot, node.size, False)
        targets.append((node, Place(buffer, row_major(node.shape))))
    return Surroundings(places, tuple(given), tuple(targets))


def constants(graph: Graph) -> dict[Node, Place]:
    """A place for each constant array."""
    arrays = [n for n in graph.nodes() if n.op == "const" and n.size > 1]
    buffers = [
        Buffer(f"c{i}", n.dtype, n.size, "const", data=n.params["value"])
        for i, n in enumerate(arrays)
    ]
    return {n: Place(b, row_major(n.shape)) for n, b in zip(arrays, buffers, strict=True)}


def view_place(node: Node, places: Mapping[Node, Place]) -> Place:
    """Where the elements of ``node`` lie, which is a view of a value that has a place."""
    count, idx, base = node.ndim, loops(node.ndim), node
    while base not in places:
        below = input_index(base, idx, count)
        if below is None:
            raise AssertionError(f"{node!r} is no view of a value in memory")
        idx, base = below, base.inputs[0]
    offset = places[base].at(idx, count)
    return Place(places[base].buffer, offset.coeffs, offset.const)
