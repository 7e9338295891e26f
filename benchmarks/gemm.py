"""Matrix products of the workloads against the FMA peak measured beside them.

    python -m benchmarks.gemm                                 our kernels, all threads and one
    python -m benchmarks.gemm --kernel numpy                  NumPy's BLAS
    python -m benchmarks.gemm --kernel package.module:make    other kernels
    python -m benchmarks.gemm --shapes mlp --threads 1

``make(shape, threads)`` gets a ``Gemm`` and returns a callable without arguments that computes the
product once, on ``threads`` threads, operands prepared outside; or None where it has no kernel.
Native kernels repeat themselves inside, so their times hold no calls. A product of 10 columns can
reach 10 / 16 of the peak.
A convolution is listed as the product it is, with its geometry for kernels that need it.
"""

from __future__ import annotations

import argparse
import ctypes
import importlib
import os
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal, cast

import numpy as np

from benchmarks.machine import Machine
from benchmarks.workloads import WORKLOADS
from chainrule.codegen.emit import emit_nest
from chainrule.codegen.target import emit_objects, target_for
from chainrule.ir.types import f32
from chainrule.runtime.link import link
from chainrule.schedule.buffers import Buffer
from chainrule.schedule.nest import Acc, Access, Affine, Nest, Product, Store
from chainrule.schedule.tile import shares_columns

Pass = Literal["forward", "dX", "dW"]
PASSES: tuple[Pass, ...] = ("forward", "dX", "dW")


