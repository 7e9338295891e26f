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
from .shadow import (
    Elements,
    Marks,
    Mask,
    Shadow,
    check_range,
    every,
    filled,
    refuse_missing,
)


def verify_program(program: Program) -> None:
    """Raise VerifyError with the nest and the element if ``program`` breaks a rule above."""
    shadow = make_shadow(program)
    for phase in program.phases:
        groups = [list(tasks) for _, tasks in groupby(phase, key=_group_key)]
        for tasks in groups:
            for task in tasks:
                _check_nest(task.nest)
            _check_chain(tasks, shadow)
        _check_phase(groups, program)
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
                elements.put(kept[buffer], True)
    for buffer, stored in kept.items():
        shadow.keep(buffer, stored)
    return shadow


def _group_key(task: Task) -> object:
    return task if task.chain is None else task.chain


# --------------------------------------------------------------------------- what accesses touch


def image(access: Access, dims: Sequence[int]) -> Elements:
    """The elements that ``access`` touches while the loops run over ``dims``."""
    if 0 in dims or any(i.extent == 0 for i in access.indirect):
        return Elements(0, 0)
    steps = [(c, n) for c, n in zip(access.offset.coeffs, dims, strict=False) if c and n > 1]
    steps += [(i.stride, i.extent) for i in access.indirect if i.stride and i.extent > 1]
    first = access.offset.const + sum(min(0, c * (n - 1)) for c, n in steps)
    size, chosen = 1, None
    for step, count in sorted((abs(c), n) for c, n in steps):
        size, chosen = _repeated(size, chosen, step, count)
    return Elements(first, size, chosen)


def _repeated(size: int, chosen: Mask | None, step: int, count: int) -> tuple[int, Mask | None]:
    """A range and what is chosen of it ``count`` times, each ``step`` after the one before."""
    total = (count - 1) * step + size
    if chosen is None and step <= size:
        return total, None
    one = np.ones(size, np.bool_) if chosen is None else chosen
    if step >= size:
        rows = np.zeros((count, step), np.bool_)
        rows[:, :size] = one
        return total, rows.reshape(-1)[:total]
    every = np.zeros(total, np.bool_)
    for i in range(count):
        every[i * step : i * step + size] |= one
    return total, None if every.all() else every


def _waits(access: Access, nest: Nest) -> bool:
    """Whether accumulators wait there: each point of the nest has a place of its own for them."""
    return nest.waiting is not None and access.buffer is nest.waiting.buffer


def _touched(access: Access, nest: Nest) -> Elements:
    return Elements(0, access.buffer.size) if _waits(access, nest) else image(access, nest.dims)


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
                stored = np.zeros(access.buffer.size, np.bool_)
                _touched(access, nest).put(stored, True)
                elements = _touched(read, nest)
                _refuse_if(elements.of(stored), read, elements, nest, "read and stored apart")


def _check_threads(access: Access, nest: Nest) -> None:
    """Threads that share a nest store different elements: one index of the split dim, one owner."""
    if nest.split is None or _waits(access, nest):
        return
    still = tuple(1 if d == nest.split else n for d, n in enumerate(nest.dims))
    first, step = image(access, still), access.offset.coeffs[nest.split]
    if first.size <= abs(step):
        return  # they lie one after the other
    if image(access, nest.dims).count == nest.dims[nest.split] * first.count:
        return  # none is stored twice
    taken = np.zeros(access.buffer.size, np.bool_)
    for index in range(nest.dims[nest.split]):
        elements = first.shifted(index * step)
        _refuse_if(elements.of(taken), access, elements, nest, "stored by two threads")
        elements.put(taken, True)


# ------------------------------------------------------------- nests that follow one another


def _check_chain(tasks: Sequence[Task], shadow: Shadow) -> None:
    """Reads find what earlier phases stored, or earlier tasks of the chain in the same piece.

    The first, the second and the last piece stand for all: the others are the same, further on.
    """
    chain = tasks[0].chain
    pieces = 1 if chain is None else chain.pieces
    owners: dict[Buffer, NDArray[np.int16]] = {}  # the piece that stores an element, from 1 on
    for task in tasks:
        for access, piece, elements in _by_piece(task.nest.reads, task.nest, pieces):
            held, owner = shadow.holds(access.buffer, elements), owners.get(access.buffer)
            if owner is not None:
                held = held | (elements.of(owner) == piece)
            refuse_missing(held, access.buffer, elements, task.nest)
        for access, piece, elements in _by_piece(task.nest.writes, task.nest, pieces):
            check_range(access.buffer, elements)
            empty = np.zeros(access.buffer.size, np.int16)
            elements.put(owners.setdefault(access.buffer, empty), piece)
    for nest in [task.nest for task in tasks] if pieces > 1 else ():
        for access, piece, elements in _by_piece((*nest.reads, *nest.writes), nest, pieces):
            if access.buffer in owners:
                owner = elements.of(owners[access.buffer])
                foreign = (owner != 0) & (owner != piece)
                _refuse_if(foreign, access, elements, nest, "part of another piece")


def _by_piece(
    accesses: Iterable[Access], nest: Nest, pieces: int
) -> Iterator[tuple[Access, int, Elements]]:
    """For each access and piece of the split dim, from 1 on, the elements that it touches."""
    for access in accesses:
        if pieces == 1 or nest.split is None:
            yield access, 1, _touched(access, nest)
        elif not _waits(access, nest):
            steps = nest.dims[nest.split] // pieces
            dims = tuple(steps if d == nest.split else n for d, n in enumerate(nest.dims))
            first, step = image(access, dims), steps * access.offset.coeffs[nest.split]
            for piece in {1, 2, pieces}:
                yield access, piece, first.shifted((piece - 1) * step)


# ----------------------------------------------------------------------------- nests side by side


def _check_phase(groups: Sequence[Sequence[Task]], program: Program) -> None:
    """No two groups of a phase touch an element that one of them stores."""
    if len(groups) == 1:
        return
    owners = _Owners(program)
    for number, tasks in enumerate(groups, 1):
        for task in tasks:
            for access in task.nest.writes:
                owners.check(access, task.nest, number, "stored by two nests at once")
                owners.take(access, task.nest, number)
    for number, tasks in enumerate(groups, 1):
        for task in tasks:
            for access in task.nest.reads:
                owners.check(access, task.nest, number, "stored while it is read")


class _Owners:
    """Which group of a phase, from 1 on, stores each element."""

    def __init__(self, program: Program) -> None:
        self._marks = Marks(program)

    def take(self, access: Access, nest: Nest, group: int) -> None:
        """``group`` stores all that ``access`` touches."""
        cells = self._marks.of(access.buffer)
        _touched(access, nest).put(cells, filled(group, cells))

    def check(self, access: Access, nest: Nest, group: int, what: str) -> None:
        """Raise VerifyError if another group stores anything that ``access`` touches."""
        if not self._marks.has(access.buffer):
            return  # nobody stores there, and it may be all of the data
        elements, cells = _touched(access, nest), self._marks.of(access.buffer)
        owner = elements.of(cells)
        free = every((owner == 0) | (owner == filled(group, cells)))
        _refuse_if(~free, access, elements, nest, what)


def _refuse_if(bad: Mask, access: Access, elements: Elements, nest: Nest, what: str) -> None:
    if bad.any():
        number = elements.number(int(np.argmax(bad)))
        raise VerifyError(f"nest {nest.name}: element {number} of {access.buffer} is {what}")
