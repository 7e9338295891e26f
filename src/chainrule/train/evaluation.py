"""A model with its loss, in evaluation mode: outputs, metrics, predictions.

evaluate → evaluate_examples → outputs → (compiled) forward
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from ..errors import ConfigError
from ..frontend import Tensor, compile, no_grad
from ..frontend.apply import new_tensor
from ..ir.types import is_whole
from ..nn import Module
from .criterion import Criterion
from .datacheck import DataCheck
from .examples import Examples
from .metrics import Metric, resolve
from .scores import Scores

__all__ = ["EVALUATION_ROWS", "Average", "Evaluator"]

Array = npt.NDArray[Any]

#: rows of one evaluation call, unless a batch size is given
EVALUATION_ROWS = 1024


class Average(Protocol):
    """An average of weights, such as an exponential moving one."""

    def update(self) -> None:
        """Take in the present weights; runs inside the compiled step."""

    def swapped(self) -> AbstractContextManager[Any]:
        """Inside, the model has the averaged weights."""


class Evaluator:
    """The part of a `Trainer` that looks at a model without changing it."""

    def __init__(
        self,
        model: Module,
        loss: str | Callable[..., Tensor],
        metrics: Sequence[str | Metric | Callable[..., float]],
        average: Average | None,
    ) -> None:
        if average is not None and not all(hasattr(average, m) for m in ("update", "swapped")):
            raise ConfigError(
                f"average is {average!r}",
                help="pass an average of weights such as optim.EMA(model)",
            )
        if not isinstance(model, Module):
            raise ConfigError(
                f"the model is {model!r}", help="pass a Module, such as nn.Linear(4, 1)"
            )
        if not isinstance(metrics, list | tuple):
            raise ConfigError(f"metrics is {metrics!r}", help='pass a list: metrics=["accuracy"]')
        self.model = model
        self.criterion = Criterion.of(loss)
        self.metrics = [resolve(metric) for metric in metrics]
        self.average = average
        self.data_check = DataCheck(self.forward, self.criterion, self.evaluating)
        self._compiled_forward: Callable[..., Tensor] = compile(self.forward)

    def forward(self, *inputs: Tensor) -> Tensor:
        """The model's outputs for one batch."""
        outputs: Tensor = self.model(*inputs)
        return outputs

    def loss(self, outputs: Tensor, target: Tensor) -> Tensor:
        """The loss of one batch, a 0-d Tensor."""
        loss: object = self.criterion.function(outputs, target)
        if not isinstance(loss, Tensor):
            raise ConfigError(
                f"the loss function returned {loss!r}",
                help="return a Tensor of one number: lambda outputs, target: F.mse_loss(outputs, "
                "target)",
            )
        return loss

    def evaluate(self, data: Any, batch_size: int | None = None) -> dict[str, float]:
        """``{"loss": ..., metric: ...}`` on ``data = (X, y)``, in evaluation mode."""
        rows = _rows_at_once(batch_size)
        return self.evaluate_examples(self.data_check.examples(data, "evaluation data"), rows)

    def evaluate_examples(self, examples: Examples, batch_size: int) -> dict[str, float]:
        """Loss and metrics from the outputs of all rows at once, so that batches do not matter."""
        outputs = self.outputs(examples.inputs, batch_size)
        loss = self.loss_of(outputs, examples.target)
        scores = Scores(outputs, self.criterion.link)
        return {"loss": loss} | {m.name: m(examples.target, scores) for m in self.metrics}

    def loss_of(self, outputs: Array, target: Array) -> float:
        """The loss of these outputs for all rows."""
        with no_grad():
            return float(self.loss(new_tensor(outputs), new_tensor(target)).item())

    def predict(self, X: Any, batch_size: int | None = None) -> Array:
        """The model's outputs for every row, float32, in evaluation mode."""
        rows = _rows_at_once(batch_size)
        return self.outputs(self.data_check.inputs(X), rows)

    def scores(self, X: Any, batch_size: int | None = None) -> Scores:
        """`predict` with the meaning the loss gives it: ``.labels``, ``.probabilities``."""
        return Scores(self.predict(X, batch_size), self.criterion.link)

    def outputs(self, inputs: tuple[Array, ...], batch_size: int, averaged: bool = True) -> Array:
        """Outputs in blocks of one size (at most ``batch_size``), so that few programs serve all.

        The last block is filled up with copies of its last row; their outputs are cut off. They are
        those of the averaged weights, if there is an average and ``averaged`` does not say no.
        """
        rows = len(inputs[0])
        block = min(batch_size, 1 << (rows - 1).bit_length())
        with self.averaged() if averaged else nullcontext(), self.evaluating():
            parts = [
                np.asarray(self._compiled_forward(*(_block(a, i, block) for a in inputs)).numpy())
                for i in range(0, rows, block)
            ]
        return np.concatenate(parts)[:rows]

    def averaged(self) -> AbstractContextManager[Any]:
        """Inside, the model has the averaged weights, if there is an average."""
        return nullcontext() if self.average is None else self.average.swapped()

    @contextmanager
    def evaluating(self) -> Iterator[None]:
        """Inside, the model is in evaluation mode and no gradients are tracked."""
        with self.evaluation_mode(), no_grad():
            yield

    @contextmanager
    def evaluation_mode(self) -> Iterator[None]:
        """Inside, the model is in evaluation mode."""
        training = [module for module in self.model.modules() if module.training]
        # Set without a word to compiled functions, whose recordings a change of mode makes out of
        # date: the trainer's own run in one mode each, and all others see none but the old one.
        for module in training:
            module.__dict__["training"] = False
        try:
            yield
        finally:
            for module in training:
                module.__dict__["training"] = True


def _rows_at_once(batch_size: int | None) -> int:
    """``batch_size``, or the usual number of rows for None. ConfigError if it is none."""
    if batch_size is None:
        return EVALUATION_ROWS
    if not is_whole(batch_size) or batch_size < 1:
        raise ConfigError(
            f"batch_size is {batch_size!r}", help="batch_size must be a whole number of at least 1"
        )
    return int(batch_size)


def _block(array: Array, start: int, size: int) -> Array:
    """``size`` rows from ``start``, the last one repeated where there are no more."""
    part = array[start : start + size]
    if len(part) == size:
        return part
    return np.concatenate([part, np.repeat(part[-1:], size - len(part), axis=0)])
