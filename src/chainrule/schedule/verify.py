"""Programs are proved sound before they run: every element that is read was stored, by one thread.

    read    stored in an earlier phase, by an earlier nest of the chain in the same piece, kept
            zero, or given by the caller; and nothing else was stored there since
    piece   of a loop whose rows threads share out: nests keep to the rows of their piece
    trip    of a loop whose trips threads share out: of what these write it touches its own part
    store   in one phase only one nest stores an element, others do not read it, and threads that
            share the nest store different ones
    nest    reads what it stores at the same point only (an update of a state in place)
    output  all of it is stored; one that is awaited, by its milestone and not after it

Accesses are affine, so which elements they touch is known without running anything; an index read
from memory may be any within its extent. ``CHAINRULE_VERIFY=1`` proves this of every program that
is compiled, as all tests do; `simulate.py` checks the same of the elements that are really touched.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from ..errors import VerifyError
from .buffers import Buffer, Trip
from .nest import Access, Chain, Loop, Nest, Phases, Program, Task, nests_of
from .rows import keeps_to_rows
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

#: of a loop, before its last; the others are the same, further on
CHECKED_TRIPS = 4
#: patterns of elements that are remembered during a proof: each access is looked at several times
RECENT = 64


def verify_program(program: Program) -> None:
    """Raise VerifyError with the nest and the element if ``program`` breaks a rule above."""
    shadow = make_shadow(program)
    proof = _Proof(program, shadow)
    complete: set[int] = set()
    for number, phase in enumerate(program.phases):
        _check_complete(phase, complete)
        proof.phases((phase,), ())
        for milestone in program.milestones:
            if milestone.phase == number:
                shadow.check_outputs(milestone.slots)
                complete.update(milestone.slots)
    shadow.check_outputs(range(program.inputs, len(program.slots)))
    _pattern.cache_clear()


def _check_complete(phase: Sequence[Task], complete: Collection[int]) -> None:
    """Nothing is stored in outputs that others may have read already."""
    for nest in (task.nest for task in phase):
        for root in (access.buffer.root for access in nest.writes):
            if root.kind == "external" and root.slot in complete:
                raise VerifyError(f"nest {nest.name} stores {root}, which counts as complete")


@dataclass(frozen=True)
class _Proof:
    """What has been proved of a program so far is in ``shadow``."""

    program: Program
    shadow: Shadow

    def phases(self, phases: Phases, trips: tuple[Trip, ...]) -> None:
        """All phases in their order, in the present trips of the loops around them."""
        for phase in phases:
            groups = [list(tasks) for _, tasks in groupby(phase, key=_group_key)]
            for tasks in groups:
                self._group(tasks, trips)
            self.shadow.trips = trips
            _check_phase(groups, self.program, self.shadow)
            self._store(phase, trips)

    def _group(self, tasks: Sequence[Task], trips: tuple[Trip, ...]) -> None:
        first = tasks[0].nest
        if isinstance(first, Loop):
            _check_pieces(first)
            _check_shared(first, len(trips))
            for at in range(first.trips):
                inside = (*trips, first.trip(at, first.trips))
                if at < CHECKED_TRIPS or at == first.trips - 1:
                    self.phases(first.phases, inside)
                else:  # as the one before, further on
                    self._store(first.tasks, inside)
            return
        self.shadow.trips = trips
        nests = [t.nest for t in tasks if isinstance(t.nest, Nest)]
        for nest in nests:
            _check_nest(nest, self.shadow)
        _check_chain(nests, tasks[0].chain, self.shadow)

    def _store(self, tasks: Sequence[Task], trips: tuple[Trip, ...]) -> None:
        """All that ``tasks`` store is there from now on; loops have said so themselves."""
        for nest in (t.nest for t in tasks):
            if isinstance(nest, Loop):
                if trips:
                    for at in range(nest.trips):
                        self._store(nest.tasks, (*trips, nest.trip(at, nest.trips)))
                continue
            self.shadow.trips = trips
            for buffer, elements in _stores(nest):
                self.shadow.stored(buffer, elements)


def make_shadow(program: Program) -> Shadow:
    """Shadow memory as it is before a step: what no nest ever stores in a kept buffer is zero."""
    shadow = Shadow(program)
    kept = {b: np.zeros(b.size, np.bool_) for b in program.offsets if b.kept}
    for nest in nests_of(program.phases) if kept else ():
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
    indirect = tuple([(i.stride, i.extent) for i in access.indirect])
    return _pattern(access.offset.coeffs, tuple(dims), indirect).shifted(access.offset.const)


@lru_cache(RECENT)
def _pattern(
    coeffs: tuple[int, ...], dims: tuple[int, ...], indirect: tuple[tuple[int, int], ...]
) -> Elements:
    """What is touched with those steps along the loops, and along indices read from memory."""
    if 0 in dims or any(extent == 0 for _, extent in indirect):
        return Elements(0, 0)
    steps = [(c, n) for c, n in zip(coeffs, dims, strict=False) if c and n > 1]
    steps += [(stride, extent) for stride, extent in indirect if stride and extent > 1]
    first = sum([c * (n - 1) for c, n in steps if c < 0])
    size, chosen = 1, None
    for step, count in sorted([(abs(c), n) for c, n in steps]):
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


def _waits(access: Access, nest: Nest | Loop) -> bool:
    """Whether accumulators wait there: each point of the nest has a place of its own for them.

    A loop names whole buffers, too.
    """
    if isinstance(nest, Loop):
        return True
    return nest.waiting is not None and access.buffer is nest.waiting.buffer


def _touched(access: Access, nest: Nest | Loop) -> Elements:
    if isinstance(nest, Loop) or _waits(access, nest):
        return Elements(0, access.buffer.size)
    return image(access, nest.dims)


def _stores(nest: Nest) -> Iterator[tuple[Buffer, Elements]]:
    """What the nest has stored for certain when it is through: a scatter may drop what it gets."""
    for access in nest.writes:
        if not access.indirect:
            yield access.buffer, _touched(access, nest)


# ------------------------------------------------------------------------------- inside of a nest


def _check_nest(nest: Nest, shadow: Shadow) -> None:
    for access in nest.writes:
        _check_threads(access, nest)
        for read in nest.reads:
            same = read.buffer is access.buffer and read == access
            if read.buffer.root is access.buffer.root and not same:
                root, elements = shadow.place(access.buffer, _touched(access, nest))
                stored = np.zeros(root.size, np.bool_)
                elements.put(stored, True)
                _, elements = shadow.place(read.buffer, _touched(read, nest))
                _refuse_if(elements.of(stored), read, elements, nest, "read and stored apart")


def _check_pieces(loop: Loop) -> None:
    """Where threads take pieces through all trips, every nest keeps to the rows of its piece."""
    nests = list(nests_of(loop.phases)) if loop.pieces else []
    written = {a.buffer.root for n in nests for a in n.writes}
    for nest in nests:
        if nest.split is None or nest.dims[nest.split] != loop.pieces * nest.piece:
            raise VerifyError(f"nest {nest.name} is not split into the pieces of its loop")
        if not keeps_to_rows(nest, nest.split, nest.dims[nest.split], written):
            raise VerifyError(f"nest {nest.name} leaves the rows of its piece")


def _check_shared(loop: Loop, depth: int) -> None:
    """Where threads share out the trips, each trip has parts of its own of all that is written."""
    nests = list(nests_of(loop.phases)) if loop.shared else []
    written = {a.buffer.root for n in nests for a in n.writes}
    parts: dict[Buffer, set[tuple[int, int, int]]] = {}
    for nest in nests:
        for access in (*nest.reads, *nest.writes):
            if access.buffer.root in written:
                part = access.buffer
                while part.base is not None and part.depth != depth:
                    part = part.base
                if part.base is not part.root or part.period or part.size > abs(part.stride):
                    raise VerifyError(f"nest {nest.name}: trips of a loop share {access.buffer}")
                own = parts.setdefault(access.buffer.root, set())
                own.add((part.start, part.size, part.stride))
    for buffer, own in parts.items():
        if len(own) > 1:
            raise VerifyError(f"trips of a loop see {buffer} in different ways")


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


def _check_chain(nests: Sequence[Nest], chain: Chain | None, shadow: Shadow) -> None:
    """Reads find what earlier phases stored, or earlier nests of the chain in the same piece.

    The first, the second and the last piece stand for all: the others are the same, further on.
    """
    pieces = 1 if chain is None else chain.pieces
    owners: dict[Buffer, NDArray[np.int16]] = {}  # the piece that stores an element, from 1 on
    for nest in nests:
        for access, piece, elements in _by_piece(nest.reads, nest, pieces):
            held, owner = shadow.holds(access.buffer, elements), owners.get(access.buffer)
            if owner is not None:
                held = held | (elements.of(owner) == piece)
            refuse_missing(held, access.buffer, elements, nest)
        for access, piece, elements in _by_piece(nest.writes, nest, pieces):
            check_range(access.buffer, elements)
            empty = np.zeros(access.buffer.size, np.int16)
            elements.put(owners.setdefault(access.buffer, empty), piece)
    for nest in nests if pieces > 1 else ():
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


def _check_phase(groups: Sequence[Sequence[Task]], program: Program, shadow: Shadow) -> None:
    """No two groups of a phase touch an element that one of them stores."""
    if len(groups) == 1:
        return
    owners = _Owners(program, shadow)
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

    def __init__(self, program: Program, shadow: Shadow) -> None:
        self._marks, self._shadow = Marks(program), shadow

    def take(self, access: Access, nest: Nest | Loop, group: int) -> None:
        """``group`` stores all that ``access`` touches."""
        root, elements = self._shadow.place(access.buffer, _touched(access, nest))
        cells = self._marks.of(root)
        elements.put(cells, filled(group, cells))

    def check(self, access: Access, nest: Nest | Loop, group: int, what: str) -> None:
        """Raise VerifyError if another group stores anything that ``access`` touches."""
        root, elements = self._shadow.place(access.buffer, _touched(access, nest))
        if not self._marks.has(root):
            return  # nobody stores there, and it may be all of the data
        cells = self._marks.of(root)
        owner = elements.of(cells)
        free = every((owner == 0) | (owner == filled(group, cells)))
        _refuse_if(~free, access, elements, nest, what)


def _refuse_if(bad: Mask, access: Access, elements: Elements, nest: Nest | Loop, what: str) -> None:
    if bad.any():
        number = elements.number(int(np.argmax(bad)))
        raise VerifyError(f"nest {nest.name}: element {number} of {access.buffer} is {what}")
