"""A training that was stopped, however it was, ends with the bits of one that never was."""

from __future__ import annotations

import functools
import os
import random
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from chainrule import nn, optim
from chainrule.errors import ConfigError, StateError
from chainrule.frontend import manual_seed
from chainrule.train import Callback, Checkpoints, Trainer, callbacks
from train.problems_small import blob_trainer, blobs
from train.resumable import digest, fit, new_trainer

ROOT = Path(__file__).parent.parent.parent


@functools.cache
def undisturbed() -> str:
    trainer = new_trainer()
    fit(trainer, None)
    return digest(trainer)


class Signal(Callback):
    """Sends this process a signal after some batches, or after some epochs."""

    def __init__(self, number: int, after: int) -> None:
        self.number, self.after, self.seen = number, after, 0

    def _count(self) -> None:
        self.seen += 1
        if self.seen == self.after:
            os.kill(os.getpid(), self.number)


class SignalInBatch(Signal):
    def on_train_batch_end(self, batch: int, logs: Any) -> None:
        self._count()


class SignalInEpoch(Signal):
    def on_epoch_end(self, epoch: int, logs: Any) -> None:
        self._count()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("after", [1, 7, 17])
def test_a_signal_between_two_steps(tmp_path: Path, number: int, after: int) -> None:
    """In a group of accumulated gradients, at the end of an epoch, in the third one."""
    store = Checkpoints(tmp_path)
    before = signal.getsignal(number)
    trainer = new_trainer()
    with pytest.raises(KeyboardInterrupt):
        fit(trainer, store, SignalInBatch(number, after))
    assert signal.getsignal(number) is before
    newest = store.newest()
    assert newest is not None
    assert newest.step == after
    again = new_trainer()
    fit(again, store)
    assert digest(again) == undisturbed()


def test_stopped_again_and_again(tmp_path: Path) -> None:
    store = Checkpoints(tmp_path, every=1000)
    for _ in range(30):
        trainer = new_trainer()
        try:
            fit(trainer, store, SignalInBatch(signal.SIGINT, 2))
        except KeyboardInterrupt:
            continue
        break
    assert digest(trainer) == undisturbed()


