"""Learning rates that change between epochs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from chainrule import nn, optim
from chainrule.errors import ConfigError
from chainrule.frontend import manual_seed
from chainrule.train import Callback, Checkpoints, Trainer
from chainrule.train.callbacks import LambdaCallback, LearningRateScheduler, ReduceLROnPlateau
from chainrule.train.callbacks.rates import Scaled, rates_of, scale_rates
from train.problems_small import line, weights


def trainer_with(lr: Any) -> Trainer:
    manual_seed(0)
    model = nn.Linear(2, 1)
    return Trainer(model, "mse", optim.SGD(model.parameters(), lr=lr))


class Script(Callback):
    """Replaces the validation loss, and writes down the rate of each epoch."""

    def __init__(self, values: list[float]) -> None:
        self.values = values
        self.rates: list[float] = []

    def on_epoch_begin(self, epoch: int, logs: Any) -> None:
        self.rates.append(rates_of(self.trainer.optimizer)[0])

    def on_epoch_end(self, epoch: int, logs: Any) -> None:
        logs["val_loss"] = self.values[epoch]


def rates_in(values: list[float], lr: Any = 1e-3, **settings: Any) -> list[float]:
    script = Script(values)
    reduce = ReduceLROnPlateau(**{"factor": 0.5, "min_delta": 0.0} | settings)
    trainer = trainer_with(lr)
    trainer.fit(line(20), epochs=len(values), callbacks=[script, reduce], verbose=False)
    return [rate / 1e-3 for rate in script.rates]


def test_reduce_on_plateau() -> None:
    values = [5.0, 4, 4, 4, 3, 3, 3, 3, 3]
    assert rates_in(values, patience=2) == [1, 1, 1, 1, 0.5, 0.5, 0.5, 0.25, 0.25]
    assert rates_in(values, patience=1) == [1, 1, 1, 0.5, 0.25, 0.25, 0.125, 0.0625, 0.03125]
    cooled = rates_in(values, patience=1, cooldown=2)
    assert cooled == [1, 1, 1, 0.5, 0.5, 0.5, 0.25, 0.25, 0.125]  # Keras counts so too
    assert rates_in(values, patience=1, min_lr=0.4e-3)[-1] == pytest.approx(0.4)
    assert rates_in([1.0, 2, 3, 4], patience=1, mode="max", monitor="val_loss") == [1, 1, 1, 1]
    assert rates_in([5.0, 4.9, 4.8, 4.7], patience=1, min_delta=0.5)[-1] == 0.25


def test_a_schedule_goes_on_scaled() -> None:
    schedule = optim.schedule.Exponential(1e-3, 0.5)
    # One batch, so one update, in each epoch.
    found = rates_in([5.0, 5, 5, 5], lr=schedule, patience=2)
    assert found == pytest.approx([1, 0.5, 0.25, 0.0625])


def test_scaling_by_hand() -> None:
    optimizer = trainer_with(optim.schedule.Exponential(1.0, 0.5)).optimizer
    scale_rates(optimizer, 0.5)
    scale_rates(optimizer, 0.5, least=0.2)
    rate = optimizer.param_groups[0]["lr"]
    assert isinstance(rate, Scaled)
    assert [rate.lr_at(k) for k in (0, 1)] == [0.25, 0.2]
    optimizer.param_groups[0]["lr"] = 0.1
    scale_rates(optimizer, 0.5, least=0.2)
    assert rates_of(optimizer) == [0.1]


def test_reductions_survive(tmp_path: Path) -> None:
    """The scale of a schedule is part of a checkpoint, and so is what the callback has counted."""

    def run(epochs: int, store: Checkpoints | None, resume: bool = False) -> Trainer:
        trainer = trainer_with(optim.schedule.Exponential(0.1, 0.99))
        trainer.fit(
            line(64),
            epochs=epochs,
            callbacks=[ReduceLROnPlateau("loss", factor=0.5, patience=1, min_delta=1.0)],
            verbose=False,
            checkpoints=store,
            resume=resume,
        )
        return trainer

    plain = run(9, None)
    store = Checkpoints(tmp_path)
    run(4, store)
    again = run(9, store, resume=True)
    assert rates_of(again.optimizer) == rates_of(plain.optimizer)
    assert rates_of(plain.optimizer)[0] < 0.01
    assert (weights(again)[0] == weights(plain)[0]).all()


def test_learning_rate_scheduler_sees_the_present_rate() -> None:
    seen: list[tuple[int, float]] = []

    def halve(epoch: int, lr: float) -> float:
        seen.append((epoch, lr))
        return lr / 2

    trainer = trainer_with(0.8)
    trainer.fit(line(), epochs=3, callbacks=[LearningRateScheduler(halve)], verbose=False)
    assert seen == [(0, 0.8), (1, 0.4), (2, 0.2)]
    assert rates_of(trainer.optimizer) == [0.1]
    with pytest.raises(ConfigError, match="lr is -1"):
        trainer.fit(line(), callbacks=[LearningRateScheduler(lambda e, lr: -1.0)], verbose=False)


def test_schedules_observe_the_validation_loss() -> None:
    """Without a callback: the schedule itself falls when nothing improves."""
    rate = optim.schedule.ReduceOnPlateau(1e-9, factor=0.5, patience=1, threshold=0.5)
    trainer = trainer_with(rate)
    trainer.fit(line(), validation=line(20, seed=1), epochs=6, verbose=False)
    assert rates_of(trainer.optimizer)[0] == pytest.approx(1e-9 / 4)


@pytest.mark.parametrize(
    "settings",
    [{"factor": 1.0}, {"factor": "1"}, {"patience": 2.5}, {"patience": -1}, {"min_lr": -1.0}],
)
def test_reductions_that_are_none(settings: Any) -> None:
    with pytest.raises(ConfigError, match="invalid rate reduction"):
        ReduceLROnPlateau(**settings)


@pytest.mark.parametrize("found", [None, "0.1", optim.schedule.Constant(0.1)])
def test_a_function_that_gives_no_rate(found: Any) -> None:
    trainer = trainer_with(0.1)
    with pytest.raises(ConfigError, match=r"LearningRateScheduler returned .* for epoch 0"):
        trainer.fit(
            line(), epochs=1, callbacks=LearningRateScheduler(lambda e, lr: found), verbose=False
        )


def test_rates_may_be_numbers_of_numpy() -> None:
    trainer = trainer_with(0.1)
    for found in (np.float32(0.25), np.array(0.25), 0):
        schedule = LearningRateScheduler(lambda e, lr, found=found: found)  # type: ignore[misc]
        trainer.fit(line(), epochs=1, callbacks=schedule, verbose=False)
        assert rates_of(trainer.optimizer) == [float(found)]


def test_a_schedule_is_no_function() -> None:
    with pytest.raises(ConfigError, match=r"(?s)LearningRateScheduler is .*to the optimizer"):
        LearningRateScheduler(optim.schedule.Constant(0.1))  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="on_epoch_end is None"):
        LambdaCallback(None)  # type: ignore[arg-type]
