"""What this machine can do at most, measured now: FMA rate and memory bandwidth.

The clock of a shared machine swings by a third within minutes, so a time means little without
the peak measured beside it. Both probes are LLVM text compiled in place:

* ``fma``: independent multiply-add chains held in registers, no memory traffic;
* ``triad``: ``a[i] = b[i] + s * c[i]`` over arrays far larger than the caches.

Every thread is bound to its own processor; ctypes releases the interpreter lock while it runs.
"""

from __future__ import annotations

import ctypes
import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import llvmlite.binding as llvm
import numpy as np

_CALL = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int64)

SETTLE = (
    0.13  # seconds; OpenBLAS threads spin 2**28 cycles after a call, on a processor others need
)

Kernel = Callable[[int, int], None]


@dataclass(frozen=True)
class Vector:
    """Lanes of float32 in one register and how many chains hide the FMA latency."""

    lanes: int
    chains: int


def lines(instructions: list[str]) -> str:
    return "\n  ".join(instructions)


def host_vector() -> Vector:
    """Widest float vector of this processor; chains leave registers for the two operands."""
    features = llvm.get_host_cpu_features()
    if features.get("avx512f"):
        return Vector(lanes=16, chains=24)
    if features.get("fma"):
        return Vector(lanes=8, chains=12)
    return Vector(lanes=4, chains=12)


def fma_text(vector: Vector) -> str:
    """LLVM text of ``void fma(float* p, i64 n)``: n rounds of ``x = x * a + b`` in every chain."""
    v, chains = f"<{vector.lanes} x float>", range(vector.chains)
    offset = vector.lanes * 4
    load = [
        f"%q{i} = getelementptr i8, ptr %p, i64 {(i + 2) * offset}\n  "
        f"%s{i} = load {v}, ptr %q{i}, align 4"
        for i in chains
    ]
    phi = [f"%x{i} = phi {v} [%s{i}, %entry], [%y{i}, %loop]" for i in chains]
    step = [
        f"%y{i} = call {v} @llvm.fmuladd.v{vector.lanes}f32({v} %x{i}, {v} %a, {v} %b)"
        for i in chains
    ]
    store = [f"store {v} %y{i}, ptr %q{i}, align 4" for i in chains]
    return f"""
declare {v} @llvm.fmuladd.v{vector.lanes}f32({v}, {v}, {v})
define void @fma(ptr %p, i64 %n) {{
entry:
  %a = load {v}, ptr %p, align 4
  %pb = getelementptr i8, ptr %p, i64 {offset}
  %b = load {v}, ptr %pb, align 4
  {lines(load)}
  br label %loop
loop:
  %k = phi i64 [0, %entry], [%k1, %loop]
  {lines(phi)}
  {lines(step)}
  %k1 = add i64 %k, 1
  %done = icmp eq i64 %k1, %n
  br i1 %done, label %exit, label %loop
exit:
  {lines(store)}
  ret void
}}
"""


def triad_text(vector: Vector) -> str:
    """LLVM text of ``void triad(float* p, i64 n)`` over a, b, c laid one after another."""
    v, step = f"<{vector.lanes} x float>", vector.lanes
    scale = ", ".join(["float 3.0"] * vector.lanes)
    return f"""
define void @triad(ptr %a, i64 %n) {{
entry:
  %b = getelementptr float, ptr %a, i64 %n
  %c = getelementptr float, ptr %b, i64 %n
  br label %loop
loop:
  %i = phi i64 [0, %entry], [%i1, %loop]
  %pa = getelementptr float, ptr %a, i64 %i
  %pb = getelementptr float, ptr %b, i64 %i
  %pc = getelementptr float, ptr %c, i64 %i
  %xb = load {v}, ptr %pb, align 4
  %xc = load {v}, ptr %pc, align 4
  %m = fmul {v} %xc, <{scale}>
  %y = fadd {v} %xb, %m
  store {v} %y, ptr %pa, align 4
  %i1 = add i64 %i, {step}
  %done = icmp uge i64 %i1, %n
  br i1 %done, label %exit, label %loop
exit:
  ret void
}}
"""


