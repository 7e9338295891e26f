"""What run.toml asks for happens in the training: each setting against what it must do.

Steps are interpreted, because it is about what they are made of.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from chainrule.errors import ConfigError, TrainingError
from chainrule.modalities.doors import fit
from chainrule.modalities.tables import TABLES
from chainrule.modalities.tables.predictor import TablePredictor
from chainrule.modalities.tables.settings import Settings
from chainrule.optim import OPTIMIZERS
from chainrule.optim.schedule import SCHEDULES
from chainrule.runs.listeners import Listener
from chainrule.runs.settings.sources import from_file, gather
from chainrule.runs.settings.training import ClipSettings
from chainrule.runs.training import train
from interpreting import interpreting


@pytest.fixture(scope="module", autouse=True)
def _interpreted() -> Iterator[None]:
    with interpreting():
        yield


def trained(table: Any, *settings: str, **options: Any) -> TablePredictor:
    # The 168 training rows are batches of one size, so there is one program to compile.
    chosen: dict[str, Any] = {"epochs": 3, "layers": (8,), "batch_size": 56} | options
    return fit(table, "ill", settings=settings, runs_dir=None, verbose=False, **chosen)


def weights(model: TablePredictor) -> dict[str, Any]:
    return {name: np.asarray(value) for name, value in model.model.state_dict().items()}


@pytest.fixture(scope="module")
def plain(table: Any) -> dict[str, Any]:
    return weights(trained(table))


def same(a: dict[str, Any], b: dict[str, Any]) -> bool:
    return all(np.array_equal(a[name], b[name]) for name in a)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_every_optimizer_trains(name: str, table: Any) -> None:
    model = trained(table, optimizer=name, epochs=2)
    assert np.isfinite(model.history["loss"]).all()
    assert model.settings.train.optimizer.name == name


def test_langevin_dynamics_gets_seed_and_rows_from_the_run(table: Any) -> None:
    options = {"optimizer": "sgld", "lr": 1e-4}
    cold = trained(table, "train.optimizer.temperature=0", **options)
    # Without noise it is descent by half the rate, times the training rows.
    rows = len(table["ill"]) * 0.7
    rate = 1e-4 * round(rows) / 2
    descent = trained(table, optimizer="sgd", lr=rate)
    for name, value in weights(cold).items():
        np.testing.assert_allclose(value, weights(descent)[name], rtol=1e-4, atol=1e-6)
    warm = weights(trained(table, **options))
    assert same(warm, weights(trained(table, **options)))
    assert not same(warm, weights(trained(table, **options, seed=1)))


@pytest.mark.parametrize("name", ["lbfgs", "simulatedannealing"])
@pytest.mark.parametrize("around", ["train.gradient_noise.eta=0.1", "train.lookahead.k=5"])
def test_what_evaluates_the_loss_itself_stands_alone(name: str, around: str, table: Any) -> None:
    with pytest.raises(ConfigError, match=f"{name} evaluates the loss itself"):
        trained(table, around, optimizer=name)


def test_annealing_has_no_rate_to_schedule(table: Any) -> None:
    with pytest.raises(ConfigError, match="no learning rate that a schedule"):
        trained(table, optimizer="simulatedannealing", schedule="cosine")


@pytest.mark.parametrize("name", [n for n in SCHEDULES if n != "constant"])
def test_every_schedule_trains(name: str, table: Any, plain: dict[str, Any]) -> None:
    model = trained(table, schedule=name, epochs=3, lr=1e-3)
    assert name == "reduce_on_plateau" or not same(weights(model), plain)


@pytest.mark.parametrize(
    "setting",
    [
        "train.accumulate=2",
        "train.clip.norm=0.01",
        "train.clip.global_norm=0.01",
        "train.clip.value=0.001",
        "train.clip.adaptive=0.001",
        "train.regularization.l1=0.1",
        "train.regularization.l2=0.1",
        "train.regularization.max_norm=0.1",
        "train.regularization.input_noise=0.5",
        "train.label_smoothing=0.2",
        "train.average=ema",
        "train.lookahead.k=2",
        "train.gradient_noise.eta=0.01",
        "train.schedule.warmup='1 epoch'",
        "model.activation=tanh",
        "model.init=orthogonal",
        "model.normalisation=layer",
        "model.normalisation=batch",
        "train.optimizer.betas=[0.5, 0.9]",
        "data.fold=[1, 3]",
    ],
)
def test_every_setting_changes_something(setting: str, table: Any, plain: dict[str, Any]) -> None:
    assert not same(weights(trained(table, setting)), plain)


def test_accumulating_is_one_larger_batch(table: Any) -> None:
    # Sums of rows in another order: equal up to rounding, and Adam's division enlarges that.
    whole = weights(trained(table, batch_size=64, dropout=0.0, optimizer="sgd"))
    parts = weights(
        trained(table, "train.accumulate=2", batch_size=32, dropout=0.0, optimizer="sgd")
    )
    for name, value in whole.items():
        np.testing.assert_allclose(parts[name], value, rtol=1e-5, atol=1e-6)


def test_full_batch_is_all_rows(table: Any) -> None:
    whole = weights(trained(table, batch_size="all", dropout=0.0))
    large = weights(trained(table, batch_size=10_000, dropout=0.0))
    assert same(whole, large)


def test_max_norm_bounds_every_unit(table: Any) -> None:
    found = weights(trained(table, "train.regularization.max_norm=0.3"))
    for name, value in found.items():
        if value.ndim == 2:
            assert np.linalg.norm(value, axis=1).max() <= 0.3 + 1e-6, name


def test_mixup_takes_numbers_alone(table: Any) -> None:
    with pytest.raises(ConfigError, match="the table has categories"):
        trained(table, "train.regularization.mixup=0.2")
    numbers = {name: table[name] for name in ("age", "income", "ill")}
    mixed = trained(numbers, "train.regularization.mixup=0.2", epochs=30, lr=1e-2)
    assert not same(weights(mixed), weights(trained(numbers, epochs=30, lr=1e-2)))
    assert mixed.metrics["accuracy"] > mixed.baseline["accuracy"]


def test_smoothed_labels_bound_the_logits() -> None:
    x = np.linspace(-1, 1, 120)
    label = np.digitize(x, [-0.3, 0.3])
    options: dict[str, Any] = {"epochs": 80, "layers": (16,), "dropout": 0.0, "lr": 0.02,
                               "runs_dir": None, "verbose": False}  # fmt: skip
    sharp = fit({"x": x, "y": label}, "y", **options)
    soft = fit({"x": x, "y": label}, "y", settings=["train.label_smoothing=0.3"], **options)
    assert soft.metrics["accuracy"] > 0.9
    assert sharp.predict_proba({"x": x}).max() > 0.99
    # The best logits give the right class 1 - 0.3 + 0.3 / 3 = 0.8.
    assert np.median(soft.predict_proba({"x": x}).max(axis=1)) == pytest.approx(0.8, abs=0.08)


def test_averages_are_the_model(table: Any) -> None:
    """An average over everything but a thousandth is nearly where training began."""
    slow = weights(trained(table, "train.average=ema", "train.average.warmup=false", lr=0.1))
    still = weights(trained(table, lr=1e-12))
    fast = weights(trained(table, lr=0.1))
    name = "body.0.weight"
    near, far = (np.abs(found[name] - still[name]).max() for found in (slow, fast))
    assert 0 < near < far / 20
    late = trained(table, "train.average=swa", "train.average.start=100", lr=0.1)
    assert same(weights(late), fast)  # it has not begun, so the weights are the average


def test_convergence_ends_training(table: Any) -> None:
    assert len(trained(table, "train.convergence.loss=10", epochs=50).history.epoch) == 2


def test_the_guard_brings_a_training_back() -> None:
    x = np.random.default_rng(0).normal(size=(200, 3))
    data = np.column_stack([x, x @ [1.0, 2.0, 3.0]])
    options: dict[str, Any] = {"optimizer": "sgd", "lr": 40.0, "layers": (8,), "dropout": 0.0,
                               "epochs": 8, "runs_dir": None, "verbose": False}  # fmt: skip
    with pytest.raises(TrainingError, match="became"):
        fit(data, "x3", **options)
    guard = ["train.guard.most=8", "train.guard.lr_factor=0.1"]
    assert fit(data, "x3", settings=guard, **options).metrics["r2"] > 0.9


def test_early_stopping_watches_what_is_asked(table: Any) -> None:
    model = trained(
        table, "train.early_stopping.monitor=val_accuracy", patience=2, epochs=60, lr=1e-2
    )
    accuracy = model.history["val_accuracy"]
    assert len(accuracy) == int(np.argmax(accuracy)) + 3
    with pytest.raises(ConfigError, match="val_f2"):
        trained(table, "train.early_stopping.monitor=val_f2")


def test_one_bound_at_a_time() -> None:
    assert ClipSettings(norm=1.0).active == {"norm": 1.0}
    with pytest.raises(ConfigError, match="more than one bound"):
        ClipSettings(norm=1.0, value=1.0)


def test_the_guard_brings_back_a_regression_that_explodes(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(40, 3))
    y = x @ np.array([3.0, -2, 1]) + 0.1 * rng.normal(size=40)
    lines = [",".join(f"{v:.17g}" for v in (*row, t)) for row, t in zip(x, y, strict=True)]
    (tmp_path / "rates.csv").write_text("\n".join(["a,b,c,y", *lines]))
    (tmp_path / "run.toml").write_text(
        """
        data = { path = "rates.csv", target = "y" }
        model = { layers = [8], dropout = 0.0 }
        output = { runs_dir = "" }
        [train]
        epochs = 10
        batch_size = 32
        optimizer = { name = "sgd", lr = 2.0 }
        guard = { most = 3 }
        """
    )
    chosen = gather([from_file(tmp_path / "run.toml")], Settings).settings
    model = train(TABLES, chosen, None, Listener())
    assert np.isfinite(model.history["loss"]).all()
    assert model.metrics["r2"] > 0.9
