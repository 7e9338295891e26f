"""Hooks come in Keras' order, early stopping keeps the best, and Ctrl-C leaves things in order."""

from __future__ import annotations

import gc
import os
import signal
import threading
from typing import Any

import numpy as np
import pytest

from chainrule.errors import ConfigError
from chainrule.train import Callback, EarlyStopping
from chainrule.train.callbacks import LambdaCallback
from chainrule.train.order import Order
from train.problems_small import blob_trainer, blobs, line, linear_trainer, weights


class Recorder(Callback):
    """Writes down every hook."""

    def __init__(self) -> None:
        self.calls: list[str] = []

    def on_train_begin(self, logs: Any) -> None:
        self.calls.append("train[")

    def on_train_end(self, logs: Any) -> None:
        self.calls.append("]train")

    def on_epoch_begin(self, epoch: int, logs: Any) -> None:
        self.calls.append(f"epoch{epoch}[")

    def on_epoch_end(self, epoch: int, logs: Any) -> None:
        self.calls.append(f"]epoch{epoch}")

    def on_train_batch_begin(self, batch: int, logs: Any) -> None:
        self.calls.append(f"b{batch}[")

    def on_train_batch_end(self, batch: int, logs: Any) -> None:
        self.calls.append(f"]b{batch}")

    def on_test_begin(self, logs: Any) -> None:
        self.calls.append("test[")

    def on_test_end(self, logs: Any) -> None:
        self.calls.append("]test")


def test_order_of_hooks() -> None:
    recorder = Recorder()
    linear_trainer().fit(
        line(5), validation=line(3), epochs=2, batch_size=3, callbacks=[recorder], verbose=False
    )
    epoch = "b0[ ]b0 b1[ ]b1 test[ ]test"
    expected = f"train[ epoch0[ {epoch} ]epoch0 epoch1[ {epoch} ]epoch1 ]train"
    assert " ".join(recorder.calls) == expected


class Scripted(Callback):
    """Replaces the validation loss by numbers of its own."""

    def __init__(self, values: list[float]) -> None:
        self.values = values
        self.seen: list[list[Any]] = []

    def on_epoch_end(self, epoch: int, logs: Any) -> None:
        logs["val_loss"] = self.values[epoch]
        self.seen.append(weights(self.trainer))


def stopped(values: list[float], **settings: Any) -> tuple[EarlyStopping, Scripted, list[Any]]:
    trainer = linear_trainer(lr=0.01)
    script, stopping = Scripted(values), EarlyStopping(**settings)
    callbacks = [script, stopping]
    trainer.fit(line(), epochs=len(values), callbacks=callbacks, verbose=False)
    return stopping, script, weights(trainer)


def test_stops_after_patience_and_restores_the_best() -> None:
    stopping, script, final = stopped([5, 3, 4, 3.5, 9, 1], patience=3)
    assert (stopping.best, stopping.best_epoch, stopping.stopped_epoch) == (3.0, 1, 4)
    assert len(script.seen) == 5
    for a, b in zip(final, script.seen[1], strict=True):
        np.testing.assert_array_equal(a, b)


def test_restores_the_best_when_epochs_run_out() -> None:
    stopping, script, final = stopped([5, 1, 2], patience=9)
    assert stopping.stopped_epoch == -1
    np.testing.assert_array_equal(final[0], script.seen[1][0])


def test_may_keep_the_last() -> None:
    _, script, final = stopped([5, 1, 2, 2], patience=2, restore_best=False)
    np.testing.assert_array_equal(final[0], script.seen[-1][0])


def test_min_delta_and_nan_are_no_improvement() -> None:
    stopping, script, _ = stopped([5, 4.95, float("nan"), 4.9], patience=3, min_delta=0.2)
    assert (stopping.best_epoch, len(script.seen)) == (0, 4)


