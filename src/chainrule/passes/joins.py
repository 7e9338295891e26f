"""Sums of pieces that do not meet are one array, put together.

The derivative of cutting an array into pieces is a sum of padded pieces, each mostly zero. Where
they lie side by side, ``concat`` says the same without adding zeros.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce

import numpy as np

from ..ir.graph import Graph, Node, bind, users
from ..ir.rewrite import substitute, with_inputs


@dataclass(frozen=True, eq=False)
class _Piece:
    """A term of a sum that is zero but for ``start`` to ``stop`` along ``axis``.

    One that is added twice is two pieces.
    """

    node: Node
    axis: int
    start: int
    stop: int


def join_pieces(graph: Graph) -> Graph:
    """a padded + b padded -> concat(a, b), padded: for what lies side by side along one axis"""
    order = graph.nodes()
    readers = users(order)
    new: dict[Node, Node] = {}
    for node in order:
        inner = node.op == "add" and len(readers[node]) == 1 and readers[node][0].op == "add"
        terms = [] if inner or node.op != "add" else _terms(node, readers)
        joined = _joined(terms) if len(terms) > 1 else None
        if joined is None:
            new[node] = with_inputs(node, [new[i] for i in node.inputs])
        else:
            new[node] = reduce(lambda a, b: a + b, substitute(joined, new))
    return graph.with_roots(new[r] for r in graph.roots)


def _terms(node: Node, readers: dict[Node, list[Node]]) -> list[Node]:
    """What a sum adds, through sums that only it reads."""
    terms: list[Node] = []
    for i in node.inputs:
        inner = i.op == "add" and len(readers[i]) == 1
        terms += _terms(i, readers) if inner else [i]
    return terms


def _piece(node: Node) -> _Piece | None:
    """``node`` as a piece, if it is an array padded with zeros along one axis."""
    if node.op != "pad" or any(node.params["interior"]) or node.inputs[1].op != "const":
        return None
    value = node.inputs[1].params["value"]
    if value.any() or np.signbit(value).any():
        return None
    low, high = node.params["low"], node.params["high"]
    axes = [a for a in range(node.ndim) if low[a] or high[a]]
    if len(axes) != 1:
        return None
    [axis] = axes
    return _Piece(node, axis, low[axis], node.shape[axis] - high[axis])


def _joined(terms: list[Node]) -> list[Node] | None:
    """Fewer terms with the same sum; None if no two lie side by side."""
    pieces = [(t, _piece(t)) for t in terms]
    for axis in dict.fromkeys(p.axis for _, p in pieces if p):
        mine = sorted((p for _, p in pieces if p and p.axis == axis), key=lambda p: p.start)
        runs: list[list[_Piece]] = [mine[:1]]
        for piece in mine[1:]:
            if piece.start == runs[-1][-1].stop:
                runs[-1].append(piece)
            else:
                runs.append([piece])
        long = max(runs, key=len)
        if len(long) > 1:
            rest = [t for t, p in pieces if p not in long]
            return [_concat(long), *rest]
    return None


def _concat(run: list[_Piece]) -> Node:
    axis, last = run[0].axis, run[-1]
    whole = last.node
    joined = bind("concat", *(p.node.inputs[0] for p in run), axis=axis, location=whole.location)
    low = tuple(run[0].start if a == axis else 0 for a in range(whole.ndim))
    high = tuple(whole.shape[axis] - last.stop if a == axis else 0 for a in range(whole.ndim))
    if not any(low) and not any(high):
        return joined
    zero = (0,) * whole.ndim
    return bind("pad", joined, whole.inputs[1], low=low, high=high, interior=zero)
