"""Optimizers that ask for the loss themselves: L-BFGS, between compiled evaluations of it."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ..frontend import CompiledFunction, Tensor, compile
from .batch_source import BatchSource, Rows, host_batch
from .learning import BatchLoss

__all__ = ["ClosureStepper"]


class ClosureStepper:
    """A `Stepper` for an optimizer whose ``step(closure)`` evaluates a batch as often as it likes.

    Loss and gradients are one compiled program; the search along a line runs on the host. So there
    is one call for each evaluation, and not one for many steps. The loss reported for a batch is
    that of the weights the step began with, without penalty.
    """

    def __init__(self, learner: BatchLoss) -> None:
        self._learner = learner
        #: the loss with its penalty, whose gradients are kept, and the loss alone, of one batch
        self.evaluate: CompiledFunction[..., tuple[Tensor, Tensor]] = compile(keep_grads=True)(
            self._gradients
        )

    def _gradients(self, *arrays: Tensor) -> tuple[Tensor, Tensor]:
        learner = self._learner
        learner.zero_grad()
        loss = learner.batch_loss(*arrays)
        objective = learner.penalized(loss)
        objective.backward()
        return objective, loss

    def run(self, source: BatchSource, rows: Rows) -> npt.NDArray[Any]:
        losses = np.empty(len(rows), np.float32)
        for s, batch in enumerate(rows):
            losses[s] = self._step(host_batch(source, batch))
        return losses

    def _step(self, batch: tuple[npt.NDArray[Any], ...]) -> float:
        losses: list[float] = []

        def closure() -> Tensor:
            objective, loss = self.evaluate(*batch)
            losses.append(float(loss.item()))
            return objective

        self._learner.optimizer.step(closure)
        self._learner.after_update()
        return losses[0]
