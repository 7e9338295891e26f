"""Where values lie before any nest is made: inputs, outputs, constants."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property

from ..ir.graph import Graph, Node
from ..ir.types import DType, row_major
from .buffers import LANES, Buffer
from .index import Idx, dot_strides, input_index, loops
from .layout import InputLayout
from .nest import Affine


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
class Surroundings:
    """Memory that is there before a graph is scheduled.

    ``places``: of its inputs; ``given``: their buffers; ``targets``: values that must end up
    somewhere, and where. ``depth``: loops around the graph. ``private``: the depth and the trips of
    a loop around it whose trips threads share out, so that each has temporaries of its own.
    """

    places: Mapping[Node, Place]
    given: tuple[Buffer, ...]
    targets: tuple[tuple[Node, Place], ...]
    depth: int = 0
    private: tuple[int, int] | None = None

    @cached_property
    def lent(self) -> frozenset[Buffer]:
        """The given buffers."""
        return frozenset(self.given)

    def temporary(self, name: str, dtype: DType, size: int, kept: int = 0) -> Buffer:
        """Memory for a value in between."""
        if self.private is None:
            return Buffer(name, dtype, size, kept=kept)
        depth, trips = self.private
        room = -(-size // per_line(dtype)) * per_line(dtype)
        whole = Buffer(name, dtype, room * trips)
        return replace(window_of(whole, name, size, 0, room, 0, depth), private=True)


def per_line(dtype: DType) -> int:
    """Elements of 64 bytes, or of a vector."""
    return LANES if dtype.itemsize == 4 else 64 // dtype.itemsize


def window_of(
    base: Buffer, name: str, size: int, start: int, stride: int, period: int, depth: int
) -> Buffer:
    """A part of ``base`` that moves with the trips of the loop at ``depth``."""
    whole = per_line(base.dtype)
    aligned = base.aligned and start % whole == 0 and stride % whole == 0
    return Buffer(
        name,
        base.dtype,
        size,
        "window",
        aligned=aligned and base.kind != "external",
        base=base,
        start=start,
        stride=stride,
        period=period,
        depth=depth,
    )


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
    """Where the elements of ``node`` lie, which is a view of a value that has a place.

    What a reshape merges lies in row-major order, so that it is read as it lies.
    """
    count, idx, base = node.ndim, loops(node.ndim), node
    home = places.get(base)
    while home is None:
        below = input_index(base, idx, count)
        if below is None:
            home = _as_it_lies(base, view_place(base.inputs[0], places))
        else:
            idx, base = below, base.inputs[0]
            home = places.get(base)
    offset = home.at(idx, count)
    return Place(home.buffer, offset.coeffs, offset.const)


def _as_it_lies(reshaped: Node, place: Place) -> Place:
    source = reshaped.inputs[0]
    wide = [i for i, extent in enumerate(source.shape) if extent != 1]
    dense = row_major(source.shape)
    if reshaped.op != "reshape" or any(place.strides[i] != dense[i] for i in wide):
        raise AssertionError(f"{reshaped!r} is no view of a value in memory")
    return Place(place.buffer, row_major(reshaped.shape), place.start)
