"""Programs for parts of a batch: some of them, or a whole batch with its update.

    rows [parts, rows of each] ── one part, recorded ── all parts at once ── tree ──► sums

What one part computes is recorded as the body of a loop over parts, which `passes/parts.py` turns
into what computes all of them together. Each part has the bits it would have alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import partial
from itertools import accumulate, pairwise
from typing import Any, Protocol, TypeVar

import numpy as np
import numpy.typing as npt

from ..frontend import Tensor, host_effect, host_scalar, no_grad
from ..frontend.apply import from_node, scalar
from ..frontend.modes import thread
from ..frontend.operations.arithmetic import cast, where
from ..frontend.operations.creation import iota
from ..frontend.tracer import HostScalar, Trace
from ..ir.graph import Graph, Node, bind, topological
from ..ir.rewrite import substitute
from ..ir.types import DType
from ..nn import Module
from ..nn.weighing import mass_of
from ..ops.bodies import placeholder
from ..ops.loops import PARTS
from ..runtime.program import NativeProgram
from ..runtime.store import Listener
from .accumulate import Accumulation
from .batch_source import BatchSource, Rows
from .criterion import Criterion
from .loop import LoopStepper
from .parts import Division, Groups
from .weights import unweighted

__all__ = ["Look", "PartLoop", "Partible", "Sheet", "WholeLoop", "along_tree", "updated"]

Array = npt.NDArray[Any]
T = TypeVar("T")

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


class Look(Protocol):
    """Measures what parts and updates do, while they are recorded."""

    def watch(self) -> AbstractContextManager[None]:
        """Inside, calls of layers are heard."""

    def part(self, rows: int, share: Tensor, number: Tensor, mass: Tensor | None) -> list[Tensor]:
        """What is measured of part ``number``, a ``share`` of the batch, after its backward pass:
        float32, and it means something in sum over all parts. Gradients are ``mass`` times those
        of the part's mean."""

    def before(self) -> None:
        """The gradients of the batch are there, and the update follows."""

    def after(self) -> list[Tensor]:
        """What is measured of the update, which is done."""


@dataclass(frozen=True, eq=False)
class Sheet:
    """What the results of parts are: their loss, their mass if they have one, the gradients of
    ``reached``, the new values of ``averaged`` states, what is ``measured``, and the new values of
    ``shared`` states."""

    massive: bool
    reached: tuple[Tensor, ...]
    averaged: tuple[Tensor, ...]
    shared: tuple[Tensor, ...]
    measured: int = 0

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
        return self.numbers + len(self.reached) + len(self.averaged) + self.measured

    def taken_apart(self, results: Sequence[T]) -> list[list[T]]:
        """Numbers, gradients, averaged states, measures, shared states."""
        counts = self.numbers, len(self.reached), len(self.averaged), self.measured
        edges = [0, *accumulate(counts), len(results)]
        return [list(results[a:b]) for a, b in pairwise(edges)]

    def groups(self, outputs: Sequence[Node], workers: int) -> Groups:
        """How workers sum what a program with such ``outputs`` gives."""
        shapes = [node.shape for node in outputs[: self.summed]]
        return Groups.of(shapes, self.numbers, workers)


