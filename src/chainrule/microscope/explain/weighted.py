"""Layers whose outputs are weighted sums: which products belong to an output, an input, a weight.

    forward      y[place]      = sum of w · x over the place's edges, + bias
    sent back    dL/dx[index]  = sum of w · dL/dy over the places that read it
    weight       dL/dw[index]  = sum of dL/dy · x over the places that use it

The numbers are the engine's; here is only known which of them meet.
"""

from __future__ import annotations

import itertools
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from ... import nn
from ...frontend.functional.convolution import paddings
from ..shown import Grid, MisfitError, Part, Sum, Term, sum_of
from ..walk import Seen

__all__ = ["Edge", "Weighted", "weighted_of"]

Index = tuple[int, ...]


@dataclass(frozen=True)
class Edge:
    """An input and an output that a weight connects."""

    place: Index
    source: Index
    weight: Index


class Weighted(ABC):
    """What a weighted layer knows of one of its calls."""

    def __init__(self, seen: Seen) -> None:
        self.seen, self.layer = seen, seen.layer
        if "weight" not in seen.parameters:
            raise MisfitError("the weight is computed")
        self.x, self.y = seen.given.array, seen.result.array

    @abstractmethod
    def into(self, place: Index) -> Iterator[Edge]:
        """The edges that end at an output."""

    @abstractmethod
    def out_of(self, source: Index) -> Iterator[Edge]:
        """The edges that begin at an input."""

    @abstractmethod
    def along(self, weight: Index) -> Iterator[Edge]:
        """The edges that a weight belongs to."""

    @abstractmethod
    def unit(self, place: Index) -> int:
        """The unit of an output, which its bias belongs to."""

    def forward(self, place: Index) -> Sum:
        """The weighted sum of an output."""
        w = self.seen.parameters["weight"].before
        terms = [
            Term(self.label(e.source), (float(self.x[e.source]), float(w[e.weight])),
                 float(self.x[e.source]) * float(w[e.weight]))
            for e in self.into(place)
        ]  # fmt: skip
        bias = self.seen.parameters.get("bias")
        if bias is not None:
            value = float(bias.before[self.unit(place)])
            terms.append(Term("bias", (value,), value))
        return sum_of("Weighted sum", "z = Σ w·a + b", ("input", "a", "w", "w·a"), terms,
                      float(self.y[place]))  # fmt: skip

    def sent_back(self, source: Index) -> list[Term]:
        """The terms of dL/dx that come through this call."""
        w, g = self.seen.parameters["weight"].before, self._arrived()
        return [
            Term(f"{self.seen.name}{list(e.place[1:])}", (float(w[e.weight]), float(g[e.place])),
                 float(w[e.weight]) * float(g[e.place]))
            for e in self.out_of(source)
        ]  # fmt: skip

    def gradient(self, name: str, index: Index) -> list[Term]:
        """The terms of dL/d(weight or bias)."""
        g = self._arrived()
        if name == "bias":
            places = np.argwhere(self._units() == index[0])
            return [Term(f"at {list(map(int, p))}", (float(g[tuple(p)]),), float(g[tuple(p)]))
                    for p in places]  # fmt: skip
        return [
            Term(f"at {list(e.place)}", (float(g[e.place]), float(self.x[e.source])),
                 float(g[e.place]) * float(self.x[e.source]))
            for e in self.along(index)
        ]  # fmt: skip

    def _units(self) -> Any:
        """The unit of each output."""
        shape = [1] * self.y.ndim
        shape[self.axis] = -1
        units = np.arange(self.y.shape[self.axis]).reshape(shape)
        return np.broadcast_to(units, self.y.shape)

    axis = -1

    def _arrived(self) -> Any:
        grad = self.seen.result.grad
        if grad is None:
            raise MisfitError("no gradient arrives")
        return grad

    def label(self, source: Index) -> str:
        """What an input is called: by its name, or its index without the row."""
        return self.seen.given.name(source, f"a{list(source[1:] or source)}")

    def pictures(self, place: Index) -> list[Part]:
        """What helps to see where the inputs lie."""
        return []


class LinearSum(Weighted):
    """Of `nn.Linear`."""

    def into(self, place: Index) -> Iterator[Edge]:
        *lead, j = place
        return (Edge(place, (*lead, i), (j, i)) for i in range(self.x.shape[-1]))

    def out_of(self, source: Index) -> Iterator[Edge]:
        *lead, i = source
        return (Edge((*lead, j), source, (j, i)) for j in range(self.y.shape[-1]))

    def along(self, weight: Index) -> Iterator[Edge]:
        j, i = weight
        leads = itertools.product(*map(range, self.x.shape[:-1]))
        return (Edge((*lead, j), (*lead, i), weight) for lead in leads)

    def unit(self, place: Index) -> int:
        return place[-1]


