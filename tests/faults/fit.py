"""Faults of fit: what is learned, compared with what could be."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

import chainrule as cr
from chainrule import nn, optim
from chainrule.train import Trainer
from chainrule.train.callbacks import EarlyStopping

from .case import fault
from .made import classes, mlp, numbers, parts, pictures, run_of, table, train


def xor(rows: int = 800, features: int = 2) -> Any:
    rng = np.random.default_rng(0)
    inputs = rng.normal(size=(rows, features)).astype(np.float32)
    return parts(inputs, ((inputs[:, 0] > 0) ^ (inputs[:, 1] > 0)).astype(np.int32))


@fault("T301")
def learning_by_heart(folder: Path) -> Trainer:
    """A large network, a hundred noisy rows, no restraint, and no early stopping."""
    return train(mlp(10, 3, [256, 256]), classes(rows=130, noise=3.0), epochs=60)


@fault("T301")
def learning_numbers_by_heart(folder: Path) -> Trainer:
    """A regression of a hundred rows, half of it noise."""
    return train(mlp(8, 1, [256, 256]), numbers(rows=130, noise=1.0), "mse", epochs=80)


@fault("T301", "T406")
def learning_pictures_by_heart(folder: Path) -> Trainer:
    """Sixty pictures, half of them with a wrong label."""
    cr.manual_seed(0)
    model = nn.Sequential(
        nn.Conv2d(1, 32, 3), nn.ReLU(), nn.Flatten(), nn.Linear(3200, 64), nn.ReLU(),
        nn.Linear(64, 2),
    )  # fmt: skip
    (x, y), held = pictures(rows=160)
    rng = np.random.default_rng(0)
    wrong = rng.random(len(y)) < 0.4
    return train(model, ((x, np.where(wrong, 1 - y, y)), held), epochs=25)


@fault("T301")
def learning_a_table_by_heart(folder: Path) -> Path:
    """The heart table, a network of 512 units a layer, no dropout, patience without end."""
    own = ("model.layers=[512,512]", "model.dropout=0", "train.early_stopping.patience=1000",
           "train.early_stopping.restore_best=false")  # fmt: skip
    return run_of("heart", None, *own, runs=folder, epochs=60)


@fault("T302")
def linear_model_on_xor(folder: Path) -> Trainer:
    """A linear model cannot learn XOR."""
    return train(mlp(2, 2, []), xor(), epochs=20)


@fault("T302")
def one_hidden_unit(folder: Path) -> Trainer:
    """One hidden unit for a problem that needs several."""
    return train(mlp(2, 2, [1], nn.Tanh), xor(), epochs=20)


@fault("T302")
def linear_model_on_waves(folder: Path) -> Trainer:
    """A straight line through a sine."""
    rng = np.random.default_rng(0)
    inputs = rng.uniform(-3, 3, (800, 1)).astype(np.float32)
    return train(mlp(1, 1, []), parts(inputs, np.sin(4 * inputs)), "mse", epochs=20)


@fault("T303", "T307")
def training_harder_than_validation(folder: Path) -> Trainer:
    """The validation rows are an easy choice: those whose class is plain."""
    (x, y), _ = classes(noise=2.0)
    _, (xv, yv) = classes(noise=0.2)
    return train(mlp(10, 3), ((x, y), (xv, yv)))


@fault("T304", "T406", "T301")
def shuffled_labels(folder: Path) -> Trainer:
    """Labels in random order: there is nothing to learn."""
    (x, y), (xv, yv) = classes()
    rng = np.random.default_rng(0)
    return train(mlp(10, 3), ((x, rng.permutation(y)), (xv, yv)), epochs=8)


@fault("T304")
def labels_of_other_rows(folder: Path) -> Trainer:
    """Labels that have slipped by one row."""
    (x, y), (xv, yv) = classes()
    return train(mlp(10, 3), ((x, np.roll(y, 1)), (xv, np.roll(yv, 1))), epochs=8)


@fault("T304")
def shuffled_numbers(folder: Path) -> Trainer:
    """A target of numbers in random order."""
    (x, y), (xv, yv) = numbers()
    rng = np.random.default_rng(0)
    return train(mlp(8, 1), ((x, rng.permutation(y)), (xv, rng.permutation(yv))), "mse", epochs=6)


@fault("T304")
def inputs_that_say_nothing(folder: Path) -> Path:
    """A table whose columns have nothing to do with the target."""
    rng = np.random.default_rng(0)
    columns = {name: rng.normal(size=400).round(3).tolist() for name in "abcd"}
    columns["y"] = rng.choice(["left", "right"], 400).tolist()
    return table(folder, columns, epochs=12)


@fault("T305")
def stopped_while_improving(folder: Path) -> Trainer:
    """Three epochs, when the loss still falls by a fifth in each."""
    model = mlp(10, 3)
    return train(model, classes(), optimizer=optim.Adam(model.parameters(), lr=1e-3), epochs=3)


@fault("T305")
def run_stopped_while_improving(folder: Path) -> Path:
    """Two epochs of the heart table."""
    return run_of("heart", None, "train.lr=1e-3", runs=folder, epochs=2)


@fault("T305")
def stopped_by_a_short_patience(folder: Path) -> Trainer:
    """A patience of one epoch on a noisy validation part: one worse epoch ends it."""
    model = mlp(8, 1)
    (x, y), (xv, yv) = numbers(noise=0.5)
    return train(
        model, ((x, y), (xv[:12], yv[:12])), "mse", optim.Adam(model.parameters(), lr=1e-3),
        epochs=60, callbacks=[EarlyStopping("val_loss", patience=1)],
    )  # fmt: skip


@fault("T306", "T301")
def long_past_the_best_epoch(folder: Path) -> Trainer:
    """Validation was best early on; training went on for eighty epochs."""
    return train(mlp(10, 3, [128, 128]), classes(rows=300, noise=2.5), epochs=80)


@fault("T307")
def dropout_of_nearly_everything(folder: Path) -> Trainer:
    """A dropout of 0.95 in both layers."""
    cr.manual_seed(0)
    model = nn.Sequential(
        nn.Linear(10, 32), nn.ReLU(), nn.Dropout(0.95), nn.Linear(32, 32), nn.ReLU(),
        nn.Dropout(0.95), nn.Linear(32, 3),
    )  # fmt: skip
    return train(model, classes())


@fault("T307")
def dropout_of_nearly_everything_in_a_run(folder: Path) -> Path:
    """The heart table with a dropout of 0.9."""
    return run_of("heart", None, "model.dropout=0.9", runs=folder, epochs=20)


@fault("T307", "T303")
def smoothed_to_nothing(folder: Path) -> Path:
    """Labels smoothed by 0.95: all classes look alike."""
    return run_of("heart", None, "train.label_smoothing=0.95", runs=folder, epochs=20)


@fault("T307", "T303")
def noise_above_the_signal(folder: Path) -> Path:
    """Noise of ten deviations on every input."""
    own = "train.regularization.input_noise=10"
    return run_of("heart", None, own, runs=folder, epochs=20)


@fault("T308")
def squared_error_on_classes(folder: Path) -> Trainer:
    """Class numbers 0, 1, 2 taken for quantities."""
    (x, y), (xv, yv) = classes()
    data = (x, y[:, None].astype(np.float32)), (xv, yv[:, None].astype(np.float32))
    return train(mlp(10, 1), data, "mse")


@fault("T308")
def absolute_error_on_two_classes(folder: Path) -> Trainer:
    """0 and 1 taken for quantities."""
    (x, y), (xv, yv) = classes(count=2)
    data = (x, y[:, None].astype(np.float32)), (xv, yv[:, None].astype(np.float32))
    return train(mlp(10, 1), data, "l1")


@fault("T309")
def batch_norm_of_few_rows(folder: Path) -> Trainer:
    """Batch normalisation over two rows at a time."""
    cr.manual_seed(0)
    model = nn.Sequential(
        nn.Linear(10, 32), nn.BatchNorm1d(32), nn.ReLU(), nn.Linear(32, 32), nn.BatchNorm1d(32),
        nn.ReLU(), nn.Linear(32, 3),
    )  # fmt: skip
    return train(model, classes(rows=400), batch_size=2, epochs=6)


@fault("T309", "T303")
def statistics_that_never_arrive(folder: Path) -> Trainer:
    """Running statistics that move by a hundred-thousandth: evaluation uses the first ones."""
    cr.manual_seed(0)
    model = nn.Sequential(
        nn.Linear(10, 32), nn.BatchNorm1d(32, momentum=1e-5), nn.ReLU(), nn.Linear(32, 3)
    )  # fmt: skip
    (x, y), (xv, yv) = classes()
    return train(model, ((x * 8 + 20, y), (xv * 8 + 20, yv)))


@fault("T309")
def instance_statistics_at_odds(folder: Path) -> Trainer:
    """Batch norm of pictures in batches of three."""
    cr.manual_seed(0)
    model = nn.Sequential(
        nn.Conv2d(1, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.Flatten(), nn.Linear(800, 64),
        nn.BatchNorm1d(64), nn.ReLU(), nn.Linear(64, 2),
    )  # fmt: skip
    return train(model, pictures(rows=160), batch_size=3, epochs=6)
