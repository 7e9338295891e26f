"""A model with its loss, in evaluation mode: outputs, metrics, predictions.

evaluate → evaluate_source → outputs → (compiled) forward
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from ..data.gathering import Gathering
from ..errors import ConfigError
from ..frontend import Tensor, compile, no_grad
from ..frontend.apply import new_tensor
from ..ir.types import is_whole
from ..nn import Module
from .batch_source import BatchSource, LengthSource, Rows, calls, has_lengths, host_batch
from .criterion import Criterion
from .datacheck import DataCheck
from .examples import Examples
from .metrics import Metric, resolve
from .scores import Scores
from .stepper import make_reader
from .weights import unweighted
from .workers import Workers

__all__ = ["EVALUATION_ROWS", "Evaluator", "WeightAverage"]

Array = npt.NDArray[Any]

#: rows of one evaluation call, unless a batch size is given
EVALUATION_ROWS = 1024


class WeightAverage(Protocol):
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
        average: WeightAverage | None,
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
        #: what reads its batches itself, for sources with a target and without
        self._reading = {True: make_reader(self.judged), False: make_reader(self.forward)}

    def forward(self, *inputs: Tensor) -> Tensor:
        """The model's outputs for one batch."""
        outputs: Tensor = self.model(*inputs)
        return outputs

    def judged(self, *batch: Tensor) -> tuple[Tensor, Tensor]:
        """The model's outputs for one batch, and its target."""
        *inputs, target = batch
        return self.forward(*inputs), target

    def loss(self, outputs: Tensor, target: Any) -> Tensor:
        """The loss of one batch, a 0-d Tensor; of (target, weights) the weighted one."""
        target, weights = unweighted(target)
        loss: object = (
            self.criterion.function(outputs, target)
            if weights is None
            else self.criterion.weighted(outputs, target, weights)
        )
        if not isinstance(loss, Tensor):
            raise ConfigError(
                f"the loss function returned {loss!r}",
                help="return a Tensor of one number: lambda outputs, target: F.mse_loss(outputs, "
                "target)",
            )
        return loss

    def evaluate(self, data: Any, batch_size: int | None = None) -> dict[str, float]:
        """``{"loss": ..., metric: ...}`` on ``data``, (X, y) or a `BatchSource`, in evaluation
        mode.
        """
        rows = _rows_at_once(batch_size)
        return self.evaluate_source(self.data_check.labelled(data, "evaluation data"), rows)

    def evaluate_source(
        self,
        source: BatchSource,
        batch_size: int,
        rows: Rows | None = None,
        workers: Workers | None = None,
    ) -> dict[str, float]:
        """Loss and metrics from the outputs of all ``rows`` (by default those of the source) at
        once, so that batches do not matter. ``workers``, who all call this, share them.
        """
        outputs, target = self._evaluated(source, batch_size, rows, workers=workers)
        scores = Scores(outputs, self.criterion.link)
        loss = self.loss_of(outputs, target, _weights_of(source, rows))
        return {"loss": loss} | {m.name: m(target, scores) for m in self.metrics}

    def loss_on(self, source: BatchSource, rows: Rows, averaged: bool = True) -> float:
        """The loss on these rows."""
        outputs, target = self._evaluated(source, EVALUATION_ROWS, rows, averaged)
        return self.loss_of(outputs, target, _weights_of(source, rows))

    def outputs_of(self, source: BatchSource, rows: Rows) -> tuple[Array, Array]:
        """The model's outputs for these rows, and their targets."""
        return self._evaluated(source, EVALUATION_ROWS, rows)

    def loss_of(self, outputs: Array, target: Array, weights: Array | None = None) -> float:
        """The loss of these outputs for all rows."""
        with no_grad():
            wanted: Any = new_tensor(target)
            if weights is not None:
                wanted = wanted, new_tensor(weights)
            return float(self.loss(new_tensor(outputs), wanted).item())

    def predict(self, X: Any, batch_size: int | None = None) -> Array:
        """The model's outputs for every row of ``X`` (arrays, or a `BatchSource`), float32, in
        evaluation mode.
        """
        rows = _rows_at_once(batch_size)
        return self.outputs(self.data_check.inputs(X), rows)

    def scores(self, X: Any, batch_size: int | None = None) -> Scores:
        """`predict` with the meaning the loss gives it: ``.labels``, ``.probabilities``."""
        return Scores(self.predict(X, batch_size), self.criterion.link)

    def outputs(self, source: BatchSource, batch_size: int) -> Array:
        """The model's outputs for all rows of ``source``."""
        return self._evaluated(source, batch_size)[0]

    def _evaluated(
        self,
        source: BatchSource,
        batch_size: int,
        rows: Rows | None = None,
        averaged: bool = True,
        workers: Workers | None = None,
    ) -> tuple[Array, Array]:
        """Outputs and targets (empty without any) of ``rows``, by default all.

        They are computed in blocks of one size, so that few programs serve all: at most
        ``batch_size``, and what the source allows. The last block is filled up with copies of its
        last row, which are cut off. Outputs are those of the averaged weights, if there is an
        average and ``averaged`` does not say no. Rows that have lengths are put into blocks of like
        length. Each of ``workers`` computes some blocks, if there are enough, and gets all results.
        """
        chosen = np.arange(source.rows, dtype=np.int32) if rows is None else rows
        if has_lengths(source):
            return self._evaluated_by_length(source, batch_size, chosen, averaged, workers)
        count = len(chosen)
        block = min(batch_size, source.evaluation_rows or batch_size, 1 << (count - 1).bit_length())
        blocks = chosen[np.minimum(np.arange(-(-count // block) * block), count - 1)]
        blocks = blocks.reshape(-1, block)
        shared = workers is not None and len(blocks) >= workers.size
        gathering = Gathering(workers if shared else None)
        outputs: list[Array] = []
        targets: list[Array] = []
        with self.averaged() if averaged else nullcontext(), self.evaluating():
            for piece in calls(source, blocks[gathering.own(len(blocks))]):
                for each in self._piece(source, piece):
                    outputs.append(each[0])
                    targets += each[1:]
        empty = np.empty(0, np.float32)
        target = gathering.joined(np.concatenate(targets))[:count] if targets else empty
        return gathering.joined(np.concatenate(outputs))[:count], target

    def _evaluated_by_length(
        self,
        source: LengthSource,
        batch_size: int,
        rows: Rows,
        averaged: bool,
        workers: Workers | None,
    ) -> tuple[Array, Array]:
        keys = source.keys(rows)
        used = np.unique(keys).tolist()
        places = [np.flatnonzero(keys == key) for key in used]
        parts = [
            self._evaluated(
                source.at(source.bounds[key]), batch_size, rows[where], averaged, workers
            )
            for key, where in zip(used, places, strict=True)
        ]
        outputs, targets = zip(*parts, strict=True)
        target = _in_order(targets, places, source.padding) if source.labelled else targets[0]
        return _in_order(outputs, places, 0), target

    def _piece(self, source: BatchSource, rows: Rows) -> Iterator[tuple[Array, ...]]:
        """Outputs and target (none if there is none) of some batches.

        Rows of arrays are given to the program; what else a source reads, the program reads itself,
        many batches in one call. The bits are the same.
        """
        if not isinstance(source, Examples):
            results = self._reading[source.labelled].results(source, rows)
            yield tuple(part.reshape(-1, *part.shape[2:]) for part in results)
            return
        for each in rows:
            inputs, target = _batch(source, each)
            yield np.asarray(self._compiled_forward(*inputs).numpy()), *target

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


def _in_order(parts: Sequence[Array], places: Sequence[Array], padding: int) -> Array:
    """Values of rows by their ``places``; shorter ones are filled up with ``padding`` on axis 1."""
    largest = np.max([part.shape for part in parts], axis=0)
    together = np.full((sum(map(len, places)), *largest[1:]), padding, parts[0].dtype)
    for part, where in zip(parts, places, strict=True):
        own: tuple[Any, ...] = (where, *map(slice, part.shape[1:]))
        together[own] = part
    return together


def _rows_at_once(batch_size: int | None) -> int:
    """``batch_size``, or the usual number of rows for None. ConfigError if it is none."""
    if batch_size is None:
        return EVALUATION_ROWS
    if not is_whole(batch_size) or batch_size < 1:
        raise ConfigError(
            f"batch_size is {batch_size!r}", help="batch_size must be a whole number of at least 1"
        )
    return int(batch_size)


def _batch(source: Examples, rows: Rows) -> tuple[tuple[Array, ...], tuple[Array, ...]]:
    """Inputs and target, if there is one, of ``rows``, which ascend: where none is left out, arrays
    need no copy."""
    first, end = int(rows[0]), int(rows[-1]) + 1
    wanted = source.arrays[: len(source.arrays) - source.weighted]
    if end - first == len(rows):
        batch = tuple(array[first:end] for array in wanted)
    else:
        batch = host_batch(Examples(wanted, source.labelled), rows)
    return batch[: len(source.inputs)], batch[len(source.inputs) :]


def _weights_of(source: BatchSource, rows: Rows | None) -> Array | None:
    """How much these rows (all of them if None) count; None: all the same."""
    weights = source.weights if isinstance(source, Examples) else None
    return weights if weights is None or rows is None else weights[rows]
