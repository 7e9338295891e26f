"""What functions beside the trainer ask of it: a protocol for each kind of them.

`Learner` has all of it. What diagnoses, saves or replays a training takes the smallest protocol
that it can do with, and therefore says in its signature what it may touch.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, Protocol

from ..frontend import CompiledFunction, Tensor
from ..nn import Module
from ..optim import Optimizer
from .accumulate import Accumulation
from .batch_source import BatchSource, Rows
from .datacheck import DataCheck
from .history import History
from .run import Run
from .stepper import Stepper

__all__ = ["BatchLoss", "Differentiable", "OnTrial", "Replayable", "Restorable", "Summable"]


class BatchLoss(Protocol):
    """For an optimizer that asks for the loss itself: what it asks, and what follows its step."""

    @property
    def optimizer(self) -> Optimizer: ...

    def zero_grad(self) -> None:
        """Forget all gradients."""

    def batch_loss(self, *arrays: Tensor) -> Tensor:
        """The loss of one batch, as it is reported."""

    def penalized(self, loss: Tensor) -> Tensor:
        """The loss that is differentiated."""

    def after_update(self) -> None:
        """What happens once the weights are new."""


class Restorable(Protocol):
    """Everything that a state is gathered from and put back into."""

    #: whether the training is to end
    stop_training: bool

    @property
    def model(self) -> Module: ...
    @property
    def optimizer(self) -> Optimizer: ...
    @property
    def accumulation(self) -> Accumulation: ...
    @property
    def history(self) -> History: ...

    # Functions and objects of the user's, any of which may have a state of its own.
    @property
    def average(self) -> Any: ...
    @property
    def clip(self) -> Any: ...
    @property
    def penalty(self) -> Any: ...
    @property
    def constraint(self) -> Any: ...
    @property
    def transform(self) -> Any: ...


class Replayable(Restorable, Protocol):
    """Something whose steps can be done once more, and one of them with every value in sight."""

    @property
    def stepper(self) -> Stepper: ...

    def looked_into(self) -> CompiledFunction[..., Any]:
        """What is computed with every value in sight."""


class Differentiable(Protocol):
    """A model with its loss and penalty, to be differentiated in evaluation mode."""

    @property
    def model(self) -> Module: ...
    @property
    def data_check(self) -> DataCheck: ...

    def parameters(self) -> list[Tensor]:
        """Those that a gradient is asked for."""

    def forward(self, *inputs: Tensor) -> Tensor:
        """The model's outputs for one batch."""

    def loss(self, outputs: Tensor, target: Tensor) -> Tensor:
        """The loss of one batch."""

    def penalized(self, loss: Tensor) -> Tensor:
        """The loss that is differentiated."""

    def evaluation_mode(self) -> AbstractContextManager[None]:
        """Inside, the model is in evaluation mode."""


class Summable(Differentiable, Protocol):
    """A model whose gradients of many batches can be summed."""

    @property
    def accumulation(self) -> Accumulation: ...
    @property
    def run(self) -> Run | None: ...

    def zero_grad(self) -> None:
        """Forget all gradients."""

    def stepper_of(self, step: Callable[..., Tensor]) -> Stepper:
        """What runs any step on many batches."""


class OnTrial(Protocol):
    """Something that may be trained and then be as before."""

    @property
    def optimizer(self) -> Optimizer: ...
    @property
    def accumulation(self) -> Accumulation: ...
    @property
    def stepper(self) -> Stepper: ...

    def read(self, data: Any) -> tuple[BatchSource, BatchSource | None]:
        """Data, checked."""

    def undone(self) -> AbstractContextManager[None]:
        """Inside, it may be trained; afterwards all is as before."""

    def evaluate_source(
        self, source: BatchSource, batch_size: int, rows: Rows | None = None
    ) -> dict[str, float]:
        """Loss and metrics."""