class ConvSum(Weighted):
    """Of convolutions: each output sees a window, and all share the weights."""

    def __init__(self, seen: Seen) -> None:
        super().__init__(seen)
        layer, self.axes = self.layer, self.layer.axes
        self.axis = self.y.ndim - self.axes - 1
        spans = tuple(
            d * (k - 1) + 1 for d, k in zip(layer.dilation, layer.kernel_size, strict=True)
        )
        self.before = paddings(layer.padding, spans, layer.stride)[0]
        self.per_group = layer.in_channels // layer.groups
        self.group_size = layer.out_channels // layer.groups

    def unit(self, place: Index) -> int:
        return place[self.axis]

    def _parts(self, index: Index) -> tuple[Index, int, Index]:
        return index[: self.axis], index[self.axis], index[self.axis + 1 :]

    def _source(self, at: Index, tap: Index) -> Index | None:
        layer = self.layer
        found = tuple(
            o * s - p + k * d
            for o, s, p, k, d in zip(at, layer.stride, self.before, tap, layer.dilation,
                                     strict=True)
        )  # fmt: skip
        size = self.x.shape[self.axis + 1 :]
        return found if all(0 <= i < n for i, n in zip(found, size, strict=True)) else None

    def into(self, place: Index) -> Iterator[Edge]:
        lead, unit, at = self._parts(place)
        first = unit // self.group_size * self.per_group
        for channel in range(self.per_group):
            for tap in itertools.product(*map(range, self.layer.kernel_size)):
                source = self._source(at, tap)
                if source is not None:
                    yield Edge(place, (*lead, first + channel, *source), (unit, channel, *tap))

    def out_of(self, source: Index) -> Iterator[Edge]:
        lead, channel, at = self._parts(source)
        group, within = divmod(channel, self.per_group)
        size, layer = self.y.shape[self.axis + 1 :], self.layer
        for tap in itertools.product(*map(range, layer.kernel_size)):
            shifted = [
                i + p - k * d
                for i, p, k, d in zip(at, self.before, tap, layer.dilation, strict=True)
            ]
            if any(v % s for v, s in zip(shifted, layer.stride, strict=True)):
                continue
            spot = tuple(v // s for v, s in zip(shifted, layer.stride, strict=True))
            if all(0 <= o < n for o, n in zip(spot, size, strict=True)):
                for unit in range(group * self.group_size, (group + 1) * self.group_size):
                    yield Edge((*lead, unit, *spot), source, (unit, within, *tap))

    def along(self, weight: Index) -> Iterator[Edge]:
        unit, channel, *tap = weight
        first = unit // self.group_size * self.per_group
        for lead in itertools.product(*map(range, self.y.shape[: self.axis])):
            for at in itertools.product(*map(range, self.y.shape[self.axis + 1 :])):
                source = self._source(at, tuple(tap))
                if source is not None:
                    yield Edge((*lead, unit, *at), (*lead, first + channel, *source), weight)

    def pictures(self, place: Index) -> list[Part]:
        """The window in the input and the kernel on it, of the channel that gives most."""
        if self.axes > 2:
            return []
        edges, w = list(self.into(place)), self.seen.parameters["weight"].before
        given: dict[int, float] = {}
        for e in edges:
            channel = e.source[self.axis]
            given[channel] = given.get(channel, 0.0) + float(self.x[e.source]) * float(w[e.weight])
        channel = max(given, key=lambda c: abs(given[c]))
        lead, unit, _ = self._parts(place)
        image = np.atleast_2d(self.x[(*lead, channel)])
        window = [e.source[self.axis + 1 :] for e in edges if e.source[self.axis] == channel]
        low, high = np.min(window, 0).tolist(), np.max(window, 0).tolist()
        if self.axes == 1:
            low, high = [0, *low], [0, *high]
        kernel = np.atleast_2d(w[unit, channel % self.per_group])
        words = (f"rows {low[0]}-{high[0]}, columns {low[1]}-{high[1]} of channel {channel}, which "
                 f"gives {given[channel]:.5g}")  # fmt: skip
        return [
            grid("Receptive field", image, box=(low[0], low[1], high[0], high[1]), words=words),
            grid(f"Kernel of unit {unit} for channel {channel}", kernel),
        ]


def grid(title: str, values: Any, mark: Any = None, box: Any = None, rows: str = "",
         columns: str = "", words: str = "") -> Grid:  # fmt: skip
    """A matrix as `Grid`; of large ones the part around what is marked."""
    values = np.asarray(values, np.float64)
    most = 32
    top = left = 0
    if max(values.shape) > most:
        row, column = (box[0], box[1]) if box else mark or (0, 0)
        top = min(max(0, row - most // 2), max(0, values.shape[0] - most))
        left = min(max(0, column - most // 2), max(0, values.shape[1] - most))
        values = values[top : top + most, left : left + most]
        words = f"{words}; shown from row {top}, column {left}".removeprefix("; ")
    moved = None if mark is None else (mark[0] - top, mark[1] - left)
    framed = None if box is None else (box[0] - top, box[1] - left, box[2] - top, box[3] - left)
    return Grid(title, tuple(tuple(map(float, row)) for row in values), moved, framed, rows,
                columns, words)  # fmt: skip


def weighted_of(seen: Seen) -> Weighted | None:
    """What is known of the products of a call; None for a layer that is no weighted sum."""
    try:
        if isinstance(seen.layer, nn.Linear):
            return LinearSum(seen)
        if isinstance(seen.layer, nn.Conv1d | nn.Conv2d | nn.Conv3d):
            return ConvSum(seen)
    except MisfitError:
        pass
    return None
