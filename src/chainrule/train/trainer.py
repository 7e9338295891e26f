"""The trainer: a ladder of short steps, each of which a subclass may replace.

fit → train → run_epoch → train_epoch → train_batches → (compiled) train_step → forward, loss
                        ↘ validate → evaluate_examples → outputs → (compiled) forward
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import ConfigError, DTypeError, ShapeError, TrainingError
from ..frontend import Tensor, compile, no_grad
from ..frontend.apply import new_tensor
from ..frontend.modes import structure
from ..nn import Module
from ..optim import Optimizer
from ..optim.group import lr_at
from .callbacks import Callback, CallbackList
from .criterion import Criterion
from .examples import Examples, inputs_of, read_examples
from .history import History
from .metrics import Metric, resolve
from .order import Order
from .progress import Progress
from .scores import Scores
from .stepper import Pace, Stepper, make_stepper

__all__ = ["Trainer"]

Array = npt.NDArray[Any]

#: rows of one evaluation call, unless a batch size is given
EVALUATION_ROWS = 1024


@dataclass(frozen=True)
class Run:
    """What one call of `Trainer.fit` works with."""

    train: Examples
    validation: Examples | None
    order: Order
    epochs: int
    hooks: CallbackList


class Trainer:
    """Trains a model::

        trainer = Trainer(model, loss=nn.CrossEntropyLoss(), optimizer=opt, metrics=["accuracy"])
        history = trainer.fit((X, y), validation=(Xv, yv), epochs=10, batch_size=128)
        trainer.evaluate((Xt, yt)); trainer.predict(Xt); history["val_loss"]

    ``loss`` is a name (``"cross_entropy"``), a loss module or a function of (outputs, target);
    ``metrics`` are names, functions of (target, outputs) or `Metric` objects. A model with several
    inputs gets them as ``X = (X1, X2)``. One training step (forward, loss, backward, update) is
    compiled once and run many times in each call.
    """

    def __init__(
        self,
        model: Module,
        loss: str | Callable[..., Tensor],
        optimizer: Optimizer,
        metrics: Sequence[str | Metric | Callable[..., float]] = (),
    ) -> None:
        if not isinstance(optimizer, Optimizer):
            raise ConfigError(
                f"the optimizer is {optimizer!r}",
                help="give an instance, for example optim.Adam(model.parameters(), lr=1e-3)",
            )
        self.model, self.optimizer = model, optimizer
        self.criterion = Criterion.of(loss)
        self.metrics = [resolve(metric) for metric in metrics]
        self.history = History()
        self.stop_training = False
        self._stepper = self.make_stepper()
        self._compiled_forward: Callable[..., Tensor] = compile(self.forward)
        self._pace = Pace()
        self._shapes: dict[tuple[Any, ...], tuple[int, ...]] = {}

    # --------------------------------------------------------------------- what is compiled

    def forward(self, *inputs: Tensor) -> Tensor:
        """The model's outputs for one batch."""
        outputs: Tensor = self.model(*inputs)
        return outputs

    def loss(self, outputs: Tensor, target: Tensor) -> Tensor:
        """The loss of one batch, a 0-d Tensor."""
        loss: Tensor = self.criterion.function(outputs, target)
        return loss

    def train_step(self, *arrays: Tensor) -> Tensor:
        """One step on one batch; ``arrays`` are the inputs, then the target."""
        *inputs, target = arrays
        self.optimizer.zero_grad()
        loss = self.loss(self.forward(*inputs), target)
        loss.backward()
        self.optimizer.step()
        return loss

    def make_stepper(self) -> Stepper:
        """What runs `train_step` on many batches."""
        return make_stepper(self.train_step)

    # ----------------------------------------------------------------------------- training

    def fit(
        self,
        data: Any,
        *,
        validation: Any = None,
        epochs: int = 10,
        batch_size: int | None = 32,
        callbacks: Sequence[Callback] = (),
        seed: int = 0,
        shuffle: bool = True,
        verbose: bool = True,
    ) -> History:
        """Trains on ``data = (X, y)`` and returns the numbers of every epoch.

        The history holds ``loss``, the mean over the epoch's rows while training, and on the
        validation data ``val_loss`` and ``val_<metric>`` after it. Without validation data, metrics
        are those of the training data after each epoch.

        ``batch_size`` 1 is stochastic, None full-batch gradient descent. No row is left out: a
        short last batch is trained as it is. ``seed`` fixes the order of the rows; equal seeds,
        data and first weights give equal bits. ``verbose`` shows progress on stderr. Ctrl-C stops
        after a whole step, lets callbacks finish and raises KeyboardInterrupt; `history` keeps
        the finished epochs.

        Raises DataError or ShapeError, before the first step, for data that cannot be used, and
        TrainingError when the loss is no longer finite.
        """
        if isinstance(epochs, bool) or int(epochs) != epochs or epochs < 0:
            raise ConfigError(f"epochs is {epochs!r}", help="epochs is a whole number from 0")
        train, held = self.read(data, validation)
        shown = [Progress(epochs)] if verbose and epochs else []
        hooks = CallbackList([*callbacks, *shown], self)
        order = Order.of(train.rows, batch_size, seed, shuffle)
        self.history, self.stop_training = History(), False
        try:
            hooks("on_train_begin", {})
            self.train(Run(train, held, order, int(epochs), hooks))
        finally:
            hooks("on_train_end", {name: v[-1] for name, v in self.history.items()})
        return self.history

    def read(self, data: Any, validation: Any = None) -> tuple[Examples, Examples | None]:
        """Data as checked arrays that fit the model and the loss."""
        train = self._fitted(read_examples(data, "training data"), "training data")
        if validation is None:
            return train, None
        name = "validation data"
        held = self._fitted(read_examples(validation, name), name)
        for mine, theirs in zip(train.inputs, held.inputs, strict=True):
            if mine.shape[1:] != theirs.shape[1:]:
                raise ShapeError(
                    f"rows of the training data have shape {mine.shape[1:]}, those of the "
                    f"validation data {theirs.shape[1:]}",
                    help="prepare both in the same way",
                )
        return train, held

    def train(self, run: Run) -> None:
        """All epochs, until done or `stop_training`."""
        if not self.model.training:
            self.model.train()
        epoch = 0
        while epoch < run.epochs and not self.stop_training:
            together = self._epochs_together(run, epoch)
            if together > 1:
                self._run_epochs(run, epoch, together)
            else:
                self.run_epoch(run, epoch)
            epoch += together

    def run_epoch(self, run: Run, epoch: int) -> None:
        """One epoch: training, validation, history, callbacks."""
        run.hooks("on_epoch_begin", epoch, {})
        logs = {"loss": self.train_epoch(run, epoch), **self.validate(run)}
        self.history.append(epoch, logs)
        run.hooks("on_epoch_end", epoch, logs)
        run.hooks("on_progress", epoch, 1.0, logs)

    def train_epoch(self, run: Run, epoch: int) -> float:
        """All steps of an epoch; the mean loss over its rows."""
        sums: list[npt.NDArray[np.float64]] = []
        done = 0
        for rows in self._slices(run, run.order.batches(epoch)):
            losses = self.train_batches(run, rows, epoch, done)
            sums.append(losses.astype(np.float64) * rows.shape[1])
            done += len(rows)
            if run.hooks.listens("on_progress") and done < run.order.steps:
                mean = float(np.concatenate(sums).sum()) / (done * run.order.batch)
                run.hooks("on_progress", epoch, done / run.order.steps, {"loss": mean})
        return float(np.concatenate(sums).sum()) / run.order.rows

    def train_batches(self, run: Run, rows: npt.NDArray[np.int32], epoch: int, first: int) -> Array:
        """Some steps in one call, from step ``first`` of the epoch; the loss of each."""
        each = run.hooks.listens("on_train_batch_begin", "on_train_batch_end")
        if each:
            run.hooks("on_train_batch_begin", first, {})
        begun = time.perf_counter()
        losses = self._stepper.run(run.train.arrays, rows)
        self._pace.learn(len(rows), time.perf_counter() - begun)
        self._check_finite(losses, run, epoch, first)
        if each:
            run.hooks("on_train_batch_end", first, {"loss": float(losses[0])})
        return losses

    def _slices(
        self, run: Run, blocks: Sequence[npt.NDArray[np.int32]]
    ) -> Iterator[npt.NDArray[np.int32]]:
        """The batches of an epoch in pieces: all, a quarter of a second, or one step each."""
        each = run.hooks.listens("on_train_batch_begin", "on_train_batch_end")
        for block in blocks:
            start = 0
            while start < len(block):
                limited = self._pace.steps if run.hooks.listens("on_progress") else len(block)
                stop = start + (1 if each else limited)
                yield block[start:stop]
                start = stop

    def _epochs_together(self, run: Run, epoch: int) -> int:
        """How many epochs one call may hold: several if nobody looks at the end of each.

        Only equal batches can share a call, because each batch size has a program of its own.
        """
        looks = ("on_epoch_begin", "on_epoch_end", "on_train_batch_begin", "on_train_batch_end")
        watched = run.validation is not None or self.metrics or run.hooks.listens(*looks)
        if watched or not run.order.even:
            return 1
        return max(1, min(self._pace.steps // run.order.steps, run.epochs - epoch))

    def _run_epochs(self, run: Run, first: int, count: int) -> None:
        """``count`` epochs in one call: the same steps and numbers as one after the other."""
        blocks = [run.order.batches(epoch)[0] for epoch in range(first, first + count)]
        losses = self.train_batches(run, np.concatenate(blocks), first, 0)
        sums = losses.astype(np.float64).reshape(count, -1) * run.order.batch
        for i in range(count):
            logs = {"loss": float(sums[i].sum()) / run.order.rows}
            self.history.append(first + i, logs)
        run.hooks("on_progress", first + count - 1, 1.0, logs)

    def _check_finite(self, losses: Array, run: Run, epoch: int, first: int) -> None:
        if np.isfinite(losses).all():
            return
        bad = int(np.flatnonzero(~np.isfinite(losses))[0])
        later, step = divmod(first + bad, run.order.steps)
        rates = {lr_at(group, 1) for group in self.optimizer.param_groups}
        raise TrainingError(
            f"the loss became {losses[bad]}",
            where=f"epoch {epoch + later + 1}, step {step + 1} of {run.order.steps}",
            help="lower the learning rate (it is "
            f"{', '.join(f'{rate:g}' for rate in sorted(rates))}), standardise the inputs, "
            "and scale a regression's target to about 1",
        )

    # --------------------------------------------------------------------------- evaluation

    def validate(self, run: Run) -> dict[str, float]:
        """The numbers after an epoch: with ``val_`` of the validation data, or plain metrics."""
        if run.validation is None and not self.metrics:
            return {}
        run.hooks("on_test_begin", {})
        if run.validation is not None:
            logs = self.evaluate_examples(run.validation, EVALUATION_ROWS)
            logs = {f"val_{name}": value for name, value in logs.items()}
        else:
            logs = self.evaluate_examples(run.train, EVALUATION_ROWS)
            del logs["loss"]  # the epoch's own loss stands for it
        run.hooks("on_test_end", logs)
        return logs

    def evaluate(self, data: Any, batch_size: int | None = None) -> dict[str, float]:
        """``{"loss": ..., metric: ...}`` on ``data = (X, y)``, in evaluation mode."""
        examples = self._fitted(read_examples(data, "evaluation data"), "evaluation data")
        return self.evaluate_examples(examples, batch_size or EVALUATION_ROWS)

    def evaluate_examples(self, examples: Examples, batch_size: int) -> dict[str, float]:
        """Loss and metrics from the outputs of all rows at once, so that batches do not matter."""
        outputs = self.outputs(examples.inputs, batch_size)
        with no_grad():
            loss = float(self.loss(new_tensor(outputs), new_tensor(examples.target)).item())
        scores = Scores(outputs, self.criterion.link)
        return {"loss": loss} | {m.name: m(examples.target, scores) for m in self.metrics}

    def predict(self, X: Any, batch_size: int | None = None) -> Array:
        """The model's outputs for every row, float32, in evaluation mode."""
        return self.outputs(self._read_inputs(X), batch_size or EVALUATION_ROWS)

    def scores(self, X: Any, batch_size: int | None = None) -> Scores:
        """`predict` with the meaning the loss gives it: ``.labels``, ``.probabilities``."""
        return Scores(self.predict(X, batch_size), self.criterion.link)

    def outputs(self, inputs: tuple[Array, ...], batch_size: int) -> Array:
        """Outputs in blocks of one size (at most ``batch_size``), so that few programs serve all.

        The last block is filled up with copies of its last row; their outputs are cut off.
        """
        rows = len(inputs[0])
        block = min(batch_size, 1 << (rows - 1).bit_length())
        with self.evaluating():
            parts = [
                np.asarray(self._compiled_forward(*(_block(a, i, block) for a in inputs)).numpy())
                for i in range(0, rows, block)
            ]
        return np.concatenate(parts)[:rows]

    @contextmanager
    def evaluating(self) -> Iterator[None]:
        """Inside, the model is in evaluation mode and no gradients are tracked."""
        training = [module for module in self.model.modules() if module.training]
        # Set without a word to compiled functions, whose recordings a change of mode makes out of
        # date: the trainer's own run in one mode each, and all others see none but the old one.
        for module in training:
            module.__dict__["training"] = False
        try:
            with no_grad():
                yield
        finally:
            for module in training:
                module.__dict__["training"] = True

    # --------------------------------------------------------------------------- data checks

    def _fitted(self, examples: Examples, name: str) -> Examples:
        """``examples`` with a target that fits the model's outputs; tries one row first."""
        shape = self._output_shape(examples.inputs)
        if shape is None:
            examples = examples.with_float_inputs()
            shape = self._output_shape(examples.inputs, final=True)
        assert shape is not None
        target = self.criterion.fitted_target(examples.target, shape, name)
        return Examples(examples.inputs, np.asarray(target, order="C"))

    def _read_inputs(self, X: Any) -> tuple[Array, ...]:
        inputs = inputs_of(X, "data")
        if self._output_shape(inputs) is None:
            inputs = tuple(a.astype(np.float32, copy=False) for a in inputs)
            self._output_shape(inputs, final=True)
        return inputs

    def _output_shape(
        self, inputs: tuple[Array, ...], final: bool = False
    ) -> tuple[int, ...] | None:
        """The shape of one row's output, from an eager run of one row; remembered.

        None if the model refuses whole numbers, which then become float32; errors of the model
        itself pass through when ``final`` or when no input has whole numbers.
        """
        kind = (structure.epoch, *((a.shape[1:], a.dtype) for a in inputs))
        if kind in self._shapes:
            return self._shapes[kind]
        whole = any(a.dtype.kind != "f" for a in inputs)
        try:
            with self.evaluating():
                shape = self.forward(*(new_tensor(a[:1]) for a in inputs)).shape
        except DTypeError:
            if final or not whole:
                raise
            return None
        if not shape or shape[0] != 1:
            raise ShapeError(
                f"the model turns 1 row into outputs of shape {shape}",
                help="the first axis of the outputs must count the rows",
            )
        self._shapes[kind] = tuple(shape[1:])
        return self._shapes[kind]


def _block(array: Array, start: int, size: int) -> Array:
    """``size`` rows from ``start``, the last one repeated where there are no more."""
    part = array[start : start + size]
    if len(part) == size:
        return part
    return np.concatenate([part, np.repeat(part[-1:], size - len(part), axis=0)])
