"""The trainer: a ladder of short steps, each of which a subclass may replace.

fit → train → run_epoch → train_epoch → train_batches → train_call
    → (compiled) train_step → forward, update
                        ↘ validate → evaluate_source → outputs → (compiled) forward
"""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import StateError, TrainingError
from ..frontend import default_generator
from ..showing import visible
from .batch_source import Rows, calls, has_lengths
from .callback import Callback, CallbackList
from .callbacks.progress import Progress, is_terminal, write_talk
from .callbacks.rates import observing
from .checkpoints.chosen import checkpoints_of
from .checkpoints.folder import Checkpoint, Checkpoints
from .diagnosis.explain import advice_on
from .evaluation import EVALUATION_ROWS
from .history import History
from .learner import Learner
from .observation import Level, Observation, Observe, Observer
from .observation.observer import observer_of
from .order import Order
from .run import Run, checked_epochs
from .state import check_position
from .together import Together
from .workers import Workers

__all__ = ["Trainer"]

Array = npt.NDArray[Any]


class Trainer(Learner):
    """Trains a model::

        trainer = Trainer(model, loss=nn.CrossEntropyLoss(), optimizer=opt, metrics=["accuracy"])
        history = trainer.fit((X, y), validation=(Xv, yv), epochs=10, batch_size=128)
        trainer.evaluate((Xt, yt)); trainer.predict(Xt); history["val_loss"]

    ``loss`` is a name (``"cross_entropy"``), a loss module or a function of (outputs, target);
    ``metrics`` are names, functions of (target, outputs) or `Metric` objects. A model with several
    inputs gets them as ``X = (X1, X2)``. One training step (forward, loss, backward, update) is
    compiled once and run many times in each call. The rest is part of that step too:

    * ``accumulate``: so many batches make one update, by the gradient of all their rows together;
    * ``transform(*inputs, target)`` gives the batch that is trained instead: noise, mixup;
    * ``penalty(parameters)`` is added to the loss that is differentiated, not to the one reported;
    * ``clip(parameters)`` bounds the gradients before the update, or the settings of one of
      `chainrule.optim.clip`: ``{"global_norm": 1.0}``;
    * ``constraint(parameters)`` changes the weights in place after the update;
    * ``parts``: so many parts of a batch are summed along a tree, and may be shared with workers;
    * ``average`` takes in the weights after each update; evaluation uses the averaged ones.

    When the loss stops being finite, the error says where: operation, layer, line, rows. For that a
    copy of the state is kept (for half a per cent of the time), unless ``explain`` is false.
    """

    _observer: Observer | None = None
    together = Together()

    @property
    def observations(self) -> tuple[Observation, ...]:
        """What was observed of the latest training; see ``observe`` of `fit`."""
        return () if self._observer is None else tuple(self._observer.found)

    # ----------------------------------------------------------------------------- training

    def fit(
        self,
        data: Any,
        *,
        validation: Any = None,
        epochs: int = 10,
        batch_size: int | None = 32,
        callbacks: Sequence[Callback] | Callback = (),
        seed: int = 0,
        shuffle: bool = True,
        verbose: bool = True,
        checkpoints: Checkpoints | None = None,
        resume: bool = False,
        observe: Level | Observe = "off",
        workers: Workers | None = None,
    ) -> History:
        """Trains on ``data``, arrays (X, y) or a `BatchSource`; returns the numbers of every epoch.

        With (X, y, weights), the loss of a batch, and of validation data, is sum w l / sum w;
        metrics count all rows alike. The history holds ``loss``, the mean over the epoch's rows
        while training, and on the validation data ``val_loss`` and ``val_<metric>`` after it.
        Without validation data, metrics are those of the training data after each epoch.

        ``batch_size`` 1 is stochastic, None full-batch gradient descent. No row is left out: a
        short last batch is trained as it is. ``seed`` fixes the order of the rows; equal seeds,
        data and first weights give equal bits. ``verbose`` shows progress on stderr. Ctrl-C stops
        after a whole step, lets callbacks finish and raises KeyboardInterrupt; `history` keeps
        the finished epochs.

        With ``checkpoints``, SIGINT and SIGTERM save one more first. With ``resume``, training goes
        on from the newest one, and ends with the bits of a training that never stopped; ``epochs``
        counts all, earlier ones included. Without a checkpoint it begins afresh; where a callback
        such as EarlyStopping has ended it, there is nothing left to do, and a message says so.

        ``observe`` (``"basic"``, ``"full"`` or an `Observe`) measures in sampled steps what each
        layer does: see `observations`. Weights have the same bits as without; with ``parts``
        nothing is observed of rows that have lengths.

        ``workers`` (`chainrule.distributed.mpi`) share the training: each calls `fit`, and has some
        ``parts`` of every batch, and with `OwnRows` some of the rows. The bits are those of one.

        Raises DataError or ShapeError, before the first step, for data that cannot be used;
        StateError for unfit checkpoints, or if one cannot be written; TrainingError when the loss
        is no longer finite.
        """
        callbacks = [callbacks] if isinstance(callbacks, Callback) else callbacks
        checkpoints, resume = checkpoints_of(callbacks, checkpoints, resume)
        train, held_out = self.read(data, validation)
        self.together = Together.of(workers)
        train = self.together.divided(data, train, bool(self.metrics) and held_out is None)
        if not self.together.leads:
            verbose, checkpoints = False, None
        progress = [Progress(checked_epochs(epochs))] if verbose and epochs else []
        order = Order.of(train.rows, batch_size, seed, shuffle)
        hooks = CallbackList([*callbacks, *progress], self)
        self.run = run = Run(train, held_out, order, checked_epochs(epochs), hooks, checkpoints)
        self._reset(run, verbose, observe)
        self.together.share(self.stepper, self.parts, order)
        self._go(run, resume)
        return self.history

    def _go(self, run: Run, resume: bool) -> None:
        """From the first step, or the newest checkpoint, to the end."""
        checkpoints = run.checkpoints
        with contextlib.ExitStack() as stack:
            newest = stack.enter_context(checkpoints.writing(resume)) if checkpoints else None
            state = self.together.begin(self, run, self._begin(run, newest))
            if checkpoints or not self.together.alone:
                stack.enter_context(run.interrupts)
            try:
                self._begin_callbacks(run, state, newest)
                self.train(run)
                run.completed = True
            finally:
                self._end(run)

    def _reset(self, run: Run, verbose: bool, observe: Level | Observe) -> None:
        """Removes what an earlier call of `fit` left behind."""
        usual = type(self).train_step is Learner.train_step
        self._observer = observer_of(self, observe, usual, self.together.agreed)
        self.history, self.messages = History(), []
        self.stop_training, self.verbose = False, verbose
        if self._observer is not None and self.parts != 1 and has_lengths(run.train):
            self._observer = None  # parts of one batch are read at several lengths
            self.tell("layers are not observed: rows have lengths, and batches are in parts")
        if not self.together.alone:
            self._replay_log = None  # it goes back to a moment that each would choose alone

    def _begin(self, run: Run, newest: Checkpoint | None) -> Any:
        """Before the first step: the beginning, or where ``newest`` was written, whose state it
        gives."""
        self.accumulation.begin(run.order, 0)
        self.accumulation.set_arrays(None)
        if newest is None:
            return None
        if run.checkpoints is not None and run.checkpoints.damaged:
            self.tell(
                f"{' and '.join(run.checkpoints.damaged)} cannot be used: damaged. Training "
                f"resumes from {newest.path.name}"
            )
        if not newest.vouched:
            self.tell(
                f"the checkpoint {newest.path.name} was written by an earlier release, without a "
                "checksum, so it cannot be checked for damage"
            )
        try:
            with newest.taken_apart():
                state = newest.state()
                check_position(state)
                self.set_state(state)
        except StateError as error:
            where = error.where or str(newest.path)
            raise type(error)(error.what, where=where, help=error.help) from None
        return state

    def _begin_callbacks(self, run: Run, state: Any, newest: Checkpoint | None) -> None:
        run.clock["begun"] = time.perf_counter()
        run.hooks("on_train_begin", {})
        if state is not None:
            with newest.taken_apart() if newest else contextlib.nullcontext():
                run.hooks.set_state(state["callbacks"])
            default_generator.set_state(state["random"])  # a callback may have drawn from it
            if self.stop_training and run.epoch < run.epochs:
                self.tell(
                    f"there is nothing left to do: a callback stopped this training after "
                    f"{run.epoch} epochs, and more epochs would not change that"
                )

    def _end(self, run: Run) -> None:
        run.clock["all"] = time.perf_counter() - run.clock.pop("begun", time.perf_counter())
        run.hooks("on_train_end", self.history.last())
        run.clock["callbacks"] = run.hooks.seconds
        if self._observer is not None:
            run.clock |= {"observing": self._observer.spent, "preparing": self._observer.preparing}
        run.active = False

    def train(self, run: Run) -> None:
        """All epochs that are left, until done or `stop_training`."""
        if self._replay_log is not None:
            self._replay_log.begin()
        if not self.model.training:
            self.model.train()
        logs: dict[str, float] = {}
        while self._unfinished(run):
            count = self.together.agreed(self._epochs_together(run, run.epoch))
            following = run.epoch + count
            try:
                if count > 1:
                    logs = self._run_epochs(run, run.epoch, count)
                else:
                    logs = self.run_epoch(run, run.epoch)
            except TrainingError as error:
                if not run.hooks.rescue(run.epoch, error):
                    raise
                if self.stop_training:
                    return  # nothing of this is worth a checkpoint
                continue
            if run.epoch == following:  # else a callback went back to an earlier state
                self._save_if_due(run, logs, ended=True)
        if run.step == 0:
            run.save(self.state, logs)

    def _unfinished(self, run: Run) -> bool:
        return bool(self.together.agreed(run.epoch < run.epochs and not self.stop_training))

    def run_epoch(self, run: Run, epoch: int) -> dict[str, float]:
        """One epoch: training, validation, history, callbacks; its numbers."""
        if run.step == 0:
            run.hooks("on_epoch_begin", epoch, {})
        logs = {"loss": self.train_epoch(run, epoch), **self.validate(run)}
        self.history.append(epoch, logs)
        for schedule in observing(self.optimizer):
            schedule.observe(logs.get("val_loss", logs["loss"]))
        # Whoever looks at the end of an epoch finds the training between two epochs.
        run.begin_epoch(epoch + 1)
        run.hooks("on_epoch_end", epoch, logs)
        run.hooks("on_progress", epoch, 1.0, logs)
        return logs

    def train_epoch(self, run: Run, epoch: int) -> float:
        """All steps of an epoch that are left; the mean loss over its rows."""
        for rows in self._slices(run, run.batches(epoch)):
            run.advance(self.train_batches(run, rows, epoch, run.step), rows.shape[1])
            if run.step < run.order.steps:
                if run.hooks.listens("on_progress"):
                    mean = run.loss_sum / (run.step * run.order.batch)
                    run.hooks("on_progress", epoch, run.step / run.order.steps, {"loss": mean})
                self._save_if_due(run, {}, ended=False)
        return run.loss_sum / run.order.rows

    def train_batches(self, run: Run, rows: Rows, epoch: int, first: int) -> Array:
        """Some steps, from step ``first`` of the epoch, in as few calls as the source allows; the
        loss of each.
        """
        losses: list[Array] = []
        for piece in calls(run.train, rows):
            losses.append(self.train_call(run, piece, epoch, first))
            first += len(piece)
        return np.concatenate(losses)

    def train_call(self, run: Run, rows: Rows, epoch: int, first: int) -> Array:
        """Some steps in one call, from step ``first`` of the epoch; the loss of each."""
        watched = run.hooks.listens("on_train_batch_begin", "on_train_batch_end")
        if watched:
            run.hooks("on_train_batch_begin", first, {})
        if self._replay_log is not None:
            self._replay_log.record(rows)
        begun = time.perf_counter()
        if self._observer is None:
            losses = self.stepper.run(run.train, rows)
        else:
            start = epoch * run.order.steps + first
            losses = self._observer.run(self.stepper, run, rows, start)
        spent = time.perf_counter() - begun
        self._slice_length.learn(len(rows), spent)
        run.clock["steps" if run.clock["steps"] or run.clock["first"] else "first"] += spent
        self._check_finite(losses, run, epoch, first)
        if watched:
            run.hooks("on_train_batch_end", first, {"loss": float(losses[0])})
        return losses

    def _slices(self, run: Run, blocks: Sequence[Rows]) -> Iterator[Rows]:
        """The batches of an epoch from ``run.step`` on, in pieces: all, a quarter of a second, up
        to the next checkpoint, or one step each.
        """
        first, begin = run.step, 0
        for block in blocks:
            start = max(first - begin, 0)
            while start < len(block):
                most = self._most_steps(run, run.epoch * run.order.steps + begin + start)
                stop = start + self.together.agreed(most)
                yield block[start:stop]
                start = stop
            begin += len(block)

    def _most_steps(self, run: Run, done: int) -> int:
        """How many steps the coming call may have, after ``done`` steps of the training."""
        if run.hooks.listens("on_train_batch_begin", "on_train_batch_end"):
            return 1
        limit = run.order.steps
        looked_at = self._observer is not None or not self.together.alone
        if looked_at or run.checkpoints is not None or run.hooks.listens("on_progress"):
            limit = self._slice_length.steps
        return limit if run.checkpoints is None else run.checkpoints.steps_left(done, limit)

    def _epochs_together(self, run: Run, epoch: int) -> int:
        """How many epochs one call may hold: several if nobody looks at the end of each.

        Only equal batches can share a call, because each batch size has a program of its own.
        """
        looks = ("on_epoch_begin", "on_epoch_end", "on_train_batch_begin", "on_train_batch_end")
        watched = run.validation is not None or self.metrics or run.hooks.listens(*looks)
        if watched or run.step or not run.order.even or observing(self.optimizer):
            return 1
        limit, checkpoints = self._slice_length.steps, run.checkpoints
        if checkpoints is not None:
            every_epoch = checkpoints.each_epoch
            limit = 1 if every_epoch else checkpoints.steps_left(run.steps, limit)
        return max(1, min(limit // run.order.steps, run.epochs - epoch))

    def _run_epochs(self, run: Run, first: int, count: int) -> dict[str, float]:
        """``count`` epochs in one call: the same steps and numbers as one after the other."""
        blocks = [run.batches(epoch)[0] for epoch in range(first, first + count)]
        losses = self.train_batches(run, np.concatenate(blocks), first, 0)
        sums = losses.astype(np.float64).reshape(count, -1) * run.order.batch
        for i in range(count):
            logs = {"loss": float(sums[i].sum()) / run.order.rows}
            self.history.append(first + i, logs)
        run.begin_epoch(first + count)
        run.hooks("on_progress", first + count - 1, 1.0, logs)
        return logs

    def _check_finite(self, losses: Array, run: Run, epoch: int, first: int) -> None:
        if np.isfinite(losses).all():
            return
        bad = int(np.flatnonzero(~np.isfinite(losses))[0])
        later, step = divmod(first + bad, run.order.steps)
        why = self._replay_log.explain(run.train, bad) if self._replay_log is not None else ""
        raise TrainingError(
            f"the loss became {losses[bad]}" + (f": {why}" if why else ""),
            where=f"epoch {epoch + later + 1}, step {step + 1} of {run.order.steps}",
            help=advice_on(self.optimizer, run.order.steps),
        )

    def _save_if_due(self, run: Run, logs: Mapping[str, float], ended: bool) -> None:
        """Writes a checkpoint if it is time, or if a signal waits, which is then let through."""
        if run.checkpoints is not None and run.checkpoints.due(run.steps, ended):
            run.save(self.state, logs)
        signal = self.together.any_signal(run.interrupts.pending)
        if signal:
            run.save(self.state, logs)
            run.interrupts.pending = signal
            run.interrupts.deliver()

    def validate(self, run: Run) -> dict[str, float]:
        """The numbers after an epoch: with ``val_`` of the validation data, or plain metrics."""
        if run.validation is None and not self.metrics:
            return {}
        run.hooks("on_test_begin", {})
        begun = time.perf_counter()
        if run.validation is not None:
            logs = self.evaluate_source(
                run.validation, EVALUATION_ROWS, workers=self.together.workers
            )
            logs = {f"val_{name}": value for name, value in logs.items()}
        else:
            logs = self.evaluate_source(run.train, EVALUATION_ROWS, workers=self.together.workers)
            del logs["loss"]  # the epoch's own loss stands for it
        run.clock["validation"] += time.perf_counter() - begun
        run.hooks("on_test_end", logs)
        return logs

    def tell(self, text: str) -> None:
        """What a callback has to say: kept in ``messages``, and on stderr if ``verbose``."""
        self.messages.append(text)
        if self.verbose:
            live = "\r\x1b[K" if is_terminal(sys.stderr) else ""
            write_talk(sys.stderr, f"{live}{visible(text)}\n")
