"""Gradient accumulation inside the compiled step: several batches make one update.

Every execution of the step adds its gradients to sums; the update happens in the last one of a
group. As a program has no branches, each execution computes the update, and keeps it only where
it is due. So all of them are one program, many run in one call, and memory is that of one batch.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeGuard

import numpy as np
import numpy.typing as npt

from .. import ops
from ..errors import ConfigError
from ..frontend import Tensor, host_effect, host_scalar, no_grad
from ..frontend.apply import apply, from_array, from_node
from ..frontend.modes import thread
from ..frontend.operations.arithmetic import broadcast_to, less, where
from ..frontend.tracer import HostEffect, HostScalar
from ..ir.memory import aligned_copy
from ..ir.types import is_whole
from .order import Order
from .parts import Parts

__all__ = ["Accumulation", "TreeAccumulation"]


class Accumulation:
    """Sums of gradients over groups of ``every`` batches.

    In a group of B rows a batch of b rows counts b/B, so the sum is the gradient of the mean over
    the group: that of one big batch. A group that the end of an epoch cuts short is applied as it
    is. With ``summed`` the loss is a sum over rows, and every batch counts 1.
    """

    def __init__(self, parameters: Sequence[Tensor], every: int, summed: bool) -> None:
        if not is_whole(every) or every < 1:
            raise ConfigError(
                f"accumulate is {every!r}", help="accumulate must be a whole number of at least 1"
            )
        self.every, self.summed = int(every), summed
        self.parts: Parts = 1
        self.at = 0  # batches done since the beginning of training
        self._order = Order(1, 1, 0, False)
        self._sums = {p: from_array(_zeros(p)) for p in parameters} if every > 1 else {}

    def begin(self, order: Order, at: int) -> None:
        """The coming batch is number ``at`` (over all epochs) in ``order``."""
        self._order, self.at = order, at

    @property
    def position(self) -> tuple[Order, int]:
        """What `begin` takes to go on from here."""
        return self._order, self.at

    def arrays(self) -> list[npt.NDArray[Any]]:
        """Copies of the sums."""
        return [total.numpy() for total in self._sums.values()]

    def set_arrays(self, arrays: Sequence[npt.NDArray[Any]] | None) -> None:
        """Takes over what `arrays` gave; None starts a new group."""
        for i, total in enumerate(self._sums.values()):
            total.assign_(0.0 if arrays is None else from_array(np.asarray(arrays[i])))

    # ------------------------------------------------------------------- numbers of a batch

    def share(self, k: int) -> float:
        """The weight of the ``k``-th coming batch in its group."""
        return 1.0 if self.summed else self.part(k)

    def part(self, k: int) -> float:
        """The part of its group's rows that the ``k``-th coming batch has."""
        order, step = self._order, (self.at + k) % self._order.steps
        first = step // self.every * self.every * order.batch
        rows = min(self.every * order.batch, order.rows - first)
        return min(order.batch, order.rows - step * order.batch) / rows

    def due(self, k: int) -> float:
        """1 if the ``k``-th coming batch is the last of its group, else 0."""
        step = (self.at + k) % self._order.steps
        return float(step % self.every == self.every - 1 or step == self._order.steps - 1)

    def updates(self, batches: int) -> int:
        """Updates done in the first ``batches`` batches of training."""
        epochs, step = divmod(batches, self._order.steps)
        return epochs * -(-self._order.steps // self.every) + step // self.every

    def _coming(self, k: int) -> int:
        """Updates in the coming ``k`` batches."""
        return self.updates(self.at + k) - self.updates(self.at)

    def advance(self, batches: int) -> None:
        """So many batches are done."""
        self.at += batches

    # ------------------------------------------------------------------------ inside the step

    def once(self, penalty: Tensor) -> Tensor:
        """What a batch adds to its loss, so that a group has ``penalty`` once.

        Means over rows are weighted when they are added up, sums are not.
        """
        if self.every == 1 or not self.summed:
            return penalty
        return penalty * host_scalar(self.part)

    def update(self, update: Callable[[], None]) -> None:
        """Adds the gradients to the sums. In the last batch of a group the sums become the
        gradients, ``update`` is performed, and new sums begin.
        """
        share = host_scalar(self.share)
        due = host_scalar(self.due)
        with no_grad():
            for p, total_before in self._sums.items():
                if p.grad is None:
                    continue
                total = total_before + share * p.grad
                # Before the update, which may change the gradient in place.
                total_before.assign_(where(less(0.5, due), 0.0, total) if _traced(due) else total)
                p.grad = total
            self._only_if(due, update)
        if not _traced(due) and due:
            self.set_arrays(None)
        host_effect(self.advance)

    def _only_if(self, due: Tensor | float, update: Callable[[], None]) -> None:
        trace = thread.trace
        if trace is None or not _traced(due):
            if due:
                update()
            return
        before = {t: trace.node(t) for t in trace.states}
        scalars, effects = len(trace.scalars), len(trace.effects)
        update()
        flag = less(0.5, due)
        for state, node in zip(list(trace.states), list(trace.state_nodes), strict=True):
            old, new = before.get(state, node), trace.node(state)
            if new is not old:
                chosen = apply(
                    ops.select, broadcast_to(flag, state.shape), from_node(new), from_node(old)
                )
                trace.rebind(state, trace.node(chosen))
        # Whoever counts in there counts updates, not batches.
        trace.scalars[scalars:] = [self._by_updates(f) for f in trace.scalars[scalars:]]
        trace.effects[effects:] = [self._effect_by_updates(f) for f in trace.effects[effects:]]

    def _by_updates(self, compute: HostScalar) -> HostScalar:
        return lambda k: compute(self._coming(k))

    def _effect_by_updates(self, advance: HostEffect) -> HostEffect:
        return lambda batches: advance(self._coming(batches))


class TreeAccumulation(Accumulation):
    """Sums of batches whose gradients are summed by parts: the tree goes on above the batches.

    What is held are the sums of whole subtrees of batches of the group, at most one of each size.
    """

    def __init__(self, every: int, summed: bool, parts: Parts) -> None:
        super().__init__((), every, summed)
        self.parts = parts
        self._held: list[list[npt.NDArray[Any]]] = []
        self._sizes: list[int] = []

    def add(self, values: list[npt.NDArray[Any]]) -> None:
        """The sums of the next batch of the group, which are copied."""
        size, values = 1, [np.array(value) for value in values]
        while self._sizes and self._sizes[-1] == size:
            values = [a + b for a, b in zip(self._held.pop(), values, strict=True)]
            size += self._sizes.pop()
        self._held.append(values)
        self._sizes.append(size)

    def total(self) -> list[npt.NDArray[Any]]:
        """The sums of the group so far."""
        values = self._held[-1]
        for before in self._held[-2::-1]:
            values = [a + b for a, b in zip(before, values, strict=True)]
        return values

    def arrays(self) -> list[npt.NDArray[Any]]:
        if not self._sizes:
            return []
        return [np.array(self._sizes), *(a.copy() for held in self._held for a in held)]

    def set_arrays(self, arrays: Sequence[npt.NDArray[Any]] | None) -> None:
        self._held, self._sizes = [], []
        if arrays is not None:
            self._sizes = [int(n) for n in arrays[0]]
            each = (len(arrays) - 1) // len(self._sizes)
            values = [np.array(a) for a in arrays[1:]]
            self._held = [values[i : i + each] for i in range(0, len(values), each)]


def _traced(due: Tensor | float) -> TypeGuard[Tensor]:
    """Whether the step is being recorded; otherwise the host's numbers are plain ones."""
    return isinstance(due, Tensor)


def _zeros(p: Tensor) -> npt.NDArray[Any]:
    array = aligned_copy(p.concrete)
    array[...] = 0
    return array
