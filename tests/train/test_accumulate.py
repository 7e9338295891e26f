"""Accumulated gradients make the updates of one big batch.

Steps are interpreted; `tests/train/test_resume.py` accumulates in native code.
"""

from __future__ import annotations

import functools
import operator
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from chainrule import nn, optim
from chainrule.errors import ConfigError
from chainrule.frontend import Tensor, manual_seed
from chainrule.frontend.apply import new_tensor
from chainrule.train import Trainer
from chainrule.train.accumulate import Accumulation
from chainrule.train.callback import Callback
from chainrule.train.order import Order
from interpreting import interpreting
from train.problems_small import blobs, line, linear_trainer, weights


@pytest.fixture(scope="module", autouse=True)
def _interpreted() -> Iterator[None]:
    with interpreting():
        yield


def trainer_of(optimizer: str = "adam", **settings: Any) -> Trainer:
    manual_seed(0)
    model = nn.Sequential(nn.Linear(2, 8), nn.Tanh(), nn.Linear(8, 3))
    if optimizer == "adam":
        chosen: Any = optim.Adam(model.parameters(), lr=optim.schedule.Exponential(0.02, 0.99))
    else:
        chosen = optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    return Trainer(model, settings.pop("loss", "cross_entropy"), chosen, **settings)


def close(a: Trainer, b: Trainer) -> None:
    for x, y in zip(weights(a), weights(b), strict=True):
        np.testing.assert_allclose(x, y, rtol=2e-5, atol=2e-6)


@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
@pytest.mark.parametrize("rows", [128, 150])
def test_four_batches_are_one_big_one(optimizer: str, rows: int) -> None:
    """150 rows: the last group has 22 rows, 16 and 6, and its update counts them so."""
    data = blobs(rows)
    big, small = trainer_of(optimizer), trainer_of(optimizer, accumulate=4)
    a = big.fit(data, epochs=5, batch_size=64, verbose=False)
    b = small.fit(data, epochs=5, batch_size=16, verbose=False)
    close(big, small)
    np.testing.assert_allclose(a["loss"], b["loss"], rtol=1e-5)
    steps = [{s["step"] for s in t.optimizer.state_dict()["state"].values()} for t in (big, small)]
    assert steps[0] == steps[1] == {5 * -(-rows // 64)}


def test_clipping_sees_whole_groups() -> None:
    """Clipped is the sum, not each part; a part that is not yet due leaves no trace."""
    settings: dict[str, Any] = {"clip": {"global_norm": 0.05}}
    data = blobs(150)
    big, small = trainer_of(**settings), trainer_of(accumulate=4, **settings)
    big.fit(data, epochs=3, batch_size=64, verbose=False)
    small.fit(data, epochs=3, batch_size=16, verbose=False)
    close(big, small)
    free = trainer_of()
    free.fit(data, epochs=3, batch_size=64, verbose=False)
    assert np.abs(weights(free)[0] - weights(big)[0]).max() > 1e-3


def squares(parameters: list[Tensor]) -> Tensor:
    return functools.reduce(operator.add, [20 * (p * p).sum() for p in parameters])


@pytest.mark.parametrize("penalty", [None, squares])
def test_a_summed_loss_is_summed(penalty: Any) -> None:
    """And its penalty counts once for a group, not once for each batch."""
    data = blobs(150)
    loss = nn.CrossEntropyLoss(reduction="sum")
    settings: dict[str, Any] = {"loss": loss, "clip": {"global_norm": 1.0}, "penalty": penalty}
    big, small = trainer_of("sgd", **settings), trainer_of("sgd", accumulate=4, **settings)
    big.fit(data, epochs=2, batch_size=64, verbose=False)
    small.fit(data, epochs=2, batch_size=16, verbose=False)
    close(big, small)


def test_steps_one_by_one_or_all_in_one_call_are_the_same_bits() -> None:
    class Each(Callback):
        def on_train_batch_end(self, batch: int, logs: Any) -> None:
            return

    data = blobs(150)
    a, b = trainer_of(accumulate=3), trainer_of(accumulate=3)
    a.fit(data, epochs=3, batch_size=16, verbose=False)
    b.fit(data, epochs=3, batch_size=16, callbacks=[Each()], verbose=False)
    for x, y in zip(weights(a), weights(b), strict=True):
        np.testing.assert_array_equal(x, y)


def test_an_epoch_shorter_than_a_group() -> None:
    data = blobs(20)
    big, small = trainer_of(), trainer_of(accumulate=100)
    big.fit(data, epochs=4, batch_size=None, verbose=False)
    small.fit(data, epochs=4, batch_size=8, verbose=False)
    close(big, small)


def test_every_update_follows_the_mean_over_its_group_in_plain_numbers() -> None:
    x, y = line(50)
    manual_seed(0)
    model = nn.Linear(2, 1)
    trainer = Trainer(model, "mse", optim.SGD(model.parameters(), lr=0.1), accumulate=3)
    w, b = weights(trainer)
    trainer.fit((x, y), epochs=1, batch_size=8, verbose=False)
    rows = Order.of(50, 8, 0, True).permutation(0)
    for group in (rows[:24], rows[24:48], rows[48:]):
        residual = x[group] @ w[0] + b - y[group]
        w, b = w - 0.2 * (residual @ x[group]) / len(group), b - 0.2 * residual.mean()
    np.testing.assert_allclose(weights(trainer)[0], w, rtol=1e-5)
    np.testing.assert_allclose(weights(trainer)[1], b, rtol=1e-5)


def test_shares_of_a_group_sum_to_one() -> None:
    sums = Accumulation([], 4, summed=False)
    order = Order.of(150, 16, 0, False)
    sums.begin(order, 0)
    shares = [sums.share(k) for k in range(order.steps)]
    due = [sums.due(k) for k in range(order.steps)]
    assert due == [0, 0, 0, 1, 0, 0, 0, 1, 0, 1]
    for group in (shares[:4], shares[4:8], shares[8:]):
        assert sum(group) == pytest.approx(1.0, abs=1e-15)
    assert shares[9] == 6 / 22
    assert [sums.updates(n) for n in (0, 3, 4, 9, 10, 14, 20)] == [0, 0, 1, 2, 3, 4, 6]


@pytest.mark.parametrize("every", [0, -1, 1.5, True])
def test_what_cannot_be_accumulated(every: Any) -> None:
    with pytest.raises(ConfigError, match="accumulate is"):
        trainer_of(accumulate=every)


def test_steps_at_once_do_what_compiled_ones_do() -> None:
    x, y = (np.asarray(a, np.float32) for a in line(24))
    compiled, eager = (linear_trainer(lr=0.1, accumulate=3) for _ in range(2))
    compiled.fit((x, y), epochs=1, batch_size=8, shuffle=False, verbose=False)
    eager.accumulation.begin(Order.of(24, 8, 0, False), 0)
    for i in range(0, 24, 8):
        eager.train_step(new_tensor(x[i : i + 8]), new_tensor(y[i : i + 8, None]))
    for a, b in zip(weights(compiled), weights(eager), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5)
    assert not any(a.any() for a in eager.accumulation.arrays())
