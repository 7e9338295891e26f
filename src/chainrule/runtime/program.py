"""A compiled program, ready to run: memory bound, arguments in, fresh arrays out."""

from __future__ import annotations

import atexit
import threading
import time
import weakref
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any

import numpy as np

from ..errors import CompileError, DTypeError, ShapeError, StateError
from ..ir.memory import ALIGNMENT, address, aligned_empty
from ..ir.types import Array, DType
from .buffer import Arena
from .description import ProgramMeta, Slot
from .link import Linked
from .locks import let_fork_pass, lock_of
from .pace import Pace
from .processors import get_num_threads
from .store import Control, Listener, PointerTable
from .threads import RUN, pool

__all__ = ["NativeProgram"]

STAGED_BYTES = 64 * 1024  # arrays up to here are copied, which is quicker than passing pointers
_EXIT_SECONDS = 2.0

_programs: weakref.WeakSet[NativeProgram] = weakref.WeakSet()
_leaver: int | None = None  # the thread that ends the interpreter, once it does


class _Staged:
    """A small array that has its own place in the staging buffer."""

    def __init__(self, slot: Slot, index: int, memory: Array, offset: int) -> None:
        self.slot, self.index = slot, index
        self.dtype, self.shape = slot.dtype.numpy, slot.shape
        self.view: Array = np.ndarray(
            slot.shape, self.dtype, memory, offset, strides=slot.byte_strides
        )
        self.home: int = address(memory) + offset

    def take(self, array: Array, table: Any) -> None:
        """Copy an argument in."""
        if array.dtype != self.dtype or array.shape != self.shape:
            raise _mismatch(self.slot, array, self.shape)
        self.view[...] = array

    def give(self) -> Array:
        """A copy of the output."""
        return self.view.copy()

    def prepare(self, table: Any) -> None:
        """Nothing: the pointer never changes."""


class _Direct:
    """A large array whose own address is passed."""

    home = 0

    def __init__(self, slot: Slot, index: int) -> None:
        self.slot, self.index = slot, index
        self.dtype, self.shape = slot.dtype.numpy, slot.shape
        self._copy: Array | None = None
        self._fresh: Array | None = None

    def take(self, array: Array, table: Any) -> None:
        """Pass an argument's address; its copy's, if it does not lie as the program expects."""
        if array.dtype != self.dtype or array.shape != self.shape:
            raise _mismatch(self.slot, array, self.shape)
        start = address(array)
        if not self.slot.lies_like(array) or (self.slot.aligned and start % ALIGNMENT):
            if self._copy is None:
                self._copy = _empty_like(self.slot)
            self._copy[...] = array
            start = address(self._copy)
        table[self.index] = start

    def prepare(self, table: Any) -> None:
        """Make memory for an output."""
        self._fresh = aligned_empty(self.shape, self.dtype)
        table[self.index] = address(self._fresh)

    def give(self) -> Array:
        """The output."""
        fresh, self._fresh = self._fresh, None
        if fresh is None:
            raise CompileError(f"output {self.slot.name} was not prepared")
        return fresh


