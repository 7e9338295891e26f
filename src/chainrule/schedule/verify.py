"""Programs are proved sound before they run: every element that is read was stored, by one thread.

    read    stored in an earlier phase, by an earlier nest of the chain in the same piece, kept
            zero, or given by the caller; and nothing else was stored there since
    store   in one phase only one nest stores an element, others do not read it, and threads that
            share the nest store different ones
    nest    reads what it stores at the same point only (an update of a state in place)
    output  all of it is stored

Accesses are affine, so which elements they touch is known without running anything; an index read
from memory may be any within its extent. ``CHAINRULE_VERIFY=1`` proves this of every program that
is compiled, as all tests do; `simulate.py` checks the same of the elements that are really touched.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from ..errors import VerifyError
from .nest import Access, Buffer, Nest, Program, Task
from .shadow import Elements, Shadow


def verify_program(program: Program) -> None:
    """Raise VerifyError with the nest and the element if ``program`` breaks a rule above."""
    shadow = make_shadow(program)
    for phase in program.phases:
        groups = [list(tasks) for _, tasks in groupby(phase, key=_group_key)]
        for tasks in groups:
            for task in tasks:
                _check_nest(task.nest)
            _check_chain(tasks, shadow)
        _check_phase(groups, shadow)
        for task in phase:
            for buffer, elements in _stores(task.nest):
                shadow.stored(buffer, elements)
    shadow.check_outputs()


def make_shadow(program: Program) -> Shadow:
    """Shadow memory as it is before a step: what no nest ever stores in a kept buffer is zero."""
    shadow = Shadow(program)
    kept = {b: np.zeros(b.size, np.bool_) for b in program.offsets if b.kept}
    for nest in (task.nest for phase in program.phases for task in phase):
        for buffer, elements in _stores(nest):
            if buffer in kept:
                kept[buffer][elements] = True
    for buffer, stored in kept.items():
        shadow.keep(buffer, stored)
    return shadow


def _group_key(task: Task) -> object:
    return task if task.chain is None else task.chain


# --------------------------------------------------------------------------- what accesses touch


def image(access: Access, dims: Sequence[int]) -> Elements:
    """The elements that ``access`` touches while the loops run over ``dims``, in rising order."""
    steps = [(c, n) for c, n in zip(access.offset.coeffs, dims, strict=False) if c and n > 1]
    steps += [(i.stride, i.extent) for i in access.indirect if i.stride and i.extent > 1]
    if 0 in dims or any(i.extent == 0 for i in access.indirect):
        return np.zeros(0, np.int64)
    first = access.offset.const + sum(min(0, c * (n - 1)) for c, n in steps)
    touched = np.ones(1, np.bool_)
    for step, count in sorted((abs(c), n) for c, n in steps):
        touched = _repeated(touched, step, count)
    return np.flatnonzero(touched) + first


def _repeated(touched: NDArray[np.bool_], step: int, count: int) -> NDArray[np.bool_]:
    """``touched`` ``count`` times, each ``step`` elements after the one before."""
    size = touched.size
    if step >= size:
        rows = np.zeros((count, step), np.bool_)
        rows[:, :size] = touched
        return rows.reshape(-1)[: (count - 1) * step + size]
    every = np.zeros((count - 1) * step + size, np.bool_)
    for i in range(count):
        every[i * step : i * step + size] |= touched
    return every


def _touched(access: Access, nest: Nest) -> Elements:
    """The elements of an access; accumulators that wait may wait anywhere in their memory."""
    if nest.waiting is not None and access.buffer is nest.waiting.buffer:
        return np.arange(access.buffer.size)
    return image(access, nest.dims)


def _stores(nest: Nest) -> Iterator[tuple[Buffer, Elements]]:
    """What the nest has stored for certain when it is through: a scatter may drop what it gets."""
    for access in nest.writes:
        if not access.indirect:
            yield access.buffer, _touched(access, nest)


# ------------------------------------------------------------------------------- inside of a nest


def _check_nest(nest: Nest) -> None:
    for access in nest.writes:
        _check_threads(access, nest)
        for read in nest.reads:
            if read.buffer is access.buffer and read != access:
                both = np.intersect1d(_touched(read, nest), _touched(access, nest))
                if both.size:
                    _refuse(nest, access.buffer, both, "is read at one point and stored at another")


def _check_threads(access: Access, nest: Nest) -> None:
    """Threads that share a nest store different elements: one index of the split dim, one owner."""
    if nest.split is None or (nest.waiting and access.buffer is nest.waiting.buffer):
        return
    owner = np.full(access.buffer.size, -1, np.int64)
    still = tuple(1 if d == nest.split else n for d, n in enumerate(nest.dims))
    first, step = image(access, still), access.offset.coeffs[nest.split]
    for index in range(nest.dims[nest.split]):
        elements = first + index * step
        if (owner[elements] >= 0).any():
            _refuse(nest, access.buffer, elements[owner[elements] >= 0], "is stored by two threads")
        owner[elements] = index


# ------------------------------------------------------------- nests that follow one another


def _check_chain(tasks: Sequence[Task], shadow: Shadow) -> None:
    """Reads find what earlier phases stored, or earlier tasks of the chain in the same piece."""
    chain = tasks[0].chain
    pieces = 1 if chain is None else chain.pieces
    owners: dict[Buffer, NDArray[np.int64]] = {}  # the piece that stored an element
    for task in tasks:
        for access, piece, elements in _by_piece(task.nest.reads, task.nest, pieces):
            owner = owners.get(access.buffer)
            own = np.zeros(elements.shape, np.bool_) if owner is None else owner[elements] == piece
            shadow.check(access.buffer, elements[~own], task.nest)
        for access, piece, elements in _by_piece(task.nest.writes, task.nest, pieces):
            owner = owners.setdefault(access.buffer, np.full(access.buffer.size, -1, np.int64))
            owner[elements] = piece
    for task in tasks if chain is not None else ():
        for access, piece, elements in _by_piece(
            (*task.nest.reads, *task.nest.writes), task.nest, pieces
        ):
            owner = owners.get(access.buffer)
            if owner is not None:
                others = (owner[elements] >= 0) & (owner[elements] != piece)
                if others.any():
                    _refuse(task.nest, access.buffer, elements[others], "belongs to another piece")


def _by_piece(
    accesses: Iterable[Access], nest: Nest, pieces: int
) -> Iterator[tuple[Access, int, Elements]]:
    """For each access and piece of the split dim, the elements that it touches."""
    for access in accesses:
        if pieces == 1 or nest.split is None:
            yield access, 0, _touched(access, nest)
            continue
        steps = nest.dims[nest.split] // pieces
        dims = tuple(steps if d == nest.split else n for d, n in enumerate(nest.dims))
        first = image(access, dims)
        for piece in range(pieces):
            yield access, piece, first + piece * steps * access.offset.coeffs[nest.split]


# ------------------------------------------------------------------------------- nests side by side


def _check_phase(groups: Sequence[Sequence[Task]], shadow: Shadow) -> None:
    """No two groups of a phase touch an element that one of them stores."""
    owners = _Owners(shadow.program)
    for number, tasks in enumerate(groups):
        for task in tasks:
            for access in task.nest.writes:
                elements = _touched(access, task.nest)
                if not owners.free(access.buffer, elements, number):
                    _refuse(task.nest, access.buffer, elements, "is stored by two nests at once")
                owners.take(access.buffer, elements, number)
    for number, tasks in enumerate(groups):
        for task in tasks:
            for access in task.nest.reads:
                elements = _touched(access, task.nest)
                if not owners.free(access.buffer, elements, number):
                    _refuse(task.nest, access.buffer, elements, "is stored while it is read")


class _Owners:
    """Which group of a phase stores each byte of the arena and each element outside of it."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.arena = np.full(program.arena_bytes, -1, np.int32)
        self.external: dict[int, NDArray[np.int32]] = {}

    def free(self, buffer: Buffer, elements: Elements, group: int) -> bool:
        """Whether no other group stores any of ``elements``."""
        owner = self._cells(buffer)[elements]
        return bool(((owner == -1) | (owner == group)).all())

    def take(self, buffer: Buffer, elements: Elements, group: int) -> None:
        """``group`` stores ``elements``."""
        self._cells(buffer)[elements] = group

    def _cells(self, buffer: Buffer) -> NDArray[np.int32]:
        if buffer.kind == "arena":
            start = self.program.offsets[buffer]
            return self.arena[start : start + buffer.nbytes].reshape(buffer.size, -1)
        key = buffer.slot if buffer.kind == "external" else id(buffer)
        return self.external.setdefault(key, np.full(buffer.size, -1, np.int32))


def _refuse(nest: Nest, buffer: Buffer, elements: Elements, what: str) -> None:
    raise VerifyError(f"nest {nest.name}: element {elements[0]} of {buffer} {what}")
