"""``scan``: a Python function of a carry and a row, applied row by row.

Outside of a trace it is a plain Python loop. Inside, the function is recorded once, with
placeholders for what changes from step to step, and becomes the body of one ``scan`` node: what it
reads from outside is handed in as constants of the loop. A state that the body assigns to (a
generator that draws, a running mean) is carried along like everything else.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ..batching import draws
from ..errors import ShapeError, TraceError
from ..ir.graph import Graph, Node, at, topological
from ..ir.rewrite import substitute
from ..ir.types import is_whole
from ..ops.bodies import parts_of, placeholder
from ..ops.control import fence
from ..ops.loops import item
from ..ops.loops import scan as scan_primitive
from ..ops.movement import concat, reshape
from ..ops.movement import slice_ as slice_node
from .apply import from_node, tensor_of
from .modes import here, thread, user_line
from .operations.shaping import stack
from .tensor import Tensor
from .traced import is_array
from .tracer import Trace
from .tree import Tree, flatten, paths, unflatten

Body = Callable[[Any, Any], tuple[Any, Any]]


def scan(
    body: Body,
    init: Any,
    xs: Any = None,
    *,
    length: int | None = None,
    reverse: bool = False,
    checkpoint: int | None = None,
) -> tuple[Any, Any]:
    """Apply ``body`` step by step: ``carry, y = body(carry, x)``.

        carry = init
        for t in range(length):              # backwards with reverse
            carry, ys[t] = body(carry, xs[t])
        return carry, ys

    ``init`` and ``xs`` are Tensors, arrays or numbers, or lists, tuples and dicts of them; every
    leaf of ``xs`` has the steps along its first axis, and ``body`` gets one row of each. What
    ``body`` returns as carry must be nested, shaped and typed as ``init``; what it returns as y
    (or None) comes back stacked along a new first axis. Without ``xs``, ``length`` says how often.

    Derivatives pass through everything, of any order. A compiled program contains the body once,
    however many steps there are. For its gradient it keeps, of every step, the values that the
    derivative reads. With ``checkpoint=k`` it keeps the carry of every k-th step alone and
    computes the rest again, segment by segment: memory for length/k + k steps instead of length.

    Raises ShapeError for lengths that differ, no steps, or a carry that changes its shape or
    dtype, naming the leaf; TraceError for a body that returns no pair, nests its carry otherwise,
    or writes to a Tensor of the step around it.

    >>> import chainrule as cr, numpy as np
    >>> total, sums = cr.scan(lambda s, x: (s + x, s + x), 0.0, np.float32([1, 2, 3]))
    >>> print(total.item(), sums.numpy())
    6.0 [1. 3. 6.]
    """
    loop = _Loop.of(body, init, xs, length, reverse)
    _check_checkpoint(checkpoint)
    if thread.trace is None:
        return loop.run()
    return _Recorded(loop, thread.trace).results(checkpoint)


def _is_value(value: Any) -> bool:
    return is_array(value) or isinstance(value, float | int | bool)


def _check_checkpoint(checkpoint: int | None) -> None:
    if checkpoint is not None and (not is_whole(checkpoint) or checkpoint < 1):
        raise ShapeError(
            f"checkpoint is {checkpoint!r}",
            where=user_line(),
            help="pass the number of steps in a segment, such as the square root of the length",
        )


@dataclass(frozen=True)
class _Loop:
    """A call of `scan`: leaves of ``init`` and ``xs`` with their nesting."""

    body: Body
    carry: list[Tensor]
    carry_tree: Tree
    rows: list[Tensor]
    rows_tree: Tree
    length: int
    reverse: bool

    @staticmethod
    def of(body: Body, init: Any, xs: Any, length: int | None, reverse: bool) -> _Loop:
        """The call with everything checked that can be checked before the body runs."""
        carry, carry_tree = flatten(init, _is_value)
        rows, rows_tree = flatten(xs, _is_value)
        tensors = [tensor_of(x) for x in rows]
        names = paths(rows_tree, "xs")
        lengths = {
            name: t.shape[0] if t.ndim else None for name, t in zip(names, tensors, strict=True)
        }
        steps = _length(lengths, length)
        return _Loop(
            body, [tensor_of(c) for c in carry], carry_tree, tensors, rows_tree, steps, reverse
        )

    def step(
        self, carry: Sequence[Tensor], rows: Sequence[Tensor]
    ) -> tuple[list[Any], list[Any], Tree]:
        """One call of the body: leaves of the new carry, leaves of y, nesting of y."""
        returned = self.body(unflatten(self.carry_tree, carry), unflatten(self.rows_tree, rows))
        if not (isinstance(returned, tuple) and len(returned) == 2):
            raise TraceError(
                f"the body of a scan returned {_kind_of(returned)}",
                where=user_line(),
                help="return a pair: the new carry, and what to stack (or None)",
            )
        new, tree = flatten(returned[0], _is_value)
        if tree != self.carry_tree:
            raise TraceError(
                "the body of a scan returned a carry that is nested differently from init",
                where=user_line(),
                help=f"init has {_leaves(self.carry_tree)}, the new carry {_leaves(tree)}; "
                "return the same containers in the same order",
            )
        leaves = [
            self._same_type(i, tensor_of(n), c)
            for i, (n, c) in enumerate(zip(new, carry, strict=True))
        ]
        ys, ys_tree = flatten(returned[1], _is_value)
        return leaves, [tensor_of(y) for y in ys], ys_tree

    def _same_type(self, number: int, new: Tensor, old: Tensor) -> Tensor:
        if (new.shape, new.dtype) != (old.shape, old.dtype):
            name = paths(self.carry_tree, "carry")[number]
            raise ShapeError(
                f"{name} is {old.dtype!r}{list(old.shape)} before a step and "
                f"{new.dtype!r}{list(new.shape)} after it",
                where=user_line(),
                help="a carry keeps its shape and dtype: start from what the body returns, "
                "or cast and reshape it there",
            )
        return new

    def run(self) -> tuple[Any, Any]:
        """The loop in Python."""
        carry, stacked, tree = self.carry, [], None
        for t in range(self.length)[:: -1 if self.reverse else 1]:
            carry, ys, found = self.step(carry, [x[t] for x in self.rows])
            if tree is not None and found != tree:
                raise TraceError(
                    "the body of a scan returns another nesting of y from one step to the next",
                    where=user_line(),
                )
            tree = found
            stacked.append(ys)
        if self.reverse:
            stacked.reverse()
        assert tree is not None
        ys = [stack([step[i] for step in stacked]) for i in range(len(stacked[0]))]
        return unflatten(self.carry_tree, carry), unflatten(tree, ys)


def _length(lengths: dict[str, int | None], length: int | None) -> int:
    """How many steps there are, which all leaves of xs must agree on."""
    for name, steps in lengths.items():
        if steps is None:
            raise ShapeError(
                f"{name} is a single number: a scan takes one row of it in each step",
                where=user_line(),
                help="let the body use it without passing it in: it stays the same in all steps",
            )
    found = dict.fromkeys(lengths.values())
    if length is not None:
        if not is_whole(length):
            raise ShapeError(f"length is {length!r}", where=user_line(), help="pass a whole number")
        found.setdefault(int(length))
    if len(found) > 1:
        told = [f"{n} has {s}" for n, s in lengths.items()]
        told += [] if length is None else [f"length is {length}"]
        raise ShapeError(
            f"the number of steps is not clear: {', '.join(told)}",
            where=user_line(),
            help="all leaves of xs need the same first axis",
        )
    if not found:
        raise ShapeError(
            "a scan without xs does not know how often to run",
            where=user_line(),
            help="pass length=",
        )
    count: Any = next(iter(found))
    if not count or count < 1:
        raise ShapeError(
            f"a scan of {count} steps", where=user_line(), help="there must be one step at least"
        )
    return int(count)


def _leaves(tree: Tree) -> str:
    names = paths(tree, "")
    return f"{len(names)} leaves" if len(names) != 1 else "1 leaf"


def _kind_of(value: Any) -> str:
    if isinstance(value, tuple):
        return f"a tuple of {len(value)}"
    return f"a value of type {type(value).__name__}"


class _Recorded:
    """A loop recorded into the running trace."""

    def __init__(self, loop: _Loop, trace: Trace) -> None:
        self.loop, self.trace = loop, trace
        self.states: list[Tensor] = []
        self.tracked = [t.requires_grad for t in loop.carry]
        while not self._record():
            pass

    def _record(self) -> bool:
        """Record the body once; False if it has to be done again with more that is carried.

        Whether a carry depends on something that requires a gradient, and which states the body
        writes, is known afterwards.
        """
        loop, trace = self.loop, self.trace
        own = [placeholder(f"c{i}", t.shape, t.dtype) for i, t in enumerate(loop.carry)]
        held = [placeholder(f"s{i}", t.shape, t.dtype) for i, t in enumerate(self.states)]
        rows = [placeholder(f"x{i}", t.shape[1:], t.dtype) for i, t in enumerate(loop.rows)]
        with trace.inside(dict(zip(self.states, held, strict=True))) as inside:
            carry = [from_node(n, f) for n, f in zip(own, self.tracked, strict=True)]
            given = [from_node(n, t.requires_grad) for n, t in zip(rows, loop.rows, strict=True)]
            new, ys, self.ys_tree = loop.step(carry, given)
            written = inside.written([*carry, *given, *new, *ys])
            ends = [trace.node(t) for t in self.states]
            nodes = [trace.node(t) for t in new]
            stacked = [trace.node(y) for y in ys]
        tracked = [old or t.requires_grad for old, t in zip(self.tracked, new, strict=True)]
        fresh = [t for t in written if all(t is not s for s in self.states)]
        if fresh or tracked != self.tracked:
            inside.forget()
            self.states += fresh
            self.tracked = tracked
            return False
        self.inputs = [*own, *held, *rows]
        self.outputs = [*nodes, *ends, *stacked]
        self.tracked_ys = [y.requires_grad for y in ys]
        return True

    def results(self, checkpoint: int | None) -> tuple[Any, Any]:
        """Bind the node, and give states their values after the last step."""
        loop, trace = self.loop, self.trace
        first = [trace.node(t) for t in (*loop.carry, *self.states)]
        rows = [trace.node(t) for t in loop.rows]
        body, consts = _closed(self.inputs, self.outputs)
        parts = _Parts(body, loop.length, len(first), len(rows), int(loop.reverse), 0)
        if checkpoint is not None and checkpoint < loop.length:
            nodes = _segmented(parts, first, rows, consts, int(checkpoint))
        else:
            nodes = parts.bind(first, rows, consts)
        count, both = len(loop.carry), len(first)
        for state, node in zip(self.states, nodes[count:both], strict=True):
            trace.rebind(state, node)
        carry = [_result(n, f) for n, f in zip(nodes[:count], self.tracked, strict=True)]
        ys = [_result(n, f) for n, f in zip(nodes[both:], self.tracked_ys, strict=True)]
        return unflatten(loop.carry_tree, carry), unflatten(self.ys_tree, ys)


def _result(node: Node, tracked: bool) -> Tensor:
    """A Tensor for a result of the loop."""
    tracked = tracked and node.dtype.is_float
    if tracked and not thread.grad:
        return from_node(fence(node))
    return from_node(node, tracked)


def _closed(inputs: Sequence[Node], outputs: Sequence[Node]) -> tuple[Graph, list[Node]]:
    """The body as a graph of its own, and what it takes from outside.

    Whatever depends on no input of the body belongs to the outside and is computed once; numbers
    and what is only stretched or moved of them stay inside.
    """
    dependent, small = set(inputs), set[Node]()
    taken: dict[Node, None] = {}
    for node in topological(outputs, known=()):
        if node in dependent:
            continue
        if any(i in dependent for i in node.inputs):
            dependent.add(node)
            taken.update(dict.fromkeys(i for i in node.inputs if i not in dependent))
        elif node.op in ("const", "iota") or (
            node.primitive.movement and all(i in small for i in node.inputs)
        ):
            small.add(node)
    taken.update(dict.fromkeys(o for o in outputs if o not in dependent))
    outside = list(dict.fromkeys(_stretched_from(n) for n in taken if n not in small))
    held = [placeholder(f"k{i}", n.shape, n.dtype) for i, n in enumerate(outside)]
    others = dict(zip(outside, held, strict=True))
    return Graph((*inputs, *held), tuple(substitute(outputs, others))), outside


def _stretched_from(node: Node) -> Node:
    """What is only stretched or turned outside: a row of biases is handed in, not a matrix."""
    while node.op in ("broadcast", "transpose"):
        node = node.inputs[0]
    return node


@dataclass(frozen=True)
class _Parts:
    """The params of a loop."""

    body: Graph
    length: int
    carries: int
    scanned: int
    reverse: int
    segment: int
    tiled: int = 0
    limited: int = 0

    def bind(
        self, first: Sequence[Node], rows: Sequence[Node], consts: Sequence[Node]
    ) -> list[Node]:
        """The results of the loop."""
        with at(here()):
            loop = scan_primitive(*first, *rows, *consts, **vars(self))
        if thread.trace is not None and draws(loop):
            thread.trace.draws.append(loop)
        return [item(loop, index=i) for i in range(len(self.body.outputs))]


def _rows(x: Node, start: int, stop: int) -> Node:
    """Some rows of ``x``."""
    if (start, stop) == (0, x.shape[0]):
        return x
    low, rest = (start, *(0,) * (x.ndim - 1)), x.shape[1:]
    return slice_node(x, start=low, stop=(stop, *rest), step=(1,) * x.ndim)


def _segmented(
    parts: _Parts, first: list[Node], rows: list[Node], consts: list[Node], size: int
) -> list[Node]:
    """A loop over segments, each a loop, of which only the carries are kept; then what is left."""
    whole = parts.length // size * size
    places = (0, whole), (whole, parts.length)
    carry = first
    pieces: dict[int, list[Node]] = {}
    for start, stop in places[:: -1 if parts.reverse else 1]:
        if start == stop:
            continue
        some = [_rows(x, start, stop) for x in rows]
        if start == 0:
            results = _segments(parts, carry, some, consts, size, stop // size)
        else:
            results = replace(parts, length=stop - start).bind(carry, some, consts)
        carry, pieces[start] = results[: parts.carries], results[parts.carries :]
    ordered = [pieces[start] for start in sorted(pieces)]
    ys = [
        concat(*ends, axis=0) if len(ends) > 1 else ends[0] for ends in zip(*ordered, strict=True)
    ]
    return [*carry, *ys]


def _segments(
    parts: _Parts,
    carry: list[Node],
    rows: list[Node],
    consts: list[Node],
    size: int,
    count: int,
) -> list[Node]:
    """``count`` segments of ``size`` steps as a loop over loops."""
    cut = [reshape(x, shape=(count, size, *x.shape[1:])) for x in rows]
    inner = replace(parts, length=size)
    body = parts.body
    kept, _, same = parts_of(body.inputs, parts.carries, parts.scanned)
    held = [placeholder(f"c{i}", n.shape, n.dtype) for i, n in enumerate(kept)]
    given = [placeholder(f"x{i}", n.shape[1:], n.dtype) for i, n in enumerate(cut)]
    fixed = [placeholder(f"k{i}", n.shape, n.dtype) for i, n in enumerate(same)]
    segment = Graph((*held, *given, *fixed), tuple(inner.bind(held, given, fixed)))
    outer = replace(parts, body=segment, length=count, segment=1)
    results = outer.bind(carry, cut, consts)
    ys = [reshape(y, shape=(count * size, *y.shape[2:])) for y in results[parts.carries :]]
    return [*results[: parts.carries], *ys]