@dataclass(frozen=True)
class Conv:
    """Images of ``size`` x ``size`` x ``cin`` to ``cout`` channels, ``kernel`` x ``kernel``."""

    images: int
    size: int
    cin: int
    cout: int
    kernel: int
    stride: int = 1

    def product(self, which: Pass) -> tuple[int, int, int]:
        """(M, N, K) of one pass as an implicit product, channels last, borders counted in full."""
        taps = self.kernel**2
        outputs = self.images * (self.size // self.stride) ** 2
        if which == "forward":
            return outputs, self.cout, taps * self.cin
        if which == "dX":  # only every stride-th tap meets a cotangent
            inputs = self.images * self.size**2
            return inputs, self.cin, taps * self.cout // self.stride**2
        return taps * self.cin, self.cout, outputs


@dataclass(frozen=True)
class Gemm:
    """C (m, n) = A (m, k) B (k, n); ``layout`` tells how A and B lie in memory, as in BLAS."""

    family: str
    layer: str
    which: Pass
    m: int
    n: int
    k: int
    layout: Literal["NN", "NT", "TN"]
    conv: Conv | None = None

    @property
    def flops(self) -> int:
        return 2 * self.m * self.n * self.k


def dense_shapes(workload: str) -> list[Gemm]:
    """Weights (out, in): Y = X W^T, dX = G W, dW = G^T X. The first layer needs no dX."""
    spec, shapes = WORKLOADS[workload], []
    for i, (fan_in, fan_out) in enumerate(spec.dense.pairs):
        layer = f"{fan_in}-{fan_out}"
        shapes.append(Gemm(workload, layer, "forward", spec.batch, fan_out, fan_in, "NT"))
        if i:
            shapes.append(Gemm(workload, layer, "dX", spec.batch, fan_in, fan_out, "NN"))
        shapes.append(Gemm(workload, layer, "dW", fan_out, fan_in, spec.batch, "TN"))
    return shapes


RESNET_CONVS = (
    Conv(32, 32, 3, 16, 3),
    Conv(32, 32, 16, 16, 3),
    Conv(32, 32, 16, 32, 3, 2),
    Conv(32, 16, 32, 32, 3),
    Conv(32, 16, 32, 64, 3, 2),
    Conv(32, 8, 64, 64, 3),
    Conv(32, 32, 16, 32, 1, 2),
    Conv(32, 16, 32, 64, 1, 2),
)


def resnet_shapes() -> list[Gemm]:
    """ResNet-20's distinct convolutions, batch 32; the first needs no dX."""
    layouts: dict[Pass, Literal["NN", "NT", "TN"]] = {"forward": "NN", "dX": "NN", "dW": "TN"}
    return [
        Gemm("resnet", name(conv), which, *conv.product(which), layouts[which], conv)
        for conv in RESNET_CONVS
        for which in PASSES
        if not (which == "dX" and conv is RESNET_CONVS[0])
    ]


def name(conv: Conv) -> str:
    taps, stride = f"{conv.kernel}x{conv.kernel}", f"/{conv.stride}" if conv.stride > 1 else ""
    return f"{conv.cin}-{conv.cout} {taps}{stride} @{conv.size}"


FAMILIES: dict[str, Callable[[], list[Gemm]]] = {
    "tabular": lambda: dense_shapes("tabular"),
    "mlp": lambda: dense_shapes("mlp"),
    "resnet": resnet_shapes,
}

Run = Callable[[], object]
Make = Callable[[Gemm, int], Run | None]


@dataclass(frozen=True)
class Native:
    """A compiled product that repeats itself in native code, so that calls cost nothing."""

    call: Callable[..., None]
    keep: object
    memory: tuple[np.ndarray, ...]
    cuts: tuple[int, ...]
    repeats: int

    def __call__(self) -> None:
        pointers = [x.ctypes.data for x in self.memory]
        parts = list(pairwise(self.cuts))
        threads = [
            threading.Thread(target=self.call, args=(*pointers, lo, hi, self.repeats))
            for lo, hi in parts[1:]
        ]
        for thread in threads:
            thread.start()
        self.call(*pointers, *parts[0], self.repeats)
        for thread in threads:
            thread.join()


def chainrule_kernel(shape: Gemm, threads: int) -> Run:
    """The kernel that a training step would use; B is row-major, as lowering makes it."""
    nest, target = nest_of(shape), target_for()
    kernel = emit_nest(nest, target)
    text = "\n".join([*sorted(kernel.declarations), kernel.text("kernel"), REPEAT])
    linked = link(emit_objects([text], target), ["repeat"])
    call = ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * 3, *[ctypes.c_int64] * 3)
    extent = nest.dims[nest.split or 0]
    grains = -(-extent // kernel.grain)
    cuts = tuple(min(extent, grains * t // threads * kernel.grain) for t in range(threads + 1))
    rng = np.random.default_rng(0)
    memory = tuple(aligned(rng.standard_normal(b.size, np.float32)) for b in kernel.buffers)
    repeats = max(1, int(4e9 * threads / shape.flops))
    return Native(call(linked.addresses["repeat"]), linked, memory, cuts, repeats)


def nest_of(shape: Gemm) -> Nest:
    """C = A B with a store and no other epilogue."""
    m, n, k = shape.m, shape.n, shape.k
    a, b, c = Buffer("a", f32, m * k), Buffer("b", f32, k * n), Buffer("c", f32, m * n)
    left = Access(a, Affine(0, (1, 0, m) if shape.layout == "TN" else (k, 0, 1)))
    right = Access(b, Affine(0, (0, 1, n)))
    store = Store(Access(c, Affine(0, (n, 1, 0))), Acc(f32))
    split = int(shares_columns(m, n))
    return Nest((m, n, k), 2, (store,), Product(left, right), vector=1, split=split)


def aligned(x: np.ndarray) -> np.ndarray:
    """A copy that starts a cache line."""
    raw = np.empty(x.size + 16, x.dtype)
    start = -(raw.ctypes.data // 4) % 16
    raw[start : start + x.size] = x
    return raw[start : start + x.size]


REPEAT = """
define void @repeat(ptr %a, ptr %b, ptr %c, i64 %lo, i64 %hi, i64 %count) {
entry:
  br label %loop
loop:
  %i = phi i64 [0, %entry], [%next, %loop]
  call void @kernel(ptr %a, ptr %b, ptr %c, i64 %lo, i64 %hi)
  %next = add i64 %i, 1
  %more = icmp slt i64 %next, %count
  br i1 %more, label %loop, label %done
done:
  ret void
}
"""


def numpy_kernel(shape: Gemm, threads: int) -> Run:
    """NumPy's BLAS on the plain product; its threads come from the environment of the process."""
    rng = np.random.default_rng(0)
    a = rng.standard_normal((shape.m, shape.k)).astype(np.float32)
    b = rng.standard_normal((shape.k, shape.n)).astype(np.float32)
    a = np.asfortranarray(a) if shape.layout == "TN" else a
    b = np.asfortranarray(b) if shape.layout == "NT" else b
    out = np.empty((shape.m, shape.n), np.float32)
    return lambda: np.matmul(a, b, out=out)


def load_kernel(text: str) -> Make:
    """``package.module:function``, or one of the kernels here by name."""
    if text in KERNELS:
        return KERNELS[text]
    module, _, function = text.partition(":")
    return cast(Make, getattr(importlib.import_module(module), function))


KERNELS: dict[str, Make] = {"chainrule": chainrule_kernel, "numpy": numpy_kernel}


@dataclass(frozen=True)
class Timing:
    """Seconds per product (best and median of some bursts) and the peak beside them."""

    best: float
    median: float
    peak: float
    steady: bool

    def of_peak(self, flops: int) -> float:
        """Percent of the FMA peak, from the median."""
        return 100 * flops / self.median / 1e9 / self.peak


def time_kernel(
    run: Run, machine: Machine, threads: int, *, seconds: float = 0.02, tries: int = 3
) -> Timing:
    """Bursts between two measurements of the peak; again while the peaks differ by over 5 %."""
    repeats = run.repeats if isinstance(run, Native) else 1
    run()
    start = time.perf_counter()
    run()
    count = max(1, int(seconds / (time.perf_counter() - start)))
    for _ in range(tries):
        before, found = machine.peak(threads, repeats=3), []
        for _ in range(5):
            start = time.perf_counter()
            for _ in range(count):
                run()
            found.append((time.perf_counter() - start) / count / repeats)
        after = machine.peak(threads, repeats=3)
        steady = abs(before - after) <= 0.05 * max(before, after)
        if steady:
            break
    return Timing(min(found), statistics.median(found), (before + after) / 2, steady)


def table(shapes: list[Gemm], make: Make, machine: Machine, threads: int) -> None:
    """One line per shape, and the share of the peak over each family's sum of products."""
    os.sched_setaffinity(0, machine.cpus[:threads])
    print(f"{threads} threads" if threads > 1 else "1 thread")
    print(f"{'':34}{'M':>7}{'N':>6}{'K':>7}{'us min':>10}{'median':>10}{'% of peak':>11}")
    totals: dict[str, tuple[float, float]] = {}
    for shape in shapes:
        label = f"{shape.family:8} {shape.layer:16} {shape.which:8}"
        size = f"{label:34}{shape.m:7}{shape.n:6}{shape.k:7}"
        run = make(shape, threads)
        if run is None:
            print(f"{size}  no kernel")
            continue
        t = time_kernel(run, machine, threads)
        doubt = "" if t.steady else "  the peak moved"
        of_peak = t.of_peak(shape.flops)
        print(f"{size}{t.best * 1e6:10.1f}{t.median * 1e6:10.1f}{of_peak:11.1f}{doubt}", flush=True)
        needed, spent = totals.get(shape.family, (0.0, 0.0))
        totals[shape.family] = (needed + shape.flops / t.peak / 1e9, spent + t.median)
    for family, (needed, spent) in totals.items():
        print(f"{family}: {spent * 1e6:.0f} us for all, {100 * needed / spent:.1f} % of the peak")
    print()


def parser() -> argparse.ArgumentParser:
    p = argparse.ArgumentParser(prog="python -m benchmarks.gemm")
    names = ", ".join(KERNELS)
    p.add_argument("--kernel", default="chainrule", help=f"{names} or MODULE:FUNCTION")
    p.add_argument("--shapes", default="mlp,resnet", help="of " + ", ".join(FAMILIES))
    p.add_argument("--threads", default="", help="numbers such as 1,2; default: all and one")
    return p


def main() -> None:
    options, machine = parser().parse_args(), Machine()
    most = len(machine.cpus)
    counts = [int(t) for t in options.threads.split(",")] if options.threads else [most, 1]
    if os.environ.get("OPENBLAS_NUM_THREADS") != options.threads:
        for count in counts:  # BLAS reads its thread count once, so each count is a process
            extra = {"OPENBLAS_NUM_THREADS": str(count), "OMP_NUM_THREADS": str(count)}
            command = [sys.executable, "-m", "benchmarks.gemm", "--shapes", options.shapes]
            command += ["--kernel", options.kernel, "--threads", str(count)]
            subprocess.run(command, env=os.environ | extra, check=True)
        return
    shapes = [shape for family in options.shapes.split(",") for shape in FAMILIES[family]()]
    table(shapes, load_kernel(options.kernel), machine, counts[0])


if __name__ == "__main__":
    main()
