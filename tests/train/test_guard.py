"""Training that diverges goes back, with a lower rate, as often as it may."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from chainrule import nn, optim
from chainrule.errors import ConfigError, TrainingError
from chainrule.frontend import manual_seed
from chainrule.train import Callback, Checkpoints, EarlyStopping, Trainer
from chainrule.train.callbacks import DivergenceGuard, LambdaCallback
from chainrule.train.callbacks.rates import rates_of
from train.problems_small import line, linear_trainer, weights
from train.resumable import digest
from train.test_resume import SignalInEpoch


def diverging(*more: Callback, lr: float = 3.0, **settings: Any) -> tuple[Trainer, DivergenceGuard]:
    """Least squares with a rate that is too high by a factor of about four."""
    trainer = linear_trainer(lr=lr)
    guard = DivergenceGuard(**settings.pop("guard", {}))
    given = {"epochs": 20, "batch_size": 20, "verbose": False} | settings
    trainer.fit(line(), callbacks=[guard, *more], **given)
    return trainer, guard


def test_it_goes_back_until_training_works(capsys: pytest.CaptureFixture[str]) -> None:
    trainer, guard = diverging(verbose=True)
    assert 1 <= len(guard.returns) <= 3
    assert rates_of(trainer.optimizer) == [3.0 / 2 ** len(guard.returns)]
    assert trainer.history.epoch == list(range(20))  # the epochs that diverged are not in it
    np.testing.assert_allclose(weights(trainer)[0], [[3, -2]], atol=1e-3)
    assert "rolled back to the state before epoch" in capsys.readouterr().err


def test_after_going_back_it_is_a_training_with_the_lower_rate() -> None:
    """From the first state, with its data order: the bits of a training that began so."""
    trainer, guard = diverging(lr=1e4, guard={"lr_factor": 1e-5})
    assert guard.returns == [(0, 0)]
    plain = linear_trainer(lr=1e4 * 1e-5)
    plain.fit(line(), epochs=20, batch_size=20, verbose=False)
    np.testing.assert_array_equal(weights(trainer)[0], weights(plain)[0])
    assert trainer.history["loss"] == plain.history["loss"]


def test_no_more_than_so_often() -> None:
    with pytest.raises(TrainingError, match="the loss became"):
        diverging(lr=1e9, guard={"most": 2})


def test_a_loss_that_stays_high_goes_back_to_the_best_epoch() -> None:
    values = iter([9.0, 5.0, 4.0, 20.0, 3.9, 20.0, 30.0, 3.0, 2.0, 1.0])
    seen: list[Any] = []

    class Script(Callback):
        def on_epoch_end(self, epoch: int, logs: Any) -> None:
            logs["loss"] = next(values)
            seen.append((epoch, weights(self.trainer)[0], logs["loss"]))

    trainer = linear_trainer(lr=1e-3)
    guard = DivergenceGuard(factor=3.0, patience=2)
    stopping = EarlyStopping("loss", patience=3, restore_best=False)
    callbacks = [guard, stopping, Script()]  # the guard comes last, wherever it is named
    trainer.fit(line(), epochs=8, callbacks=callbacks[::-1], verbose=False)
    assert guard.returns == [(6, 5)]
    assert [epoch for epoch, _, _ in seen] == [0, 1, 2, 3, 4, 5, 6, 5, 6, 7]
    assert rates_of(trainer.optimizer) == [0.5e-3]
    # Early stopping has forgotten the two bad epochs, as if they had never been.
    assert (stopping.best, stopping.stopped_epoch) == (1.0, -1)


def test_several_returns_to_one_state_lower_the_rate_again_and_again() -> None:
    trainer = linear_trainer(lr=1.0)
    guard = DivergenceGuard(factor=2.0, patience=1, lr_factor=0.5, most=2)
    rates: list[float] = []

    class Script(Callback):
        def on_epoch_begin(self, epoch: int, logs: Any) -> None:
            rates.append(rates_of(self.trainer.optimizer)[0])

        def on_epoch_end(self, epoch: int, logs: Any) -> None:
            logs["loss"] = 1.0 if epoch == 0 else 5.0

    with pytest.raises(TrainingError, match=r"diverged again, after 2 rollbacks"):
        trainer.fit(line(), epochs=9, callbacks=[Script(), guard], verbose=False)
    assert rates == [1.0, 1.0, 0.5, 0.25]


def test_checkpoints_of_the_diverged_part_are_removed(tmp_path: Path) -> None:
    """A training killed after a return goes on from the good part."""
    values = iter([4.0, 3.0, 50.0, 60.0, 2.0, 1.0, 0.5])

    class Script(Callback):
        def on_epoch_end(self, epoch: int, logs: Any) -> None:
            logs["loss"] = next(values)

    store = Checkpoints(tmp_path, keep=9)
    left: list[list[int]] = []
    guard = DivergenceGuard(patience=2)
    look = LambdaCallback(lambda epoch, logs: left.append([c.epoch for c in store.readable()]))
    trainer = linear_trainer(lr=1e-3)
    trainer.fit(
        line(), epochs=5, callbacks=[Script(), guard, look], verbose=False, checkpoints=store
    )
    assert left == [[], [1], [1, 2], [1, 2, 3], [1, 2], [1, 2, 3], [1, 2, 3, 4]]
    assert [c.epoch for c in store.readable()] == [1, 2, 3, 4, 5]


@pytest.mark.parametrize("after", [1, 2, 5])
def test_the_guard_survives(tmp_path: Path, after: int) -> None:
    def run(*more: Callback, **settings: Any) -> tuple[Trainer, DivergenceGuard]:
        manual_seed(0)
        model = nn.Sequential(nn.Linear(2, 4), nn.Dropout(0.1), nn.Linear(4, 1))
        trainer = Trainer(model, "mse", optim.SGD(model.parameters(), lr=1.5))
        guard = DivergenceGuard(most=9, patience=1, factor=2)
        trainer.fit(
            line(), epochs=8, batch_size=20, callbacks=[guard, *more], verbose=False, **settings
        )
        return trainer, guard

    plain, guard = run()
    assert guard.returns
    store = Checkpoints(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        run(SignalInEpoch(signal.SIGINT, after), checkpoints=store)
    again, resumed = run(checkpoints=store, resume=True)
    assert resumed.returns == guard.returns
    assert digest(again) == digest(plain)


def exploding(**parts: Any) -> tuple[Trainer, DivergenceGuard]:
    """The last step of the first epoch makes the weights explode; the losses before it were good.

    The loss is infinite in the second epoch, and after every return to the end of the first.
    """
    rng = np.random.default_rng(0)
    x = rng.normal(size=(200, 3)).astype(np.float32)
    slopes = np.array([0.8, -0.53, 0.27], np.float32)
    y = (x @ slopes + 0.1 * rng.normal(size=200)).astype(np.float32)
    manual_seed(0)
    model = nn.Sequential(nn.Linear(3, 8), nn.ReLU(), nn.Linear(8, 1))
    made = {name: part(model) for name, part in parts.items()}
    trainer = Trainer(model, "mse", optim.SGD(model.parameters(), lr=2.0), **made)
    guard = DivergenceGuard()
    trainer.fit((x, y), epochs=20, batch_size=32, callbacks=[guard], verbose=False)
    return trainer, guard


def test_a_state_is_good_only_if_the_loss_after_it_is() -> None:
    trainer, guard = exploding()
    assert 1 <= len(guard.returns) <= 3
    assert (1, 1) not in guard.returns  # the end of the first epoch was not taken for good
    assert trainer.history.epoch == list(range(20))
    assert trainer.history["loss"][-1] < 0.05


def test_an_average_does_not_hide_what_became_of_the_weights() -> None:
    """Its decay is so high that it has not moved when the weights explode."""
    trainer, guard = exploding(average=lambda model: optim.EMA(model, decay=0.999999))
    assert (1, 1) not in guard.returns
    assert trainer.history["loss"][-1] < 0.05


@pytest.mark.parametrize(
    "settings", [{"factor": 1.0}, {"patience": 0}, {"lr_factor": 1.0}, {"most": "3"}]
)
def test_guards_that_are_none(settings: Any) -> None:
    with pytest.raises(ConfigError, match="invalid divergence guard"):
        DivergenceGuard(**settings)
