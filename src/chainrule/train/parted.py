"""Steps by parts of a batch, whose gradients are summed along a fixed tree.

    batch ── parts ──► (compiled) sums of losses and gradients ── tree ──► (compiled) update

One process computes all parts, or several workers a range of them each. Alone, a batch of equal
parts is one program with its update (`WholeLoop`). Otherwise a program computes whole subtrees of
parts (`PartLoop`), as many at once as there are where batches have their usual size; of the last
batch of an epoch, and of rows that have lengths, one part after the other, so that there are not
many programs.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from ..frontend import Tensor, compile, host_effect, no_grad
from ..frontend.apply import from_array, scalar
from ..ir.memory import aligned_empty
from ..ir.types import DType
from ..runtime.program import NativeProgram
from ..runtime.store import Listener
from .accumulate import TreeAccumulation
from .batch_source import BatchSource, Rows, by_length, has_lengths
from .divided import Divided, columns_of
from .exchange import Exchange
from .part_loop import Look, Partible, PartLoop, Sheet, WholeLoop, along_tree, updated
from .parts import Division, Groups, Parts, Subtree, fold, subtrees
from .workers import Workers, own

__all__ = ["PartedStepper", "Partible"]

Array = npt.NDArray[Any]


class _Call(NamedTuple):
    """Subtrees of a batch that one program computes one after the other: ``rows`` [subtrees, rows
    of each], from part ``first`` on. Their results are rows from ``place`` on."""

    loop: PartLoop
    source: BatchSource
    rows: Rows
    first: int
    place: int

    def compute(
        self, division: Division, results: Sequence[Array], listener: Listener | None = None
    ) -> None:
        """Into ``results`` of all subtrees."""
        self.loop.division, self.loop.first = division, self.first
        out = [a[self.place : self.place + len(self.rows)] for a in results]
        self.loop.subtrees(self.source, self.rows, out, listener)

    def last_apart(self) -> list[_Call]:
        """The same, where the last subtree is a call of its own."""
        before = len(self.rows) - 1
        if not before:
            return [self]
        first, place = self.first + before * self.loop.count, self.place + before
        last = self._replace(rows=self.rows[before:], first=first, place=place)
        return [self._replace(rows=self.rows[:before]), last]


class _Memory(NamedTuple):
    """Results of some subtrees; of a single one, each of ``groups`` lies ``together``."""

    results: list[Array]
    groups: Groups
    together: list[Array] | None

    def moved(self, place: Array, summed: int) -> _Memory:
        """The same where other workers read what is ``summed``: it is computed there."""
        views = self.groups.taken_apart([place])
        return _Memory([*views, *self.results[summed:]], self.groups, [place])


class PartedStepper:
    """A `Stepper` that divides every batch into ``parts`` parts at most; see the module."""

    def __init__(self, learner: Partible, parts: Parts, look: Look | None = None) -> None:
        self._learner, self.parts, self._look = learner, parts, look
        #: what was measured in the latest step: of all parts, then of the update
        self.measured: list[Array] = []
        self.workers: Workers | None = None
        self._loops: dict[tuple[int, int], PartLoop] = {}
        self._whole: dict[int, WholeLoop] = {}
        self._updates: dict[tuple[Any, ...], Callable[..., Any]] = {}
        self._pending: Callable[[], None] | None = None
        self._memory: dict[tuple[Any, ...], _Memory] = {}
        self._exchange: Exchange | None = None

    def run(self, source: BatchSource, rows: Rows) -> Array:
        """One update for each of ``rows`` [steps, batch], or one for several that accumulate."""
        usual = self._usual(rows.shape[1])
        division = Division.of(rows.shape[1], usual, self.parts)
        if self._in_one(source, division):
            losses, *measured = self._whole_loop(division.count).results(source, rows)
            self.measured = [column[-1] for column in measured]
            return losses
        if isinstance(source, Divided) and self.workers is not None:
            return self._of_divided(source, rows, division, self.workers)
        return np.array([self._step(source, batch, division) for batch in rows], np.float32)

    def _of_divided(
        self, source: Divided, rows: Rows, division: Division, workers: Workers
    ) -> Array:
        """The same, of rows that come from all workers."""
        steps = source.steps_at_once(self._usual(rows.shape[1]), self.parts)
        columns = columns_of(workers.size, division)
        losses = []
        for start in range(0, len(rows), steps):
            places = source.fetch(rows[start : start + steps], columns)
            losses += [self._step(source.window, batch, division) for batch in places]
        return np.array(losses, np.float32)

    def program(self, source: BatchSource, batch: int) -> NativeProgram:
        """The program for the parts of batches of so many rows."""
        division = Division.of(batch, batch, self.parts)
        if self._in_one(source, division):
            return self._whole_loop(division.count).program(source, batch)
        return self._loop(1).program(source, division.size)

    def _usual(self, rows: int) -> int:
        """The rows that most batches have, where this one has ``rows``."""
        return max(self._learner.accumulation.position[0].batch, rows)

    def _in_one(self, source: BatchSource, division: Division) -> bool:
        """Whether one program computes all parts, and updates."""
        alone = self.workers is None and self._learner.accumulation.every == 1
        return alone and division.count > 1 and division.even and not has_lengths(source)

    def _whole_loop(self, count: int) -> WholeLoop:
        if count not in self._whole:
            self._whole[count] = WholeLoop(self._learner, count, look=self._look)
        return self._whole[count]

    def _loop(self, count: int) -> PartLoop:
        key = count, self._apart
        if key not in self._loops:
            self._loops[key] = PartLoop(self._learner, *key, self._look)
        return self._loops[key]

    @property
    def _apart(self) -> int:
        """How many workers send one another what they have computed."""
        return 1 if self.workers is None or self.workers.near else self.workers.size

    def _step(self, source: BatchSource, batch: Rows, division: Division) -> float:
        begin, end = own(self.workers, division.count)
        # Of fewer parts than workers, some compute one for the states that are not averaged.
        units = self._units(source, division, begin, max(end, begin + 1))
        calls = list(self._calls(source, batch, division, units))
        sheet, memory = self._prepared(calls, units, division.count)
        if self.workers is None:
            for call in calls:
                call.compute(division, memory.results)
            summed = memory.results[: sheet.summed]
        else:
            counted = [unit for unit in units if unit[0] < end]
            summed = self._exchanged(self.workers, memory, calls, division, counted)
        numbers, gradients, averaged, measured, _ = sheet.taken_apart(summed)
        loss, *mass = map(fold, numbers)
        states = [fold(column) for column in averaged]
        states += [column[-1] for column in memory.results[sheet.summed :]]
        self.measured = [fold(column).copy() for column in measured]
        self._update(sheet, mass, gradients, partial(self._settle, sheet, states))
        return float(loss) / (float(mass[0]) or 1.0 if mass else 1.0)

    def _update(
        self, sheet: Sheet, mass: list[Array], gradients: list[Array], settle: Callable[[], None]
    ) -> None:
        """The update of a batch with these gradients, [units, ...] each, if it is due."""
        accumulation = self._learner.accumulation
        if accumulation.every > 1:
            assert isinstance(accumulation, TreeAccumulation)
            weight = np.float32(1.0 if mass else accumulation.share(0))
            accumulation.add([*mass, *(fold(column) * weight for column in gradients)])
            if not accumulation.due(0):
                settle()
                return
            total = accumulation.total()
            mass, gradients = total[: len(mass)], [a[None] for a in total[len(mass) :]]
        self._pending = settle
        if sheet.key not in self._updates:
            self._updates[sheet.key] = compile(partial(self._updated, sheet))
        after = self._updates[sheet.key](*mass, *gradients)
        self.measured += [a.numpy() for a in after] if self._look is not None else []

    def _updated(self, sheet: Sheet, *arrays: Tensor) -> Any:
        """What is compiled of an update: the rest of the tree, and all that follows."""
        mass, stacks = arrays[: sheet.massive], arrays[sheet.massive :]
        with no_grad():
            sums = [along_tree(stack) for stack in stacks]
        measured = updated(self._learner, sheet, mass, sums, self._look)
        host_effect(self._finish)
        return tuple(measured) or scalar(0.0, DType.f32)

    def _finish(self, updates: int) -> None:
        if self._pending is not None:
            self._pending()

    def _settle(self, sheet: Sheet, values: Sequence[Array]) -> None:
        """What a batch leaves behind beside its update."""
        with no_grad():
            for state, value in zip((*sheet.averaged, *sheet.shared), values, strict=True):
                state.assign_(from_array(value.copy()))
        accumulation = self._learner.accumulation
        ended = accumulation.every > 1 and accumulation.due(0)
        accumulation.advance(1)
        if ended:
            accumulation.set_arrays(None)

    def _exchanged(
        self,
        workers: Workers,
        memory: _Memory,
        calls: Sequence[_Call],
        division: Division,
        units: Sequence[Subtree],
    ) -> list[Array]:
        """The sums over all parts, as the one row of each result, of which ``calls`` compute what
        this worker has: ``units``. The last of them is exchanged while it is computed."""
        if self._exchange is None or self._exchange.workers is not workers:
            self._exchange = Exchange(workers)
        *before, last = calls
        if len(memory.groups.members) > 1:
            *more, last = last.last_apart()
            before += more
        for call in before:
            call.compute(division, memory.results)
        return self._exchange.summed(
            memory.groups,
            partial(_own, memory, units),
            division.count,
            partial(last.compute, division, memory.results),
        )

    def _units(
        self, source: BatchSource, division: Division, begin: int, end: int
    ) -> list[Subtree]:
        """What the parts from ``begin`` to ``end`` are computed in: (first, number of parts)."""
        usual = division.even and division.rows == self._usual(division.rows)
        if has_lengths(source) or not usual:
            return [(part, 1) for part in range(begin, end)]
        return [(0, end)] if (begin, end) == (0, division.count) else subtrees(begin, end)

    def _calls(
        self, source: BatchSource, batch: Rows, division: Division, units: Sequence[Subtree]
    ) -> Iterator[_Call]:
        """What computes ``units``: which of their rows are computed together."""
        place = 0
        for count, alike in itertools.groupby(units, key=lambda unit: unit[1]):
            begin, *_, end = [edge for first, _ in alike for edge in (first, first + count)]
            for first, parts, size in division.pieces(begin, end):
                block = batch[first * division.size : first * division.size + parts * size]
                at = first
                for read, rows in by_length(source, block.reshape(parts // count, count * size)):
                    yield _Call(self._loop(count), read, rows, at, place)
                    at, place = at + count * len(rows), place + len(rows)

    def _prepared(
        self, calls: Sequence[_Call], units: Sequence[Subtree], parts: int
    ) -> tuple[Sheet, _Memory]:
        """What the results of ``calls`` are, and memory for one row of them for each of ``units``,
        which the next batch uses again.

        What is summed of one unit lies together, so that it can be sent as it is.
        """
        sheets = [call.loop.sheet(call.source, call.rows.shape[1]) for call in calls]
        sheet, outputs = sheets[-1]
        count, apart = len(units), self._apart
        shapes = ((node.shape, node.dtype) for node in outputs)
        key = (count, apart, sheet.numbers, sheet.summed, *shapes)
        if key not in self._memory:
            groups = sheet.groups(outputs, apart)
            made = [aligned_empty((count, *n.shape), n.dtype.numpy) for n in outputs]
            together = groups.memory() if count == 1 else None
            if together is not None:
                made[: sheet.summed] = groups.taken_apart(together)
            self._memory[key] = _Memory(made, groups, together)
        memory = self._memory[key]
        if memory.together is not None and self.workers is not None and self.workers.near:
            (own,) = memory.together
            place = self.workers.place(units[0], len(own), parts)
            if place is not None and place is not own:
                self._memory[key] = memory = memory.moved(place, sheet.summed)
        return sheet, memory


def _own(memory: _Memory, units: Sequence[Subtree], group: int) -> dict[Subtree, Array]:
    """The sums of a group of results over each subtree of parts that ``units`` are."""
    begin, end = units[0][0] if units else 0, sum(units[-1]) if units else 0
    sums: dict[Subtree, Array] = {}
    members, layout = memory.groups.members[group], memory.groups.layouts[group]
    for first, size in subtrees(begin, end):
        if memory.together is not None:
            sums[first, size] = memory.together[group]
            continue
        inside = [i for i, unit in enumerate(units) if first <= unit[0] < first + size]
        sums[first, size] = together = layout.memory()
        for place, member in zip(layout.taken_apart(together), members, strict=True):
            place[0] = fold(memory.results[member][inside[0] : inside[-1] + 1])
    return sums
