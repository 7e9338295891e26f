"""An error about a loss that is not finite says where it arose."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from chainrule import nn, optim
from chainrule.errors import TrainingError
from chainrule.frontend import Tensor, manual_seed, no_grad
from chainrule.frontend.operations.arithmetic import log
from chainrule.train import Callback, Trainer
from chainrule.train.callbacks import TerminateOnNaN
from chainrule.train.diagnosis.explain import ReplayLog
from chainrule.train.order import Order
from train.problems_small import line, linear_trainer, weights


class Logarithm(nn.Module):
    """log(w x + b), which is no number where the inside is negative."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.Linear(1, 1)

    def forward(self, x: Tensor) -> Tensor:
        return log(self.inner(x))


def logarithm(**settings: Any) -> Trainer:
    manual_seed(0)
    model = Logarithm()
    with no_grad():
        model.inner.weight.assign_(1.0)
        model.inner.bias.assign_(2.0)
    return Trainer(model, "mse", optim.SGD(model.parameters(), lr=0.0), **settings)


def poisoned(rows: int = 64) -> tuple[Any, Any]:
    """One row is outside of the logarithm's domain."""
    x = np.random.default_rng(0).uniform(-1, 1, (rows, 1))
    x[37] = -7.0
    return x, np.zeros(rows)


class Each(Callback):
    def on_train_batch_end(self, batch: int, logs: Any) -> None:
        return


@pytest.mark.parametrize("callbacks", [[], [Each()]])
@pytest.mark.parametrize("accumulate", [1, 3])
def test_operation_layer_line_and_row(callbacks: list[Callback], accumulate: int) -> None:
    trainer = logarithm(accumulate=accumulate)
    with pytest.raises(TrainingError) as raised:
        trainer.fit(poisoned(), batch_size=8, seed=3, callbacks=callbacks, verbose=False)
    order = Order.of(64, 8, 3, True).permutation(0)
    batch, row = divmod(int(np.flatnonzero(order == 37)[0]), 8)
    what = raised.value.what
    assert what.startswith("the loss became nan: log(-5) = nan in Logarithm at ")
    assert "test_explain.py:" in what
    assert what.endswith(f"in the forward pass, row {row} of the batch (of the data: 37)")
    assert raised.value.where == f"epoch 1, step {batch + 1} of 8"


def test_an_update_that_breaks_the_weights_is_what_is_named() -> None:
    """The loss of the step is finite; its update is not, and the next loss is not either."""

    def reciprocal(parameters: list[Tensor]) -> None:
        parameters[0].assign_(parameters[0] / (parameters[0] * 0.0))

    trainer = linear_trainer(constraint=reciprocal)
    with pytest.raises(TrainingError) as raised:
        trainer.fit(line(), batch_size=20, verbose=False)
    assert "in the update" in raised.value.what
    assert "test_explain.py:" in raised.value.what
    assert all(np.isfinite(w).all() for w in weights(trainer))


def test_the_steps_before_it_are_done_again_to_the_bit(monkeypatch: pytest.MonkeyPatch) -> None:
    """With one copy for the whole training, all steps are repeated."""
    monkeypatch.setattr("chainrule.train.diagnosis.explain.SHARE", 1e-9)
    trainer, plain = linear_trainer(lr=1.5), linear_trainer(lr=1.5, explain=False)
    nan = TerminateOnNaN()
    trainer.fit(line(), epochs=99, batch_size=20, callbacks=[nan, Each()], verbose=False)
    done = 10 * nan.epoch + int(nan.message.split("step ")[1].split(" ")[0]) - 1
    order = Order.of(200, 20, 0, True)
    rows = np.concatenate([order.batches(e)[0] for e in range(nan.epoch + 1)])[:done]
    plain.stepper.run(plain.read(line())[0], rows)
    for a, b in zip(weights(trainer), weights(plain), strict=True):
        np.testing.assert_array_equal(a, b)


def test_no_copies_without_it() -> None:
    trainer = logarithm(explain=False)
    with pytest.raises(TrainingError) as raised:
        trainer.fit(poisoned(), batch_size=8, verbose=False)
    assert raised.value.what == "the loss became nan"
    assert trainer._replay_log is None


def test_copies_take_a_fixed_share_of_the_time(monkeypatch: pytest.MonkeyPatch) -> None:
    trainer = linear_trainer()
    now = [0.0]
    clock = SimpleNamespace(perf_counter=lambda: now[0])
    monkeypatch.setattr("chainrule.train.diagnosis.explain.time", clock)
    copies: list[float] = []
    replay_log = ReplayLog(trainer)

    def copy() -> None:
        copies.append(now[0])
        now[0] += 0.1
        replay_log._made, replay_log._cost = now[0], 0.1

    monkeypatch.setattr(replay_log, "_copy", copy)
    while now[0] < 240.0:
        replay_log.record(np.zeros((1, 1), np.int32))
        now[0] += 0.25
    assert 11 <= len(copies) <= 13


def test_lbfgs_is_looked_into_as_well() -> None:
    """What it asks for between its steps is one program too."""
    trainer = logarithm()
    newton = Trainer(trainer.model, "mse", optim.LBFGS(trainer.model.parameters(), lr=1e-6))
    with pytest.raises(TrainingError) as raised:
        newton.fit(poisoned(), batch_size=8, seed=3, verbose=False)
    assert "log(" in raised.value.what
    assert "test_explain.py" in raised.value.what
    assert "of the data: 37" in raised.value.what
