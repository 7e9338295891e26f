"""Sample weights: the weighted mean, the same as leaving out and repeating rows, and refusals."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule import nn, optim
from chainrule.nn import functional as F
from chainrule.train.criterion import LOSSES, Criterion
from chainrule.train.diagnosis.gradcheck import compare_gradients
from chainrule.train.weights import checked_weights
from interpreting import interpreting

RNG = np.random.default_rng(0)
X = RNG.normal(size=(12, 3)).astype(np.float32)
CLASSES = RNG.integers(0, 4, 12)
WEIGHTS = np.array([0, 1, 2, 0, 3, 1, 1, 2, 0, 1, 1, 4], np.float32)
REPEATED = np.repeat(np.arange(12), WEIGHTS.astype(int))

Loss = str | Callable[..., Any]


def target_for(name: str) -> np.ndarray[Any, Any]:
    if name in ("cross_entropy", "nll"):
        return CLASSES
    numbers = RNG.uniform(0.1, 0.9, (12, 4)).astype(np.float32)
    return numbers[:, 0] if name == "pinball" else numbers


def network(loss: str) -> nn.Module:
    last = {"nll": [nn.LogSoftmax(1)], "bce": [nn.Sigmoid()]}.get(loss, [])
    outputs = 9 if loss == "pinball" else 4
    cr.manual_seed(0)
    return nn.Sequential(nn.Linear(3, outputs), *last)


def trained(loss: str, rows: np.ndarray[Any, Any], weights: Any) -> tuple[Any, list[float]]:
    """Weights and losses after a few full-batch steps."""
    model, target = network(loss), targets[loss]
    trainer = cr.Trainer(model, loss, optim.SGD(model.parameters(), lr=0.1))
    data = (X[rows], target[rows]) if weights is None else (X[rows], target[rows], weights)
    with interpreting():
        history = trainer.fit(data, epochs=3, batch_size=None, validation=data, verbose=False)
    return model.state_dict(), [*history["loss"], *history["val_loss"]]


WEIGHED = [name for name in LOSSES if name != "ctc"]
targets = {name: target_for(name) for name in WEIGHED}


@pytest.mark.parametrize("loss", WEIGHED)
def test_a_weight_of_two_is_a_row_twice_and_none_is_no_row(loss: str) -> None:
    weighted, losses = trained(loss, np.arange(12), WEIGHTS)
    repeated, others = trained(loss, REPEATED, None)
    np.testing.assert_allclose(losses, others, rtol=2e-6)
    for name, value in weighted.items():
        np.testing.assert_allclose(value, repeated[name], rtol=1e-4, atol=1e-6)


def test_weights_of_classes_and_of_rows_multiply() -> None:
    by_class = np.array([1, 2, 3, 4], np.float32)
    scores = cr.tensor(RNG.normal(size=(12, 4)).astype(np.float32))
    y = cr.tensor(np.where(np.arange(12) == 2, -100, CLASSES).astype(np.int32))
    criterion = Criterion.of(nn.CrossEntropyLoss(by_class))
    found = criterion.weighted(scores, y, cr.tensor(WEIGHTS)).item()
    expected = F.cross_entropy(scores.numpy()[REPEATED], y.numpy()[REPEATED], by_class).item()
    assert found == pytest.approx(expected, rel=1e-6)


def test_a_loss_of_ones_own_takes_weights() -> None:
    def mine(outputs: Any, target: Any, weights: Any) -> Any:
        return (weights * (outputs - target).square().mean(1)).sum()

    model = network("mse")
    trainer = cr.Trainer(model, mine, optim.SGD(model.parameters(), lr=0.1))
    loss = trainer.evaluate((X, targets["mse"], WEIGHTS))["loss"]
    errors = (trainer.predict(X) - targets["mse"]) ** 2
    assert loss == pytest.approx(float(WEIGHTS @ errors.mean(1)), rel=1e-5)


def test_gradients_are_those_of_the_weighted_loss() -> None:
    model = network("mse")
    trainer = cr.Trainer(model, "mse", optim.SGD(model.parameters(), lr=0.1))
    compared = compare_gradients(trainer, (X, targets["mse"], WEIGHTS))
    assert compared
    assert all(c.agrees for c in compared)


def test_a_loss_without_rows_takes_none() -> None:
    model = network("mse")
    trainer = cr.Trainer(model, lambda z, y: (z - y).square().mean(), optim.SGD(model.parameters()))
    with pytest.raises(cr.ConfigError, match="takes no sample weights"):
        trainer.fit((X, targets["mse"], WEIGHTS), verbose=False)


def test_a_batch_that_does_not_count_changes_nothing() -> None:
    model = network("mse")
    before = model.state_dict()
    trainer = cr.Trainer(model, "mse", optim.SGD(model.parameters(), lr=0.1))
    weights = np.repeat([0, 1], 6)
    with interpreting():
        history = trainer.fit(
            (X, targets["mse"], weights), epochs=1, batch_size=6, shuffle=False, verbose=False
        )
    assert np.isfinite(history["loss"]).all()
    assert not np.array_equal(model.state_dict()["0.weight"], before["0.weight"])


def test_a_loss_that_is_not_finite_is_explained_with_weights() -> None:
    model = network("mse")
    trainer = cr.Trainer(model, "mse", optim.SGD(model.parameters(), lr=1e30))
    with interpreting(), pytest.raises(cr.TrainingError, match="the loss became"):
        trainer.fit((X, targets["mse"], WEIGHTS), epochs=9, batch_size=None, verbose=False)


@pytest.mark.parametrize(
    ("weights", "said"),
    [
        ([1, -1, 1], "negative"),
        ([0, 0, 0], "all sample weights are zero"),
        ([1, np.nan, 1], "a sample weight is nan"),
        ([1, np.inf, 1], "a sample weight is inf"),
        ([1, 1], "do not match 3 rows"),
        ([[1], [1], [1]], "do not match 3 rows"),
    ],
)
def test_weights_that_cannot_be_are_refused(weights: Any, said: str) -> None:
    with pytest.raises(cr.DataError, match=said):
        checked_weights(weights, 3)


def test_a_loss_module_of_ones_own_may_weigh() -> None:
    class Halved(nn.Module):
        def forward(self, outputs: Any, target: Any) -> Any:
            return (outputs - target).square().mean() / 2

        def weighted(self, outputs: Any, target: Any, weights: Any) -> Any:
            return ((outputs - target).square().mean(1) * weights).sum() / weights.sum() / 2

    model = network("mse")
    optimizer = optim.SGD(model.parameters(), lr=0.1)
    half, whole = (
        cr.Trainer(model, loss, optimizer).evaluate((X, targets["mse"], WEIGHTS))["loss"]
        for loss in (Halved(), nn.MSELoss())
    )
    assert half == pytest.approx(whole / 2, rel=1e-6)


def test_members_of_an_ensemble_learn_as_each_alone() -> None:
    outputs = cr.tensor(RNG.normal(size=(3, 12, 4)).astype(np.float32))
    y, w = cr.tensor(targets["mse"]), cr.tensor(WEIGHTS)
    together = Criterion.of(nn.EnsembleLoss(nn.MSELoss())).weighted(outputs, y, w).item()
    each = [Criterion.of("mse").weighted(outputs[k], y, w).item() for k in range(3)]
    assert together == pytest.approx(np.mean(each), rel=1e-6)
