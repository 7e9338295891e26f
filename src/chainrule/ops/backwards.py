"""The derivative of a loop: the same loop backwards.

With carry' , y = body(carry, x, k), and g the cotangent of each:

    g_carry, g_x[t], part = vjp(body)(g_carry', g_y[t])        t from the last step to the first
    g_k += part

So it is a ``scan`` the other way, whose carries are the cotangents of carries and consts. What it
reads of the values of the body (the *residuals*) is stacked by the loop forwards, which is bound
once more with these among its results; the passes make one of the two. With ``segment`` the loop
keeps nothing but its carries, and the derivative computes each step again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..autodiff import cotangents
from ..ir.graph import Graph, Node, bind, full_like, topological
from ..ir.rewrite import substitute
from .bodies import parts_of, placeholder

#: operations so cheap that their result is computed again from what is kept anyway
CHEAP = frozenset(
    {"add", "sub", "mul", "neg", "max", "lt", "le", "eq", "not", "and", "or", "xor", "shl", "shr"}
    | {"select", "cast", "fence"}
)
MOVEMENT = frozenset({"reshape", "transpose", "broadcast"})
#: values that something is computed from again at most
MOST_ENDS = 3
#: what is free to compute again from inputs that stay
FREE = CHEAP | MOVEMENT | {"const", "iota", "slice"}


def derivative(gs: Mapping[int, Node], loop: Node) -> list[Node | None]:
    """The cotangents of the inputs of ``loop``, given those of some of its results."""
    params = loop.params
    body, carries = params["body"], params["carries"]
    back = _Backward(body, carries, params["scanned"], gs)
    residuals = back.residuals(keep_all=not params["segment"])
    forward = bind(
        "scan",
        *loop.inputs,
        **{**params, "body": Graph(body.inputs, (*body.outputs, *residuals))},
    )
    count = len(body.outputs)
    kept = {n: bind("item", forward, index=count + i) for i, n in enumerate(residuals)}
    return back.run(loop, gs, kept)


class _Backward:
    """The derivative of one step of ``body``."""

    def __init__(self, body: Graph, carries: int, scanned: int, gs: Mapping[int, Node]) -> None:
        self.body, self.carries = body, carries
        self.inputs = parts_of(body.inputs, carries, scanned)
        outputs = body.outputs
        #: cotangents of what is carried, and of what is stacked, that come into a step
        self.carried = [i for i in range(carries) if outputs[i].dtype.is_float]
        self.stacked = [i for i in gs if i >= carries and outputs[i].dtype.is_float]
        chosen = [*self.carried, *self.stacked]
        self.coming = {i: placeholder(f"g{i}", outputs[i].shape, outputs[i].dtype) for i in chosen}
        wanted = [n for n in body.inputs if n.dtype.is_float]
        seeds = [self.coming[i] for i in chosen]
        found = cotangents([outputs[i] for i in chosen], seeds, wanted)
        #: of the inputs that have one
        self.leaving = {n: g for n, g in zip(wanted, found, strict=True) if g is not None}
        self.summed = [k for k in self.inputs[2] if k in self.leaving]

    def residuals(self, keep_all: bool) -> list[Node]:
        """Values of the body that its derivative reads; inputs that stay are none of them."""
        roots = list(self.leaving.values())
        there = set(self.body.inputs) - set(self.inputs[0])
        needed = _read_from(roots, set(self.coming.values()))
        if keep_all:
            return _worth_keeping(needed, there)
        return [n for n in topological(needed) if n in self.inputs[0]]

    def run(
        self, loop: Node, gs: Mapping[int, Node], kept: Mapping[Node, Node]
    ) -> list[Node | None]:
        """The loop backwards, and its results in the order of the inputs of ``loop``."""
        carried, xs, consts = parts_of(loop.inputs, loop.params["carries"], loop.params["scanned"])
        first = [gs.get(i) for i in self.carried]
        starts = [
            full_like(carried[i], 0.0) if g is None else g
            for i, g in zip(self.carried, first, strict=True)
        ]
        outer = dict(zip(self.inputs[2], consts, strict=True))
        sums = [placeholder(f"sum{i}", k.shape, k.dtype) for i, k in enumerate(self.summed)]
        steps = [self._next(i) for i in self.carried]
        steps += [s + self.leaving[k] for s, k in zip(sums, self.summed, strict=True)]
        given = [x for x in self.inputs[1] if x in self.leaving]
        ys = [self.leaving[x] for x in given]
        stacks = dict(zip(self.inputs[1], xs, strict=True)) | dict(kept)
        new = {n: placeholder(f"r{i}", n.shape, n.dtype) for i, n in enumerate(stacks)}
        same = {k: placeholder(f"k{i}", k.shape, k.dtype) for i, k in enumerate(outer)}
        body = Graph(
            (
                *(self.coming[i] for i in self.carried),
                *sums,
                *(self.coming[i] for i in self.stacked),
                *new.values(),
                *same.values(),
            ),
            tuple(substitute([*steps, *ys], new | same)),
        )
        result = bind(
            "scan",
            *starts,
            *(full_like(outer[k], 0.0) for k in self.summed),
            *(gs[i] for i in self.stacked),
            *stacks.values(),
            *outer.values(),
            body=body,
            length=loop.params["length"],
            carries=len(steps),
            scanned=len(self.stacked) + len(new),
            reverse=1 - loop.params["reverse"],
            segment=loop.params["segment"],
            tiled=0,
            limited=0,
        )
        leaving = [self.inputs[0][i] for i in self.carried] + self.summed + given
        numbers = {n: index for index, n in enumerate(leaving)}
        return [
            bind("item", result, index=numbers[n]) if n in numbers else None
            for n in self.body.inputs
        ]

    def _next(self, i: int) -> Node:
        """What a step hands on as the cotangent of carry ``i``."""
        carry = self.inputs[0][i]
        return self.leaving.get(carry) or full_like(carry, 0.0)


def _read_from(roots: Sequence[Node], coming: set[Node]) -> list[Node]:
    """What a derivative reads that does not depend on the cotangents coming in."""
    dependent = set(coming)
    order = list(topological(roots))
    for node in order:
        if not dependent.isdisjoint(node.inputs):
            dependent.add(node)
    read = [i for n in order if n in dependent for i in n.inputs if i not in dependent]
    read += [r for r in roots if r not in dependent]
    return list(dict.fromkeys(read))


def _worth_keeping(needed: Sequence[Node], there: set[Node]) -> list[Node]:
    """Values to stack so that ``needed`` can be computed from them, cheaply.

    Movements and cheap operations are done again, where they need one value in all, or only such
    as are kept for others anyway.
    """
    order = list(topological(needed))
    ends = _ends(order, there)
    kept = {n for node in needed for n in ends[node] if len(ends[node]) == 1}
    for node in needed:
        if not ends[node] <= kept:
            kept.add(node)
    return [n for n in order if n in kept]


def _ends(order: Sequence[Node], there: set[Node]) -> dict[Node, frozenset[Node]]:
    """For each value, those that it can be computed from again for nearly nothing.

    Nothing, if it can be computed from inputs that stay; itself, if it is not cheap, or made of
    many.
    """
    ends: dict[Node, frozenset[Node]] = {}
    free: set[Node] = set()
    for node in order:
        below = frozenset(end for i in node.inputs for end in ends[i])
        again = node.op in CHEAP or node.op in MOVEMENT
        if node in there or (node.op in FREE and all(i in free for i in node.inputs)):
            free.add(node)
            ends[node] = frozenset()
        else:
            ends[node] = below if again and len(below) <= MOST_ENDS else frozenset({node})
    return ends
