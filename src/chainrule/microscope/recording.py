"""Which modules are called in a forward pass, in the order in which they end, and what each reads.

What a call reads is not guessed from the order: each argument is followed back through the graph
that is being recorded, up to results of other calls, inputs of the model, or parameters. So a
forward that branches, adds, or uses functions between its layers is shown as it is.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from .. import nn
from ..frontend import Tensor
from ..frontend.modes import thread
from ..interpret import evaluate
from ..ir.graph import Node
from ..ir.types import DType
from ..nn.calling import calls, watching

__all__ = ["Call", "Read", "Recording", "tensors_in"]

Array = npt.NDArray[Any]

#: primitives that only move numbers, or only ask about them: not worth a word between two layers
MOVES = frozenset(
    {"reshape", "transpose", "broadcast", "cast", "copy", "fence", "slice", "squeeze", "const",
     "eq", "ne", "lt", "le", "gt", "ge", "not", "and", "or", "iota"}
)  # fmt: skip
#: those of them whose numbers are numbers of their inputs, each at one place
PLAIN = frozenset({"reshape", "transpose", "broadcast", "copy", "fence", "slice", "concat"})
#: larger arguments are not followed number by number
MOST_ORIGINS = 1 << 16
#: modules with an explanation of their own although they call others
COMPOSITE = (nn.MultiheadAttention,)


@dataclass(frozen=True)
class Read:
    """Where an argument comes from: names of calls, ``input`` or parameters, in the order in which
    they were computed, and the primitives in between."""

    sources: tuple[str, ...]
    through: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """``fc1``, or ``add(norm1, fc2)``."""
        inside = ", ".join(self.sources)
        return f"{' '.join(self.through)}({inside})" if self.through else inside


@dataclass(frozen=True, eq=False)
class Call:
    """One call of a module: ``name`` is its path, with ``#2`` for the second call. ``arguments``
    and ``results`` are the numbers of values."""

    name: str
    path: str
    layer: nn.Module
    arguments: tuple[int, ...]
    results: tuple[int, ...]
    reads: tuple[Read, ...]

    @property
    def kind(self) -> str:
        """The name of the module's class."""
        return type(self.layer).__name__


class Recording:
    """The calls of one forward pass of ``model``, and all values that they take and give."""

    def __init__(self, model: nn.Module) -> None:
        self._paths = {id(m): path for path, m in model.named_modules()}
        self._parameters = {id(p): name for name, p in model.named_parameters()}
        self._count: dict[str, int] = {}
        self._outer: set[int] = set()
        self._made: dict[Node, str] = {}
        self._nodes: dict[int, Node] = {}
        self._known: dict[Node, int] = {}
        self._index: dict[int, int] = {}
        self.values: list[Tensor] = []
        self.calls: list[Call] = []
        self.inputs: tuple[int, ...] = ()
        self.output = -1
        self.output_read = Read(())

    def begin(self, inputs: list[Tensor]) -> None:
        """The model is about to be called with ``inputs``."""
        self.inputs = tuple(map(self._value, inputs))
        for number, tensor in enumerate(inputs):
            self._made[_node(tensor)] = f"input {number}" if len(inputs) > 1 else "input"
            self._known[_node(tensor)] = self.inputs[number]

    def end(self, output: Any) -> None:
        """The model gave ``output``."""
        found = tensors_in((output,))
        if found:
            self.output = self._value(found[0])
            self.output_read = self._read(found[0])

    @contextmanager
    def watch(self) -> Iterator[None]:
        """Inside, calls of modules are heard."""
        with watching(self._heard):
            yield

    def _heard(self, layer: nn.Module, arguments: tuple[Any, ...], result: Any) -> None:
        composed = id(layer) in self._outer
        self._outer.discard(id(layer))
        self._outer.update(id(m) for m in calls.modules if m is not layer)
        path, trace = self._paths.get(id(layer)), thread.trace
        if path is None or trace is None or trace.scope is not trace:
            return
        results = tensors_in(result if isinstance(result, tuple) else (result,))
        if (composed and not isinstance(layer, COMPOSITE)) or not results:
            return
        given = tensors_in(arguments)
        reads = tuple(map(self._read, given))
        base = path or "model"
        count = self._count[base] = self._count.get(base, 0) + 1
        name = base if count == 1 else f"{base}#{count}"
        for tensor in results:
            self._made[_node(tensor)] = name
        taken, gave = tuple(map(self._value, given)), tuple(map(self._value, results))
        self.calls.append(Call(name, path, layer, taken, gave, reads))
        for tensor, number in zip(results, gave, strict=True):
            self._known.setdefault(_node(tensor), number)

    def origins(self, number: int) -> Array | None:
        """Which number of which value each number of a value is, as [..., 2] (value, place in it),
        where it was only moved there from inputs or results of other calls; else None."""
        node = self._nodes[number]
        sources: list[Node] = []
        seen, waiting = {node}, list(node.inputs) if node.primitive.name in PLAIN else []
        if not waiting or math.prod(node.shape) > MOST_ORIGINS:
            return None
        while waiting:
            each = waiting.pop()
            if each in seen:
                continue
            seen.add(each)
            if each in self._known:
                sources.append(each)
            elif each.primitive.name in PLAIN:
                waiting += each.inputs
            else:
                return None
        sizes = [math.prod(source.shape) for source in sources]
        starts = np.cumsum([0, *sizes])
        places = {
            source: np.arange(start, start + size, dtype=np.float64).reshape(source.shape)
            for source, start, size in zip(sources, starts.tolist(), sizes, strict=False)
        }
        (moved,) = evaluate([node], places, DType.f64)
        flat = moved.astype(np.int64)
        which = np.searchsorted(starts, flat, side="right") - 1
        values = np.array([self._known[source] for source in sources])
        return np.stack([values[which], flat - starts[which]], axis=-1)

    def _value(self, tensor: Tensor) -> int:
        """The number of a value, which keeps its gradient from here on."""
        found = self._index.get(id(tensor))
        if found is None:
            found = self._index[id(tensor)] = len(self.values)
            self._nodes[found] = _node(tensor)
            self.values.append(tensor)
            if tensor.requires_grad:
                tensor.retain_grad()
        return found

    def _read(self, tensor: Tensor) -> Read:
        trace = thread.trace
        assert trace is not None
        states = {
            node: self._parameters.get(id(t), "a buffer")
            for t, node in zip(trace.states, trace.state_nodes, strict=True)
        }
        sources: dict[str, None] = {}
        through: dict[str, None] = {}
        seen: set[Node] = set()
        waiting = [_node(tensor)]
        while waiting:
            node = waiting.pop()
            if node in seen:
                continue
            seen.add(node)
            name = self._made.get(node) or states.get(node)
            if name is not None:
                sources[name] = None
                continue
            if node.primitive.name not in MOVES and node.inputs:
                through[node.primitive.name] = None
            waiting += reversed(node.inputs)
        return Read(tuple(sources), tuple(through))


def _node(tensor: Tensor) -> Node:
    trace = thread.trace
    assert trace is not None
    return trace.node(tensor)


def tensors_in(values: Any) -> list[Tensor]:
    """The Tensors among arguments or results, those in tuples and lists too."""
    found: list[Tensor] = []
    for value in values:
        if isinstance(value, Tensor):
            found.append(value)
        elif isinstance(value, tuple | list):
            found += tensors_in(value)
    return found
