"""Long reductions in two stages, in blocks that depend on the shape alone.

A sum over many elements in one chain loses digits and can use one thread only. A reduced extent of
more than ``LIMIT`` elements is cut into blocks of ``BLOCK``; the partial results are reduced by a
second node. Where rows of the array are reduced among other axes, and are long, each row is a
block: it lies together in memory, and the schedule can reduce it where it is computed. Where the
last axis stays and others go, as in the statistics of channels, each image is a block: threads
share out images everywhere, so it lies with the thread that has computed it.
"""

from __future__ import annotations

import math

import numpy as np

from ..ir.graph import Graph, Node, bind, constant
from ..ir.rewrite import map_nodes

REDUCTIONS = ("reduce_sum", "reduce_max")
#: reductions up to here are one nest: 512 steps in each of sixteen lanes cost few digits
LIMIT = 8192
#: elements of a block: a million are 1024 blocks, so that both stages have chains of one length
BLOCK = 1024
#: elements of a row that fills vectors, so that it can be a block
ROW = 64
#: elements of an image worth a partial result
IMAGE = 16


def split_reductions(graph: Graph) -> Graph:
    """Cut every reduction whose reduced extent exceeds `LIMIT`."""
    return map_nodes(graph, lambda n: split_reduction(n) if n.op in REDUCTIONS else n)


def split_reduction(node: Node) -> Node:
    """reduce(x, axes) -> reduce(reduce(x in blocks)), if the reduced extent is long"""
    x = node.inputs[0]
    axes = node.params["axes"]
    extent = math.prod(x.shape[axis] for axis in axes)
    last = x.ndim - 1
    images = axes[0] == 0 and last not in axes if axes else False
    if images and extent > BLOCK and extent >= IMAGE * x.shape[0] and len(axes) > 1:
        return _by_axis(node, 0)
    if extent <= LIMIT or not axes:
        return node
    if last in axes and len(axes) > 1 and ROW <= x.shape[last] <= LIMIT:
        return _rows_first(node, last)
    longest = max(axes, key=lambda a: (x.shape[a], a))
    if x.shape[longest] <= BLOCK:
        return _by_axis(node, longest)
    blocked = _block_axis(node, longest)
    partial_axes = tuple(a if a < longest else a + 1 for a in axes if a != longest)
    partial = bind(node.op, blocked, axes=tuple(sorted((*partial_axes, longest + 1))))
    partial = split_reduction(partial)
    kept_before = sum(1 for a in range(longest) if a not in axes)
    return split_reduction(bind(node.op, partial, axes=(kept_before,), location=node.location))


def _rows_first(node: Node, last: int) -> Node:
    """Rows to numbers, then the numbers."""
    rows = bind(node.op, node.inputs[0], axes=(last,))
    rest = tuple(a for a in node.params["axes"] if a != last)
    return split_reduction(bind(node.op, rows, axes=rest, location=node.location))


def _by_axis(node: Node, kept: int) -> Node:
    """Several axes: reduce all but one of them first."""
    axes = node.params["axes"]
    rest = tuple(a for a in axes if a != kept)
    if not rest:
        return node
    inner = split_reduction(bind(node.op, node.inputs[0], axes=rest))
    position = kept - sum(1 for a in rest if a < kept)
    return split_reduction(bind(node.op, inner, axes=(position,), location=node.location))


def _block_axis(node: Node, axis: int) -> Node:
    """Cut ``axis`` into (blocks, BLOCK), filling the end with the neutral element."""
    x = node.inputs[0]
    extent = x.shape[axis]
    blocks = -(-extent // BLOCK)
    missing = blocks * BLOCK - extent
    if missing:
        lowest = -np.inf if x.dtype.is_float else np.iinfo(x.dtype.numpy).min
        neutral = 0 if node.op == "reduce_sum" else lowest
        zeros = (0,) * x.ndim
        high = tuple(missing if a == axis else 0 for a in range(x.ndim))
        fill = constant(neutral, x.dtype)
        x = bind("pad", x, fill, low=zeros, high=high, interior=zeros)
    shape = (*x.shape[:axis], blocks, BLOCK, *x.shape[axis + 1 :])
    return bind("reshape", x, shape=shape)