def test_more_can_be_better() -> None:
    trainer = blob_trainer(metrics=["accuracy"])
    stopping = EarlyStopping("val_accuracy", patience=3)
    history = trainer.fit(
        blobs(), validation=blobs(99, seed=1), epochs=60, callbacks=[stopping], verbose=False
    )
    assert stopping.best == max(history["val_accuracy"])
    assert len(history.epoch) < 60
    assert trainer.evaluate(blobs(99, seed=1))["accuracy"] == stopping.best


def test_what_early_stopping_cannot_know() -> None:
    with pytest.raises(ConfigError, match="whether a higher or lower"):
        EarlyStopping("val_profit")
    assert EarlyStopping("val_profit", mode="max").monitor == "val_profit"
    for settings in ({"patience": 2.5}, {"patience": "3"}, {"min_delta": "0"}):
        with pytest.raises(ConfigError, match="invalid early stopping: patience"):
            EarlyStopping(**settings)
    with pytest.raises(ConfigError, match="which is not computed") as raised:
        linear_trainer().fit(line(), callbacks=[EarlyStopping()], verbose=False)
    assert "validation=" in str(raised.value)


def test_a_callback_stops_the_training() -> None:
    trainer = linear_trainer()

    def stop(epoch: int, logs: Any) -> None:
        trainer.stop_training = epoch == 2

    history = trainer.fit(line(), callbacks=[LambdaCallback(stop)], verbose=False)
    assert history.epoch == [0, 1, 2]


class Interrupt(Callback):
    def on_train_batch_end(self, batch: int, logs: Any) -> None:
        if len(self.trainer.history.epoch) == 2 and batch == 1:
            raise KeyboardInterrupt


def test_ctrl_c_keeps_the_history_and_lets_callbacks_finish() -> None:
    trainer = linear_trainer()
    recorder = Recorder()
    with pytest.raises(KeyboardInterrupt):
        trainer.fit(line(), epochs=9, callbacks=[recorder, Interrupt()], verbose=False)
    assert trainer.history.epoch == [0, 1]
    assert recorder.calls[-1] == "]train"
    # 7 steps in each of two epochs, and 2 more, all of them whole: the same by hand.
    x, y = line()
    w, b = weights(linear_trainer())
    order = Order.of(200, 32, seed=0, shuffle=True)
    steps = [rows for epoch in range(3) for block in order.batches(epoch) for rows in block][:16]
    for rows in steps:
        residual = x[rows] @ w[0] + b - y[rows]
        w, b = w - 0.2 * (residual @ x[rows]) / len(rows), b - 0.2 * residual.mean()
    np.testing.assert_allclose(weights(trainer)[0], w, rtol=1e-5)
    assert trainer.fit(line(), epochs=30, verbose=False)["loss"][-1] < 1e-6


def test_ctrl_c_in_the_middle_of_a_native_loop_leaves_whole_steps() -> None:
    trainer = blob_trainer()
    data = blobs(320)
    trainer.fit(data, epochs=1, verbose=False)  # compiled before the clock starts
    gc.collect()  # programs of other tests take long to free, and finalisers swallow Ctrl-C
    seen = threading.Event()

    def interrupt() -> None:
        # Again, if need be: Python swallows one that lands inside a finaliser.
        while not seen.wait(0.2):
            os.kill(os.getpid(), signal.SIGINT)
            seen.wait(2.0)

    sender = threading.Thread(target=interrupt)
    sender.start()
    with pytest.raises(KeyboardInterrupt):
        trainer.fit(data, epochs=10**7, verbose=False)
    seen.set()
    sender.join()
    state = trainer.optimizer.state_dict()["state"]
    (done,) = {entry["step"] for entry in state.values()}
    again = blob_trainer()
    again.fit(data, epochs=1, verbose=False)
    again.fit(data, epochs=(done - 10) // 10, verbose=False)
    order = Order.of(320, 32, seed=0, shuffle=True)
    rest = order.batches((done - 10) // 10)[0][: done % 10]
    if len(rest):
        again.make_stepper().run(again.read(data)[0], rest)
    for a, b in zip(weights(trainer), weights(again), strict=True):
        np.testing.assert_array_equal(a, b)
