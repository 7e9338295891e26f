"""Nests as kernels, and a program as a few modules of LLVM IR.

Together they have no external symbols. Their text depends on the program and the target alone, so
that it can name an entry of a cache.

    kernels          one function for each distinct body
    @barrier         where threads meet
    @tell            says that outputs are complete, to whoever waits for them
    @run             steps; in each its phases; in each the tasks of this thread, then the barrier
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from itertools import groupby, pairwise
from typing import NamedTuple

from ..errors import VerifyError
from ..schedule.buffers import Buffer
from ..schedule.nest import Chain, Loop, Nest, Phases, Product, Program, Task, nests_of
from .brgemm import emit_product
from .builder import Builder
from .kernel import Kernel
from .modules import divided, module_of
from .nests import emit_loops
from .spmd import (
    BARRIER,
    CLAIMED_CHAINS,
    DONE,
    LEAVE,
    STOP,
    barrier_text,
    flush_subnormals,
    restore_mode,
    tell_text,
)
from .structural_key import structural_key
from .target import Target
from .values import Value, const, i64
from .work_stealing import WorkStealing

RUN = "run"
#: an entry of more tasks is not optimised: it only calls, and would cost a third of the compile
MANY_TASKS = 100
#: kernels that a process remembers, of some kilobytes each: programs of one model, such as its
#: step and the step that is observed, have most of theirs in common
REMEMBERED = 500
_WRITTEN: dict[Hashable, Kernel] = {}
_CTL, _EXTERNALS, _ARENA = (Value(f"%{n}", "ptr") for n in ("ctl", "externals", "arena"))
_TID, _THREADS, _STEPS = (Value(f"%{n}", "i64") for n in ("tid", "threads", "steps"))


def emit_nest(nest: Nest, target: Target) -> Kernel:
    """The kernel of ``nest``."""
    if isinstance(nest.source, Product):
        return emit_product(nest, target)
    return emit_loops(nest, target)


def emit_program(program: Program, target: Target) -> tuple[str, ...]:
    """The modules of ``program``; the first has the entry `@run`."""
    return _Module(program, target).texts()


class _Trip(NamedTuple):
    """Where a loop is, see `Trip`; ``first``: of the trips that this thread does."""

    at: Value
    turn: Value
    first: Value


class _Module:
    """A module while it is written."""

    def __init__(self, program: Program, target: Target):
        self.program, self.target = program, target
        self.kernels: dict[tuple[int, str, str], str] = {}  # parameters, attributes, body -> name
        self.functions: list[tuple[str, Kernel]] = []
        self.constants: dict[Buffer, str] = {}
        self.b = Builder.on(target)
        self.ranges: dict[tuple[int, int], tuple[Value, Value]] = {}
        self.step = Value("%step", "i64")
        self.trips: list[_Trip] = []  # of the loops around what is being emitted
        chains = [len({t.chain for t in p if t.chain}) for p in program.phases]
        shared = [count for count in chains if count]
        most = max(shared, default=0)
        self.stealing = WorkStealing(self.b, _CTL, _TID, _THREADS, len(shared), most)
        self.begun = 0  # phases with chains
        self.told = 0  # milestones of which has been told
        #: whether the entry is a module of its own
        self.alone = sum(map(len, program.phases)) > MANY_TASKS

    def texts(self) -> tuple[str, ...]:
        run = self._run()
        groups = divided(self.functions)
        data = [constant_text(name, buffer) for buffer, name in self.constants.items()]
        beside = [] if self.alone else groups.pop(0)
        telling = [tell_text()] if self.program.milestones else []
        barrier, needed = barrier_text(self.target, "hidden" if self.alone else "internal")
        elsewhere = [kernel.declaration(name) for group in groups for name, kernel in group]
        others = [module_of(group) for group in groups]
        if self.alone:
            others[0] = "\n".join([needed, others[0], barrier])
            entry, declared = [*telling, run], {BARRIER, *self.b.declarations}
        else:
            entry = [*(kernel.text(name) for name, kernel in beside), barrier, *telling, run]
            declared = {needed, *self.b.declarations}.union(*(k.declarations for _, k in beside))
        return ("\n".join([*sorted(declared), *elsewhere, *data, *entry]), *others)

    # ------------------------------------------------------------------------------ the entry

    def _run(self) -> str:
        b = self.b
        saved = flush_subnormals(b, self.target)
        self.top = b.hook()
        before, head, latch, out = b.block, "begin", "again", "end"
        b.branch_if(b.compare("sgt", _STEPS, i64(0)), head, out)
        b.label(head)
        b.emit(f"{self.step.name} = phi i64 [0, %{before}], [%following, %{latch}]")
        phases = [(number, p) for number, p in enumerate(self.program.phases) if p]
        for (number, phase), (_, following) in pairwise([*phases, (0, ())]):
            self._phase(phase)
            if following and not _same_thread(phase, following):
                self._barrier()
                self._tell(number)
        self._end_of_step(latch, head, out)
        b.label(out)
        self.stealing.end()
        restore_mode(b, self.target, saved)
        b.ret()
        params = [_CTL, _EXTERNALS, _ARENA, _TID, _THREADS, _STEPS]
        attributes = "nounwind noinline optnone" if self.alone else "nounwind"
        return b.function(RUN, params, attributes, linkage="")

    def _barrier(self) -> None:
        self.b.emit(f"call void @barrier({_CTL}, {_TID}, {_THREADS})")

    def _tell(self, number: int) -> None:
        """Thread 0 tells which milestones lie behind all threads, with phase ``number``."""
        passed = sum(milestone.phase <= number for milestone in self.program.milestones)
        if passed > self.told:
            with self.b.when(self._owned(0)):
                self.b.emit(f"call void @tell({_CTL}, i64 {passed - self.told})")
            self.told = passed

    def _end_of_step(self, latch: str, head: str, out: str) -> None:
        """Thread 0 decides whether all leave; the decision has two words in turn, because a slow
        thread may read that of one step while thread 0 writes that of the next."""
        b = self.b
        b.emit(f"%following = add i64 {self.step.name}, 1")
        following = Value("%following", "i64")
        parity = b.bits("and", self.step, i64(1))
        leave = b.gep(b.gep(_CTL, LEAVE, "i8"), parity, "i32")
        with b.when(b.compare("eq", _TID, i64(0))):
            b.store(following, b.gep(_CTL, DONE, "i8"), 8)
            stop = b.op("i32", f"load atomic i32, {b.gep(_CTL, STOP, 'i8')} monotonic, align 4")
            b.store(stop, leave, 4)
        self._barrier()
        self._tell(len(self.program.phases))
        go = b.compare("eq", b.load("i32", leave, 4), const("i32", 0))
        more = b.compare("slt", following, _STEPS)
        again = b.bits("and", go, more)
        b.branch(latch)
        b.label(latch)
        b.branch_if(again, head, out)

    # ---------------------------------------------------------------------------------- loops

    def _loop(self, loop: Loop) -> None:
        """The trips, with a barrier after each phase unless one thread does all of it."""
        if loop.pieces:
            self._loop_by_pieces(loop)
            return
        if loop.shared:
            first, end = self._range(loop.trips, 1)
            with self.b.loop(first, end) as at, self._trip(at, at, first):
                self._alone(loop.phases)
            return
        phases = [p for p in loop.phases if p]
        with self._trips(loop):
            for number, phase in enumerate(phases):
                self._phase(phase)
                if not _same_thread(phase, phases[(number + 1) % len(phases)]):
                    self._barrier()

    @contextmanager
    def _trip(self, at: Value, turn: Value, first: Value) -> Iterator[None]:
        self.trips.append(_Trip(at, turn, first))
        yield
        self.trips.pop()

    @contextmanager
    def _trips(self, loop: Loop) -> Iterator[None]:
        """For each trip that ``loop`` makes."""
        b = self.b
        count: Value | int = loop.trips
        if loop.limit is not None:
            pointer = self._pointer(loop.limit.buffer)
            where = b.gep(pointer, loop.limit.offset.const * loop.limit.buffer.dtype.itemsize, "i8")
            said = b.op("i64", f"sext {b.load('i32', where, 4)} to i64")
            count = b.overloaded("smin", said, i64(loop.trips))
        with b.loop(0, count) as at:
            turn = b.sub(count, at) if isinstance(count, Value) else at
            with self._trip(at, turn, i64(0)):
                yield

    def _alone(self, phases: Phases) -> None:
        """All tasks, in their order, by each thread that comes here."""
        for task in (task for phase in phases for task in phase):
            nest = task.nest
            if isinstance(nest, Loop):
                with self._trips(nest):
                    self._alone(nest.phases)
                continue
            kernel = self._kernel(nest)
            pointers = [self._pointer(buffer) for buffer in kernel.buffers]
            extent = nest.dims[nest.split] if nest.split is not None else 0
            self._call(kernel, pointers, i64(0), i64(extent))

    def _loop_by_pieces(self, loop: Loop) -> None:
        """All trips of one piece after another, of those that fall to this thread."""
        b, (first, end) = self.b, self._range(loop.pieces, 1)
        with b.loop(first, end) as piece, self._trips(loop):
            for nest in nests_of(loop.phases):
                kernel, length = self._kernel(nest), i64(nest.piece)
                lo = b.mul(piece, length)
                pointers = [self._pointer(buffer) for buffer in kernel.buffers]
                self._call(kernel, pointers, lo, b.add(lo, length))

    # ---------------------------------------------------------------------------------- tasks

    def _phase(self, phase: Sequence[Task]) -> None:
        """Tasks in order; those of one chain stand side by side."""
        if any(task.chain for task in phase):
            self.stealing.begin(self.step, self.begun)
            self.begun += 1
        chains = 0
        for chain, tasks in groupby(phase, key=lambda task: task.chain):
            if chain is None:
                for task in tasks:
                    self._task(task)
            else:
                self._chain(chain, list(tasks), chains)
                chains += 1

    @contextmanager
    def _pieces(self, chain: Chain, index: int) -> Iterator[tuple[Value, Value]]:
        """For each block of pieces of the phase's chain ``index`` that falls to this thread."""
        b, (first, end) = self.b, self._range(chain.pieces, 1)
        if index < CLAIMED_CHAINS:
            with b.when(b.compare("slt", first, end)), self.stealing.pieces(chain, index) as block:
                yield block
        else:
            with b.loop(first, end, chain.block) as piece:
                yield piece, b.overloaded("smin", b.add(piece, i64(chain.block)), end)

    def _chain(self, chain: Chain, tasks: list[Task], index: int) -> None:
        """Some pieces at a time through all tasks."""
        b = self.b
        first, _ = self._range(chain.pieces, 1)
        with self._pieces(chain, index) as (piece, until):
            for task in tasks:
                assert isinstance(task.nest, Nest)
                assert task.nest.split is not None
                steps = i64(task.nest.dims[task.nest.split] // chain.pieces)
                kernel = self._kernel(task.nest)
                back = b.sub(first, piece)
                pointers = [self._moved(buffer, chain, back) for buffer in kernel.buffers]
                self._call(kernel, pointers, b.mul(piece, steps), b.mul(until, steps))

    def _task(self, task: Task) -> None:
        b, nest = self.b, task.nest
        if isinstance(nest, Loop):
            self._loop(nest)
            return
        kernel = self._kernel(nest)
        pointers = [self._pointer(buffer) for buffer in kernel.buffers]
        if nest.split is None or task.owner is not None:
            extent = nest.dims[nest.split] if nest.split is not None else 0
            with b.when(self._owned(task.owner or 0)):
                self._call(kernel, pointers, i64(0), i64(extent))
            return
        lo, hi = self._range(nest.dims[nest.split], kernel.grain)
        with b.when(b.compare("slt", lo, hi)):
            self._call(kernel, pointers, lo, hi)

    def _kernel(self, nest: Nest) -> Kernel:
        """The kernel of a nest; it is written once for all nests that are alike."""
        key = structural_key(nest), self.target
        kernel = _WRITTEN.get(key)
        if kernel is None:
            kernel = replace(emit_nest(nest, self.target), buffers=())
            if len(_WRITTEN) >= REMEMBERED:
                _WRITTEN.clear()
            _WRITTEN[key] = kernel
        return replace(kernel, buffers=nest.buffers)

    def _named(self, kernel: Kernel) -> str:
        """The function of a kernel; one for all kernels of equal text."""
        key = (len(kernel.buffers), kernel.attributes, kernel.body)
        if key not in self.kernels:
            self.kernels[key] = f"kernel_{len(self.kernels)}"
            self.functions.append((self.kernels[key], kernel))
        return self.kernels[key]

    def _moved(self, buffer: Buffer, chain: Chain, back: Value) -> Value:
        """Where ``buffer`` begins if its pieces lie ``-back`` pieces nearer to the start."""
        b, pointer = self.b, self._pointer(buffer)
        size = chain.local.get(buffer, 0) * buffer.dtype.itemsize
        return b.gep(pointer, b.mul(back, i64(size)), "i8") if size else pointer

    def _call(self, kernel: Kernel, pointers: list[Value], lo: Value, hi: Value) -> None:
        name = self._named(kernel)
        self.b.emit(f"call void @{name}({', '.join(map(str, (*pointers, lo, hi)))})")

    def _owned(self, owner: int) -> Value:
        """Whether this thread is number ``owner`` modulo the number of threads."""
        b = self.b
        if owner == 0:
            return b.compare("eq", _TID, i64(0))
        turn = b.op("i64", f"urem i64 {owner}, {_THREADS.name}")
        return b.compare("eq", _TID, turn)

    def _range(self, extent: int, grain: int) -> tuple[Value, Value]:
        """This thread's part of a split dim, in whole grains."""
        share = self.ranges.get((extent, grain))
        if share is None:
            b, grains = self.b, i64(-(-extent // grain))
            with b.at(self.top):
                first = b.div(b.mul(grains, _TID), _THREADS)
                end = b.div(b.mul(grains, b.add(_TID, i64(1))), _THREADS)
                lo, hi = b.mul(first, i64(grain)), b.mul(end, i64(grain))
                share = lo, b.overloaded("smin", hi, i64(extent))
            self.ranges[extent, grain] = share
        return share

    def _pointer(self, buffer: Buffer) -> Value:
        b = self.b
        if buffer.base is not None:
            return self._window(buffer, buffer.base)
        if buffer.kind == "arena":
            return b.gep(_ARENA, self.program.offsets[buffer], "i8")
        if buffer.kind == "const":
            name = self.constants.setdefault(buffer, f"const_{len(self.constants)}")
            return Value(f"@{name}", "ptr")
        start = b.load("ptr", b.gep(_EXTERNALS, buffer.slot, "ptr"), 8)
        if not buffer.step_stride:
            return start
        stride = buffer.step_stride * buffer.dtype.itemsize
        return b.gep(start, b.mul(self.step, i64(stride)), "i8")

    def _window(self, buffer: Buffer, base: Buffer) -> Value:
        """Where a window lies in the present trip."""
        b, trip = self.b, self.trips[buffer.depth]
        size = buffer.dtype.itemsize
        start = b.gep(self._pointer(base), buffer.start * size, "i8")
        if not buffer.stride:
            return start
        number = trip.first if buffer.private else trip.at
        if buffer.period:
            number = b.op("i64", f"urem {trip.turn}, {buffer.period}")
        return b.gep(start, b.mul(number, i64(buffer.stride * size)), "i8")


def constant_text(name: str, buffer: Buffer) -> str:
    """A constant buffer's bytes, 64-byte aligned."""
    if buffer.data is None:
        raise VerifyError(f"constant {buffer} has no data")
    data = buffer.data.astype(buffer.dtype.numpy, order="C").tobytes()
    if not any(data):
        return f"@{name} = internal constant [{len(data)} x i8] zeroinitializer, align 64"
    text = "".join(f"\\{byte:02X}" for byte in data)
    return f'@{name} = internal constant [{len(data)} x i8] c"{text}", align 64'


def _same_thread(phase: Sequence[Task], following: Sequence[Task]) -> bool:
    """Whether one thread does all of both phases, so that nobody waits between them."""
    tasks = (*phase, *following)
    return all(map(_alone, tasks)) and len({t.owner or 0 for t in tasks}) == 1


def _alone(task: Task) -> bool:
    """Whether one thread does all of a task; of a loop, the first one."""
    if isinstance(task.nest, Loop):
        free = task.nest.pieces or task.nest.shared
        return not free and all(_alone(t) and not t.owner for t in task.nest.tasks)
    return task.nest.split is None or task.owner is not None
