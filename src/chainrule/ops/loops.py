"""Loops: one body, applied step by step to what it carries along.

    carry, y[t] = body(carry, x[t], consts)          t = 0 ... length-1, or backwards

``scan`` has several results, which ``item`` takes apart: the carries as they are in the end, then
the stacked ys. The body is a graph of its own, closed but for its inputs, and without effects.

``tiled`` loops cut one operation into tiles that stay near: passes leave them as they are, and
where nothing is carried threads share out the steps. A ``limited`` one does no more steps than its
first const says, an i32, and stacks nothing. With ``tiled`` = `PARTS` the steps are parts of a
batch, which carry nothing and are computed together in the end (`passes/parts.py`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..batching import Value, batched, bound, moved, stretched
from ..errors import VerifyError
from ..interpret import evaluate
from ..ir.graph import Graph, Node, constant
from ..ir.primitive import Primitive, Sample
from ..ir.types import Array, DType, Shape
from .backwards import derivative
from .bodies import parts_of, placeholder
from .contract import dot
from .elementwise import add, exp, mul, tanh
from .examples import draw
from .indexing import gather
from .rules import describe, line_of, quiet, shape_error

#: a loop over parts of a batch
PARTS = 2


def scan_type(
    *inputs: Node,
    body: Graph,
    length: int,
    carries: int,
    scanned: int,
    reverse: int,
    segment: int,
    tiled: int,
    limited: int,
) -> tuple[Shape, DType]:
    """Checks everything; the type itself is nobody's, as only the results have one."""
    if len(inputs) != len(body.inputs) or len(body.outputs) < carries or length < 0:
        raise VerifyError("`scan` and its body do not fit together", where=line_of(inputs))
    first, xs, consts = parts_of(tuple(zip(inputs, body.inputs, strict=True)), carries, scanned)
    limit = [(outer.shape, outer.dtype) for outer, _ in consts[:limited]]
    if limited and not (tiled and len(body.outputs) == carries and limit == [((), DType.i32)]):
        raise VerifyError("a limited `scan` is tiled, stacks nothing, and has a limit")
    for outer, inner in (*first, *consts):
        if (outer.shape, outer.dtype) != (inner.shape, inner.dtype):
            raise shape_error(f"`scan` gives {describe(outer)} for {describe(inner)}", outer)
    for outer, inner in xs:
        if (outer.shape, outer.dtype) != ((length, *inner.shape), inner.dtype):
            raise shape_error(
                f"`scan` of {length} steps takes {describe(outer)} for {describe(inner)}", outer
            )
    for (_, inner), last in zip(first, body.outputs, strict=False):
        if (inner.shape, inner.dtype) != (last.shape, last.dtype):
            raise shape_error(
                f"`scan` carries {describe(inner)} into a step and {describe(last)} out of it",
                last,
                help="a carry keeps its shape and dtype from step to step",
            )
    return (), DType.f32


def scan_reference(
    *arrays: Array,
    body: Graph,
    length: int,
    carries: int,
    scanned: int,
    reverse: int,
    segment: int,
    tiled: int,
    limited: int,
    precision: DType | None = None,
) -> tuple[Array, ...]:
    """One step after the other."""
    carry, xs, consts = parts_of(arrays, carries, scanned)
    steps: list[list[Array]] = []
    order = range(length)[:: -1 if reverse else 1]
    for t in order[: max(0, int(consts[0]))] if limited else order:
        values = (*carry, *(x[t] for x in xs), *consts)
        results = evaluate(body.outputs, dict(zip(body.inputs, values, strict=True)), precision)
        carry = results[:carries]
        steps.append(results[carries:])
    if reverse:
        steps.reverse()
    nodes = body.outputs[carries:]
    ys = [np.stack([s[i] for s in steps]) if steps else _none_of(n) for i, n in enumerate(nodes)]
    return (*(np.array(c) for c in carry), *ys)


def _none_of(node: Node) -> Array:
    return np.zeros((0, *node.shape), node.dtype.numpy)


@dataclass(frozen=True)
class Results:
    """The cotangents of a loop, by number of its result: those that there are."""

    parts: dict[int, Node]

    def __add__(self, other: Results) -> Results:
        total = dict(self.parts)
        for index, g in other.parts.items():
            total[index] = total[index] + g if index in total else g
        return Results(total)


def item_type(loop: Node, *, index: int) -> tuple[Shape, DType]:
    """That of the result of the body; what is stacked has an axis more."""
    if loop.op != "scan" or not 0 <= index < len(loop.params["body"].outputs):
        raise VerifyError(f"`item` takes a result of a loop, not {describe(loop)} [{index}]")
    node = loop.params["body"].outputs[index]
    if index < loop.params["carries"]:
        return node.shape, node.dtype
    return (loop.params["length"], *node.shape), node.dtype


def scan_vjp(g: Results, y: Node, *inputs: Node, **params: Any) -> Sequence[Node | None]:
    """The loop run the other way: see `backwards.py`."""
    if params["tiled"]:
        raise VerifyError("a tiled loop is made when derivatives are done", where=line_of(inputs))
    return derivative(g.parts, y)