class PartLoop(LoopStepper):
    """Computes subtrees of ``count`` parts each: the sums of their losses and gradients, and what
    they would change.

    The program changes nothing: weights, buffers and random counts are what they were before the
    batch, and what parts would have made of them is among its results.
    """

    def __init__(
        self, learner: Partible, count: int = 1, workers: int = 1, look: Look | None = None
    ) -> None:
        super().__init__(self._unused)
        self._learner, self.count, self._workers, self._look = learner, count, workers, look
        self.division = Division(1, 1)
        self.first = 0  # the coming part of this batch
        self._latest: Sheet | None = None
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

    def subtrees(
        self, source: BatchSource, rows: Rows, out: Sequence[Array], listener: Listener | None
    ) -> None:
        """Compute the coming subtrees, on ``rows`` [subtrees, rows of each], into rows of ``out``.

        With several workers, ``listener`` is told of the `Groups` of what is summed, for each
        subtree.
        """
        self._results(source, rows, out, listener)

    def awaited(self, graph: Graph) -> tuple[tuple[int, ...], ...]:
        if self._workers == 1:
            return ()
        assert self._latest is not None  # it was recorded a moment ago
        members = self._latest.groups(graph.outputs, self._workers).members
        return members if len(members) > 1 else ()

    def recorded(self, source: BatchSource, data: tuple[Tensor, ...], rows: Tensor) -> Any:
        trace = thread.trace
        assert trace is not None
        first = host_scalar(lambda k: float(self.first + k * self.count))
        fraction = host_scalar(lambda k: self.division.share(self.first + k * self.count))
        before = len(trace.scalars)
        number = cast(first, DType.u32)
        self._latest, results = self.parts(trace, source, data, rows, number, fraction)
        # Whatever else the host computes belongs to the batch, and is the same for all its parts.
        trace.scalars[before:] = [partial(_of_batch, f) for f in trace.scalars[before:]]
        trace.effects.clear()
        host_effect(self._advance)
        return results

    def _advance(self, steps: int) -> None:
        self.first += steps * self.count

    # ---------------------------------------------------------------------- what is recorded

    def parts(
        self,
        trace: Trace,
        source: BatchSource,
        data: tuple[Tensor, ...],
        rows: Tensor,
        first: Tensor,
        fraction: Any,
    ) -> tuple[Sheet, tuple[Tensor, ...]]:
        """What parts from number ``first`` on give, in sum."""
        if self.count == 1:
            return self._part(source.take, data, rows, first, fraction)
        size = rows.shape[0] // self.count
        one = placeholder("rows of a part", (size,), DType.i32)
        number = placeholder("a part", (), DType.u32)
        sheet, results = self._part(source.take, data, from_node(one), from_node(number), fraction)
        nodes = [trace.node(result) for result in results]
        outside = [n for n in topological(nodes) if n.op == "input" and n not in (one, number)]
        held = {n: placeholder(n.params["name"], n.shape, n.dtype) for n in outside}
        body = Graph((one, number, *held.values()), tuple(substitute(nodes, held)))
        numbers = cast(iota((self.count,), 0), DType.u32) + first
        each = bind("reshape", trace.node(rows), shape=(self.count, size))
        loop = bind(
            "scan", each, trace.node(numbers), *outside, body=body, length=self.count, carries=0,
            scanned=2, reverse=0, segment=0, tiled=PARTS, limited=0,
        )  # fmt: skip
        summed = []
        for at in range(len(nodes)):
            value = from_node(bind("item", loop, index=at))
            summed.append(along_tree(value) if at < sheet.summed else value[self.count - 1])
        return sheet, tuple(summed)

    def _part(
        self, take: Any, data: tuple[Tensor, ...], rows: Tensor, number: Tensor, fraction: Any
    ) -> tuple[Sheet, tuple[Tensor, ...]]:
        """What part ``number`` gives, with random draws of its own."""
        try:
            thread.stream = number * scalar(1 << STREAM_BITS, DType.u32)
            return self._results_of(take(data, rows), fraction, number)
        finally:
            thread.stream = None

    def _results_of(
        self, arrays: tuple[Any, ...], fraction: Any, number: Tensor
    ) -> tuple[Sheet, tuple[Tensor, ...]]:
        """What a part gives: all floats weighed, so that the sum over parts is of the batch.

        ``fraction`` of the batch's rows are in it.
        """
        learner, trace = self._learner, thread.trace
        assert trace is not None
        learner.zero_grad()
        look = self._look
        with nullcontext() if look is None else look.watch():
            loss = learner.batch_loss(*arrays)
        target, weights = unweighted(arrays[-1])
        with no_grad():
            mass = mass_of(learner.criterion.function, target, weights)
        summed = learner.accumulation.summed
        weighed = loss * (1.0 if summed else fraction if mass is None else mass)
        weighed.backward()
        rows = arrays[0].shape[0]
        measured = [] if look is None else look.part(rows, fraction, number, mass)
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
            means = [new * fraction for _, new in averaged]
        learner.zero_grad()
        results = (*numbers, *gradients, *means, *measured, *(new for _, new in shared))
        return Sheet(mass is not None, reached, *states, len(measured)), results


class WholeLoop(PartLoop):
    """A `Stepper` of whole batches of ``count`` equal parts: one program computes all of them, and
    the update."""

    def recorded(self, source: BatchSource, data: tuple[Tensor, ...], rows: Tensor) -> Any:
        trace, learner = thread.trace, self._learner
        assert trace is not None
        share = host_scalar(lambda k: 1 / self.count)  # no constant, so no other formula
        zero = scalar(0, DType.u32)
        sheet, results = self.parts(trace, source, data, rows, zero, share)
        (loss, *mass), gradients, averaged, measured, shared = sheet.taken_apart(results)
        states = [*averaged, *shared]
        with no_grad():
            for state, new in zip((*sheet.averaged, *sheet.shared), states, strict=True):
                state.assign_(new)
        after = updated(learner, sheet, mass, gradients, self._look)
        host_effect(learner.accumulation.advance)
        with no_grad():
            for whole in mass:
                loss = loss / _or_one(whole)
        return loss if self._look is None else (loss, *measured, *after)


def updated(
    learner: Partible,
    sheet: Sheet,
    mass: Sequence[Tensor],
    gradients: Sequence[Tensor],
    look: Look | None = None,
) -> list[Tensor]:
    """The update by sums over a whole batch; what ``look`` measured of it."""
    learner.zero_grad()
    if learner.penalty is not None:
        learner.penalty(learner.parameters()).backward()
    with no_grad():
        for p, stored in zip(sheet.reached, gradients, strict=True):
            gradient = _as_parameter(p, stored)
            for whole in mass:
                gradient = gradient / _or_one(whole)
            p.grad = gradient if p.grad is None else p.grad + gradient
    if look is not None:
        look.before()
    learner.update()
    return [] if look is None else look.after()


def along_tree(stacked: Tensor) -> Tensor:
    """The sum of what parts or subtrees give, one after the other along the first axis."""
    trace = thread.trace
    assert trace is not None
    return from_node(bind("tree_sum", trace.node(stacked)))


def _or_one(mass: Tensor) -> Tensor:
    """What is divided by: rows of which none counts have no loss and no gradient."""
    return where(mass > 0.0, mass, 1.0)


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