def compile_text(text: str, name: str) -> tuple[Kernel, object]:
    """One function of verified LLVM text as a callable, and what keeps its code alive."""
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    module = llvm.parse_assembly(text)
    module.verify()
    machine = llvm.Target.from_default_triple().create_target_machine(
        cpu=llvm.get_host_cpu_name(),
        features=llvm.get_host_cpu_features().flatten(),
        opt=3,
        reloc="pic",
        codemodel="small",
    )
    jit = llvm.create_lljit_compiler()
    library = (
        llvm.JITLibraryBuilder()
        .add_object_img(machine.emit_object(module))
        .export_symbol(name)
        .link(jit, name)
    )
    return _CALL(library[name]), (jit, library)


@dataclass
class Machine:
    """The probes, compiled once. ``cpus`` are the processors the benchmark may use."""

    cpus: tuple[int, ...] = field(default_factory=lambda: tuple(sorted(os.sched_getaffinity(0))))
    triad_floats: int = 1 << 24

    @cached_property
    def vector(self) -> Vector:
        return host_vector()

    @cached_property
    def _fma(self) -> tuple[Kernel, object]:
        return compile_text(fma_text(self.vector), "fma")

    @cached_property
    def _triad(self) -> tuple[Kernel, object]:
        return compile_text(triad_text(self.vector), "triad")

    def peak(self, threads: int, seconds: float = 0.01, repeats: int = 5) -> float:
        """GFLOP/s of ``threads`` threads doing nothing but FMA; the best of some short runs."""
        time.sleep(SETTLE)
        (kernel, _), vector = self._fma, self.vector
        size = vector.lanes * (vector.chains + 2)
        data = [np.full(size, 0.5, np.float32) for _ in range(threads)]
        flops = 2 * vector.lanes * vector.chains
        rounds = 1 << 14
        single = self.seconds(kernel, data[:1], rounds)
        rounds = max(1 << 14, int(rounds * seconds / single))
        best = min(self.seconds(kernel, data, rounds) for _ in range(repeats))
        return threads * rounds * flops / best / 1e9

    @cached_property
    def _triad_data(self) -> list[np.ndarray]:
        return [np.ones(3 * self.triad_floats, np.float32) for _ in self.cpus]

    def bandwidth(self, threads: int, repeats: int = 3) -> float:
        """GB/s of the triad, counting two reads and one write of each element."""
        (kernel, _), data = self._triad, self._triad_data[:threads]
        best = min(self.seconds(kernel, data, self.triad_floats) for _ in range(repeats))
        return threads * 12 * self.triad_floats / best / 1e9

    def release(self) -> None:
        """Give back the triad's arrays."""
        self.__dict__.pop("_triad_data", None)

    def seconds(self, kernel: Kernel, data: list[np.ndarray], count: int) -> float:
        """Seconds from the common start until the last thread is done."""
        gate = threading.Barrier(len(data))
        spans: list[tuple[float, float]] = []

        def work(array: np.ndarray, cpu: int) -> None:
            os.sched_setaffinity(0, {cpu})  # 0 is the calling thread, not the process
            address = array.ctypes.data
            gate.wait()
            start = time.perf_counter()
            kernel(address, count)
            spans.append((start, time.perf_counter()))

        threads = [
            threading.Thread(target=work, args=(array, cpu))
            for array, cpu in zip(data, self.cpus, strict=False)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return max(end for _, end in spans) - min(start for start, _ in spans)


def processor_name() -> str:
    """The processor as the kernel names it, with LLVM's name of the core."""
    path = Path("/proc/cpuinfo")
    lines = path.read_text().splitlines() if path.exists() else []
    model = next((x.split(":", 1)[1].strip() for x in lines if x.startswith("model name")), "?")
    return f"{model} ({llvm.get_host_cpu_name()})"
