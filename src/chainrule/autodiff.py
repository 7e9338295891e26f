"""Backpropagation: derivatives of a graph as a graph.

For y = f(x) inside a larger computation with a real result L, write g_y for the *cotangent*
dL/dy. The chain rule says what x contributes to L through y:

    g_x += (dy/dx)ᵀ g_y

Every primitive knows its own ``vjp``, the map g_y -> (dy/dx)ᵀ g_y, as an expression in other
primitives. So one sweep from the results to the inputs, in reverse topological order, meets each
value after everybody who uses it, when its cotangent is complete. Because the cotangents are
ordinary nodes, they can be differentiated again, compiled and printed like all others.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from .errors import GradientError, ShapeError
from .ir.graph import Node, at, topological


def cotangents(
    ys: Sequence[Node],
    gs: Sequence[Node],
    xs: Sequence[Node],
    stop: Collection[Node] = frozenset(),
) -> list[Node | None]:
    """The cotangents of ``xs``, given those (``gs``) of ``ys``: sum over i of (dy_i/dx)ᵀ g_i.

    An x that no y depends on gets None. Nothing passes through a ``fence``, through values that
    are not real numbers, or through the nodes in ``stop``. `GradientError` if the way from a y
    to an x leads through a primitive without a derivative.
    """
    active = set(xs)  # values that depend on an x
    path: list[Node] = []  # applications between the xs and the ys, in topological order
    for y in topological(ys):
        if y.dtype.is_float and y.op != "fence" and y not in stop and active.intersection(y.inputs):
            active.add(y)
            path.append(y)

    total: dict[Node, Node] = {}

    def contribute(x: Node, g: Node | None) -> None:
        if g is not None and x in active:
            total[x] = total[x] + g if x in total else g

    for y, g in zip(ys, gs, strict=True):
        _check_type(y, g)
        contribute(y, g)
    for y in reversed(path):
        if y in total:
            for x, part in zip(y.inputs, _vjp(total[y], y), strict=True):
                contribute(x, part)
    return [total.get(x) for x in xs]


def _vjp(g: Node, y: Node) -> Sequence[Node | None]:
    """The cotangents that the inputs of ``y`` get from its own, ``g``."""
    rule = y.primitive.vjp
    if rule is None:
        raise GradientError(
            f"`{y.op}` has no derivative",
            where=str(y.location or ""),
            help="keep it out of the path to the loss, or stop the gradient before it",
        )
    with at(y.location):  # the derivative belongs to the line that it is the derivative of
        return rule(g, y, *y.inputs, **y.params)


def _check_type(y: Node, g: Node) -> None:
    if (g.shape, g.dtype) != (y.shape, y.dtype):
        raise ShapeError(
            f"the cotangent of {y!r} must have its type, not {g!r}", where=str(y.location or "")
        )
