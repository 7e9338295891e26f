"""Nests compiled and called through ctypes, for tests."""

from __future__ import annotations

import ctypes
import itertools
from collections.abc import Callable, Sequence
from functools import cache

import llvmlite.binding as llvm
import numpy as np
import numpy.typing as npt

from chainrule.codegen.emit import emit_nest
from chainrule.codegen.target import Target, emit_objects, target_for
from chainrule.ir.types import Array, DType
from chainrule.schedule.buffers import Buffer
from chainrule.schedule.nest import Access, Affine, Apply, Load, Nest, Store

_serial = itertools.count()
GUARD = 64  # bytes of canary on both sides of every buffer


def link(
    texts: str | Sequence[str], target: Target, name: str, arguments: int, hasty: bool = False
) -> Callable[..., None]:
    """Compile modules and return their function ``name``, of pointers and integers."""
    engine = llvm.create_lljit_compiler()
    builder = llvm.JITLibraryBuilder()
    for content in emit_objects([texts] if isinstance(texts, str) else texts, target, hasty):
        builder.add_object_img(content)
    library = builder.export_symbol(name).link(engine, f"test{next(_serial)}")
    function = ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * arguments)(library[name])

    def call(*values: int) -> None:
        if len(values) != arguments:
            raise TypeError(f"{name} takes {arguments} arguments")
        function(*values)

    call.keep = engine, library  # type: ignore[attr-defined]
    return call


def nest_text(nest: Nest, target: Target) -> str:
    """A module with the nest as ``@kernel``."""
    kernel = emit_nest(nest, target)
    return "\n".join([*sorted(kernel.declarations), kernel.text("kernel").replace("internal ", "")])


class NativeNest:
    """A compiled nest."""

    def __init__(self, nest: Nest, cpu: str | None = None):
        self.target = target_for(cpu)
        self.nest = nest
        self.buffers = emit_nest(nest, self.target).buffers
        self.call = link(nest_text(nest, self.target), self.target, "kernel", len(self.buffers) + 2)

    def __call__(self, memory: dict[Buffer, Array], lo: int = 0, hi: int | None = None) -> None:
        split = self.nest.split
        extent = self.nest.dims[split] if split is not None else 0
        pointers = [memory[b].ctypes.data for b in self.buffers]
        self.call(*pointers, lo, extent if hi is None else hi)


def guarded(data: Array, *, aligned: bool) -> tuple[Array, npt.NDArray[np.uint8]]:
    """A flat copy of ``data`` between canaries, and all the bytes around it."""
    raw = np.full(data.nbytes + 4 * GUARD, 0xA5, np.uint8)
    start = GUARD + -(raw.ctypes.data + GUARD) % 64
    if not aligned:
        start += data.itemsize
    inside = raw[start : start + data.nbytes].view(data.dtype)
    inside[:] = data.reshape(-1)
    outside = np.ones(raw.size, np.bool_)
    outside[start : start + data.nbytes] = False
    return inside, np.ma.masked_array(raw, ~outside)


def bits(x: Array) -> Array:
    """The bit pattern of every element, with all NaN alike."""
    if x.dtype.kind == "f":
        x = np.where(np.isnan(x), x.dtype.type(np.nan), x)
        return x.view(np.uint32 if x.itemsize == 4 else np.uint64)
    return x


@cache
def native_function(op: str, cpu: str | None) -> Callable[[Array], Array]:
    """A float32 function of the code generator, applied to arrays."""
    size = 1 << 20
    x, y = Buffer("x", DType.f32, size), Buffer("y", DType.f32, size)
    there = Affine(0, (1,))
    value = Apply(DType.f32, op, (Load(DType.f32, Access(x, there)),))
    run = NativeNest(Nest((size,), 1, (Store(Access(y, there), value),), split=0), cpu)

    def apply(values: Array) -> Array:
        count = -(-values.size // 16) * 16
        source, result = np.zeros(count + 16, np.float32), np.zeros(count + 16, np.float32)
        source, result = _aligned(source), _aligned(result)
        source[: values.size] = values.reshape(-1)
        run({x: source, y: result}, 0, count)
        return result[: values.size].reshape(values.shape)

    return apply


def _aligned(x: Array) -> Array:
    return x[-(x.ctypes.data // x.itemsize) % (64 // x.itemsize) :]