class NativeProgram:
    """Machine code with its memory. Calls from several threads are run one after the other, also
    those of other programs that share any of the states.

    ``states`` gives each state slot's array by name; they are updated in place and their addresses
    are fixed until `bind` is called again. ``guarded`` poisons the arena before each call and
    checks its edges after.
    """

    def __init__(
        self,
        linked: Linked,
        meta: ProgramMeta,
        states: Mapping[str, Array] | None = None,
        guarded: bool = False,
    ) -> None:
        self.meta = meta
        self._linked = linked
        self._entry = linked.addresses[meta.entry]
        self._run = RUN(self._entry)
        self._control = Control()
        self._ctl, self._done = self._control.address, self._control.done
        self._arena = Arena(meta.arena_bytes, guarded, meta.kept_bytes)
        self._arena_at = self._arena.address
        self._pointers = PointerTable(len(meta.slots))
        self._table, self._table_at = self._pointers.entries, self._pointers.address
        self._pace = Pace(meta.flops, meta.traffic_bytes)
        self._offset = 0
        self._make_slots()
        self.bind(states or {})
        _programs.add(self)

    def _make_slots(self) -> None:
        """How the array of each slot that is not a state gets in or out."""
        slots = list(enumerate(self.meta.slots))
        moving = [(i, s) for i, s in slots if s.kind in ("arg", "output")]
        small = [(i, s) for i, s in moving if s.nbytes <= STAGED_BYTES]
        offsets, total = {}, 0
        for i, slot in small:
            offsets[i] = total
            total += -(-max(slot.nbytes, 1) // ALIGNMENT) * ALIGNMENT
        memory = aligned_empty((total,), np.uint8)
        ports: list[_Staged | _Direct] = [
            _Staged(s, i, memory, offsets[i]) if i in offsets else _Direct(s, i) for i, s in moving
        ]
        self._args = [port for port in ports if port.slot.kind == "arg"]
        self._outputs = [port for port in ports if port.slot.kind == "output"]
        self._scalars = [i for i, s in slots if s.kind == "scalar"]
        self._scalar_row = aligned_empty((len(self._scalars),), np.float64)
        self._go_home()

    def _go_home(self) -> None:
        """Point every staged slot and scalar to its own place."""
        for port in (*self._args, *self._outputs):
            self._table[port.index] = port.home
        start = address(self._scalar_row)
        for column, index in enumerate(self._scalars):
            self._table[index] = start + 8 * column

    def bind(self, states: Mapping[str, Array]) -> None:
        """Use ``states`` (slot name to array) from now on; every state slot must be there.

        Other threads must not call the program meanwhile.
        """
        slots = [(i, s) for i, s in enumerate(self.meta.slots) if s.kind == "state"]
        arrays = [_checked_state(slot, states.get(slot.name)) for _, slot in slots]
        self._states = arrays
        self._lock = lock_of(arrays)
        for (index, _), array in zip(slots, arrays, strict=True):
            self._table[index] = address(array)

    @property
    def planned_bytes(self) -> dict[str, int]:
        """What it takes beside its arguments: the ``arena`` of its temporaries, its ``states``, and
        its ``code`` with all constants.
        """
        states = sum(slot.nbytes for slot in self.meta.slots if slot.kind == "state")
        return {"arena": self.meta.arena_bytes, "states": states, "code": self._linked.nbytes}

    @property
    def exclusive(self) -> AbstractContextManager[Any]:
        """Inside, this thread alone runs programs that write any of these states."""
        return self._lock.calls

    @property
    def steps_done(self) -> int:
        """Whole steps that the latest call has done; also after Ctrl-C or `stop`, and meanwhile."""
        return self._offset + self._done.value

    def forget_steps(self) -> None:
        """`steps_done` is 0 from here on: Ctrl-C before the next call begins finds no old count."""
        self._offset = 0
        self._done.value = 0

    def stop(self) -> None:
        """End the running call after its present step; later calls are not affected."""
        self._control.stop.value = 1

    def close(self) -> None:
        """Free the machine code; later calls are errors."""
        with self._lock.calls:
            self._linked.close()

    def __call__(self, *args: Array, scalars: Sequence[float] | Array = ()) -> tuple[Array, ...]:
        """Run one step. Arguments are arrays of exactly the slots' shapes and dtypes."""
        if len(args) != len(self._args) or len(scalars) != len(self._scalars):
            raise self._miscounted(len(args), len(scalars))
        with self._lock.calls:
            table = self._table
            for arg, array in zip(self._args, args):  # noqa: B905 (compared above; strict is slow)
                arg.take(array, table)
            if self._scalars:
                self._scalar_row[:] = scalars
            for output in self._outputs:
                output.prepare(table)
            if self._pace.alone and not self._arena.guarded and self._ready():
                self._offset = self._done.value = 0
                with self._lock.slices:
                    self._run(self._ctl, self._table_at, self._arena_at, 0, 1, 1)
            else:
                self._advance(1, ())
            return tuple([output.give() for output in self._outputs])

    def run_many(
        self,
        steps: int,
        *args: Array,
        scalars: Array | Sequence[Sequence[float]] = (),
        out: Sequence[Array] | None = None,
        listener: Listener | None = None,
    ) -> tuple[Array, ...]:
        """Run ``steps`` steps in one go.

        Arguments and outputs with a step stride have a row for each step in front: shape (steps,
        *shape); ``scalars`` is (steps, number of scalars). Other outputs are those of the last
        step. ``out`` is memory for all outputs, C-ordered rows. ``listener`` is told in each step
        of groups of outputs that are complete, if the program was compiled to tell. After `stop`
        the rows of steps not done are left out; `steps_done` tells how many were. Ctrl-C is seen
        within about 50 ms, between two steps. `ShapeError` or `DTypeError` for arrays that the
        program was not compiled for.
        """
        if steps < 1:
            raise ShapeError(f"invalid number of steps: {steps}", help="pass at least 1")
        if len(args) != len(self._args):
            raise self._miscounted(len(args), len(self._scalars))
        with self._lock.calls:
            columns = self._scalar_columns(steps, scalars)
            kept: list[Array] = [columns]
            stepped = [
                (i, address(columns[c]), self.meta.slots[i].step_bytes)
                for c, i in enumerate(self._scalars)
            ]
            try:
                for arg, array in zip(self._args, args, strict=True):
                    if arg.slot.step_stride:
                        kept.append(_rows(arg.slot, array, steps))
                        stepped.append((arg.index, address(kept[-1]), arg.slot.step_bytes))
                    else:
                        arg.take(array, self._table)
                tables: dict[int, Array] = {}
                for i, output in enumerate(self._outputs):
                    if output.slot.step_stride:
                        if out is None:
                            rows_out = aligned_empty((steps, *output.shape), output.dtype)
                        else:
                            rows_out = _rows(output.slot, out[i], steps, given=True)
                        tables[output.index] = rows_out
                        stepped.append((output.index, address(rows_out), output.slot.step_bytes))
                    else:
                        output.prepare(self._table)
                with self._control.heard_by(listener):
                    self._advance(steps, stepped)
                done = self.steps_done
                return tuple(
                    tables[o.index][:done] if o.index in tables else o.give() for o in self._outputs
                )
            finally:
                self._go_home()

    def _advance(self, steps: int, stepped: Sequence[tuple[int, int, int]]) -> None:
        """Run slices until ``steps`` steps are done or a stop is asked for; the lock is held."""
        if not self._ready():
            raise StateError("this program was closed", help="compile the function again")
        if self._arena.guarded:
            self._arena.poison()
        pace, control = self._pace, self._control
        self._offset = 0
        control.reset()
        while self._offset < steps:
            for index, start, stride in stepped:
                self._table[index] = start + self._offset * stride
            most = get_num_threads()
            threads, count = pace.threads(most), pace.steps(steps - self._offset)
            let_fork_pass()
            with self._lock.slices:
                begin = time.perf_counter()
                if threads == 1:
                    self._run(self._ctl, self._table_at, self._arena_at, 0, 1, count)
                else:
                    threads = pool().run(
                        self._entry, self._ctl, self._table_at, self._arena_at, threads, count
                    )
                seconds = time.perf_counter() - begin
            # No call between the last two, so that Ctrl-C finds `steps_done` right.
            done = self._done.value
            self._offset += done
            self._done.value = 0
            pace.record(threads, done, seconds)
            if control.stop.value:
                break
        if self._arena.guarded:
            self._arena.check()

    def _scalar_columns(self, steps: int, rows: Array | Sequence[Sequence[float]]) -> Array:
        """``rows``, one for each step, checked and turned into a row for each scalar."""
        want = (steps, len(self._scalars))
        table = np.asarray(rows, np.float64)
        if table.shape != want and (table.size or want[1]):
            raise ShapeError(f"scalars of shape {table.shape}, the program expects {want}")
        return np.ascontiguousarray(table.reshape(want).T)

    def _ready(self) -> bool:
        if _leaver is not None and _leaver != threading.get_ident():
            # The interpreter ends while this (daemon) thread is still calling.
            raise SystemExit
        return not self._linked.closed

    def _miscounted(self, args: int, scalars: int) -> ShapeError:
        want = f"{len(self._args)} arrays and {len(self._scalars)} scalars"
        return ShapeError(f"the program takes {want}, not {args} and {scalars}")


def _empty_like(slot: Slot) -> Array:
    strides = slot.byte_strides
    reach = sum((n - 1) * s for n, s in zip(slot.shape, strides, strict=True) if n)
    memory = aligned_empty((reach + slot.dtype.itemsize,), np.uint8)
    return np.ndarray(slot.shape, slot.dtype.numpy, memory, strides=strides)


def _rows(slot: Slot, array: Array, steps: int, given: bool = False) -> Array:
    """``array`` checked as the rows of ``steps`` steps; copied if it does not lie in order, unless
    it is ``given`` to be written."""
    if array.dtype != slot.dtype.numpy or array.shape != (steps, *slot.shape):
        raise _mismatch(slot, array, (steps, *slot.shape))
    if given:
        return array
    if (slot.aligned and address(array) % ALIGNMENT) or not array.flags.c_contiguous:
        copy = aligned_empty(array.shape, array.dtype)
        copy[...] = array
        return copy
    return array


def _checked_state(slot: Slot, array: Array | None) -> Array:
    if array is None:
        raise StateError(f"the program needs state {slot.name}, which was not given")
    if array.dtype != slot.dtype.numpy or array.shape != slot.shape:
        raise _mismatch(slot, array, slot.shape)
    if not slot.lies_like(array):
        raise StateError(
            f"state {slot.name} has strides {array.strides}, the program expects "
            f"{slot.byte_strides} (bytes)",
        )
    if not array.flags.writeable:
        raise StateError(f"state {slot.name} is read-only, and the program updates it in place")
    if slot.aligned and address(array) % ALIGNMENT and array.size:
        raise StateError(
            f"state {slot.name} does not start at a multiple of {ALIGNMENT} bytes",
            help="allocate it with chainrule.ir.memory.aligned_empty",
        )
    return array


def _mismatch(slot: Slot, array: Array, shape: tuple[int, ...]) -> ShapeError | DTypeError:
    if array.shape != shape:
        return ShapeError(
            f"{slot.kind} {slot.name} has shape {array.shape}, the program was compiled for {shape}"
        )
    want: DType = slot.dtype
    return DTypeError(f"{slot.kind} {slot.name} is {array.dtype}, the program expects {want.numpy}")


def _freeze() -> None:
    """At exit: let running programs finish their step, then keep everybody out of native code."""
    global _leaver
    _leaver = threading.get_ident()
    for program in list(_programs):
        program.stop()
        for lock in program._lock.parts:
            lock.calls.acquire(timeout=_EXIT_SECONDS)


# After the pool's own exit function was registered, so this one runs before it.
atexit.register(_freeze)
