"""Memory bandwidth with the reads and writes of a given update, measured beside it.

A triad over arrays larger than every cache says little about an update whose arrays lie in a large
one. The probe here walks over as many arrays of the same size as the update, pass by pass, reads
and writes those that the update must, in place, and computes almost nothing:

    for each pass, for each i:  s = (sum of x[i] over the arrays read) / their number
                                x[i] = s for the arrays written

Threads take equal parts of every array and do not wait for one another between passes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.machine import Kernel, Machine, Vector, compile_text, host_vector, lines

LINE = 64
AHEAD = 1536  # bytes; without asking ahead the probe itself stays up to a fifth below the memory


@dataclass(frozen=True)
class Pass:
    """One walk over all elements: names of the arrays read, and of those written after."""

    reads: str
    writes: str = ""

    @property
    def moved(self) -> int:
        """Arrays read plus arrays written."""
        return len(self.reads) + len(self.writes)


def stream_text(passes: tuple[Pass, ...], names: str, vector: Vector) -> str:
    """LLVM text of ``void stream(ptr table, i64 n)``: ``table`` holds a pointer for each name."""
    body = "\n".join(_pass_text(n, p, names, vector) for n, p in enumerate(passes))
    return f"""
declare void @llvm.prefetch.p0(ptr, i32, i32, i32)
define void @stream(ptr %table, i64 %n) {{
entry:
  br label %entry0
{body}
entry{len(passes)}:
  ret void
}}
"""


def _pass_text(number: int, p: Pass, names: str, vector: Vector) -> str:
    v, t = f"<{vector.lanes} x float>", f"{number}"
    used = list(dict.fromkeys(p.reads + p.writes))
    pointers = [
        f"%t{t}{x} = getelementptr ptr, ptr %table, i64 {names.index(x)}\n  "
        f"%p{t}{x} = load ptr, ptr %t{t}{x}, align 8"
        for x in used
    ]
    address = [f"%a{t}{x} = getelementptr float, ptr %p{t}{x}, i64 %i{t}" for x in used]
    load = [f"%v{t}{x} = load {v}, ptr %a{t}{x}, align {LINE}" for x in p.reads]
    ask = [
        f"%c{t}{x} = getelementptr i8, ptr %a{t}{x}, i64 {AHEAD}\n  "
        f"call void @llvm.prefetch.p0(ptr %c{t}{x}, i32 0, i32 3, i32 1)"
        for x in p.reads
    ]
    total, add = f"%v{t}{p.reads[0]}", []
    for x in p.reads[1:]:
        add.append(f"%s{t}{x} = fadd {v} {total}, %v{t}{x}")
        total = f"%s{t}{x}"
    share = ", ".join([f"float 0x{_double_bits(1 / len(p.reads)):016X}"] * vector.lanes)
    store = [f"store {v} %m{t}, ptr %a{t}{x}, align {LINE}" for x in p.writes]
    return f"""
entry{t}:
  {lines(pointers)}
  br label %loop{t}
loop{t}:
  %i{t} = phi i64 [0, %entry{t}], [%j{t}, %loop{t}]
  %k{t} = phi {v} [zeroinitializer, %entry{t}], [%l{t}, %loop{t}]
  {lines(address)}
  {lines(ask)}
  {lines(load)}
  {lines(add)}
  %m{t} = fmul {v} {total}, <{share}>
  %l{t} = fadd {v} %k{t}, %m{t}
  {lines(store)}
  %j{t} = add i64 %i{t}, {vector.lanes}
  %d{t} = icmp uge i64 %j{t}, %n
  br i1 %d{t}, label %done{t}, label %loop{t}
done{t}:
  %e{t} = getelementptr ptr, ptr %table, i64 {len(names)}
  %f{t} = load ptr, ptr %e{t}, align 8
  store {v} %l{t}, ptr %f{t}, align {LINE}
  br label %entry{number + 1}
"""


def _double_bits(value: float) -> int:
    """The float nearest to ``value``, as LLVM writes it: the bits of a double."""
    return int(np.float64(np.float32(value)).view(np.uint64))


def aligned(count: int) -> NDArray[np.float32]:
    """Ones that start at a cache line."""
    whole = np.ones(count + LINE // 4, np.float32)
    start = -whole.ctypes.data % LINE // 4
    return whole[start : start + count]


class Stream:
    """The probe for ``passes`` over arrays of ``count`` elements on ``threads`` threads."""

    def __init__(
        self, passes: tuple[Pass, ...], count: int, threads: int, machine: Machine
    ) -> None:
        names = "".join(dict.fromkeys("".join(p.reads + p.writes for p in passes)))
        vector = host_vector()
        self._kernel, self._library = compile_text(stream_text(passes, names, vector), "stream")
        self._machine = machine
        self.share = count // threads // vector.lanes * vector.lanes
        self._arrays = [aligned(count) for _ in names]
        self._sums = [aligned(vector.lanes) for _ in range(threads)]
        self._tables = [
            np.array(
                [a.ctypes.data + 4 * self.share * t for a in self._arrays] + [total.ctypes.data],
                np.uintp,
            )
            for t, total in enumerate(self._sums)
        ]
        self.moved = 4 * self.share * threads * sum(p.moved for p in passes)

    def seconds(self, rounds: int) -> float:
        """Of one walk through all passes, in a burst of ``rounds``."""
        kernel: Kernel = self._kernel

        def repeated(table: int, count: int) -> None:
            for _ in range(rounds):
                kernel(table, count)

        return self._machine.seconds(repeated, self._tables, self.share) / rounds
