"""The learning-rate finder suggests rates that work, and leaves no trace."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from chainrule import nn, optim
from chainrule.errors import ConfigError
from chainrule.frontend import default_generator, manual_seed
from chainrule.train import Trainer
from chainrule.train.diagnosis.lrfinder import Ramp, _judged, _running, _smoothed
from train.problems_small import blobs, line, linear_trainer, weights
from train.resumable import digest


def dropout_trainer(**settings: Any) -> Trainer:
    manual_seed(0)
    model = nn.Sequential(nn.Linear(2, 16), nn.ReLU(), nn.Dropout(0.2), nn.Linear(16, 3))
    optimizer = optim.AdamW(model.parameters(), lr=1e-3)
    return Trainer(model, "cross_entropy", optimizer, **settings)


def test_the_suggestion_lies_below_the_limit_of_stability() -> None:
    """Least squares with unit variance: gradient descent diverges above a rate of about 1."""
    x, y = line(320)
    y = y + np.random.default_rng(1).standard_normal(320)  # a loss of 1 is the best there is
    found = linear_trainer().lr_find((x, y), end=10.0)
    assert found.suggestion is not None
    assert found.steepest is not None
    assert found.minimum is not None
    assert found.suggestion == min(found.steepest, found.minimum / 10)
    assert 0.005 < found.suggestion < 0.3
    assert 0.05 < found.minimum < 1.0
    assert len(found.losses) == len(found.rates) == len(found.smoothed) < 100
    assert "it diverged above" in found.reason
    trainer = linear_trainer(lr=found.suggestion)
    losses = trainer.fit((x, y), epochs=20, verbose=False)["loss"]
    assert losses[-1] < 1.1


@pytest.mark.parametrize("accumulate", [1, 3])
def test_nothing_is_left_of_it(accumulate: int) -> None:
    """Also in the middle of a training: what follows has the bits of what would have followed."""
    trainer, plain = (dropout_trainer(accumulate=accumulate) for _ in range(2))
    trainer.fit(blobs(), epochs=2, verbose=False)
    before, generator = digest(trainer), default_generator.get_state()
    found = trainer.lr_find(blobs(), end=100.0)
    assert digest(trainer) == before
    assert default_generator.get_state() == generator
    assert trainer.optimizer.param_groups[0]["lr"] == 1e-3
    assert len(found.losses) > 20
    trainer.fit(blobs(), epochs=2, verbose=False)
    manual_seed(0)
    plain = dropout_trainer(accumulate=accumulate)
    plain.fit(blobs(), epochs=2, verbose=False)
    plain.fit(blobs(), epochs=2, verbose=False)
    assert digest(trainer) == digest(plain)


def test_one_program_for_all_rates() -> None:
    trainer = linear_trainer()
    traces: list[int] = []
    step = trainer.train_step

    def counted(*arrays: Any) -> Any:
        traces.append(1)
        return step(*arrays)

    trainer.stepper = trainer.stepper_of(counted)
    trainer.lr_find(line(100))
    assert len(traces) == 1


def test_losses_are_those_of_training_at_these_rates() -> None:
    x, y = line(64)
    trainer = linear_trainer()
    w, b = weights(trainer)
    found = trainer.lr_find((x, y), start=1e-3, end=1e-1, steps=10, batch_size=None)
    for rate, loss in zip(found.rates, found.losses, strict=True):
        residual = x @ w[0] + b - y
        assert loss == pytest.approx(np.mean(residual**2), rel=1e-4)
        w, b = w - rate * 2 * (residual @ x) / 64, b - rate * 2 * residual.mean()
    np.testing.assert_allclose(found.rates, np.geomspace(1e-3, 1e-1, 10))


def test_groups_keep_their_ratios_and_schedules_come_back() -> None:
    manual_seed(0)
    model = nn.Sequential(nn.Linear(2, 4), nn.Linear(4, 1))
    schedule = optim.schedule.Exponential(0.1, 0.9)
    groups = [
        {"params": list(model.parameters())[:2], "lr": schedule},
        {"params": list(model.parameters())[2:], "lr": 0.01},
    ]
    trainer = Trainer(model, "mse", optim.SGD(groups))
    trainer.lr_find(line(64))
    assert trainer.optimizer.param_groups[0]["lr"] is schedule
    assert trainer.optimizer.param_groups[1]["lr"] == 0.01
    ramp = Ramp(1e-4, 1.0, 5, first=3, share=0.1)
    assert [ramp.lr_at(k) for k in (3, 7)] == pytest.approx([1e-5, 0.1])


def test_a_curve_that_shows_nothing_suggests_nothing() -> None:
    """Rates too small to change anything."""
    found = linear_trainer().lr_find(line(64), start=1e-12, end=1e-9, batch_size=None)
    assert (found.suggestion, found.steepest, found.minimum) == (None, None, None)
    assert "never fell" in found.reason
    assert "did not diverge" in found.reason
    assert len(found.losses) == 100


def test_a_curve_that_is_not_finite_from_the_start() -> None:
    found = linear_trainer().lr_find(line(64), start=1e8, end=1e12)
    assert found.suggestion is None
    assert np.isfinite(found.losses).all()


def test_judgement_of_a_drawn_curve() -> None:
    rates = np.geomspace(1e-4, 1.0, 81)
    curve = 2.0 - 1.5 / (1 + np.exp(-3 * np.log(rates / 1e-2)))  # falls fastest at 1e-2
    curve[70:] += np.linspace(0, 8, 11)
    found = _judged(rates, curve, steps=100)
    assert found.steepest == pytest.approx(1e-2, rel=0.2)
    assert found.minimum == pytest.approx(rates[np.argmin(curve)], rel=0.5)
    assert found.suggestion == found.steepest
    assert "the steepest descent" in found.reason
    noise = np.random.default_rng(0).normal(0, 0.05, 81)
    assert _judged(rates, curve + noise, steps=100).steepest == pytest.approx(1e-2, rel=1.0)


def test_smoothing_moves_nothing_and_bounds_the_end() -> None:
    np.testing.assert_allclose(_smoothed(np.full(9, 3.0), 2), 3.0)
    np.testing.assert_allclose(_smoothed(np.arange(9.0) + 50, 2)[2:-2], np.arange(52.0, 57))
    assert _smoothed(np.array([1.0, 1, 1, 1, 1e9]), 1)[-1] == 1.5
    np.testing.assert_allclose(_running(np.array([1.0, 2.0]))[1], (0.9 * 1 + 2) / 1.9)


@pytest.mark.parametrize(
    "settings",
    [
        {"start": 0.0}, {"start": 1.0, "end": 0.1}, {"steps": 5}, {"steps": "x"}, {"steps": None},
        {"steps": 20.5}, {"start": "x"}, {"end": None},
    ],
)  # fmt: skip
def test_ramps_that_are_none(settings: Any) -> None:
    with pytest.raises(ConfigError, match="a ramp from"):
        linear_trainer().lr_find(line(64), **settings)
