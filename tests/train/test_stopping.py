"""What ends a training: convergence, time, numbers that are none."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from chainrule import nn, optim
from chainrule.errors import ConfigError
from chainrule.frontend import manual_seed
from chainrule.train import Callback, Checkpoints, EarlyStopping, Trainer
from chainrule.train.callbacks import Converged, TerminateOnNaN, TimeLimit
from train.problems_small import blob_trainer, blobs, line, linear_trainer, weights


def quadratic(x: Any, y: Any) -> tuple[Trainer, Any]:
    """Least squares by full-batch gradient descent, and its solution."""
    manual_seed(0)
    model = nn.Linear(2, 1)
    trainer = Trainer(model, "mse", optim.SGD(model.parameters(), lr=0.2))
    return trainer, np.linalg.lstsq(np.c_[x, np.ones(len(x))], y, rcond=None)[0]


@pytest.mark.parametrize("test", ["loss", "gradient", "parameters"])
def test_each_tolerance_ends_at_the_minimum(test: str) -> None:
    x, y = line(200)
    y = y + np.random.default_rng(1).standard_normal(200)  # a minimum above 0
    trainer, solution = quadratic(x, y)
    tolerance = {"loss": 1e-6, "gradient": 1e-3, "parameters": 1e-4}[test]
    stop = Converged(**{test: tolerance})
    history = trainer.fit((x, y), epochs=1000, batch_size=None, callbacks=[stop], verbose=False)
    assert 5 < len(history.epoch) < 100
    found = np.r_[weights(trainer)[0][0], weights(trainer)[1]]
    np.testing.assert_allclose(found, solution, atol=5e-3)
    assert test.removesuffix("s").replace("parameter", "weights") in stop.reason
    assert trainer.messages == [f"converged after epoch {len(history.epoch)}: {stop.reason}"]


def test_the_gradient_is_tested_at_the_weights_of_the_epochs_end() -> None:
    x, y = line(100)
    trainer, _ = quadratic(x, y)
    stop = Converged(gradient=0.05)
    trainer.fit((x, y), epochs=500, batch_size=None, callbacks=[stop], verbose=False)
    w, b = weights(trainer)
    residual = x @ w[0] + b - y
    norm = np.linalg.norm([*(2 * residual @ x / 100), 2 * residual.mean()])
    assert norm <= 0.05
    assert f"norm {norm:.2g}"[:-1] in stop.reason


def test_patience_counts_epochs_one_after_the_other() -> None:
    stop = Converged(loss=0.1, patience=2)

    class Script(Callback):
        values = (5.0, 5.0, 3.0, 3.0, 3.0, 3.0)

        def on_epoch_end(self, epoch: int, logs: Any) -> None:
            logs["loss"] = self.values[epoch]

    trainer = linear_trainer()
    history = trainer.fit(line(), epochs=6, callbacks=[Script(), stop], verbose=False)
    assert history.epoch == [0, 1, 2, 3, 4]


@pytest.mark.parametrize(
    "settings", [{}, {"loss": -1.0}, {"loss": "0"}, {"loss": 1e-3, "patience": 0}]
)
def test_convergence_without_a_tolerance(settings: Any) -> None:
    with pytest.raises(ConfigError, match="invalid convergence test"):
        Converged(**settings)


def test_terminate_on_nan_ends_quietly_and_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    trainer = linear_trainer(lr=1e4)
    stop = TerminateOnNaN()
    history = trainer.fit(line(), epochs=50, batch_size=20, callbacks=[stop], verbose=True)
    assert stop.epoch == len(history.epoch) < 50
    assert "the loss became" in stop.message
    assert "training stops: the loss became" in capsys.readouterr().err


def test_early_stopping_puts_the_best_weights_back_after_nan() -> None:
    trainer, nan, best = linear_trainer(lr=3.0), TerminateOnNaN(), EarlyStopping("loss", 99)
    trainer.fit(line(), epochs=50, batch_size=20, callbacks=[nan, best], verbose=False)
    assert nan.epoch > best.best_epoch >= 0
    assert all(np.isfinite(w).all() for w in weights(trainer))


def test_nothing_that_diverged_becomes_a_checkpoint(tmp_path: Path) -> None:
    trainer, nan, store = linear_trainer(lr=3.0), TerminateOnNaN(), Checkpoints(tmp_path)
    trainer.fit(line(), epochs=50, batch_size=20, callbacks=[nan], verbose=False, checkpoints=store)
    newest = store.newest()
    assert newest is not None
    assert newest.step == 10 * nan.epoch
    assert not newest.state()["stop"]


def test_time_limit(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter(range(100))
    ticking = SimpleNamespace(monotonic=lambda: float(next(clock)))
    monkeypatch.setattr("chainrule.train.callbacks.stopping.time", ticking)
    limit = TimeLimit(3.0)
    trainer = blob_trainer()
    history = trainer.fit(blobs(), epochs=9, callbacks=[limit], verbose=False)
    assert (len(history.epoch), limit.reached) == (3, True)
    # Of an epoch that takes a second, half is nearer to this limit than another whole one.
    limit = TimeLimit(3.4)
    history = blob_trainer().fit(blobs(), epochs=9, callbacks=[limit], verbose=False)
    assert (len(history.epoch), limit.reached) == (3, True)
    for seconds in (0, "5s"):
        with pytest.raises(ConfigError, match=f"invalid time limit: {seconds!r}"):
            TimeLimit(seconds)  # type: ignore[arg-type]  # text is one of the mistakes
