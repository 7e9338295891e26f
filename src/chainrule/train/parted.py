"""Steps by parts of a batch, whose gradients are summed along a fixed tree.

    batch ── parts ──► (compiled) loss and gradients of each ── tree ──► (compiled) update

The program of a part changes nothing: weights, buffers and random counts are what they were before
the batch, and what the part would have made of them is among its results. So it does not matter who
computes which part: one process all of them, or several workers a range of them each.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from operator import add
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from ..frontend import Tensor, compile, host_effect, host_scalar, no_grad
from ..frontend.apply import from_array, from_node, scalar
from ..frontend.modes import thread
from ..frontend.operations.arithmetic import cast, where
from ..frontend.tracer import HostScalar
from ..ir.graph import Node
from ..ir.memory import aligned_empty
from ..ir.types import DType
from ..nn import Module
from ..nn.weighing import mass_of
from ..runtime.program import NativeProgram
from .accumulate import Accumulation, TreeAccumulation
from .batch_source import BatchSource, Rows, by_length
from .criterion import Criterion
from .loop import LoopStepper
from .parts import Division, Parts, fold, subtrees, tree
from .weights import unweighted
from .workers import Workers, own

__all__ = ["PartedStepper", "Partible"]

Array = npt.NDArray[Any]
Floats = npt.NDArray[np.float32]

#: counts of random draws by one part: 2^28
STREAM_BITS = 28


class Partible(Protocol):
    """A training whose batches can be divided."""

    @property
    def model(self) -> Module: ...
    @property
    def criterion(self) -> Criterion: ...
    @property
    def accumulation(self) -> Accumulation: ...
    @property
    def penalty(self) -> Any: ...

    def parameters(self) -> list[Tensor]:
        """The parameters that the optimizer updates."""

    def zero_grad(self) -> None:
        """Forget all gradients."""

    def batch_loss(self, *arrays: Tensor) -> Tensor:
        """The loss of some rows, as it is reported."""

    def update(self) -> None:
        """What happens once the gradients are there."""


@dataclass(frozen=True, eq=False)
class Sheet:
    """What the results of a part are: its loss, its mass if it has one, the gradients of
    ``reached``, and the new values of ``averaged`` and ``shared`` states."""

    massive: bool
    reached: tuple[Tensor, ...]
    averaged: tuple[Tensor, ...]
    shared: tuple[Tensor, ...]

    @property
    def key(self) -> tuple[Any, ...]:
        """Equal for sheets that say the same."""
        return self.massive, *(
            tuple(map(id, t)) for t in (self.reached, self.averaged, self.shared)
        )

    @property
    def numbers(self) -> int:
        """Loss and mass."""
        return 1 + self.massive

    @property
    def summed(self) -> int:
        """How many of the results are summed along the tree: all but the last."""
        return self.numbers + len(self.reached) + len(self.averaged)


class PartLoop(LoopStepper):
    """Computes parts: their losses, gradients, and what they would change."""

    def __init__(self, learner: Partible) -> None:
        super().__init__(self._unused)
        self._learner = learner
        self.division = Division(1, 1)
        self.first = 0  # the coming part of this batch
        self._latest: Sheet | None = None
        self._sheets: dict[tuple[Any, ...], Sheet] = {}
        self._sheet_of: dict[NativeProgram, Sheet] = {}

    def _unused(self) -> None:
        raise AssertionError("a part is recorded by `recorded`")

    def sheet(self, source: BatchSource, rows: int) -> tuple[Sheet, tuple[Node, ...]]:
        """What the program for so many rows gives; its outputs."""
        call = self._call(source, rows)
        if call.run not in self._sheet_of:
            assert self._latest is not None  # it was recorded a moment ago
            self._sheet_of[call.run] = self._latest
        return self._sheet_of[call.run], call.traced.graph.outputs

    def parts(self, source: BatchSource, rows: Rows, out: Sequence[Array]) -> None:
        """Compute the coming parts, on ``rows`` [parts, rows of each], into rows of ``out``."""
        self._results(source, rows, out)

    def recorded(self, source: BatchSource, data: tuple[Tensor, ...], rows: Tensor) -> Any:
        trace = thread.trace
        assert trace is not None
        number = host_scalar(lambda k: float(self.first + k))
        fraction = host_scalar(lambda k: self.division.share(self.first + k))
        before = len(trace.scalars)
        try:
            thread.stream = cast(number, DType.u32) * scalar(1 << STREAM_BITS, DType.u32)
            results = self._results_of(source.take(data, rows), fraction)
        finally:
            thread.stream = None
        # Whatever else the host computes belongs to the batch, and is the same for all its parts.
        trace.scalars[before:] = [partial(_of_batch, f) for f in trace.scalars[before:]]
        trace.effects.clear()
        host_effect(self._advance)
        return results

    def _advance(self, parts: int) -> None:
        self.first += parts

    def _results_of(self, arrays: tuple[Any, ...], fraction: Any) -> tuple[Tensor, ...]:
        """What a part gives: all floats weighed, so that the sum over parts is of the batch.

        ``fraction`` of the batch's rows are in it.
        """
        learner, trace = self._learner, thread.trace
        assert trace is not None
        learner.zero_grad()
        loss = learner.batch_loss(*arrays)
        target, weights = unweighted(arrays[-1])
        with no_grad():
            mass = mass_of(learner.criterion.function, target, weights)
        summed = learner.accumulation.summed
        weighed = loss * (1.0 if summed else fraction if mass is None else mass)
        weighed.backward()
        with no_grad():
            numbers = [weighed.detach(), *([] if mass is None else [mass])]
            reached = tuple(p for p in learner.parameters() if p.grad is not None)
            gradients = [_in_memory_order(p, p.grad) for p in reached if p.grad is not None]
            averaged: list[tuple[Tensor, Tensor]] = []
            shared: list[tuple[Tensor, Tensor]] = []
            for state, node in list(zip(trace.states, trace.state_nodes, strict=True)):
                if trace.node(state) is not node:
                    new = from_node(trace.node(state))
                    trace.stand_for(state, node)
                    (averaged if state.dtype.is_float else shared).append((state, new))
            states = tuple(s for s, _ in averaged), tuple(s for s, _ in shared)
            sheet = Sheet(mass is not None, reached, *states)
            self._latest = self._sheets.setdefault(sheet.key, sheet)
            means = [new * fraction for _, new in averaged]
        learner.zero_grad()
        return (*numbers, *gradients, *means, *(new for _, new in shared))


def _of_batch(compute: HostScalar, part: int) -> float:
    return compute(0)


def _order(p: Tensor) -> tuple[int, ...]:
    """The axes of a parameter from the one with the longest way between neighbours on."""
    strides = p.settle().strides
    return tuple(sorted(range(len(strides)), key=lambda axis: -strides[axis]))


def _in_memory_order(p: Tensor, gradient: Tensor) -> Tensor:
    """The gradient as a parameter lies in memory: how products compute it."""
    return gradient.detach().permute(*_order(p))


def _as_parameter(p: Tensor, stored: Tensor) -> Tensor:
    """What `_in_memory_order` was given."""
    return stored.permute(*np.argsort(_order(p)).tolist())


class PartedStepper:
    """A `Stepper` that divides every batch into ``parts`` parts at most; see the module."""

    def __init__(self, learner: Partible, parts: Parts) -> None:
        self._learner, self.parts = learner, parts
        self.workers: Workers | None = None
        self._loop = PartLoop(learner)
        self._updates: dict[Sheet, Callable[..., Any]] = {}
        self._pending: Callable[[], None] | None = None
        self._memory: dict[tuple[Any, ...], list[Array]] = {}

    def run(self, source: BatchSource, rows: Rows) -> Array:
        """One update for each of ``rows`` [steps, batch], or one for several that accumulate."""
        usual = self._learner.accumulation.position[0].batch
        division = Division.of(rows.shape[1], max(usual, rows.shape[1]), self.parts)
        return np.array([self._step(source, batch, division) for batch in rows], np.float32)

    def program(self, source: BatchSource, batch: int) -> NativeProgram:
        """The program for the parts of batches of so many rows."""
        division = Division.of(batch, batch, self.parts)
        return self._loop.program(source, division.size)

    def _step(self, source: BatchSource, batch: Rows, division: Division) -> float:
        begin, end = own(self.workers, division.count)
        # Of fewer parts than workers, some compute one for the states that are not averaged.
        sheet, rows = self._parts(source, batch, division, begin, max(end, begin + 1))
        summed = rows[: sheet.summed]
        if self.workers is not None:
            summed = self._exchanged(self.workers, summed, division.count, begin, end)
        numbers = [fold(column) for column in summed[: sheet.numbers]]
        loss, mass = float(numbers[0]), numbers[1:]
        gradients = summed[sheet.numbers : sheet.numbers + len(sheet.reached)]
        states = [fold(column) for column in summed[sheet.numbers + len(sheet.reached) :]]
        settle = partial(
            self._settle, sheet, states + [column[-1] for column in rows[sheet.summed :]]
        )
        self._update(sheet, mass, gradients, settle)
        return loss / (float(mass[0]) or 1.0) if mass else loss

    def _update(
        self, sheet: Sheet, mass: list[Array], gradients: list[Array], settle: Callable[[], None]
    ) -> None:
        """The update of a batch with these gradients, [subtrees, ...] each, if it is due."""
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
        update = self._updates.get(sheet)
        if update is None:
            update = self._updates[sheet] = compile(partial(self._updated, sheet))
        update(*mass, *gradients)

    def _updated(self, sheet: Sheet, *arrays: Tensor) -> Tensor:
        """What is compiled of an update: the rest of the tree, and all that follows."""
        learner = self._learner
        mass, stacks = arrays[: sheet.massive], arrays[sheet.massive :]
        learner.zero_grad()
        if learner.penalty is not None:
            learner.penalty(learner.parameters()).backward()
        with no_grad():
            for p, stack in zip(sheet.reached, stacks, strict=True):
                gradient = _as_parameter(p, tree([stack[i] for i in range(len(stack))], add))
                for whole in mass:
                    gradient = gradient / where(whole > 0.0, whole, 1.0)
                p.grad = gradient if p.grad is None else p.grad + gradient
        learner.update()
        host_effect(self._finish)
        return scalar(0.0, DType.f32)

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
        self, workers: Workers, columns: list[Array], parts: int, begin: int, end: int
    ) -> list[Array]:
        """The sums over all parts, as the one row of each result."""
        sums = {}
        for first, size in subtrees(begin, end):
            rows = slice(first - begin, min(first + size, end) - begin)
            flat = [fold(column[rows]).reshape(-1) for column in columns]
            sums[first, size] = np.concatenate(flat)
        total = workers.sum(sums, sum(column[0].size for column in columns), parts)
        edges = np.cumsum([column[0].size for column in columns])[:-1]
        shapes = [(1, *column.shape[1:]) for column in columns]
        return [a.reshape(s) for a, s in zip(np.split(total, edges), shapes, strict=True)]

    def _parts(
        self, source: BatchSource, batch: Rows, division: Division, begin: int, end: int
    ) -> tuple[Sheet, list[Array]]:
        """What the parts from ``begin`` to ``end`` give: rows of each result."""
        loop = self._loop
        loop.division, loop.first = division, begin
        made: list[Array] = []
        sheet = None
        for first, count, size in division.pieces(begin, end):
            block = batch[first * division.size : first * division.size + count * size]
            for read, piece in by_length(source, block.reshape(count, size)):
                sheet, outputs = loop.sheet(read, size)
                made = made or self._rows(outputs, end - begin)
                at = loop.first - begin
                loop.parts(read, piece, [a[at : at + len(piece)] for a in made])
        assert sheet is not None
        return sheet, made

    def _rows(self, outputs: Sequence[Node], count: int) -> list[Array]:
        """Memory for the results of ``count`` parts, which the next batch uses again."""
        key = (count, *((node.shape, node.dtype) for node in outputs))
        if key not in self._memory:
            self._memory[key] = [
                aligned_empty((count, *node.shape), node.dtype.numpy) for node in outputs
            ]
        return self._memory[key]