def scan_samples(rng: np.random.Generator) -> Iterator[Sample]:
    """A recurrent cell, two carries of which one is counted, products in a row, no xs, no ys."""
    for length, reverse in ((1, 0), (5, 0), (4, 1)):
        body, arrays = _cell(rng, length, rows=3, width=17)
        yield Sample(arrays, _params(body, length, 1, 1, reverse))
    body, arrays = _counter(rng, 3)
    yield Sample(arrays, _params(body, 3, 2, 1))
    h = placeholder("h", (5,), DType.f32)
    powers = Graph((h,), (mul(tanh(h), h),))
    yield Sample((draw(rng, (5,), DType.f32),), _params(powers, 3, 1, 0))
    x = placeholder("x", (2, 3), DType.f32)
    yield Sample(
        (draw(rng, (4, 2, 3), DType.f32),), _params(Graph((x,), (exp(x), mul(x, x))), 4, 0, 1)
    )


def _params(body: Graph, length: int, carries: int, scanned: int, reverse: int = 0) -> Any:
    return {
        "body": body,
        "length": length,
        "carries": carries,
        "scanned": scanned,
        "reverse": reverse,
        "segment": 0,
        "tiled": 0,
        "limited": 0,
    }


def _cell(
    rng: np.random.Generator, length: int, rows: int, width: int
) -> tuple[Graph, tuple[Array, ...]]:
    """h' = tanh(h w + x), and y = h'."""
    h = placeholder("h", (rows, width), DType.f32)
    x = placeholder("x", (rows, width), DType.f32)
    w = placeholder("w", (width, width), DType.f32)
    new = tanh(add(dot(h, w), x))
    arrays = (
        draw(rng, (rows, width), DType.f32, -1, 1),
        draw(rng, (length, rows, width), DType.f32, -1, 1),
        draw(rng, (width, width), DType.f32, -0.3, 0.3),
    )
    return Graph((h, x, w), (new, new)), arrays


def _counter(rng: np.random.Generator, length: int) -> tuple[Graph, tuple[Array, ...]]:
    """n' = n + 1, s' = s * x[n]: an index that is carried."""
    n = placeholder("n", (), DType.i32)
    s = placeholder("s", (2, 7), DType.f32)
    x = placeholder("x", (2, 7, 3), DType.f32)
    new = mul(s, gather(x, n, axis=2))
    body = Graph((n, s, x), (add(n, constant(1, DType.i32)), new, add(new, s), n))
    arrays = (
        np.asarray(0, np.int32),
        draw(rng, (2, 7), DType.f32),
        draw(rng, (length, 2, 7, 3), DType.f32),
    )
    return body, arrays


def scan_batch(node: Node, inputs: list[Value], size: int) -> Node:
    """A loop whose body does all members; a carry that differs after a step does before it, too."""
    body, carries, scanned = (node.params[k] for k in ("body", "carries", "scanned"))
    if node.params["tiled"]:
        raise VerifyError("a tiled loop is made when batching is done", where=line_of((node,)))
    differs = [differs for _, differs in inputs]
    while True:
        held = [
            placeholder(n.params["name"], (size, *n.shape) if d else n.shape, n.dtype)
            for n, d in zip(body.inputs, differs, strict=True)
        ]
        env = dict(zip(body.inputs, zip(held, differs, strict=True), strict=True))
        results = batched(body.outputs, env, size, drawn=None)
        after = [d or r for d, (_, r) in zip(differs[:carries], results, strict=False)]
        if after == differs[:carries]:
            break
        differs[:carries] = after
    ends = [stretched(r, size) if d else r[0] for d, r in zip(after, results, strict=False)]
    graph = Graph(tuple(held), (*ends, *(n for n, _ in results[carries:])))
    first, xs, consts = parts_of(inputs, carries, scanned)
    begin = [stretched(v, size) if d else v[0] for d, v in zip(after, first, strict=True)]
    rows = [moved(n, 0, 1) if d else n for n, d in xs]
    return bound(node, *begin, *rows, *(n for n, _ in consts), body=graph)


def item_batch(node: Node, inputs: list[Value], size: int) -> Node:
    """A result that differs has the members in front, before the steps."""
    loop, index = inputs[0][0], node.params["index"]
    result = item(loop, index=index)
    stacked = index >= loop.params["carries"]
    return moved(result, 1, 0) if stacked and result.ndim > node.ndim else result


scan = Primitive("scan", scan_type, scan_reference, scan_vjp, scan_samples, batch=scan_batch)

item = Primitive(
    "item",
    item_type,
    quiet(lambda loop, *, index: loop[index]),
    lambda g, y, loop, *, index: (Results({index: g}),),
    lambda rng: iter(()),
    batch=item_batch,
)


def results_of(loop: Node) -> list[Node]:
    """Every result of a loop."""
    return [item(loop, index=i) for i in range(len(loop.params["body"].outputs))]
