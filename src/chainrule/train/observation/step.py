"""Training steps that measure: of whole batches, and of batches in parts."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Any, Protocol

import numpy.typing as npt

from ...frontend import Tensor
from ...frontend.apply import scalar
from ...frontend.operations.arithmetic import cast
from ...ir.types import DType
from ...nn import Module
from ...optim import Optimizer
from ..batch_source import BatchSource, Rows, as_read
from ..loop import LoopStepper
from ..part_loop import Partible
from ..parted import PartedStepper
from ..parts import Parts
from ..stepper import Stepper
from .measures import Sheet
from .observation import LayerStatistics
from .taps import Taps

__all__ = ["Observable", "ObservedParts", "ObservedStep"]

Array = npt.NDArray[Any]
Layers = Mapping[str, LayerStatistics]


class Observable(Partible, Protocol):
    """A training whose steps can be looked into."""

    @property
    def optimizer(self) -> Optimizer: ...
    @property
    def clip(self) -> Any: ...
    @property
    def parts(self) -> Parts: ...
    @property
    def stepper(self) -> Stepper: ...

    def differentiate(self, *arrays: Tensor) -> Tensor:
        """Loss and gradients of one batch."""

    def finish_step(self) -> None:
        """What follows once the gradients are there."""


class ObservedStep:
    """A step of a whole batch that measures, beside those of a training.

    A recording says in its last result which it is, as another one may measure something else.
    """

    def __init__(self, learner: Observable, full: bool) -> None:
        self._learner, self._full = learner, full
        self._sheets: list[Sheet] = []
        self._stepper = LoopStepper(self._recorded)

    @property
    def recordings(self) -> int:
        """How many there are so far."""
        return len(self._sheets)

    def prepare(self, source: BatchSource, rows: Rows) -> None:
        """Compile what `run` needs."""
        self._stepper.program(as_read(source, rows[0]), rows.shape[1])

    def run(self, source: BatchSource, rows: Rows) -> tuple[Array, Layers]:
        """The one step of ``rows``: its loss, and what was measured, by layer."""
        results = self._stepper.results(as_read(source, rows[0]), rows)
        sheet = self._sheets[int(results[-1][0])]
        return results[0], sheet.read([column[0] for column in results[1:-1]])

    def _recorded(self, *arrays: Tensor) -> tuple[Tensor, ...]:
        learner, taps, sheet = self._learner, Taps(self._learner.model), Sheet()
        update = _Update(learner, self._full)
        with taps.watch():
            loss = learner.differentiate(*arrays)
        update.before()
        arrived = taps.gradients()
        learner.finish_step()
        _measure(sheet, taps, arrived, arrays[0].shape[0], self._full)
        update.measure(sheet)
        self._sheets.append(sheet)
        return (loss, *sheet.values, scalar(len(self._sheets) - 1, DType.i32))


class ObservedParts:
    """A step by parts of a batch that measures: of each part what can be summed, and of the update.

    It is a `Look` of its own stepper. A recorded update says in its last result which it is.
    """

    def __init__(self, learner: Observable, full: bool) -> None:
        self._learner, self._full = learner, full
        self._sheets: list[Sheet] = []
        self._stepper = PartedStepper(learner, learner.parts, self)
        self._taps, self._part = Taps(learner.model), Sheet()
        self._update = _Update(learner, full)

    @property
    def recordings(self) -> int:
        """How many there are so far."""
        return len(self._sheets)

    def prepare(self, source: BatchSource, rows: Rows) -> None:
        """Nothing: what is compiled depends on what parts give."""

    def run(self, source: BatchSource, rows: Rows) -> tuple[Array, Layers]:
        """The one step of ``rows``: its loss, and what was measured, by layer."""
        usual = self._learner.stepper
        self._stepper.workers = usual.workers if isinstance(usual, PartedStepper) else None
        losses = self._stepper.run(source, rows)
        *values, number = self._stepper.measured
        return losses, self._sheets[int(number)].read(values)

    # ---------------------------------------------------------------------- while it is recorded

    def watch(self) -> AbstractContextManager[None]:
        self._taps = Taps(self._learner.model)
        return self._taps.watch()

    def part(self, rows: int, share: Tensor, number: Tensor, mass: Tensor | None) -> list[Tensor]:
        first = cast(number, DType.f32) < 0.5
        self._part = Sheet(share, mass, first)
        _measure(self._part, self._taps, self._taps.gradients(), rows, self._full)
        return self._part.values

    def before(self) -> None:
        self._update = _Update(self._learner, self._full)
        self._update.before()

    def after(self) -> list[Tensor]:
        sheet = Sheet()
        self._update.measure(sheet)
        self._sheets.append(self._part.joined(sheet))
        return [*sheet.values, scalar(len(self._sheets) - 1, DType.i32)]


class _Update:
    """The parameters of each layer, while a step is recorded that updates them."""

    def __init__(self, learner: Observable, full: bool) -> None:
        self._learner, self._full = learner, full
        self._owners = own_parameters(learner.model)
        self._values: dict[str, list[Tensor]] = {}
        self._gradients: dict[str, list[Tensor]] = {}

    def before(self) -> None:
        """The gradients are there."""
        self._values = {path: [p.detach() for p in own] for path, own in self._owners.items()}
        self._gradients = {path: _gradients(own) for path, own in self._owners.items()}

    def measure(self, sheet: Sheet) -> None:
        """The parameters are new."""
        for path, own in self._owners.items():
            layer, after = self._learner.model.get_submodule(path), [p.detach() for p in own]
            clipped = [] if self._learner.clip is None else _gradients(own)
            sheet.parameters(
                path, layer, self._values[path], self._gradients[path], clipped, after, self._full
            )  # fmt: skip


def _measure(
    sheet: Sheet, taps: Taps, arrived: Mapping[str, Tensor], rows: int, full: bool
) -> None:
    """Of what layers gave for so many rows, and of what ``arrived`` there."""
    for tap in taps.taps:
        sheet.output(tap, arrived.get(tap.path), full)
    for path, steps in taps.through_time().items():
        sheet.through_time(path, steps)
    if full:
        sheet.noise(taps.taps, arrived, rows)


def own_parameters(model: Module) -> dict[str, list[Tensor]]:
    """The parameters that each layer has itself and that are trained, by the layer's path."""
    owners: dict[str, list[Tensor]] = {}
    for path, parameter in model.named_parameters():
        if parameter.requires_grad:
            owners.setdefault(path.rpartition(".")[0], []).append(parameter)
    return owners


def _gradients(parameters: list[Tensor]) -> list[Tensor]:
    """As they are at this moment of the step."""
    return [p.grad.detach() for p in parameters if p.grad is not None]
