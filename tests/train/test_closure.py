"""Optimizers that evaluate the loss themselves train as the others do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from chainrule import nn, optim
from chainrule.errors import ConfigError, TrainingError
from chainrule.frontend import manual_seed
from chainrule.train import Checkpoints, Trainer
from train.problems_small import blobs, line, weights


def lbfgs(**settings: Any) -> Trainer:
    manual_seed(0)
    model = nn.Linear(2, 1)
    optimizer = optim.LBFGS(model.parameters(), line_search_fn="strong_wolfe", max_iter=3)
    return Trainer(model, "mse", optimizer, **settings)


def test_lbfgs_solves_least_squares_in_a_few_steps() -> None:
    trainer = lbfgs()
    history = trainer.fit(line(), epochs=4, batch_size=None, verbose=False)
    np.testing.assert_allclose(weights(trainer)[0], [[3, -2]], atol=1e-4)
    assert history["loss"][0] > 1  # that of the weights it began with
    assert trainer.evaluate(line())["loss"] < 1e-8


def test_lbfgs_finds_the_ridge_that_algebra_finds() -> None:
    trainer = lbfgs(penalty=lambda ps: 0.5 * (ps[0] * ps[0]).sum())
    x, y = line()
    history = trainer.fit((x, y), epochs=6, batch_size=None, verbose=False)
    a = np.c_[x, np.ones(200)]
    solution = np.linalg.solve(a.T @ a / 200 + np.diag([0.5, 0.5, 0.0]), a.T @ y / 200)
    np.testing.assert_allclose(weights(trainer)[0][0], solution[:2], rtol=1e-3)
    residual = a @ solution - y
    assert history["loss"][-1] == pytest.approx(np.mean(residual**2), rel=1e-3)


def test_lbfgs_goes_on_with_its_memory(tmp_path: Path) -> None:
    def run(epochs: int, **settings: Any) -> Trainer:
        manual_seed(0)
        model = nn.Sequential(nn.Linear(2, 4), nn.Tanh(), nn.Linear(4, 3))
        optimizer = optim.LBFGS(model.parameters(), lr=0.5, max_iter=2)
        trainer = Trainer(model, "cross_entropy", optimizer)
        trainer.fit(blobs(90), epochs=epochs, batch_size=None, verbose=False, **settings)
        return trainer

    store = Checkpoints(tmp_path)
    plain = run(8)
    run(5, checkpoints=store)
    again = run(8, checkpoints=store, resume=True)
    assert again.history["loss"] == plain.history["loss"]
    for a, b in zip(weights(again), weights(plain), strict=True):
        np.testing.assert_array_equal(a, b)


def test_annealing_needs_no_gradient() -> None:
    manual_seed(0)
    model = nn.Linear(2, 1)
    optimizer = optim.SimulatedAnnealing(model.parameters(), temperature=0.1, scale=0.1, rate=0.99)
    trainer = Trainer(model, "mse", optimizer)
    history = trainer.fit(line(), epochs=1500, batch_size=None, verbose=False)
    optimizer.restore_best()
    assert history["loss"][-1] < 0.1 * history["loss"][0]
    np.testing.assert_allclose(weights(trainer)[0], [[3, -2]], atol=0.2)
    with pytest.raises(ConfigError, match="no learning rate to search for"):
        trainer.lr_find(line())


def test_what_they_have_no_place_for() -> None:
    model = nn.Linear(2, 1)
    newton = optim.LBFGS(model.parameters())
    with pytest.raises(ConfigError, match="LBFGS cannot be combined with accumulate"):
        Trainer(model, "mse", newton, accumulate=2)
    annealing = optim.SimulatedAnnealing(model.parameters())
    with pytest.raises(ConfigError, match="SimulatedAnnealing cannot be combined with clip"):
        Trainer(model, "mse", annealing, clip={"value": 1.0})


def test_a_loss_that_explodes_on_mini_batches_says_what_is_missing() -> None:
    model = nn.Linear(2, 1)
    trainer = Trainer(model, "mse", optim.LBFGS(model.parameters(), lr=1e30))
    with pytest.raises(TrainingError, match="the loss became") as caught:
        trainer.fit(line(), epochs=2, batch_size=16, verbose=False)
    assert "L-BFGS is for full batches with a line search" in str(caught.value.help)
