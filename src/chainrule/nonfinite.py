"""Where a step stops being finite: the operation, the layer, the line, and the rows of the batch.

A step that ended in NaN or infinity is computed once more with every intermediate value as an
output. It is the same native arithmetic, so the same values appear. From the first root that is not
finite the search goes back along operands that are not finite either, to a node all of whose
operands are: there it began. What is infinite on purpose and masked later is never on that way.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from .driver import Options, load
from .errors import CompileError
from .frontend.compiled import CompiledFunction
from .frontend.tensor import Tensor
from .frontend.traced import Traced, flatten_call
from .interpret import evaluate
from .ir.graph import Graph, Node, topological
from .ir.types import Array
from .lazily import Lazy
from .ops.bodies import parts_of

if TYPE_CHECKING:
    from . import passes
else:
    passes = Lazy("chainrule.passes")

__all__ = ["NonFinite", "find_nonfinite", "first_nonfinite"]

#: bytes of intermediate values that are held at once
AT_ONCE = 512 << 20
#: rows that are named
NAMED = 8

#: operations on elements, in words
_SIGNS = {"add": "+", "sub": "-", "mul": "*", "div": "/"}
_SOURCES = ("input", "const", "assign")


@dataclass(frozen=True)
class NonFinite:
    """The value at which a step stopped being finite.

    ``kind`` is ``nan`` or ``inf``; ``part`` is ``forward``, ``backward`` or ``update``, or
    ``data`` and ``state`` if it was there before the step; ``example`` is the first such
    element with its operands, ``exp(91.3) = inf``; ``rows`` are the rows of the batch that hold
    one, where the value has rows; ``state`` is the Tensor that was not finite. ``steps`` tells in
    which step of the loops around it, from outside, each counted from 0 along its axis.
    """

    kind: str
    part: str
    op: str
    example: str
    layer: str
    where: str
    rows: tuple[int, ...] = ()
    state: Tensor | None = None
    steps: tuple[int, ...] = ()

    def __str__(self) -> str:
        if self.part == "data":
            return f"the batch contains {self.kind}{self.rows_text()}"
        if self.part == "state":
            return f"a parameter or buffer was {self.kind} before the step"
        layer = f" in {self.layer}" if self.layer else ""
        line = f" at {self.where}" if self.where else ""
        passing = {"forward": "forward pass", "backward": "backward pass", "update": "update"}
        step = "".join(f", in step {s} of a loop" for s in self.steps)
        return f"{self.example}{layer}{line}{step}, in the {passing[self.part]}{self.rows_text()}"

    def rows_text(self, names: Sequence[int] | None = None) -> str:
        """``, rows 3, 7 of the batch``; ``names`` gives other numbers of its rows."""
        if not self.rows:
            return ""
        shown = ", ".join(str(r) for r in self.rows[:NAMED])
        more = len(self.rows) - NAMED
        text = f", row{'s' if len(self.rows) > 1 else ''} {shown}"
        text += f" and {more} more of the batch" if more > 0 else " of the batch"
        if names is not None:
            text += f" (of the data: {', '.join(str(int(names[r])) for r in self.rows[:NAMED])})"
        return text


def find_nonfinite(
    function: CompiledFunction[..., Any], *args: Any, **kwargs: Any
) -> NonFinite | None:
    """Where one call of a compiled function stops being finite; None if it does not.

    ``cr.find_nonfinite(step, x, y)`` computes the step with every intermediate value kept. Nothing
    is updated: call it before the step, or on the state that was there before.

    `CompileError` for anything but a compiled function.
    """
    if not isinstance(function, CompiledFunction):
        raise CompileError(
            f"find_nonfinite takes a compiled function, not {type(function).__name__}",
            help="decorate it with @cr.compile",
        )
    traced = function.trace(*args, **kwargs)
    arrays, _ = flatten_call(args, kwargs)
    scalars = [f(0) for f in traced.scalars]
    return first_nonfinite(traced, arrays, scalars)


def first_nonfinite(
    traced: Traced, arrays: Sequence[Array], scalars: Sequence[float]
) -> NonFinite | None:
    """The same for a recording, its arguments and the numbers of the step."""
    casts = traced.casts
    ready = [a if c is None else c(a) for a, c in zip(arrays, casts, strict=True)]
    return _Search(traced, ready, scalars).result()


class _Search:
    """All intermediate values of one step, as far as they are not finite."""

    def __init__(self, traced: Traced, arrays: list[Array], scalars: Sequence[float]) -> None:
        self.traced, self.scalars = traced, scalars
        self.batch = len(arrays[0]) if arrays and arrays[0].ndim else 0
        self.graph = passes.optimize(traced.graph)
        states = [t.settle() for t in traced.states]
        given = [*arrays, *states, *(np.float64(s) for s in scalars)]
        self.values: dict[Node, Array] = dict(
            zip(self.graph.inputs, map(np.asarray, given), strict=True)
        )
        self.order = {node: i for i, node in enumerate(self.graph.nodes())}
        self.arrays, self.states = arrays, states
        self.forward = set(topological(self.graph.outputs))

    def result(self) -> NonFinite | None:
        for nodes in self._pieces():
            self._compute(nodes)
        for root in self._roots():
            if _kind(self.values.get(root)):
                origin = self._origin(root)
                if origin.op != "item":
                    return self._described(origin)
                return self._in_loop(origin)
        return None

    def _in_loop(self, item: Node) -> NonFinite:
        """What happened in the body of a loop that a value comes from, done step by step."""
        loop = item.inputs[0]
        missing = [i for i in loop.inputs if i not in self.values and i.op != "const"]
        graph = Graph(self.graph.inputs, tuple(missing))
        options = Options(exclude=frozenset(p.name for p in passes.PIPELINE), use_cache=False)
        outputs = load(graph, self.states, options=options)(*self.arrays, scalars=self.scalars)
        self.values.update(zip(missing, outputs, strict=True))
        steps, node, values = first_in_loop(loop, [self._value(i) for i in loop.inputs])
        self.values.update(values)
        part = "forward" if item in self.forward else self._later_part(item)
        return replace(self._described(node), part=part, steps=steps)

    def _roots(self) -> Iterable[Node]:
        return [*self.graph.outputs, *(u.inputs[1] for u in self.graph.updates)]

    def _pieces(self) -> Iterator[list[Node]]:
        """The real values of the graph in their order, in pieces that fit in memory."""
        piece: list[Node] = []
        size = 0
        for node in self.order:
            if node.op in _SOURCES or node.op == "scan" or not node.dtype.is_float or not node.size:
                continue
            piece.append(node)
            size += node.size * node.dtype.itemsize
            if size > AT_ONCE:
                yield piece
                piece, size = [], 0
        if piece:
            yield piece

    def _compute(self, nodes: list[Node]) -> None:
        """Keep the values of ``nodes`` that are not finite, with those of their operands."""
        graph = Graph(self.graph.inputs, tuple(nodes))
        every_pass = frozenset(p.name for p in passes.PIPELINE)
        options = Options(exclude=every_pass, use_cache=False, hasty=True)
        outputs = load(graph, self.states, options=options)(*self.arrays, scalars=self.scalars)
        value_of = dict(zip(nodes, outputs, strict=True))
        for node, value in value_of.items():
            if _kind(value):
                self.values[node] = value
                self.values.update({i: value_of[i] for i in node.inputs if i in value_of})

    def _origin(self, node: Node) -> Node:
        return _first_bad(node, self.values, self.order)

    # ----------------------------------------------------------------------------- in words

    def _described(self, node: Node) -> NonFinite:
        value = self.values[node]
        kind = _kind(value)
        location = node.location
        state = None
        if node.op == "input":
            part = "data" if node.params["kind"] == "arg" else "state"
            if part == "state":
                state_nodes = [n for n in self.graph.inputs if n.params["kind"] == "state"]
                state = self.traced.states[state_nodes.index(node)]
        else:
            part = "forward" if node in self.forward else self._later_part(node)
        return NonFinite(
            kind=kind,
            part=part,
            op=node.op,
            example="" if node.op == "input" else self._example(node),
            layer=location.layer if location else "",
            where=str(location or ""),
            rows=self._rows(value),
            state=state,
        )

    def _later_part(self, node: Node) -> str:
        """Whether a value outside of the forward pass is a gradient or belongs to the update."""
        location = node.location
        lines = {n.location for n in self.forward if n.location is not None}
        return "backward" if location in lines else "update"

    def _rows(self, value: Array) -> tuple[int, ...]:
        if not self.batch or value.ndim == 0 or value.shape[0] != self.batch:
            return ()
        bad = ~np.isfinite(value).reshape(self.batch, -1).all(axis=1)
        return tuple(int(i) for i in np.flatnonzero(bad))

    def _example(self, node: Node) -> str:
        """The first element that is not finite, with its operands."""
        value = self.values[node]
        position = np.unravel_index(int(np.argmax(~np.isfinite(value))), value.shape)
        result = f"{float(value[position]):.4g}"
        if node.op in ("reduce_sum", "dot"):
            terms = node.inputs[0].size // max(value.size, 1) if node.op == "reduce_sum" else 0
            terms = terms or node.inputs[0].shape[-1]
            return f"a sum of {terms} terms = {result}"
        same = [i for i in node.inputs if i.shape == node.shape]
        if len(same) != len(node.inputs) or not same:
            return f"{node.op} = {result}"
        numbers = [f"{float(self._value(i)[position]):.4g}" for i in same]
        if node.op in _SIGNS:
            return f"{numbers[0]} {_SIGNS[node.op]} {numbers[1]} = {result}"
        return f"{node.op}({', '.join(numbers)}) = {result}"

    def _value(self, node: Node) -> Array:
        """A value that was kept, or one that needs no computing."""
        if node in self.values:
            return self.values[node]
        from_others = [self._value(i) for i in node.inputs]
        return np.asarray(node.primitive.reference(*from_others, **node.params))


def _first_bad(node: Node, values: Mapping[Node, Array], order: Mapping[Node, int]) -> Node:
    """Back along what is not finite, NaN before infinity, to where it began."""
    while True:
        bad = [i for i in node.inputs if i.op not in ("const", "scan") and _kind(values.get(i))]
        if _kind(values[node]) == "nan":
            bad = [i for i in bad if _kind(values[i]) == "nan"] or bad
        if not bad:
            return node
        node = min(bad, key=order.__getitem__)


def first_in_loop(
    loop: Node, inputs: Sequence[Array]
) -> tuple[tuple[int, ...], Node, dict[Node, Array]]:
    """The steps and the node of the body at which ``loop`` stops being finite; the last step's
    values.

    A loop that gets infinite values is looked into where it first makes others of them.
    """
    params = loop.params
    body: Graph = params["body"]
    carries, xs, consts = parts_of(inputs, params["carries"], params["scanned"])
    nodes = [n for n in body.nodes() if n.op != "input"]
    order = {node: i for i, node in enumerate(body.nodes())}
    values: dict[Node, Array] = {}
    for t in range(params["length"])[:: -1 if params["reverse"] else 1]:
        given = (*carries, *(x[t] for x in xs), *consts)
        values = dict(zip(body.inputs, given, strict=True))
        values.update(zip(nodes, evaluate(nodes, values), strict=True))
        for root in body.outputs:
            if _kind(values[root]):
                origin = _first_bad(root, values, order)
                if origin.op == "item":
                    inner = origin.inputs[0]
                    deeper = first_in_loop(inner, [values[i] for i in inner.inputs])
                    return (t, *deeper[0]), *deeper[1:]
                return (t,), origin, values
        carries = [values[n] for n in body.outputs[: params["carries"]]]
    return (), loop, values


def _kind(value: Array | None) -> str:
    """``nan`` or ``inf`` if ``value`` holds one, NaN first."""
    if value is None or value.dtype.kind != "f" or np.isfinite(value).all():
        return ""
    return "nan" if np.isnan(value).any() else "inf"
