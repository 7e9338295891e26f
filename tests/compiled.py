"""Graphs through the whole compiler and run on one thread, without the runtime around them."""

from __future__ import annotations

import numpy as np

from chainrule.codegen.emit import emit_program
from chainrule.codegen.target import target_for
from chainrule.ir.graph import Graph, Node
from chainrule.ir.types import Array, Shape
from chainrule.passes import optimize
from chainrule.schedule import InputLayout, schedule
from codegen.native import link

CONTROL_BYTES = 1024


def aligned(nbytes: int) -> Array:
    """Zeroed bytes that start at a multiple of 64."""
    raw = np.zeros(nbytes + 128, np.uint8)
    start = -raw.ctypes.data % 64
    return raw[start : start + nbytes]


def stored(node: Node, value: Array) -> Array:
    """``value`` in memory of its own with the strides that ``node`` declares."""
    memory = aligned(max(value.nbytes, 1))[: value.nbytes].view(value.dtype)
    laid_out = as_strides(memory, node.shape, node.params["strides"])
    laid_out[...] = value
    return memory


def as_strides(memory: Array, shape: Shape, strides: Shape) -> Array:
    """The array of ``shape`` that lies in ``memory`` with ``strides`` in elements."""
    steps = [s * memory.itemsize for s in strides]
    return np.lib.stride_tricks.as_strided(memory, shape, steps)


def run_native(
    graph: Graph,
    values: list[Array],
    *,
    fusion: bool = True,
    cpu: str | None = None,
    exclude: frozenset[str] = frozenset(),
) -> tuple[list[Array], list[Array]]:
    """Like `interpret`: outputs and new values of updated states, of one step in native code.

    ``exclude`` names passes to leave out. Without fusion LLVM does nothing for speed
    either: as far from what is usual as can be.
    """
    target = target_for(cpu)
    program = schedule(optimize(graph, exclude=exclude), InputLayout(), fusion=fusion)
    call = link(emit_program(program, target), target, "run", 6, hasty=not fusion)
    inputs = [
        stored(n, np.asarray(v, n.dtype.numpy)) for n, v in zip(graph.inputs, values, strict=True)
    ]
    outputs = [
        aligned(max(n.size, 1) * n.dtype.itemsize).view(n.dtype.numpy)[: n.size].reshape(n.shape)
        for n in graph.outputs
    ]
    table = np.array([a.ctypes.data for a in (*inputs, *outputs)], np.uint64)
    control, arena = aligned(CONTROL_BYTES), aligned(program.arena_bytes + 64)
    call(control.ctypes.data, table.ctypes.data, arena.ctypes.data, 0, 1, 1)
    updates = []
    for update in graph.updates:
        state = update.inputs[0]
        memory = inputs[graph.inputs.index(state)]
        updates.append(as_strides(memory, state.shape, state.params["strides"]).copy())
    return outputs, updates