def test_a_signal_at_the_end_of_an_epoch_waits_for_all_callbacks(tmp_path: Path) -> None:
    store = Checkpoints(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        fit(new_trainer(), store, SignalInEpoch(signal.SIGINT, 2))
    newest = store.newest()
    assert newest is not None
    assert (newest.step, newest.epoch) == (14, 2)
    again = new_trainer()
    fit(again, store)
    assert digest(again) == undisturbed()


@pytest.mark.parametrize("every", ["epoch", 1, 3, 10, "0.001s"])
def test_intervals_change_nothing(tmp_path: Path, every: str | int) -> None:
    """Steps per call differ with the interval; the numbers do not."""
    trainer = new_trainer()
    fit(trainer, Checkpoints(tmp_path, every))
    assert digest(trainer) == undisturbed()


@pytest.mark.parametrize("every", ["epoch", 4, 7, 1000])
def test_several_epochs_in_one_call(tmp_path: Path, every: str | int) -> None:
    """Without validation and callbacks, epochs share calls: resumed ones too."""
    plain, data = blob_trainer(), blobs(160)
    plain.fit(data, epochs=40, verbose=False)
    store = Checkpoints(tmp_path, every)
    blob_trainer().fit(data, epochs=13, verbose=False, checkpoints=store)
    assert store.readable()[-1].step == 13 * 5
    again = blob_trainer()
    history = again.fit(data, epochs=40, verbose=False, checkpoints=store, resume=True)
    assert history["loss"] == plain.history["loss"]
    assert digest(again) == digest(plain)


def test_a_finished_training_is_not_repeated(tmp_path: Path) -> None:
    store = Checkpoints(tmp_path)
    fit(new_trainer(), store)
    trainer = new_trainer()
    steps: list[int] = []
    fit(trainer, store, callbacks.LambdaCallback(lambda epoch, logs: steps.append(epoch)))
    assert (steps, digest(trainer)) == ([], undisturbed())


def test_early_stopping_and_its_best_weights_survive(tmp_path: Path) -> None:
    def stopping() -> callbacks.EarlyStopping:
        return callbacks.EarlyStopping("loss", patience=2, min_delta=0.05)

    def run(trainer: Trainer, *more: Callback, **settings: Any) -> Any:
        given = {"callbacks": [stopping(), *more], "epochs": 50, "verbose": False} | settings
        return trainer.fit(blobs(), **given)

    plain = blob_trainer()
    history = run(plain)
    assert 3 < len(history.epoch) < 50
    store = Checkpoints(tmp_path)
    after = len(history.epoch) - 1
    with pytest.raises(KeyboardInterrupt):
        run(blob_trainer(), SignalInEpoch(signal.SIGINT, after), checkpoints=store)
    again = blob_trainer()
    assert dict(run(again, checkpoints=store, resume=True)) == dict(history)
    assert digest(again) == digest(plain)


def test_more_epochs_after_early_stopping_in_the_last_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """They would be none in a training that had had them from the start, and that is said."""

    def run(trainer: Trainer, epochs: int, **settings: Any) -> Any:
        stopping = callbacks.EarlyStopping("loss", patience=2, min_delta=10.0)
        return trainer.fit(blobs(), epochs=epochs, callbacks=stopping, **settings)

    plain, again, store = blob_trainer(), blob_trainer(), Checkpoints(tmp_path)
    run(plain, 9, verbose=False)
    assert len(run(blob_trainer(), 3, verbose=False, checkpoints=store).epoch) == 3
    capsys.readouterr()
    assert len(run(again, 9, checkpoints=store, resume=True).epoch) == 3
    assert digest(again) == digest(plain)
    assert again.messages == [
        "there is nothing left to do: a callback stopped this training after 3 epochs, and more "
        "epochs would not change that"
    ]
    assert again.messages[0] in capsys.readouterr().err


# ------------------------------------------------------------------------------ kill -9, full disks


def start(folder: Path, every: str, pause: float) -> subprocess.Popen[str]:
    paths = os.pathsep.join([str(ROOT / "src"), str(ROOT / "tests")])
    process = subprocess.Popen(
        [sys.executable, "-m", "train.resumable", str(folder), every, str(pause)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": paths},
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


@pytest.mark.parametrize(("every", "seed"), [("epoch", 0), ("1", 1)])
def test_killed_at_random_moments(tmp_path: Path, every: str, seed: int) -> None:
    moments = random.Random(seed)
    for kill in (True, True, False):
        process = start(tmp_path, every, 0.1)
        if kill:
            time.sleep(moments.uniform(0.05, 0.6))
            process.kill()
        assert process.stdout is not None
        output = process.stdout.read()
        process.stdout.close()
        process.wait()
    assert output.strip() == undisturbed()
    assert process.returncode == 0


def test_the_lock_of_a_killed_process_does_no_harm(tmp_path: Path) -> None:
    process = start(tmp_path, "1", 5.0)
    while not (tmp_path / "000007.json").exists():
        time.sleep(0.01)
    with pytest.raises(StateError, match=f"is in use by process {process.pid}"):
        fit(new_trainer(), Checkpoints(tmp_path))
    process.kill()
    process.wait()
    assert process.stdout is not None
    process.stdout.close()
    trainer = new_trainer()
    fit(trainer, Checkpoints(tmp_path))
    assert digest(trainer) == undisturbed()


@pytest.fixture
def small_disk() -> Iterator[Any]:
    """Files may have so many bytes and no more, as on a disk that is full."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)

    def limit(size: int) -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))

    yield limit
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_full_disk_leaves_the_checkpoint_before(tmp_path: Path, small_disk: Any) -> None:
    store = Checkpoints(tmp_path)

    class Fill(Callback):
        def on_epoch_end(self, epoch: int, logs: Any) -> None:
            if epoch == 3:
                small_disk(500)

    with pytest.raises(StateError, match=r"cannot write .*safetensors") as raised:
        fit(new_trainer(), store, Fill())
    assert "has space" in raised.value.help
    small_disk(resource.RLIM_INFINITY)
    assert [c.epoch for c in store.readable()][-1] == 3
    assert all(c.intact() for c in store.readable())
    trainer = new_trainer()
    fit(trainer, store)
    assert digest(trainer) == undisturbed()


# ---------------------------------------------------------------------------------- what cannot be


def test_a_checkpoint_of_another_model(tmp_path: Path) -> None:
    store = Checkpoints(tmp_path)
    blob_trainer(3).fit(blobs(), epochs=1, verbose=False, checkpoints=store)
    manual_seed(0)
    model = nn.Sequential(nn.Linear(2, 8), nn.ReLU(), nn.Linear(8, 3, bias=False))
    other = Trainer(model, "cross_entropy", optim.Adam(model.parameters()))
    before = model.state_dict()
    with pytest.raises(StateError) as raised:
        other.fit(blobs(), epochs=2, verbose=False, checkpoints=store, resume=True)
    assert "shape of 0.weight: (16, 2) instead of (8, 2)" in str(raised.value)
    assert "unknown 2.bias" in str(raised.value)
    assert "000010.json" in raised.value.where
    assert all((before[k] == v).all() for k, v in model.state_dict().items())


def test_another_optimizer_changes_nothing(tmp_path: Path) -> None:
    store = Checkpoints(tmp_path)
    blob_trainer().fit(blobs(), epochs=1, verbose=False, checkpoints=store)
    other = blob_trainer()
    other = Trainer(other.model, "cross_entropy", optim.SGD(other.model.parameters(), momentum=0.9))
    before = other.model.state_dict()
    with pytest.raises(StateError, match="the optimizer needs"):
        other.fit(blobs(), epochs=2, verbose=False, checkpoints=store, resume=True)
    assert all((before[k] == v).all() for k, v in other.model.state_dict().items())


def test_other_settings_are_named(tmp_path: Path) -> None:
    store = Checkpoints(tmp_path)
    blob_trainer().fit(blobs(), epochs=1, verbose=False, checkpoints=store)
    again = {"epochs": 2, "verbose": False, "checkpoints": store, "resume": True}
    with pytest.raises(StateError, match=r"batch_size 32, now 64; seed 0, now 5"):
        blob_trainer().fit(blobs(), batch_size=64, seed=5, **again)
    with pytest.raises(StateError, match=r"rows 300, now 200"):
        blob_trainer().fit(blobs(200), **again)


def test_resuming_where_nothing_is(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no checkpoints to resume from"):
        blob_trainer().fit(blobs(), resume=True)
    trainer = new_trainer()
    fit(trainer, Checkpoints(tmp_path / "new" / "folder"), resume=True)
    assert digest(trainer) == undisturbed()


def test_another_training_is_not_overwritten(tmp_path: Path) -> None:
    store = Checkpoints(tmp_path)
    blob_trainer().fit(blobs(), epochs=1, verbose=False, checkpoints=store)
    with pytest.raises(StateError, match="already holds checkpoints of a training, up to step 10"):
        blob_trainer().fit(blobs(), epochs=1, verbose=False, checkpoints=store)


def test_backup_and_restore(tmp_path: Path) -> None:
    plain = new_trainer()
    fit(plain, None)
    with pytest.raises(KeyboardInterrupt):
        fit(
            new_trainer(),
            None,
            callbacks.BackupAndRestore(tmp_path),
            SignalInBatch(signal.SIGINT, 11),
        )
    assert (tmp_path / "000011.json").exists()
    again = new_trainer()
    fit(again, None, callbacks.BackupAndRestore(tmp_path))
    assert digest(again) == digest(plain)
    assert not list(tmp_path.glob("*.json"))


def test_a_second_signal_does_not_wait(tmp_path: Path) -> None:
    """The first is held until the state is whole; whoever cannot wait sends another."""

    class Twice(Callback):
        def on_epoch_end(self, epoch: int, logs: Any) -> None:
            os.kill(os.getpid(), signal.SIGINT)
            os.kill(os.getpid(), signal.SIGINT)
            raise AssertionError("the second signal came too late")

    store = Checkpoints(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        fit(new_trainer(), store, Twice())
    assert store.readable() == []


# ------------------------------------------------------------------------- whatever has a state


def test_the_beginning_of_an_epoch_comes_once(tmp_path: Path) -> None:
    """Stopped in the middle of one, it is not begun again: this rate would fall twice."""

    def run(*more: Callback, **settings: Any) -> Trainer:
        trainer = blob_trainer()
        falling = callbacks.LearningRateScheduler(lambda epoch, lr: 0.5 * lr)
        trainer.fit(blobs(), epochs=5, callbacks=[falling, *more], verbose=False, **settings)
        return trainer

    store = Checkpoints(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        run(SignalInBatch(signal.SIGINT, 24), checkpoints=store)
    assert digest(run(checkpoints=store, resume=True)) == digest(run())


OPTIMIZERS: dict[str, Any] = {
    "noise": lambda ps: optim.GradientNoise(optim.Adam(ps, lr=0.01), eta=0.1),
    "lookahead": lambda ps: optim.Lookahead(optim.SGD(ps, lr=0.1, momentum=0.9), k=4),
    "langevin": lambda ps: optim.SGLD(ps, lr=1e-3, examples=100.0),
    "annealing": lambda ps: optim.SimulatedAnnealing(ps, temperature=0.1),
    "adafactor": lambda ps: optim.Adafactor(ps, lr=0.01),
}


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_every_kind_of_state_goes_on(tmp_path: Path, name: str) -> None:
    """In the middle of an epoch, with averaged weights and, where there are gradients, groups."""

    def run(*more: Callback, **settings: Any) -> Trainer:
        manual_seed(1)
        model = nn.Sequential(nn.Linear(2, 4), nn.BatchNorm1d(4), nn.Linear(4, 3))
        groups = 1 if name == "annealing" else 2
        trainer = Trainer(
            model,
            "cross_entropy",
            OPTIMIZERS[name](model.parameters()),
            average=optim.EMA(model, 0.9),
            accumulate=groups,
        )
        trainer.fit(blobs(96), epochs=4, batch_size=16, callbacks=more, verbose=False, **settings)
        return trainer

    store = Checkpoints(tmp_path, every=5)
    with pytest.raises(KeyboardInterrupt):
        run(SignalInBatch(signal.SIGINT, 9), checkpoints=store)
    plain, again = run(), run(checkpoints=store, resume=True)
    assert digest(again) == digest(plain)
    assert (again.predict(blobs(9)[0]) == plain.predict(blobs(9)[0])).all()
